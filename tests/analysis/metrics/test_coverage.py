import numpy as np
import pytest
from prdc import compute_prdc

from napari_impa.analysis.metrics.coverage import coverage
from napari_impa.errors import CellsError


def normal(count, seed, scale=1.0):
    return np.random.default_rng(seed).standard_normal((count, 3)) * scale


def test_it_is_that_of_the_package_and_prints_nothing(capsys):
    real, predicted = normal(60, 0), normal(50, 1, scale=0.5)
    found = coverage(real, predicted, nearest=4)
    assert capsys.readouterr().out == ""
    assert found._asdict() == pytest.approx(compute_prdc(real, predicted, nearest_k=4))


def test_on_a_line_by_hand():
    real = np.array([[0.0], [1], [2], [10]])  # nearest other: 1, 1, 1, 8
    predicted = np.array([[0.5], [9], [30]])  # nearest other: 8.5, 8.5, 21
    found = coverage(real, predicted, nearest=1)
    assert found.precision == pytest.approx(2 / 3)
    assert found.recall == 1
    assert found.density == pytest.approx(3 / 3)  # 0.5 lies near 0 and 1, 9 near 10, 30 near none
    assert found.coverage == pytest.approx(3 / 4)


def test_swapped_arguments_swap_precision_and_recall():
    wide, narrow = normal(80, 0), normal(80, 1, scale=0.3)
    found, swapped = coverage(wide, narrow), coverage(narrow, wide)
    assert found.precision == swapped.recall > 0.9
    assert found.recall == swapped.precision < 0.5
    assert found.density != pytest.approx(swapped.density)


@pytest.mark.parametrize(
    ("real", "predicted", "message"),
    [
        (normal(5, 0), normal(9, 0), "need 6 cells or more in each set, and there are 5 and 9"),
        (normal(9, 0), normal(5, 0), "need 6 cells or more in each set, and there are 9 and 5"),
        (normal(9, 0), np.zeros((9, 2)), "the same features"),
        (normal(9, 0), np.full((9, 3), np.nan), "not finite"),
    ],
)
def test_what_cannot_be_compared_is_refused(real, predicted, message):
    with pytest.raises(CellsError, match=message):
        coverage(real, predicted)
