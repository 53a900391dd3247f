import numpy as np
import pytest

from napari_impa.analysis.metrics.memory import share_remembered
from napari_impa.errors import CellsError


def normal(count, seed):
    return np.random.default_rng(seed).standard_normal((count, 4))


def test_on_a_line_by_hand():
    training = np.array([[0.0], [1], [5]])  # nearest other: 1, 1, 4
    cells = np.array([[0.4], [2.5], [8], [10]])  # 0.4 to 0: nearer; 1.5 to 1: farther; 3 to 5: nearer; 5 to 5: farther
    assert share_remembered(cells, training) == 0.5


def test_copies_beside_cells_that_the_training_never_saw():
    training, held_out = normal(200, 0), normal(200, 1)
    assert share_remembered(training[:50] + 1e-3, training) == 1
    assert 0.3 < share_remembered(held_out, training) < 0.6
    assert share_remembered(held_out * 4, training) < 0.2


def test_swapped_arguments_give_another_answer():
    training, cells = normal(100, 0), normal(30, 0) * 0.2
    assert share_remembered(cells, training) != share_remembered(training, cells)


@pytest.mark.parametrize(
    ("cells", "training", "message"),
    [
        (normal(3, 0), normal(1, 0), "2 cells or more"),
        (normal(0, 0), normal(4, 0), "1 cells or more"),
        (normal(3, 0), np.zeros((3, 2)), "the same features"),
        (np.full((3, 4), np.nan), normal(4, 0), "not finite"),
    ],
)
def test_what_cannot_be_compared_is_refused(cells, training, message):
    with pytest.raises(CellsError, match=message):
        share_remembered(cells, training)
