from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from napari_impa.cells import reading
from napari_impa.cells.reading import file_part, read_blocks, read_pixels, split_runs
from napari_impa.errors import CellsError


@pytest.fixture(scope="module")
def mapped(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """300 cells of two channels of 6 px, memory-mapped."""
    path = tmp_path_factory.mktemp("map") / "pixels.npy"
    np.save(path, np.arange(300 * 2 * 36, dtype=np.uint16).reshape(300, 2, 6, 6))
    return np.load(path, mmap_mode="r")


@example([18, 18, 20], 144, 432)  # as many rows as the part of the file has, one of them twice
@given(st.lists(st.integers(0, 299), max_size=60), st.integers(0, 2000), st.integers(1, 4000))
def test_rows_come_in_the_order_asked_for(mapped: np.ndarray, rows: list[int], gap: int, block: int) -> None:
    with patch.multiple(reading, GAP_BYTES=gap, BLOCK_BYTES=block):
        np.testing.assert_array_equal(read_pixels(mapped, np.array(rows, int), 4), mapped[rows][..., 1:5, 1:5])


@given(st.lists(st.integers(0, 1000), unique=True).map(sorted), st.integers(0, 20), st.integers(1, 50))
def test_runs_cover_all_rows_once_and_keep_their_bounds(rows: list[int], gap: int, longest: int) -> None:
    numbers = np.array(rows, int)
    runs = split_runs(numbers, gap, longest)
    assert np.concatenate([numbers[run] for run in runs] or [[]]).tolist() == rows
    for run in runs:
        assert numbers[run][-1] - numbers[run][0] < longest
        assert (np.diff(numbers[run]) <= gap + 1).all()


def test_neighbours_are_read_in_one_go_and_far_rows_are_not(mapped: np.ndarray) -> None:
    rows = np.array([250, 3, 1, 2])
    with patch.object(reading, "GAP_BYTES", 0):
        blocks = [(places.tolist(), len(block)) for places, block in read_blocks(mapped, rows)]
    assert blocks == [([2, 3, 1], 3), ([0], 1)]


def test_parts_of_a_map_are_found_in_its_file(mapped: np.ndarray) -> None:
    part = file_part(mapped[100:])
    assert part is not None
    assert part[1] - file_part(mapped)[1] == 100 * 2 * 36 * 2  # type: ignore[index]
    np.testing.assert_array_equal(read_pixels(mapped[100:], np.array([5, 0])), mapped[[105, 100]])
    for other in (mapped[:, :1], np.array(mapped), mapped[:0]):  # not contiguous, not a file, empty
        assert file_part(other) is None
    np.testing.assert_array_equal(read_pixels(mapped[:, 1:], np.array([7])), mapped[[7], 1:])


def test_bytes_are_turned_round_where_the_file_has_them_so(tmp_path: Path) -> None:
    pixels = np.arange(64).reshape(4, 1, 4, 4).astype(">u2")
    np.save(tmp_path / "p.npy", pixels)
    read = read_pixels(np.load(tmp_path / "p.npy", mmap_mode="r"), np.array([3, 1]))
    assert read.dtype == np.uint16
    np.testing.assert_array_equal(read, pixels[[3, 1]])


def test_a_file_that_was_cut_short_or_removed_is_said(tmp_path: Path) -> None:
    path = tmp_path / "p.npy"
    np.save(path, np.zeros((10, 1, 8, 8), np.uint8))
    mapped = np.load(path, mmap_mode="r")
    with open(path, "r+b") as file:
        file.truncate(300)
    with pytest.raises(CellsError, match="shorter than when it was opened"):
        read_pixels(mapped, np.array([9]))
    path.unlink()
    with pytest.raises(CellsError, match="cannot be read any more"):
        read_pixels(mapped, np.array([0]))


def test_rows_that_are_not_there(mapped: np.ndarray) -> None:
    with pytest.raises(IndexError, match="rows 0 to 300"):
        read_pixels(mapped, np.array([0, 300]))
