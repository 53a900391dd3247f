"""The condition that did it comes first, and its probability comes true as often as it says."""

from __future__ import annotations

import numpy as np
import pytest

from napari_impa.analysis.phenotypes.calibration import Calibration, expected_calibration_error
from napari_impa.analysis.phenotypes.causes import LikelyCauses
from napari_impa.analysis.phenotypes.control_scale import ControlScale
from napari_impa.cells.simulated.screen import CONTROL, simulated_cells
from napari_impa.engine.model.model import IMPA
from napari_impa.errors import CellsError


def causes(middles: np.ndarray) -> LikelyCauses:
    count = middles.shape[1]
    scale = ControlScale(tuple(map(str, range(count))), np.zeros(count), np.ones(count), np.arange(count), None)
    names = ("DMSO", *(f"condition {number}" for number in range(1, len(middles))))
    return LikelyCauses(scale, names, middles, np.eye(count), Calibration())


MIDDLES = np.array([[0, 0, 0], [1.5, 0, 0], [0, 1.5, 0], [1, 1, 1.0]])


def wells(count: int, seed: int, *, wrong: float = 0.4) -> tuple[list[np.ndarray], list[str]]:
    """Wells of 3 to 40 cells, whose conditions lie a little elsewhere than the model says."""
    random, found, names = np.random.default_rng(seed), [], causes(MIDDLES).names
    of = random.integers(0, len(MIDDLES), count)
    for number in of:
        away = random.normal(0, wrong, 3)
        found.append(MIDDLES[number] + away + random.normal(0, 1, (random.integers(3, 40), 3)))
    return found, [names[number] for number in of]


def test_the_one_that_is_most_alike_comes_first() -> None:
    cells = MIDDLES[2] + np.random.default_rng(0).normal(0, 1, (30, 3))
    table = causes(MIDDLES).rank(cells)
    assert table["condition"][0] == "condition 2"
    assert table["probability"].sum() == pytest.approx(1)
    assert table["probability"].is_monotonic_decreasing
    assert table.set_index("condition")["likeness"]["condition 2"] > 0.7
    assert table.set_index("condition")["likeness"]["DMSO"] == pytest.approx(0, abs=1e-9)


def test_calibrated_probabilities_come_true() -> None:
    plain = causes(MIDDLES)
    fitted = plain.calibrated(*wells(200, 1))
    asked, true = wells(400, 2)
    errors = []
    for one in (plain, fitted):
        likely = one.probabilities(asked)
        right = np.array(one.names)[likely.argmax(1)] == np.array(true)
        errors.append(expected_calibration_error(likely.max(1), right))
    assert errors[1] < 0.06
    assert errors[1] < errors[0]
    assert fitted.calibration.groups > 200


def test_a_well_of_something_else_calibrates_nothing() -> None:
    with pytest.raises(CellsError, match="No well"):
        causes(MIDDLES).calibrated([np.zeros((5, 3))], ["something else"])


def test_the_calibration_error_is_that_of_the_definition() -> None:
    probability = np.array([0.95, 0.95, 0.95, 0.95, 0.55, 0.55])
    right = np.array([True, True, True, False, True, False])
    assert expected_calibration_error(probability, right) == pytest.approx(4 / 6 * 0.2 + 2 / 6 * 0.05)


def test_control_cells_turned_by_a_model_are_told_again(model: IMPA) -> None:
    """Even a model of random weights knows what it makes of cells, but for what drawing any cell changes."""
    controls = simulated_cells(24, size=model.size, conditions=(CONTROL,))
    found = LikelyCauses.of(model, controls, model.conditions[:3], by="what changed")
    before = found.scale(controls.pixels)
    as_it_is = found.scale(model.predict(controls, model.conditions[0], strength=0.0, variability=0.0).pixels)
    for name in model.conditions[:3]:
        turned = np.nan_to_num(found.scale(model.predict(controls, name, seed=5).pixels))
        real = turned - (np.nan_to_num(as_it_is) - np.nan_to_num(before)).mean(0)
        assert found.rank(real)["condition"][0] == name
    assert found.rank(before)["condition"][0] == CONTROL
