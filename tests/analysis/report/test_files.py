"""Files of a report: all or none, and what else lies in the folder stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_impa.analysis.report.files import write_together
from napari_impa.errors import CellsError
from napari_impa.watch import CancelledError, Watch

FILES = {"report.html": "<p>µ</p>", "scores.csv": "a,b\n"}


def test_other_files_stay_and_older_reports_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "report.html").write_text("older")
    assert write_together(tmp_path, FILES) == tmp_path / "report.html"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt", "report.html", "scores.csv"]
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == "<p>µ</p>"
    assert write_together(tmp_path / "new" / "folder", FILES).is_file()


class CancelledAt(Watch):
    """Cancels at the nth question."""

    def __init__(self, question: int) -> None:
        self.left = question

    def check(self) -> None:
        self.left -= 1
        if not self.left:
            raise CancelledError


@pytest.mark.parametrize("question", [1, 2, 3])
def test_a_cancelled_report_leaves_nothing(tmp_path: Path, question: int) -> None:
    (tmp_path / "scores.csv").write_text("older")
    with pytest.raises(CancelledError):
        write_together(tmp_path, FILES, watch=CancelledAt(question))
    assert [path.name for path in tmp_path.iterdir()] == ["scores.csv"]
    assert (tmp_path / "scores.csv").read_text() == "older"


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(CellsError, match=r"file is a file; choose a folder"):
        write_together(file, FILES)
    (tmp_path / "scores.csv").mkdir()
    (tmp_path / "scores.csv" / "kept").write_text("")
    with pytest.raises(CellsError, match=r"scores\.csv cannot be written"):
        write_together(tmp_path, FILES)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "scores.csv"]


def test_half_letters_do_no_harm(tmp_path: Path) -> None:
    assert write_together(tmp_path, {"a.txt": "\ud800x"}).read_bytes() == b"?x"
