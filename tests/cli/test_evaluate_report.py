"""`evaluate --report`: the page, its numbers, and the browser, which opens where it is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlparse
from urllib.request import url2pathname

import pytest

from napari_impa.analysis.evaluation import Evaluation, evaluation
from napari_impa.cells.simulated.screen import simulated_cells
from napari_impa.cli import evaluate as command
from napari_impa.cli import main


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    cells = simulated_cells(44, size=64, seed=5, plates=2, conditions=("DMSO", "shrinkage"))
    path = cells.save(tmp_path / "held.cells")
    return ["evaluate", "simulated-screen", str(path), "--where", "plate=sim-A", "--features", "fast"]


def test_a_report_is_written_and_opened(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scored: list[Evaluation] = []

    def score_once(*args: Any, **how: Any) -> Evaluation:
        if not scored:
            scored.append(evaluation(*args, **how))
        return scored[0]

    monkeypatch.setattr("napari_impa.analysis.evaluation.evaluation", score_once)
    opened: list[str] = []
    monkeypatch.setattr(command.webbrowser, "open", lambda address: opened.append(address) is not None)
    folder = tmp_path / "my report"
    main.main([*arguments, "--report", str(folder)])
    page = folder / "report.html"
    assert "shrinkage" in page.read_text(encoding="utf-8")
    assert f"Saved {page}" in capsys.readouterr().out
    assert opened == []
    main.main([*arguments, "--report", str(folder), "--open"])
    assert [Path(url2pathname(urlparse(address).path)) for address in opened] == [page]
    assert "There is no browser here" in capsys.readouterr().out


def test_there_must_be_something_to_open(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main.main([*arguments, "--open"])
    assert stop.value.code == 2
    assert "say with --report FOLDER where it is written" in capsys.readouterr().err
