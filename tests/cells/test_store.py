from __future__ import annotations

import errno
import json
import os
import stat
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_impa.analysis.selection import held_out_rows
from napari_impa.cells.store import Cells, CellsWriter, concatenate, open_cells
from napari_impa.cells.tiff import TiffPicture, save_ome_tiff
from napari_impa.errors import CellsError, ConditionError


def make(n: int = 6, size: int = 5, dtype: str = "uint16", **kwargs: Any) -> Cells:
    pixels = (np.arange(n * 2 * size * size) % 250).reshape(n, 2, size, size).astype(dtype)
    table = pd.DataFrame({
        "field": [f"f{i // 2}" for i in range(n)], "y": range(n), "x": range(n), "label": range(1, n + 1),
        "plate": ["001", "02", "02"] * (n // 3), "compound": ["DMSO", "a", "a"] * (n // 3),
        "dose": [0.0, 5.0, 50.0] * (n // 3),
    })  # fmt: skip
    options: dict[str, Any] = {
        "label": ("compound", "dose"),
        "control": "DMSO",
        "pixel_size": 0.5,
        "history": {"source": "s"},
    }
    return Cells(pixels, table, ("DNA", "actin"), **(options | kwargs))


def test_cells_know_their_conditions() -> None:
    cells = make()
    assert list(cells.counts().items()) == [("DMSO", 2), ("a 5", 2), ("a 50", 2)]
    assert cells.is_control.tolist() == [True, False, False] * 2
    assert len(cells.controls()) == 2
    assert cells.treated().table["dose"].tolist() == [5, 50, 5, 50]
    assert cells.treated("a 50").table["label"].tolist() == [3, 6]
    assert np.array_equal(cells.treated("a 50").pixels, cells.pixels[[2, 5]])


def test_cells_of_columns_with_values() -> None:
    cells = make()
    assert cells.where(plate="001").table["label"].tolist() == [1, 4]
    assert cells.where(dose=[5, 50], plate="02").table["label"].tolist() == [2, 3, 5, 6]
    assert cells.where(dose=np.float32(5)).table["label"].tolist() == [2, 5]
    with pytest.raises(ConditionError, match="No row has plate = 1; its values are: 001, 02"):
        cells.where(plate=1)
    with pytest.raises(ConditionError, match="no column 'well'"):
        cells.where(well="A01")


def test_sizes_and_controls_of_other_types_are_kept_and_read_again(tmp_path: Path) -> None:
    table = pd.DataFrame({"dose": [0, 5]})
    pixels = np.zeros((2, 1, 4, 4), np.uint8)
    made = Cells(pixels, table, ("a",), np.float32(0.5), ("dose",), 0)  # type: ignore[arg-type]
    again = open_cells(made.save(tmp_path / "x.cells"))
    assert (again.pixel_size, again.control, again.is_control.tolist()) == (0.5, "0", [True, False])
    for none in (0, -0.5, float("nan")):
        assert Cells(pixels, table, ("a",), none).pixel_size is None


def test_a_looser_spelling_of_the_control_is_asked_for_only_where_none_is_as_written() -> None:
    table = pd.DataFrame({"gene": ["wt", "TP53", "TP53"], "cell_line": ["A549", "WT", "A549"]})
    cells = Cells(np.zeros((3, 1, 4, 4), np.uint8), table, ("a",), label=("gene", "cell_line"), control="wt")
    assert cells.is_control.tolist() == [True, False, False]


def test_a_control_that_does_not_occur_is_said_with_what_there_is() -> None:
    with pytest.raises(ConditionError, match=r"'water'; the conditions are: DMSO 0, a 5, a 50\."):
        make().labelled(["compound", "dose"], "water")
    other = make().labelled("compound", "a")
    assert other.control == "a"
    assert list(other.counts().index) == ["a", "DMSO"]  # controls first, whatever their name


@pytest.mark.parametrize(
    "wrong",
    [{"pixels": np.zeros((6, 2, 5, 4))}, {"pixels": np.zeros((5, 2, 5, 5))}, {"channels": ("DNA",)}],
    ids=["oblong", "too few", "unnamed"],
)
def test_parts_that_do_not_fit_are_refused(wrong: dict[str, Any]) -> None:
    parts = {"pixels": np.zeros((6, 2, 5, 5)), "table": make().table, "channels": ("DNA", "actin")}
    with pytest.raises(CellsError, match="Cells need"):
        Cells(**(parts | wrong))


@given(
    n=st.integers(0, 4).map(lambda k: 3 * k),
    size=st.integers(1, 6),
    dtype=st.sampled_from(["uint8", "uint16", "float32"]),
    in_memory=st.booleans(),
    block=st.integers(1, 5),
)
def test_cells_survive_the_disk(
    tmp_path_factory: pytest.TempPathFactory, n: int, size: int, dtype: str, in_memory: bool, block: int
) -> None:
    cells, path = make(n, size, dtype), tmp_path_factory.mktemp("c") / "x.cells"
    facts = {name: getattr(cells, name) for name in ("pixel_size", "label", "control", "history")}
    with CellsWriter(path, cells.channels, size, dtype, **facts) as writer:
        for start in range(0, max(n, 1), block):
            writer.append(cells.pixels[start : start + block], cells.table.iloc[start : start + block])
    again = open_cells(path, in_memory=in_memory)
    assert again.pixels.dtype == dtype
    assert np.array_equal(again.pixels, cells.pixels)
    assert list(again.table.columns) == list(cells.table.columns)
    assert list(again.conditions) == list(cells.conditions)
    assert again.table["plate"].tolist() == cells.table["plate"].tolist()
    for name in ("channels", "pixel_size", "label", "control", "history"):
        assert getattr(again, name) == getattr(cells, name)


def test_an_empty_first_block_does_not_write_the_header_twice(tmp_path: Path) -> None:
    cells = make()
    with CellsWriter(tmp_path / "x", cells.channels, 5, "uint16") as writer:
        writer.append(cells.pixels[:0], cells.table.iloc[:0])
        writer.append(cells.pixels, cells.table)
    assert writer.path == tmp_path / "x.cells"
    assert len(open_cells(writer.path)) == 6


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_others_may_read_what_was_written_as_the_user_has_set_it(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        folder = make().save(tmp_path / "x.cells")
        picture = save_ome_tiff(TiffPicture(make().pixels[0], make().channels), tmp_path / "x.ome.tif")
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    assert {stat.S_IMODE(file.stat().st_mode) for file in (*folder.iterdir(), picture)} == {0o644}


def test_pixels_stay_on_disk(tmp_path: Path) -> None:
    cells = open_cells(make().save(tmp_path / "x.cells"))
    assert isinstance(cells.pixels, np.memmap)
    assert not cells.pixels.flags.writeable
    assert not isinstance(open_cells(tmp_path / "x.cells", in_memory=True).pixels, np.memmap)


class FullDisk:
    """A file that has room for some bytes."""

    def __init__(self, file: Any, room: int) -> None:
        self.file, self.room = file, room

    def write(self, data: Any) -> int:
        self.room -= memoryview(data).nbytes
        if self.room < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self.file.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)


@pytest.mark.parametrize("room", [0, 130, 10_000])
def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    import builtins

    real = builtins.open

    def small(name: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        file = real(name, mode, *args, **kwargs)
        return FullDisk(file, room) if mode == "wb" and Path(name).name == "pixels.npy" else file

    monkeypatch.setattr(builtins, "open", small)
    with pytest.raises(CellsError, match=r"x\.cells cannot be written \(No space left on device\); nothing was kept"):
        make(300).save(tmp_path / "x.cells")
    assert list(tmp_path.iterdir()) == []


def test_a_disk_full_at_the_table_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any, **kwargs: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    with pytest.raises(CellsError, match="nothing was kept"):
        make().save(tmp_path / "x.cells")
    assert list(tmp_path.iterdir()) == []


def test_an_error_on_the_way_leaves_nothing_and_is_not_hidden(tmp_path: Path) -> None:
    cells = make()

    def stop() -> None:
        with CellsWriter(tmp_path / "x", cells.channels, 5, "uint16") as writer:
            writer.append(cells.pixels, cells.table)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed_a_day_later(tmp_path: Path) -> None:
    for number, hours in ((1, 25), (2, 1)):
        left = tmp_path / f".a.cells.{number}.partial"
        left.mkdir()
        (left / "pixels.npy").write_bytes(b"half")
        os.utime(left / "pixels.npy", (time.time() - 3600 * hours,) * 2)
    make().save(tmp_path / "a.cells")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".a.cells.2.partial", "a.cells"]


def test_nothing_is_overwritten_unless_asked(tmp_path: Path) -> None:
    make(3).save(tmp_path / "x.cells")
    cells = make(6)
    with pytest.raises(CellsError, match="exists already"):
        cells.save(tmp_path / "x.cells")
    with CellsWriter(tmp_path / "x.cells", cells.channels, 5, "uint16", overwrite=True) as writer:
        writer.append(cells.pixels, cells.table)
    assert len(open_cells(tmp_path / "x.cells")) == 6
    assert [file.name for file in tmp_path.iterdir()] == ["x.cells"]
    (tmp_path / "mine.cells").mkdir()
    (tmp_path / "mine.cells" / "thesis.txt").write_text("all of it")
    with pytest.raises(CellsError, match="exists already"), CellsWriter(tmp_path / "mine", (), 5, "u1", overwrite=True):
        pass
    assert (tmp_path / "mine.cells" / "thesis.txt").exists()


def test_a_folder_that_cannot_be_replaced_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make(3).save(tmp_path / "x.cells")
    real = Path.rename

    def rename(self: Path, target: Path) -> Path:
        if self.name.endswith(".partial"):
            raise OSError(errno.EACCES, "in use")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(CellsError, match="in use"):
        make(6).save(path, overwrite=True)
    assert [file.name for file in tmp_path.iterdir()] == ["x.cells"]
    assert len(open_cells(path)) == 3


def test_a_block_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    cells = make()
    for pixels, table, says in (
        (cells.pixels.astype("uint8"), cells.table, "uint8 does not fit"),
        (cells.pixels[:, :1], cells.table, "does not fit"),
        (cells.pixels, cells.table.drop(columns="dose"), "other table columns than the first: dose"),
    ):
        with CellsWriter(tmp_path / "x", cells.channels, 5, "uint16", overwrite=True) as writer:
            writer.append(cells.pixels, cells.table)
            with pytest.raises(CellsError, match=says):
                writer.append(pixels, table)


@pytest.mark.parametrize(
    "damage", ["no meta", "bad meta", "no channels", "short pixels", "short table", "newer", "list"]
)
def test_damaged_cells_are_named(tmp_path: Path, damage: str) -> None:
    path = make().save(tmp_path / "x.cells")
    meta = json.loads((path / "meta.json").read_text())
    if damage == "no meta":
        (path / "meta.json").unlink()
    elif damage == "short pixels":
        (path / "pixels.npy").write_bytes((path / "pixels.npy").read_bytes()[:-1])
    elif damage == "short table":
        lines = (path / "table.csv").read_text().splitlines()[:-1]
        (path / "table.csv").write_text("\n".join(lines))
    else:
        content: Any = {"newer": {**meta, "format": 99}, "list": [], "bad meta": None}.get(damage, {"format": 1})
        (path / "meta.json").write_text("{" if content is None else json.dumps(content))
    for in_memory in (False, True):
        with pytest.raises(CellsError) as caught:
            open_cells(path, in_memory=in_memory)
        assert "\n" not in str(caught.value)
    assert ("update napari-impa" in str(caught.value)) == (damage == "newer")


def test_joining() -> None:
    both = concatenate([make(3), make(6)])
    assert len(both) == 9
    assert both.table.index.tolist() == list(range(9))
    with pytest.raises(CellsError, match="same channels, side and type"):
        concatenate([make(3), make(3, size=4)])
    with pytest.raises(CellsError, match="no cells to join"):
        concatenate([])


def test_a_value_is_meant_as_it_is_written_where_a_name_is() -> None:
    table = pd.DataFrame({"compound": ["1.1", "1.10", "DMSO"], "dose": [1.5, 10.0, 0.0]})
    cells = Cells(np.zeros((3, 1, 8, 8), np.uint16), table, ("a",))
    assert cells.mask_where({"compound": "1.10"}).tolist() == [False, True, False]
    assert cells.mask_where({"compound": ["1.1"]}).tolist() == [True, False, False]
    assert cells.mask_where({"dose": "1.50"}).tolist() == [True, False, False]
    assert held_out_rows(cells, {"compound": ["1.10"]}).tolist() == [False, True, False]
