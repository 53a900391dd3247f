"""Integrated gradients against values worked by hand, their axioms, and captum's."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from napari_impa.analysis.attribution.integrated_gradients import integrated_gradients


def pair(seed: int = 0) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    before, after = torch.rand(2, 3, 2, 8, 8, generator=random).unbind()
    return before, after


def network() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return nn.Sequential(
            nn.Conv2d(2, 6, 3), nn.Softplus(), nn.AvgPool2d(2), nn.Conv2d(6, 4, 3), nn.Tanh(), nn.Flatten(),
            nn.Linear(4, 1),
        )  # fmt: skip


def test_of_a_linear_score_each_pixel_has_its_weight_times_its_change() -> None:
    before = torch.tensor([[1.0, 2.0, 5.0]])
    after = torch.tensor([[3.0, 1.0, 5.0]])
    found = integrated_gradients(lambda x: x @ torch.tensor([2.0, -3.0, 7.0]) + 11, before, after)
    torch.testing.assert_close(found, torch.tensor([[4.0, 3.0, 0.0]]))


def test_of_squares_each_pixel_has_the_difference_of_its_squares() -> None:
    before, after = torch.tensor([[1.0, -2.0]]), torch.tensor([[3.0, 1.0]])
    found = integrated_gradients(lambda x: (x**2).sum(1), before, after)
    torch.testing.assert_close(found, torch.tensor([[8.0, -3.0]]))


def test_a_product_is_shared_out_along_the_path_between_the_two_images() -> None:
    """x y from (1, 0) to (0, 1): along the straight path ∫ (1 − t)(…) gives −1/2 and 1/2; from 0 it would give 0."""
    found = integrated_gradients(lambda x: x[:, 0] * x[:, 1], torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]]))
    torch.testing.assert_close(found, torch.tensor([[-0.5, 0.5]]))


def test_the_shares_sum_to_the_change_of_the_score() -> None:
    (before, after), score = pair(), network()
    found = integrated_gradients(lambda x: score(x)[:, 0], before, after)
    torch.testing.assert_close(
        found.flatten(1).sum(1), (score(after) - score(before))[:, 0].detach(), atol=1e-5, rtol=0
    )


def test_the_way_back_has_the_opposite_shares() -> None:
    (before, after), score = pair(), network()
    there, back = (integrated_gradients(lambda x: score(x)[:, 0], *ends) for ends in ((before, after), (after, before)))
    torch.testing.assert_close(there, -back)
    assert there.abs().max() > 1e-3


def test_pixels_that_do_not_change_count_nothing() -> None:
    before, after = pair()
    after[:, :, :4] = before[:, :, :4]
    score = network()
    found = integrated_gradients(lambda x: score(x)[:, 0], before, after)
    assert (found[:, :, :4] == 0).all()
    assert (found[:, :, 4:] != 0).any()


@pytest.mark.parametrize("points", [5, 24])
def test_the_same_as_captum(points: int) -> None:
    captum = pytest.importorskip("captum.attr")
    (before, after), score = pair(), network()
    expected = captum.IntegratedGradients(lambda x: score(x)[:, 0]).attribute(after, before, n_steps=points)
    found = integrated_gradients(lambda x: score(x)[:, 0], before, after, points=points)
    torch.testing.assert_close(found, expected.float(), atol=1e-6, rtol=1e-4)
