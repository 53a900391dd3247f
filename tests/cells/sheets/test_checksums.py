"""What was changed after cells were written, or while they are open, is noticed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_impa.cells.sheets import checksums
from napari_impa.cells.sheets.checksums import BlockChecksums
from napari_impa.cells.source import open_source
from napari_impa.cells.store import Cells, CellsWriter, open_cells
from napari_impa.errors import CellsError


def cells(count: int = 6, shift: int = 0) -> Cells:
    pixels = np.arange(count * 32, dtype=np.uint16).reshape(count, 2, 4, 4) + shift
    table = pd.DataFrame({"plate": ["b", "a"] * (count // 2), "compound": ["DMSO", "x"] * (count // 2)})
    return Cells(pixels, table, ("DNA", "actin"), None, ("compound",), "DMSO")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return cells().save(tmp_path / "x.cells")


@pytest.mark.parametrize("how", ["sorted", "edited", "cut", "cut and filled", "line ends"])
@pytest.mark.parametrize("in_memory", [False, True])
def test_a_table_changed_by_hand_is_noticed(path: Path, how: str, in_memory: bool) -> None:
    table = path / "table.csv"
    head, *rows = table.read_text().splitlines(True)
    rows = {
        "sorted": sorted(rows), "edited": [row.replace("x", "y") for row in rows],
        "cut": rows[1:], "cut and filled": rows[1:] + rows[-1:],
        "line ends": [row.replace("\n", "\r\n") for row in rows],
    }[how]  # fmt: skip
    table.write_bytes((head + "".join(rows)).encode())
    with pytest.raises(CellsError, match=r"table\.csv was changed after its cells were written"):
        open_cells(path, in_memory=in_memory)


@pytest.mark.parametrize("blocks", [1, 7])
def test_other_pixels_are_noticed(path: Path, monkeypatch: pytest.MonkeyPatch, blocks: int) -> None:
    monkeypatch.setattr(checksums, "BLOCK_BYTES", -(-6 * 64 // blocks))
    cells().save(path, overwrite=True)
    assert len(json.loads((path / "meta.json").read_text())["checksums"]["pixels"]) == blocks
    open_cells(path)
    np.save(path / "pixels.npy", cells(shift=1).pixels)
    with pytest.raises(CellsError, match=r"pixels\.npy does not hold the pixels that were written"):
        open_cells(path)
    np.save(path / "pixels.npy", np.concatenate([cells().pixels] * 2))
    with pytest.raises(CellsError):
        open_cells(path)


def test_cells_of_an_earlier_version_open(path: Path) -> None:
    meta = json.loads((path / "meta.json").read_text())
    del meta["checksums"]
    (path / "meta.json").write_text(json.dumps(meta))
    (path / "table.csv").write_text((path / "table.csv").read_text().replace("x", "y"))
    assert open_cells(path).counts().to_dict() == {"DMSO": 3, "y": 3}


@pytest.mark.parametrize(
    "said", [{}, [], "x", {"table": 1}, {"table": "x", "pixels": None}, {"table": "x", "pixels": "y"}]
)
def test_checksums_that_are_none_are_refused(path: Path, said: object) -> None:
    meta = json.loads((path / "meta.json").read_text())
    (path / "meta.json").write_text(json.dumps(meta | {"checksums": said}))
    with pytest.raises(CellsError):
        open_cells(path)


@given(st.lists(st.binary(max_size=50), max_size=8), st.integers(1, 20), st.integers(0, 8))
def test_checksums_do_not_depend_on_what_is_written_at_a_time(parts: list[bytes], block: int, left: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checksums, "BLOCK_BYTES", block)
        whole, one = BlockChecksums(), BlockChecksums()
        whole.add(b"".join(parts))
        for number, part in enumerate(parts):
            one.add(part)
            if number == left:
                one = BlockChecksums(json.loads(json.dumps(one.state())))
        assert one.found() == whole.found()
        assert len(whole.found()) == -(-sum(map(len, parts)) // block)


@pytest.mark.parametrize("how", ["replaced", "written over"])
def test_cells_exchanged_while_they_are_open_are_not_taken_for_them(path: Path, how: str) -> None:
    opened = open_cells(path)
    before = opened.take([0, 5]).pixels
    np.testing.assert_array_equal(before, cells().pixels[[0, 5]])
    if how == "replaced":
        cells(shift=9).save(path, overwrite=True)
    else:
        with open(path / "pixels.npy", "r+b") as file:
            file.seek(-8, os.SEEK_END)
            file.write(b"\0" * 8)
        os.utime(path / "pixels.npy", (1, 1))
    for read in (
        lambda: opened.take([0, 5]),
        lambda: opened.save(path.with_name("y.cells")),
        opened.controls,
    ):
        with pytest.raises(CellsError, match="was replaced or changed since it was opened; open it again"):
            read()
    assert not path.with_name("y.cells").exists()


def test_a_source_of_other_pixels_is_another_source(path: Path) -> None:
    before = open_source(path).fingerprint
    assert open_source(path).fingerprint == before
    cells(shift=1).save(path, overwrite=True)
    assert open_source(path).fingerprint != before  # so that nothing is gone on with


def test_what_was_left_unfinished_has_the_checksums_of_what_is_written_at_once(path: Path, tmp_path: Path) -> None:
    one = cells()

    def write(name: str, stop: int | None) -> None:
        with CellsWriter(tmp_path / name, one.channels, 4, "uint16", keep={"of": 1}) as writer:
            for row in range(writer.kept, 6):
                writer.append(one.pixels[row : row + 1], one.table.iloc[row : row + 1], {"row": row})
                if row == stop:
                    raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write("left", 2)
    write("left", None)
    said = [json.loads((folder / "meta.json").read_text())["checksums"] for folder in (path, tmp_path / "left.cells")]
    assert said[0] == said[1]
    assert len(open_cells(tmp_path / "left.cells")) == 6
