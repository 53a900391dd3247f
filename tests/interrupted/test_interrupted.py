"""Each format is interrupted at a few of its operations; `python -m tests.interrupted` does all of them."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from interrupted import __main__ as command
from interrupted.faults import full, watched
from interrupted.formats import FORMATS, Format
from interrupted.interruption import Interrupted, ended_tag, interrupt

from napari_impa.cells import beside
from napari_impa.cells.beside import hidden_beside, is_rest, take_place, taken_back, writer_tag, written_beside
from napari_impa.errors import CellsError

pytestmark = pytest.mark.skipif(os.name == "nt", reason="open files cannot be copied there")

MOST = 3
"""Interruptions of each of four manners."""


@pytest.mark.parametrize("most", [MOST, pytest.param(None, marks=pytest.mark.slow)])
@pytest.mark.parametrize("of", FORMATS, ids=lambda of: of.name)
def test_old_or_new_and_whole(of: Format, most: int | None, tmp_path: Path) -> None:
    found = interrupt(of, tmp_path, most=most, say=print)
    assert not found.lost, "\n".join(found.lost)
    assert found.tried.total() >= 4 * MOST
    assert found.points["sync"]


def test_faults_are_met(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with watched(tmp_path, lambda *_: None) as disk:
        with open(path, "wb") as file:
            for _ in range(3):
                file.write(b"x" * 20_000)  # more than is held back
            os.fsync(file.fileno())
        path.rename(tmp_path / "b.txt")
    assert disk.kinds == {"open": 1, "write": 3, "sync": 1, "rename": 1}
    with watched(tmp_path, full(1)), pytest.raises(OSError, match="No space") as caught:
        path.write_bytes(b"x" * 20_000)
    assert caught.value.errno == errno.ENOSPC
    assert path.stat().st_size == 10_000


@pytest.mark.parametrize(
    ("asked", "end", "said"),
    [
        ([".impa"], 0, ".impa: 0 operations"),
        (["impa"], 2, "no format 'impa'; there are .cells, "),
        (["-h"], 0, "usage:"),
    ],
)
def test_the_formats_asked_for_are_interrupted(
    asked: list[str], end: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "interrupt", lambda of, folder: Interrupted(of.name))
    monkeypatch.setattr(sys, "argv", ["interrupted", *asked])
    with pytest.raises(SystemExit) as ended:
        sys.exit(command.main())
    assert (ended.value.code or 0) == end
    out = "".join(capsys.readouterr())
    assert said in out
    assert out.count("operations") == (1 if asked == [".impa"] else 0)


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    left = tmp_path / f".{ended_tag()}.partial.t.csv"
    others = [tmp_path / f".{ended_tag()}.partial.u.csv", tmp_path / ".00000000-1.partial.t.csv"]
    running = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    others.append(tmp_path / f".{writer_tag().split('-')[0]}-{running.pid}.partial.t.csv")
    try:
        for path in (left, *others):
            path.write_text("half")
        with written_beside(tmp_path / "t.csv") as partial:
            partial.write_text("whole")
        assert not left.exists()
        assert all(path.exists() for path in others)  # another file's, another computer's, another process's
        assert not is_rest(hidden_beside(tmp_path / "t.csv"))
    finally:
        running.communicate(b"\n")


def test_what_this_process_left_is_not_added_to(tmp_path: Path) -> None:
    hidden_beside(tmp_path / "t.csv").write_text("of a process of this number, before\n")
    with written_beside(tmp_path / "t.csv") as partial, open(partial, "a") as file:
        file.write("whole\n")
    assert (tmp_path / "t.csv").read_text() == "whole\n"


def test_a_folder_is_put_back_where_its_process_was_killed(tmp_path: Path) -> None:
    path, old = tmp_path / "x.cells", tmp_path / f".x.cells.{ended_tag()}.old"
    old.mkdir()
    (old / "meta.json").write_text("{}")
    assert taken_back(path) == path
    assert (path / "meta.json").is_file()
    assert not old.exists()
    made = tmp_path / "made"
    made.mkdir()
    take_place(made, path)
    assert [one.name for one in tmp_path.iterdir()] == ["x.cells"]
    assert not list(path.iterdir())


def test_a_disk_that_cannot_sync_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> None:
        raise OSError(code, "no")

    monkeypatch.setattr(beside.os, "fsync", refuse)
    code = errno.EINVAL
    with written_beside(tmp_path / "t.csv") as partial:
        partial.write_text("x")
    code = errno.EIO
    with pytest.raises(CellsError, match="cannot be written"), written_beside(tmp_path / "t.csv") as partial:
        partial.write_text("y")
    assert (tmp_path / "t.csv").read_text() == "x"
    assert len(list(tmp_path.iterdir())) == 1
