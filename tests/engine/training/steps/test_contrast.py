"""Cells at another contrast."""

from __future__ import annotations

import torch

from napari_impa.engine.training.steps.contrast import CHANGED, at_other_contrast


def cells() -> torch.Tensor:
    """Four cells of two channels: a smooth ramp with fine stripes."""
    ramp = torch.linspace(-0.6, 0.1, 32)
    image = ramp[:, None] + ramp[None, :] * 0.2 + 0.05 * (-1) ** torch.arange(32)[None, :]
    return image.expand(4, 2, 32, 32).clone()


def changed(normal: torch.Tensor, *, strength: float = 0.4, uniform: float = 0.0) -> torch.Tensor:
    return at_other_contrast(cells(), strength, normal.expand(3, 4, 2), torch.full((4,), uniform))


def test_cells_above_the_fraction_and_factors_of_one_change_nothing() -> None:
    some = torch.tensor([1.0, 1.0, 1.0])[:, None, None]
    torch.testing.assert_close(changed(some, uniform=CHANGED + 1e-3), cells())
    torch.testing.assert_close(changed(0 * some), cells())
    assert (changed(some) - cells()).abs().max() > 0.1


def test_gain_is_a_factor_of_the_brightness() -> None:
    gain = torch.tensor([1.0, 0.0, 0.0])[:, None, None]
    torch.testing.assert_close((changed(gain) + 1) / 2, (cells() + 1) / 2 * torch.exp(torch.tensor(0.4)))


def test_detail_changes_the_stripes_and_not_the_mean() -> None:
    detail = torch.tensor([0.0, 2.0, 0.0])[:, None, None]
    before, after = cells()[..., 8:-8, 8:-8], changed(detail)[..., 8:-8, 8:-8]

    def stripes(images: torch.Tensor) -> torch.Tensor:
        return (images[..., ::2] - images[..., 1::2]).abs().mean()

    assert stripes(after) / stripes(before) > 1.5
    torch.testing.assert_close(after.mean(), before.mean(), atol=5e-3, rtol=0)


def test_a_constant_image_has_no_detail_and_stays_constant() -> None:
    """Level 0.4 of 0…1; the border counts as going on."""
    constant = torch.full((2, 1, 12, 12), -0.2)
    always = torch.zeros(2)

    def of(gain: float, detail: float, offset: float, strength: float = 0.4) -> torch.Tensor:
        factors = torch.tensor([gain, detail, offset])[:, None, None].expand(3, 2, 1)
        return at_other_contrast(constant, strength, factors, always)

    torch.testing.assert_close(of(0, 3.0, 0), constant)
    for gain, offset, level in ((0.5, 0, 0.4 * 1.2214028), (-1, 0, 0.4 * 0.6703200), (0, 2, 0.4 + 0.06), (9, 0, 1.0)):
        expected = torch.full_like(constant, 2 * level - 1)
        torch.testing.assert_close(of(gain, 1.0, offset), expected)


def test_three_quarters_of_the_cells_are_changed() -> None:
    normal = torch.ones(3, 4, 2)
    uniform = torch.tensor([0.0, 0.74, 0.76, 1.0])
    after = at_other_contrast(cells(), 0.4, normal, uniform)
    assert [bool((a != b).any()) for a, b in zip(after[:2], cells()[:2], strict=True)] == [True, True]
    torch.testing.assert_close(after[2:], cells()[2:])
