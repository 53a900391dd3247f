"""What the losses beside the published ones weigh; those are tested against the reference's numbers."""

from __future__ import annotations

import torch

from napari_impa.engine.training.steps.losses import PEAK, peaks, reconstruction


def test_reconstruction_weighs_fine_detail_more() -> None:
    wanted = torch.zeros(1, 1, 16, 16)
    stripes = 0.1 * (-1.0) ** torch.arange(16).expand(1, 1, 16, 16)
    shift = torch.full((1, 1, 16, 16), 0.1)
    torch.testing.assert_close(reconstruction(stripes, wanted), reconstruction(shift, wanted))
    torch.testing.assert_close(reconstruction(shift, wanted, 2.0), torch.tensor(0.1))  # only what varies is detail
    torch.testing.assert_close(reconstruction(stripes, wanted, 2.0), torch.tensor(0.3))


def test_only_spikes_count_as_peaks() -> None:
    maps = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert peaks(maps) == 0
    maps[:, 1, 4, 7] = 100.0
    z = 255 / 255**0.5  # of one spike among 256 places, whatever its height
    expected = (z - PEAK) ** 2 / (3 * 256)
    torch.testing.assert_close(peaks(maps), torch.tensor(expected), rtol=0.05, atol=0)
    torch.testing.assert_close(peaks(10 * maps + 3), peaks(maps), rtol=1e-3, atol=0)


def test_an_octave_pyramid_by_hand() -> None:
    """4×4 pixels, of which one is 16: 1 on average; octaves of 12, 4, 4, 4 and of 3, 1, 1, 1 over squares of 2×2."""
    wanted = torch.zeros(1, 1, 4, 4)
    image = wanted.clone()
    image[..., 1, 2] = 16.0
    finest, next_one = (12 + 4 + 4 + 4) / 16, (3 + 1 + 1 + 1) / 4
    for detail in (0.0, 1.0, 2.0):
        expected = torch.tensor(1 + detail * (finest + next_one))
        torch.testing.assert_close(reconstruction(image, wanted, detail), expected)
        torch.testing.assert_close(reconstruction(wanted, image, detail), expected)
