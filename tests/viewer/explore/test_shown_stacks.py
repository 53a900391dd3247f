"""Stacks of one cell: sweeps of strengths and doses, real cells beside them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from napari_impa.cells.store import open_cells
from napari_impa.engine.model.model import IMPA
from napari_impa.viewer.explore.shown_stacks import GAP, STRENGTHS, dose_sweep, doses_of, strength_sweep
from napari_impa.watch import Token


def test_real_cells_stand_beside_a_sweep(model: IMPA, cells_path: Path) -> None:
    cells = open_cells(cells_path)
    explored: Any = SimpleNamespace(loaded=SimpleNamespace(model=model), cells=cells, conditions=("shrinkage",))
    layers = strength_sweep(Token(), explored, 0, "shrinkage")
    assert len(layers) == 2 * len(cells.channels)
    swept, real = layers[:3], layers[3:]
    shown = np.flatnonzero(cells.conditions == "shrinkage")
    for (pixels, options, _), (beside, other, _) in zip(swept, real, strict=True):
        assert pixels.shape == beside.shape == (len(STRENGTHS), 48, 48)
        step = other["translate"][-1] - options["translate"][-1]
        assert step == GAP * 48 * options["scale"][-1]
        assert other["translate"][:-1] == options["translate"][:-1]
        assert other["contrast_limits"] == options["contrast_limits"]
        assert other["name"].startswith("real shrinkage")
    channel = len(cells.channels) - 1  # the first layer is the last channel
    assert np.array_equal(real[0][0][1], cells.pixels[shown[1], channel])
    assert np.array_equal(real[0][0][len(shown)], cells.pixels[shown[0], channel])  # they begin again
    assert len(strength_sweep(Token(), explored, 0, "mitotic arrest")) == 3  # of which there are none here


def test_the_doses_of_a_compound_are_a_stack_with_real_cells_beside(cells_path: Path) -> None:
    cells = open_cells(cells_path)
    names = np.array(["taxol 2.5", "taxol 10", "DMSO", "taxol"], object)[np.arange(len(cells)) % 4]
    cells = replace(cells, table=cells.table.assign(dosed=names), label=("dosed",), control="DMSO")

    class Brighter:
        conditions = ("taxol 10", "taxol 2.5", "taxol", "other 5")

        def fit(self, some: Any) -> Any:
            return some

        def predict(self, some: Any, condition: str) -> Any:
            return replace(some, pixels=some.pixels + (1 if condition == "taxol 2.5" else 2))

    loaded = SimpleNamespace(model=Brighter())
    explored: Any = SimpleNamespace(loaded=loaded, cells=cells, conditions=("taxol", "taxol 10", "taxol 2.5"))
    layers = dose_sweep(Token(), explored, 2, "taxol 10")
    assert len(layers) == 2 * len(cells.channels)
    channel = len(cells.channels) - 1
    for step in range(3):  # as it is, then the lowest dose first
        assert np.array_equal(layers[0][0][step], cells.pixels[2, channel] + step)
    for step, row in enumerate((2, 0, 1)):
        assert np.array_equal(layers[3][0][step], cells.pixels[row, channel])
    assert doses_of(Brighter.conditions, "other 5") == doses_of(Brighter.conditions, "DMSO") == ()
