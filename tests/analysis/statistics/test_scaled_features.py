import numpy as np
import pytest

from napari_impa.analysis.statistics.scaled_features import scaled_features
from napari_impa.errors import CellsError


def test_units_are_those_of_the_reference():
    reference = np.array([[0.0, 10], [2, 30]])
    one, other = scaled_features(reference, np.array([[3.0, 20]]))
    assert one.tolist() == [[-1, -1], [1, 1]]
    assert other.tolist() == [[2, 0]]
    assert scaled_features(np.array([[3.0, 20], [5, 0]]), reference)[1].tolist() != one.tolist()


def test_missing_and_constant_features():
    nan = np.nan
    reference = np.array([[0.0, 5, nan, 1, 0.3], [2, 5, nan, nan, 0.3], [1, 5, 7, 3, 0.3]])
    one, other = scaled_features(reference, np.array([[nan, 9, 9, np.inf, 1]]))
    assert one.shape == (3, 2)  # the same in all, missing in most, and the same up to rounding are left out
    assert one[:, 1].tolist() == [-1, 0, 1]
    assert other.tolist() == [[0, 0]]


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ((np.zeros((3, 2)), np.zeros((3, 1))), "the same features"),
        ((np.zeros((3, 2)),), "No feature differs"),
        ((np.zeros((0, 2)),), "No feature differs"),
    ],
)
def test_what_cannot_be_scaled_is_refused(sets, message):
    with pytest.raises(CellsError, match=message):
        scaled_features(*sets)
