from __future__ import annotations

import numpy as np
import pytest

from napari_impa.cells.checks.nuclear_look import clearest, nuclear_look
from napari_impa.cells.simulated.screen import simulated_field

FIELD = simulated_field(seed=2, size=256)


@pytest.mark.parametrize("exposure", [1.0, 0.01])
def test_nuclei_look_like_it_whatever_the_exposure(exposure: float) -> None:
    looks = [nuclear_look(100 + exposure * plane.astype(float)) for plane in FIELD.pixels]
    assert looks[0] > 0.6 > 0.3 > max(looks[1:])
    assert clearest(looks) == 0


@pytest.mark.parametrize("image", [np.zeros((40, 40)), np.full((40, 40), np.nan)])
def test_what_shows_nothing_is_none_of_nuclei(image: np.ndarray) -> None:
    assert nuclear_look(image) == 0


def test_noise_is_none_of_nuclei() -> None:
    assert nuclear_look(np.random.default_rng(0).normal(size=(128, 128))) < 0.3


@pytest.mark.parametrize(("looks", "at"), [([0.5, 0.45], None), ([0.2, 0.0], None), ([0.4, 0.6], 1), ([0.9], None)])
def test_only_what_is_clear_is_said(looks: list[float], at: int | None) -> None:
    assert clearest(looks) == at
