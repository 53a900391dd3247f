import numpy as np
import pytest

from napari_impa.analysis.metrics.kernel import kernel_distance
from napari_impa.errors import CellsError


def normal(count, dimensions, seed, shift=0.0):
    return np.random.default_rng(seed).standard_normal((count, dimensions)) + shift


def by_hand(a, b):
    dimensions, count = a.shape[1], len(a)
    total = 0.0
    for i in range(count):
        for j in range(count):
            within = (a[i] @ a[j] / dimensions + 1) ** 3 + (b[i] @ b[j] / dimensions + 1) ** 3
            total += (i != j) * within / (count * (count - 1)) - 2 * (a[i] @ b[j] / dimensions + 1) ** 3 / count**2
    return total


def test_it_is_the_formula_of_the_paper():
    a, b = normal(12, 5, 0), normal(12, 5, 1, shift=0.4)
    found = kernel_distance(a, b)
    assert found.distance == pytest.approx(by_hand(a, b), rel=1e-9)
    assert found.compared == 12
    assert kernel_distance(b, a).distance == pytest.approx(found.distance)


def test_fewer_cells_do_not_raise_it():
    alike = [kernel_distance(normal(10, 4, seed), normal(10, 4, seed + 500)).distance for seed in range(300)]
    assert abs(np.mean(alike)) < 3 * np.std(alike) / np.sqrt(300)
    assert min(alike) < 0 < max(alike)


def test_equally_many_cells_of_either_side_by_seed():
    a, b = normal(40, 3, 0), normal(25, 3, 1, shift=1)
    found = kernel_distance(a, b, subsets=2, seed=7)
    assert found.compared == 25
    expected = []
    for draw in range(2):
        rng = np.random.default_rng([7, 21, draw])
        one, other = (side[rng.permutation(len(side))[:25]] for side in (a, b))
        expected.append(by_hand(one, other))
    assert found.distance == pytest.approx(np.mean(expected))
    assert kernel_distance(a, b, subsets=2, seed=8).distance != pytest.approx(found.distance)
    assert kernel_distance(a, b, 10).compared == 10
    assert kernel_distance(a, b, 100).compared == 25


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (np.zeros((1, 3)), np.zeros((5, 3)), "2 cells or more"),
        (np.zeros((5, 3)), np.zeros((5, 4)), "the same features"),
        (np.full((5, 3), np.nan), np.zeros((5, 3)), "not finite"),
    ],
)
def test_what_cannot_be_compared_is_refused(a, b, message):
    with pytest.raises(CellsError, match=message):
        kernel_distance(a, b)
