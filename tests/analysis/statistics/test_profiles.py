import numpy as np
import pytest

from napari_impa.analysis.statistics.profiles import profiles_of
from napari_impa.errors import CellsError


def test_a_wells_profile_is_the_median_of_its_cells():
    features = np.array([[1.0], [2], [9], [4], [6]])
    assert profiles_of(features, ["B", "B", "B", "A", "A"]).tolist() == [[5], [2]]


def test_without_wells_each_cell_is_in_one_group():
    features = np.arange(101.0)[:, None]
    profiles = profiles_of(features, group=25)
    assert len(profiles) == 4
    assert len(profiles_of(features[:5])) == 2
    singles = profiles_of(features[:6], group=1)
    assert sorted(singles[:, 0]) == list(range(6))
    assert (profiles_of(features, seed=1) != profiles).any()
    assert (profiles_of(features, seed=0) == profiles).all()


@pytest.mark.parametrize(("cells", "wells"), [(1, None), (3, ["A"]), (0, [])])
def test_too_few_cells_are_refused(cells, wells):
    with pytest.raises(CellsError):
        profiles_of(np.zeros((cells, 2)), wells)
