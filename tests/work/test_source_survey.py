"""What is doubtful about cells that a training is given; `napari-impa look` has its own tests."""

from __future__ import annotations

import numpy as np
import pytest

from napari_impa.cells.simulated.screen import simulated_cells
from napari_impa.cells.store import Cells
from napari_impa.engine.training.settings import TrainingSettings
from napari_impa.work.source_survey import concerns_of


@pytest.fixture(scope="module")
def cells() -> Cells:
    """60 cells of each of two conditions on two plates, and two of a third."""
    whole = simulated_cells(60, size=24, plates=2, conditions=("DMSO", "shrinkage", "mitotic arrest"))
    few = np.flatnonzero(whole.conditions == "mitotic arrest")[:2]
    return whole.take(np.sort([*np.flatnonzero(whole.conditions != "mitotic arrest"), *few]))


def kinds(cells: Cells, **settings: object) -> list[str]:
    return [one.kind for one in concerns_of(cells, TrainingSettings(size=24, **settings))]  # type: ignore[arg-type]


def test_the_gravest_first(cells: Cells) -> None:
    assert kinds(cells) == ["few", "one plate", "nothing held out"]


def test_only_what_is_trained_on_counts(cells: Cells) -> None:
    assert kinds(cells, where={"compound": ["DMSO", "shrinkage"]}) == ["nothing held out"]


def test_what_is_held_out_is_no_cell_to_train_on(cells: Cells) -> None:
    few, *_ = concerns_of(cells, TrainingSettings(size=24, hold_out={"plate": ["sim-B"]}))
    assert few.kind == "few"
    assert "DMSO 30" in few.message


def test_channels_that_are_exchanged_on_a_plate(cells: Cells) -> None:
    pixels = np.array(cells.pixels)
    one = (cells.table["plate"] == "sim-B").to_numpy()
    pixels[one] = pixels[one][:, [1, 0, 2]]
    swapped = Cells(pixels, cells.table, cells.channels, label=cells.label, control=cells.control)
    assert kinds(swapped)[0] == "swapped"


def test_nothing_is_said_of_cells_without_a_label(cells: Cells) -> None:
    assert concerns_of(Cells(cells.pixels, cells.table, cells.channels), TrainingSettings(size=24)) == ()
