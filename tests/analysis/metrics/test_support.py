import numpy as np
import pytest
from prdc import compute_prdc

from napari_impa.analysis.metrics.support import outside_support
from napari_impa.errors import CellsError
from napari_impa.watch import CancelledError, Watch

ASIDE = np.array([1, 0, 0])


def normal(count, seed):
    return np.random.default_rng(seed).standard_normal((count, 3))


def test_it_is_what_precision_leaves():
    real, predicted = normal(60, 0), normal(50, 1) * 1.5
    expected = 1 - compute_prdc(real, predicted, nearest_k=5)["precision"]
    assert outside_support(real, [predicted]) == pytest.approx([expected])
    assert outside_support(predicted, [real])[0] != pytest.approx(expected)


def test_cells_leave_the_real_ones_as_strength_grows():
    control, treated = normal(80, 0), normal(80, 1) + 20 * ASIDE
    real = np.concatenate([control, treated])
    along = outside_support(real, [control + 20 * strength * ASIDE for strength in (0, 0.5, 1, 1.5)])
    assert along[0] == 0  # the very cells
    assert along[1] > 0.9  # between the two kinds there are no real cells
    assert along[2] < 0.2
    assert along[3] > 0.9


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(CellsError, match="6 cells or more"):
        outside_support(normal(5, 0), [normal(9, 1)])
    with pytest.raises(CellsError, match="1 cells or more"):
        outside_support(normal(9, 0), [normal(9, 1), np.empty((0, 3))])
    with pytest.raises(CellsError, match="not finite"):
        outside_support(normal(9, 0), [np.full((2, 3), np.nan)])


def test_it_can_be_left():
    class Leave(Watch):
        def check(self):
            raise CancelledError

    with pytest.raises(CancelledError):
        outside_support(normal(9, 0), [normal(9, 1)], watch=Leave())
