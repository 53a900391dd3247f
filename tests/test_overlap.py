"""Threads that read ahead and write behind: in order, beside the work, in bounded memory, and gone afterwards."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_impa.cells.parts import write_cells
from napari_impa.cells.writer import CellsWriter
from napari_impa.errors import CellsError
from napari_impa.overlap import Behind, read_ahead
from napari_impa.watch import CancelledError, Token


def threads_left() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name.startswith(("reading-ahead", "writing-behind"))]


def test_parts_come_in_order_and_the_next_is_read_meanwhile() -> None:
    begun = [threading.Event() for _ in range(5)]

    def read(number: int) -> int:
        begun[number].set()
        return number * number

    found = []
    for number, value in read_ahead(range(5), read):
        found.append((number, value))
        assert number == 4 or begun[number + 1].wait(10)
    assert found == [(number, number * number) for number in range(5)]
    assert not threads_left()


def test_no_more_is_read_than_the_next_two() -> None:
    read: list[int] = []
    parts = read_ahead(range(100), lambda number: read.append(number) or number)
    for number, _ in parts:
        time.sleep(0.002)
        assert len(read) <= number + 3
        if number == 20:
            break
    parts.close()
    assert len(read) <= 23
    assert not threads_left()


def test_a_single_part_needs_no_thread() -> None:
    names = [name for _, name in read_ahead(["only"], lambda _: threading.current_thread().name)]
    assert names == [threading.current_thread().name]


def test_what_reading_raises_comes_at_its_part() -> None:
    def read(number: int) -> int:
        if number == 2:
            raise CellsError("the disk is gone")
        return number

    found = []
    with pytest.raises(CellsError, match="disk is gone"):
        found.extend(value for _, value in read_ahead(range(5), read))
    assert found == [0, 1]
    assert not threads_left()


def test_waiting_for_a_slow_disk_can_be_left() -> None:
    token, go_on = Token(), threading.Event()

    def read(number: int) -> int:
        if number == 1:
            token.cancel()
            go_on.wait(0.5)
        return number

    with pytest.raises(CancelledError):
        list(read_ahead(range(9), read, watch=token))
    assert not threads_left()


def test_blocks_are_written_in_order_beside_the_work_one_at_a_time() -> None:
    written: list[int] = []
    slow, made = threading.Event(), []

    def write(number: int) -> None:
        if number == 0:
            slow.wait(10)  # until the next block has been made
        written.append(number)

    with Behind(write) as behind:
        for number in range(6):
            made.append(number)
            assert len(made) - len(written) <= 2
            if number == 1:
                slow.set()
            behind(number)
    assert written == list(range(6))
    assert not threads_left()


def test_what_writing_raises_comes_at_the_next_block_or_the_end() -> None:
    def write(number: int) -> None:
        if number >= 2:
            raise CellsError("the disk is full")

    made: list[int] = []

    def work(numbers: range, *, fails: bool = False) -> None:
        with Behind(write) as behind:
            for number in numbers:
                made.append(number)
                behind(number)
            if fails:
                raise KeyError

    with pytest.raises(CellsError, match="disk is full"):
        work(range(9))
    assert made == [0, 1, 2, 3]
    with pytest.raises(CellsError, match="disk is full"):
        work(range(2, 3))
    with pytest.raises(KeyError):  # what the work itself raises goes first
        work(range(2, 3), fails=True)
    assert not threads_left()


def block(number: int, count: int = 3) -> tuple[np.ndarray, pd.DataFrame]:
    return np.full((count, 1, 8, 8), number, np.uint8), pd.DataFrame({"number": [number] * count})


def test_a_folder_that_cannot_be_written_is_not_kept(tmp_path: Path) -> None:
    writer = CellsWriter(tmp_path / "x", ["DNA"], 8, np.uint8)
    with pytest.raises(CellsError, match="does not fit"):
        write_cells(writer, [block(0), (np.zeros((3, 1, 9, 9), np.uint8), block(1)[1]), block(2), block(3)])
    assert not list(tmp_path.iterdir())

    def left():  # type: ignore[no-untyped-def]
        yield block(0)
        raise CancelledError

    with pytest.raises(CancelledError):
        write_cells(CellsWriter(tmp_path / "x", ["DNA"], 8, np.uint8), left())
    assert not list(tmp_path.iterdir())
    assert not threads_left()
