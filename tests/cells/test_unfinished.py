"""Cutting that is left, fails or is killed, and gone on with: the same folder to the bit, and nothing half-written."""

from __future__ import annotations

import errno
import json
import shutil
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_impa.cells import blocks, folder, writer
from napari_impa.cells.folder import crop_source, open_source
from napari_impa.cells.simulated.screen import CONTROL, write_simulated_screen
from napari_impa.cells.store import Cells, CellsWriter, open_cells
from napari_impa.errors import CellsError
from napari_impa.watch import CancelledError, Watch
from napari_impa.workers import Workers


class LeftAfter(Watch):
    """Stops the work when so many parts are done."""

    def __init__(self, parts: int) -> None:
        self.left, self.seen = parts, list[tuple[int, int, str]]()

    def report(self, done: int, of: int, what: str = "") -> None:
        self.seen.append((done, of, what))

    def check(self) -> None:
        if len(self.seen) >= self.left:
            raise CancelledError


def files(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.iterdir()}


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("screen") / "screen"
    return write_simulated_screen(path, plates=2, size=128, conditions=(CONTROL, "shrinkage"))


@pytest.mark.parametrize("jobs", [1, 2])
def test_fields_are_gone_on_with(screen: Path, tmp_path: Path, jobs: int) -> None:
    whole = crop_source(screen, tmp_path / "whole", size=48, kind="fields")
    fields = whole.history["fields"]
    for number in range(fields - 1 if jobs == 1 else 1):
        watch = LeftAfter(1)
        with pytest.raises(CancelledError):
            crop_source(screen, tmp_path / "x", size=48, kind="fields", keep=True, workers=Workers(jobs), watch=watch)
        assert watch.seen[0][:2] == (number + 1, fields)  # one more than the time before
        assert sorted(path.name for path in tmp_path.iterdir()) == [".x.cells.unfinished", "whole.cells"]
    crop_source(screen, tmp_path / "x", size=48, kind="fields", keep=True, workers=Workers(jobs))
    assert files(tmp_path / "x.cells") == files(tmp_path / "whole.cells")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["whole.cells", "x.cells"]


@pytest.mark.parametrize("kind", ["crops", "cells"])
def test_crops_and_cells_are_too(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK", 3)
    monkeypatch.setattr(folder, "BLOCK", 3)
    table = pd.DataFrame({"compound": ["DMSO", "taxol"] * 4, "field": "f", "y": 9, "x": 9, "label": 1})
    cells = Cells(np.random.default_rng(0).integers(0, 99, (8, 2, 24, 24), np.uint16), table, ("DNA", "actin"))
    source = cells.save(tmp_path / "source.cells")
    if kind == "crops":
        source = tmp_path / "source"
        source.mkdir()
        for number, pixels in enumerate(cells.pixels):
            np.save(source / f"{number}.npy", pixels if number != 4 else 0 * pixels)
    whole = crop_source(source, tmp_path / "whole", size=20)
    with pytest.raises(CancelledError):
        crop_source(source, tmp_path / "x", size=20, keep=True, watch=LeftAfter(1))
    watch = LeftAfter(99)
    crop_source(source, tmp_path / "x", size=20, keep=True, watch=watch)
    assert [one[:2] for one in watch.seen] == [(8, 8)]
    assert files(tmp_path / "x.cells") == files(tmp_path / "whole.cells")
    assert whole.history.get("left_out_blank", 0) == (kind == "crops")


def make(path: Path, keep: dict[str, object] | None) -> CellsWriter:
    return CellsWriter(path, ("DNA",), 4, "uint16", keep=keep)


def block(first: int) -> tuple[np.ndarray, pd.DataFrame]:
    return np.full((2, 1, 4, 4), first, np.uint16), pd.DataFrame({"field": ["f"] * 2, "label": [first, first + 1]})


def leave(path: Path) -> None:
    with suppress(KeyboardInterrupt), make(path, {"of": 1}) as cells:
        cells.append(*block(0), so_far={"done": 1})
        cells.append(*block(2))  # of a part that is not whole
        raise KeyboardInterrupt


def test_what_is_behind_the_last_whole_part_is_written_again(tmp_path: Path) -> None:
    leave(tmp_path / "x")
    again = make(tmp_path / "x", {"of": 1})
    assert (again.so_far, again.kept) == ({"done": 1}, 2)
    with again:
        again.append(*block(8), so_far={"done": 2})
    found = open_cells(tmp_path / "x.cells")
    assert found.table["label"].tolist() == [0, 1, 8, 9]
    assert found.pixels[:, 0, 0, 0].tolist() == [0, 0, 8, 8]
    assert sorted(path.name for path in (tmp_path / "x.cells").iterdir()) == ["meta.json", "pixels.npy", "table.csv"]


@pytest.mark.parametrize("other", [{"of": 2}, {}, None])
def test_what_is_of_another_work_is_not_taken(tmp_path: Path, other: dict[str, object] | None) -> None:
    leave(tmp_path / "x")
    with make(tmp_path / "x", other) as cells:
        assert (cells.so_far, cells.kept) == ({}, 0)
        cells.append(*block(4))
    assert open_cells(tmp_path / "x.cells").table["label"].tolist() == [4, 5]


@pytest.mark.parametrize("damage", ["short pixels", "no table", "no JSON", "a list"])
def test_what_is_damaged_is_not_taken(tmp_path: Path, damage: str) -> None:
    leave(tmp_path / "x")
    left = tmp_path / ".x.cells.unfinished"
    if damage == "short pixels":
        (left / "pixels.npy").write_bytes((left / "pixels.npy").read_bytes()[:150])
    elif damage == "no table":
        (left / "table.csv").unlink()
    else:
        (left / "unfinished.json").write_text("{" if damage == "no JSON" else "[]")
    assert make(tmp_path / "x", {"of": 1}).so_far == {}


def test_a_killed_process_loses_what_it_had_not_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "NOTE_EVERY", 1e9)
    cells = make(tmp_path / "x", {"of": 1}).__enter__()  # and never left
    for number in range(3):
        cells.append(*block(2 * number), so_far={"done": number + 1})
    cells._pixels.close()
    again = make(tmp_path / "x", {"of": 1})
    assert again.so_far == {"done": 1}  # the first is noted at once
    with again:
        again.append(*block(6), so_far={"done": 2})
    assert open_cells(tmp_path / "x.cells").table["label"].tolist() == [0, 1, 6, 7]


def test_nothing_stays_where_nothing_is_done(tmp_path: Path) -> None:
    with suppress(KeyboardInterrupt), make(tmp_path / "x", {}) as cells:
        cells.append(*block(0))
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_keeps_what_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, written = pd.DataFrame.to_csv, []

    def full(self: pd.DataFrame, *args: object, **kwargs: object) -> object:
        written.append(self)
        if len(written) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(self, *args, **kwargs)

    def write() -> None:
        with make(tmp_path / "x", {}) as cells:
            cells.append(*block(0), so_far={"done": 1})
            cells.append(*block(2), so_far={"done": 2})

    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    with pytest.raises(CellsError, match="what was written before is kept"):
        write()
    assert make(tmp_path / "x", {}).so_far == {"done": 1}


def test_other_images_are_cut_anew(screen: Path, tmp_path: Path) -> None:
    with pytest.raises(CancelledError):
        crop_source(screen, tmp_path / "x", size=48, kind="fields", keep=True, watch=LeftAfter(1))
    fewer = open_source(screen, kind="fields").of_rows([1, 0, 2])
    watch = LeftAfter(99)
    crop_source(fewer, tmp_path / "x", size=48, keep=True, watch=watch)
    assert watch.seen[0][:2] == (1, 3)
    meta = json.loads((tmp_path / "x.cells" / "meta.json").read_text())
    assert meta["history"]["fields"] == 3


def test_images_exchanged_under_their_names_are_cut_anew(screen: Path, tmp_path: Path) -> None:
    """Half of the cells would be of what lay there before; a folder that lies elsewhere now is the same."""
    plate = shutil.copytree(screen, tmp_path / "there" / screen.name)  # with the times of the files
    with pytest.raises(CancelledError):
        crop_source(screen, tmp_path / "x", size=48, kind="fields", keep=True, watch=LeftAfter(1))
    watch = LeftAfter(1)
    with pytest.raises(CancelledError):
        crop_source(plate, tmp_path / "x", size=48, kind="fields", keep=True, watch=watch)
    assert watch.seen[0][0] == 2
    first, second, *_ = open_source(plate, kind="fields").entries
    one, other = first.files[0].read_bytes(), second.files[0].read_bytes()
    first.files[0].write_bytes(other)
    second.files[0].write_bytes(one)
    watch = LeftAfter(99)
    made = crop_source(plate, tmp_path / "x", size=48, kind="fields", keep=True, watch=watch)
    assert watch.seen[0][0] == 1
    whole = crop_source(plate, tmp_path / "whole", size=48, kind="fields")
    assert np.array_equal(made.pixels, whole.pixels)
