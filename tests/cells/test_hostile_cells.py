"""Damaged or hostile `.cells` folders, tables and indexes end in one sentence."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from napari_impa.cells.sheets.typed_table import read_table
from napari_impa.cells.source import open_source
from napari_impa.cells.store import Cells, open_cells
from napari_impa.errors import CellsError, SourceError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    table = pd.DataFrame({"compound": ["DMSO", "x"]})
    return Cells(np.zeros((2, 1, 4, 4), np.uint8), table, ("DNA",), None, ("compound",), "DMSO").save(tmp_path / "x")


@pytest.mark.parametrize("in_memory", [False, True])
@pytest.mark.parametrize("name", ["channels", "label", "history", "control", "pixel_size", "format"])
@pytest.mark.parametrize("value", [[None], [[]], "x", 5, {"a": 1}, True, [1], -1.0])
def test_types_of_what_is_said_are_checked(path: Path, name: str, value: Any, in_memory: bool) -> None:
    meta = json.loads((path / "meta.json").read_text())
    (path / "meta.json").write_text(json.dumps(meta | {name: value}))
    try:
        cells = open_cells(path, in_memory=in_memory)
    except CellsError as error:
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert cells.counts().sum() == 2
        assert repr(cells)
        assert dict(cells.history) is not None


@pytest.mark.parametrize("in_memory", [False, True])
@pytest.mark.parametrize(
    "head",
    [
        "(", "'''", "\n\t x\n y", "-" * 50_000 + "1",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (-1, 1, 4, 4)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000, 1, 4, 4)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (9223372036854775808, 1, 4, 4)}",
        "{'descr': '|O', 'fortran_order': False, 'shape': (2, 1, 4, 4)}", "None", "[]",
    ],
)  # fmt: skip
def test_headers_of_pixels(path: Path, head: str, in_memory: bool) -> None:
    data = head.encode() + b"\n"
    (path / "pixels.npy").write_bytes(b"\x93NUMPY\x02\0" + len(data).to_bytes(4, "little") + data + bytes(32))
    with pytest.raises(CellsError) as caught:
        open_cells(path, in_memory=in_memory)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")
@pytest.mark.parametrize("name", ["meta.json", "pixels.npy", "table.csv"])
def test_a_pipe_in_cells_is_not_waited_for(path: Path, name: str) -> None:
    (path / name).unlink()
    os.mkfifo(path / name)
    with pytest.raises(CellsError, match="cells"):
        open_cells(path)


def test_deep_json(path: Path) -> None:
    (path / "meta.json").write_text("[" * 100_000)
    with pytest.raises(CellsError):
        open_cells(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")
def test_a_pipe_called_a_table_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "t.csv")
    with pytest.raises(SourceError, match="it is no file"):
        read_table(tmp_path / "t.csv")


def test_an_index_without_a_row(tmp_path: Path) -> None:
    (tmp_path / "index.csv").write_text("SAMPLE_KEY,DOSE,CPD_NAME,SMILES,STATE,ANNOT,PLATE,WELL\n")
    np.save(tmp_path / "a.npy", np.zeros((1, 8, 8), np.uint8))
    (tmp_path / "metadata").mkdir()
    (tmp_path / "metadata" / "index.csv").write_text("SAMPLE_KEY,CPD_NAME\n")
    for folder in (tmp_path, tmp_path / "metadata"):
        try:
            assert len(open_source(folder))
        except SourceError as error:
            assert "\n" not in str(error)  # noqa: PT017


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
@pytest.mark.parametrize("to", ["nowhere", "metadata.csv"])
def test_a_table_that_leads_nowhere(tmp_path: Path, to: str) -> None:
    np.save(tmp_path / "a.npy", np.zeros((1, 8, 8), np.uint8))
    (tmp_path / "metadata.csv").symlink_to(to)
    with pytest.raises(SourceError, match=r"metadata\.csv cannot be read"):
        open_source(tmp_path)
