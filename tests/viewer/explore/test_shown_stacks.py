"""Stacks of one cell: a sweep of strengths, real cells beside it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from napari_impa.cells.store import open_cells
from napari_impa.engine.model.model import IMPA
from napari_impa.viewer.explore.shown_stacks import GAP, STRENGTHS, strength_sweep
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
