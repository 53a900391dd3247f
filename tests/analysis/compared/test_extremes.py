"""The cells that came out best and worst."""

from __future__ import annotations

import numpy as np
import pytest

from napari_impa.analysis.compared.extremes import SHOWN, cell_errors
from napari_impa.analysis.evaluation import evaluation


def test_an_error_is_how_far_a_cell_is_from_the_real_ones_it_is_most_like() -> None:
    real = np.stack([np.arange(100.0), np.zeros(100)], axis=1)  # a unit apart
    error, nearest = cell_errors(np.array([[50.0, 0.0], [50.0, 30.0]]), real)
    among = np.mean([1, 1, 2, 2, 3])
    assert list(nearest) == [50, 50]
    assert error[0] == pytest.approx(np.mean([0, 1, 1, 2, 2]) / among)
    assert error[1] == pytest.approx(np.mean(np.hypot(30, [0, 1, 1, 2, 2])) / among)


def test_few_real_cells_will_do() -> None:
    error, nearest = cell_errors(np.zeros((3, 2)), np.array([[1.0, 0.0], [0.0, 2.0]]))
    assert error.shape == nearest.shape == (3,)
    assert list(nearest) == [0, 0, 0]


def test_best_median_and_worst_are_shown_with_what_they_were_and_the_real_cell_they_are_like(cells, double) -> None:
    def answer(some, condition):
        after = np.array(double.oracle(some, condition))
        after[7] = 5000  # like no real cell
        return after

    model = double(answer, hold_out={"plate": ("P2",)})
    shown = evaluation(model, cells, features=("fast", "quick")).extremes["swell"]
    assert shown.kinds == ("best",) * SHOWN + ("median",) * SHOWN + ("worst",) * SHOWN
    assert (np.diff(shown.error) >= 0).all()
    assert shown.positions[-1] == 7
    controls = cells.take((cells.table["plate"] == "P2").to_numpy()).controls().pixels
    np.testing.assert_array_equal(shown.control, controls[shown.positions])
    assert (shown.predicted[-1] == 5000).all()
    assert shown.real.shape == shown.predicted.shape
