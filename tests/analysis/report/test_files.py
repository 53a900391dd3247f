"""Files of a report: the same numbers in each, all or none, and what else lies in the folder stays."""

from __future__ import annotations

import json
from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_impa.analysis.evaluation import Evaluation
from napari_impa.analysis.report.files import write_report, write_together
from napari_impa.errors import CellsError
from napari_impa.watch import CancelledError, Token, Watch

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


def test_page_json_and_csv_have_the_same_numbers(evaluated: Evaluation, tmp_path: Path) -> None:
    assert write_report(evaluated, tmp_path) == tmp_path / "report.html"
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["measurements.csv", "report.html", "report.json", "scores.csv"]
    scores = pd.read_csv(tmp_path / "scores.csv")
    pd.testing.assert_frame_equal(scores, evaluated.table, check_dtype=False)
    measured = pd.read_csv(tmp_path / "measurements.csv", keep_default_na=False)
    assert len(measured) == len(evaluated.measured)
    told = json.loads((tmp_path / "report.json").read_text(), parse_constant=lambda constant: pytest.fail(constant))
    assert told["verdict"]["first"] == evaluated.verdict.first
    closed = [row["gap_closed"] for row in told["scores"]]
    np.testing.assert_allclose(np.array(closed, float), evaluated.table["gap_closed"])
    assert told["settings"]["seed"] == 0
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert evaluated.verdict.first in unescape(page).replace("\u00a0", " ")


def test_numbers_that_are_none_are_null_in_json(evaluated: Evaluation, tmp_path: Path) -> None:
    table = evaluated.table.copy()
    table.attrs = {**table.attrs, "similarity": {"a": float("nan"), "b": (1.0, float("inf"))}}
    write_report(replace(evaluated, table=table), tmp_path)
    told = json.loads((tmp_path / "report.json").read_text(), parse_constant=lambda constant: pytest.fail(constant))
    assert told["settings"]["similarity"] == {"a": None, "b": [1.0, None]}


def test_a_report_stopped_while_it_is_drawn_leaves_nothing(evaluated: Evaluation, tmp_path: Path) -> None:
    token = Token(lambda report: token.cancel())
    with pytest.raises(CancelledError):
        write_report(evaluated, tmp_path / "report", watch=token)
    assert not (tmp_path / "report").exists()
