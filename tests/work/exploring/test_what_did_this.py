"""Probabilities are calibrated on cells that the training never saw."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from napari_impa.cells.store import Cells
from napari_impa.work.exploring.what_did_this import calibration_wells, wells_of_cells

WELLS = ("A01", "A02", "A03", "A04")


def plate(**more: Any) -> Cells:
    table = pd.DataFrame({"plate": "P1", "well": np.repeat(WELLS, 2), "compound": "DMSO"}).assign(**more)
    return Cells(np.zeros((8, 1, 4, 4), np.uint8), table, ("DNA",), label=("compound",), control="DMSO")


@pytest.mark.parametrize(
    ("hold_out", "wells"),
    [
        ({"plate+well": ("P1 A02", "P1 A04")}, {"A02", "A04"}),
        ({"well": ("A03",)}, {"A03"}),
        ({"batch": ("2",)}, {"A03", "A04"}),
        ({}, {"A01", "A03"}),  # every second one
    ],
)
def test_wells_that_were_held_out_are_those_that_it_is_calibrated_on(hold_out: dict[str, Any], wells: set[str]) -> None:
    cells, model = plate(batch=np.repeat([1.0, 2.0], 4)), SimpleNamespace(hold_out=hold_out)
    assert set(cells.table["well"][calibration_wells(model, cells)]) == wells  # type: ignore[arg-type]


def test_one_well_of_two_batches_is_two() -> None:
    cells = plate(well="A01", batch=np.repeat(["a", "b"], 4))
    assert [len(rows) for rows in wells_of_cells(cells, np.ones(8, bool))] == [4, 4]
