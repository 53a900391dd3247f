"""Tables that are far too wide, names of files that are too long, and pipes in the place of files."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from napari_impa.cells.sheets import read_sheets
from napari_impa.cells.sheets.typed_table import read_table
from napari_impa.cells.source import open_source
from napari_impa.errors import SourceError


@pytest.mark.parametrize("columns", [100_000, 1_000_000])
def test_a_table_of_too_many_columns_is_refused_at_once(tmp_path: Path, columns: int) -> None:
    path = tmp_path / "a.csv"
    path.write_text("\n".join([",".join(["x"] * columns)] * 2))
    for read in (read_table, read_sheets):
        began = time.process_time()
        with pytest.raises(SourceError, match=f"it has {columns:,} columns, more than 20,000"):
            read(path)
        assert time.process_time() - began < 4


def test_a_file_of_300_letters_is_none(tmp_path: Path) -> None:
    (tmp_path / "metadata.csv").write_text(f"file,compound\n{'x' * 300}.tif,DMSO\n")
    with pytest.raises(SourceError, match=r"names xxx.* not found in .*; correct the table or bring the files"):
        open_source(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes among its files")
@pytest.mark.parametrize(
    "name", ["metadata.csv", "other.csv", "Index.idx.xml", "metadata.txt", "a.HTD", "plate_map.csv"]
)
def test_a_pipe_among_the_files_does_not_hold_anything_up(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    np.save(tmp_path / "a.npy", np.zeros((1, 300, 300), np.uint8))
    assert len(open_source(tmp_path)) == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes among its files")
def test_a_pipe_that_is_given_as_a_table_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.csv")
    with pytest.raises(SourceError):
        open_source(tmp_path / "a.csv")
    with pytest.raises(SourceError):
        read_table(tmp_path / "a.csv")
    np.save(tmp_path / "b.npy", np.zeros((1, 300, 300), np.uint8))
    with pytest.raises(SourceError):
        open_source(tmp_path / "b.npy", plate_map=tmp_path / "a.csv")


@pytest.mark.parametrize("text", [",", ";;", ",,\n1,2,3\n"])
def test_a_table_without_titles_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(SourceError, match="has no titles in its first line"):
        read_table(tmp_path / "t.csv")


def test_an_index_that_lost_the_column_of_its_keys_is_refused(tmp_path: Path) -> None:
    (tmp_path / "metadata").mkdir()
    (tmp_path / "metadata" / "index.csv").write_text("SAMPLE_KEY,PLATE\n;m")  # read as between semicolons
    (tmp_path / "P1").mkdir()
    np.save(tmp_path / "P1" / "P1_A_1.npy", np.zeros((24, 24, 2), np.uint8))
    with pytest.raises(SourceError, match="has no column SAMPLE_KEY"):
        open_source(tmp_path)
