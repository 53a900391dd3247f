"""What is said of how a measure is spread over cells."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_impa.analysis.changes import UNDER_THRESHOLD, Changes
from napari_impa.analysis.distributions import measure_spread, most_moved

COLUMNS = pd.DataFrame(
    [
        ("nucleus", "area", "px²"),
        ("DNA", "nuclear to ring", ""),
        ("NFκB", "area", "px²"),
        ("NFκB", "mean intensity", "grey"),
        ("NFκB", "nuclear to ring", ""),
    ],
    columns=["channel", "feature", "unit"],
)


def found(
    control: list[list[float]], predicted: list[list[float]], treated: list[list[float]] | None = None
) -> Changes:
    real = None if treated is None else np.array(treated)
    return Changes(COLUMNS, np.array(control), np.array(predicted), real)


@pytest.fixture
def moved() -> Changes:
    """Ten cells: NFκB is nuclear in one of them before, in nine after; their nuclei shrink in seven."""
    control = [[100.0, 5, 50, 10, 1.5 if cell == 0 else 0.7] for cell in range(10)]
    predicted = [[90.0 if cell < 7 else 110, 5, 50, 10, 0.8 if cell == 9 else 2.0] for cell in range(10)]
    return found(control, predicted, [[80.0, 5, 50, 10, 2.0]] * 3 + [[120.0, 5, 50, 10, 0.5]])


def test_where_a_channel_is_is_said_of_all_cells(moved: Changes) -> None:
    spread = measure_spread(moved, 4)
    assert spread.sentence() == "In 90 % of predicted cells NFκB is nuclear (control 10 %, real 75 %)."
    assert spread.sentence("input").endswith("(input 10 %, real 75 %).")
    assert most_moved(moved) == 4


def test_a_measure_rises_or_falls_cell_by_cell_and_real_cells_stand_beside_the_median(moved: Changes) -> None:
    said = measure_spread(moved, 0).sentence()
    assert said == "In 70 % of cells nucleus area falls; 75 % of real cells are below the median of control cells."
    assert measure_spread(moved, 1).sentence() == "DNA nuclear to ring changes in no cell."  # nuclei are no question


def test_cells_without_a_value_do_not_count_and_a_cell_short_of_all_is_not_all() -> None:
    nan = float("nan")
    control = [[nan, 5, 50, 10, nan]] + [[100.0, 5, 50, 10, 0.5]] * 400
    predicted = [[nan, 5, 50, 10, nan]] + [[101.0, 5, 50, 10, 2.0]] * 399 + [[100.0, 5, 50, 10, 0.5]]
    changes = found(control, predicted)
    assert measure_spread(changes, 0).sentence() == "In 99 % of cells nucleus area rises."
    assert measure_spread(changes, 4).sentence() == "In 99 % of predicted cells NFκB is nuclear (control 0 %)."
    assert "could not" in measure_spread(found([[nan] * 5], [[nan] * 5]), 4).sentence()
    assert "could not" in measure_spread(found([[nan] * 5], [[nan] * 5]), 0).sentence()


def test_what_is_too_dim_has_no_sentence_of_area() -> None:
    changes = found([[100.0, 5, 50, 10, 0.7]] * 5, [[100.0, 5, 2, 10, 0.7]] * 5)
    assert measure_spread(changes, 2).sentence() == UNDER_THRESHOLD
    assert "changes in no cell" in measure_spread(changes, 0).sentence()
