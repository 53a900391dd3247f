"""What every feature space promises."""

from __future__ import annotations

import numpy as np
import pytest

from napari_impa.analysis.features import FAMILIES, FEATURE_SPACES, FeatureSpace
from napari_impa.cells.store import Cells
from napari_impa.errors import CellsError
from napari_impa.watch import CancelledError, Token

LIMITS = np.array([[200.0, 1300.0], [200.0, 1300.0]])


def test_names_tell_spaces_apart() -> None:
    assert len({space.name for space in FEATURE_SPACES}) == len(FEATURE_SPACES) > 0


def test_a_cell_is_described_by_itself_alone(space: FeatureSpace, cells: Cells) -> None:
    some = cells.pixels[:5]
    found = space.describe(some, LIMITS)
    assert found.shape[0] == 5
    assert found.dtype == np.float64
    assert space.columns or np.isfinite(found).all()
    np.testing.assert_allclose(space.describe(some[::-1], LIMITS), found[::-1], atol=1e-5)
    np.testing.assert_allclose(space.describe(some[2:3], LIMITS), found[2:3], atol=1e-5)


def test_each_number_has_a_name_of_its_own_or_none_has(space: FeatureSpace, cells: Cells) -> None:
    if space.columns is None:
        return
    columns = space.columns(("DNA", "actin"))
    assert len(columns) == space.describe(cells.pixels[:1], LIMITS).shape[1]
    assert len({column.name for column in columns}) == len({column.title for column in columns}) == len(columns)
    assert {column.family for column in columns} == set(FAMILIES)
    assert {channel for column in columns for channel in column.channels} == {"DNA", "actin"}


def test_no_cells_are_described_by_as_many_numbers(space: FeatureSpace, cells: Cells) -> None:
    some, none = (space.describe(cells.pixels[:count], LIMITS) for count in (1, 0))
    assert none.shape == (0, some.shape[1])


def test_limits_that_do_not_fit_are_an_error(space: FeatureSpace, cells: Cells) -> None:
    with pytest.raises(CellsError, match="higher limit for each of the 2"):
        space.describe(cells.pixels[:1], LIMITS[:1])


def test_the_work_can_be_left(space: FeatureSpace, cells: Cells) -> None:
    token = Token()
    token.cancel()
    with pytest.raises(CancelledError):
        space.describe(cells.pixels[:2], LIMITS, watch=token)
