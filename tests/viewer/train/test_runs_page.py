"""The list of runs: what it shows, how it sorts, and what its buttons ask for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

import napari_impa.viewer.train.runs_page as runs_module
import napari_impa.work.run_report as run_report
from napari_impa.errors import ConditionError
from napari_impa.viewer.library.models import recent, remember
from napari_impa.viewer.train.runs_page import CHANGED, GAP, NAME, STATE, RunsList, find_runs
from napari_impa.watch import Token, Watch
from napari_impa.work.training import train_plan

Settle = Callable[..., None]


@pytest.fixture(scope="module")
def trained(cells_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a complete run (scored), a stopped one and a damaged one."""
    from napari_impa.cells.simulated.screen import simulated_cells
    from napari_impa.engine.training.settings import TrainingSettings
    from napari_impa.work.training_plan import Plan

    folder = tmp_path_factory.mktemp("runs")
    cells = simulated_cells(44, size=48, plates=2, conditions=("DMSO", "shrinkage")).save(folder / "many.cells")
    told: dict[str, Any] = {"size": 48, "batch_size": 2, "device": "cpu"}
    scored = TrainingSettings(**told, steps=2, hold_out={"plate": ["sim-B"]})
    train_plan(Plan(cells, ("compound",), "DMSO", scored, folder / "complete"))
    token = Token(lambda report: token.cancel())  # the first report is of a step
    train_plan(Plan(cells_path, ("compound",), "DMSO", TrainingSettings(**told), folder / "stopped"), watch=token)
    (folder / "damaged" / "checkpoints").mkdir(parents=True)
    (folder / "damaged" / "config.json").write_text("{")
    return folder


@pytest.fixture
def runs(qtbot: Any, trained: Path, settle: Settle) -> RunsList:
    runs = RunsList()
    qtbot.addWidget(runs)
    runs.show_folder(trained)
    settle(lambda: runs.table.rowCount() == 3)
    return runs


def column(runs: RunsList, number: int) -> list[str]:
    return [runs.table.item(row, number).text() for row in range(runs.table.rowCount())]


def test_what_is_listed_the_latest_first(runs: RunsList, trained: Path) -> None:
    assert column(runs, NAME) == ["⚠ damaged", "stopped", "complete"]
    assert column(runs, STATE) == ["damaged", "stopped", "complete"]
    assert float(column(runs, GAP)[2]) < 1
    assert column(runs, GAP)[:2] == ["–", "–"]
    tip = runs.table.item(2, NAME).toolTip()
    assert str(trained / "complete") in tip
    assert "shrinkage" in tip


def test_the_highest_gap_comes_first_and_what_has_none_last(runs: RunsList) -> None:
    click_header(runs, GAP)
    assert column(runs, NAME)[0] == "complete"
    runs.table.sortByColumn(CHANGED, Qt.SortOrder.AscendingOrder)
    assert column(runs, NAME) == ["complete", "stopped", "⚠ damaged"]


def test_what_gap_a_run_closes_is_said_in_words(runs: RunsList, trained: Path) -> None:
    one = replace(runs.runs[trained / "complete"], gap_closed=0.47, gap_floor=0.81)
    earlier = replace(one, folder=trained / "earlier", gap_closed=None, of_earlier_measure=True)
    best = replace(one, folder=trained / "best", gap_closed=0.6, gap_floor=None)
    runs._fill([earlier, one, best])
    click_header(runs, GAP)
    assert column(runs, GAP) == ["0.60", "0.47", "–"]
    tips = [runs.table.item(row, GAP).toolTip() for row in range(3)]
    assert "Gap closed 0.60 (0: the cells left as they are, 1: as real cells)" in tips[0]
    assert "other real cells: 0.81" in tips[1]
    assert "Scored by an earlier measure" in tips[2]


def click_header(runs: RunsList, number: int) -> None:
    header = runs.table.horizontalHeader()
    at = QPoint(header.sectionViewportPosition(number) + 5, header.height() // 2)
    QTest.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=at)


def enabled(runs: RunsList) -> list[str]:
    buttons = {"use": runs.use, "resume": runs.resume, "again": runs.again, "from": runs.go_on_from, "open": runs.open}
    return [name for name, button in buttons.items() if button.isEnabled()]


def test_what_can_be_done_with_a_run(runs: RunsList, trained: Path) -> None:
    assert enabled(runs) == []
    assert runs.choose(trained / "stopped")
    assert enabled(runs) == ["use", "resume", "again", "from", "open"]
    assert "stopped at step" in runs.about.text()
    runs.allow_training(False)  # while another training runs
    assert enabled(runs) == ["use", "open"]
    runs.choose(trained / "damaged")
    assert enabled(runs) == ["open"]
    assert "damaged: " in runs.about.text()
    assert not runs.choose(trained / "nowhere")


def test_buttons_ask(runs: RunsList, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(runs_module.QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()) or True)
    asked: list[tuple[str, Path]] = []
    for name in ("resume", "use", "open", "again", "go_on_from"):
        getattr(runs, f"{name}_asked").connect(lambda path, name=name: asked.append((name, path)))
    runs.choose(trained / "complete")
    for button in (runs.resume, runs.use, runs.open, runs.again, runs.go_on_from):
        button.click()
    assert asked == [(name, trained / "complete") for name in ("resume", "use", "open", "again", "go_on_from")]
    assert opened == [str(trained / "complete")]


def test_refreshing_keeps_the_choice(runs: RunsList, trained: Path, settle: Settle) -> None:
    runs.choose(trained / "stopped")
    before = runs.table.item(0, NAME)
    runs.refresh()
    settle(lambda: not runs._finding.busy)
    assert runs.table.item(0, NAME) is not before
    assert runs.chosen is not None
    assert runs.chosen.name == "stopped"


def test_runs_trained_lately_elsewhere_are_listed_once(trained: Path, tmp_path: Path) -> None:
    remember(trained / "complete" / "model.impa")
    remember(trained / "stopped" / "model.impa")
    assert {one.name for one in find_runs(Token(), None)} == {"complete", "stopped"}
    assert len(find_runs(Token(), trained)) == 3
    assert len(find_runs(Token(), tmp_path / "nowhere")) == 2


def test_the_report_of_a_run_is_made_in_the_background_and_shown(
    runs: RunsList, trained: Path, monkeypatch: pytest.MonkeyPatch, settle: Settle
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(runs_module.QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()) or True)
    begun, go = threading.Event(), threading.Event()

    def report_of_run(folder: Path, *, watch: Watch) -> Path:
        watch.report(1, 3, "shrinkage: predicted")
        begun.set()
        assert go.wait(20)
        watch.check()
        if folder.name == "stopped":
            raise ConditionError("There are too few cells.")
        return folder / "report" / "report.html"

    monkeypatch.setattr(run_report, "report_of_run", report_of_run)
    button = runs.report.button
    runs.choose(trained / "damaged")
    assert not button.isEnabled()
    runs.choose(trained / "complete")
    button.click()
    settle(lambda: runs.report.bar.value() == 1)
    runs.allow_training(False)  # nor does a training that begins stop it
    runs.choose(trained / "damaged")
    assert button.text() == "Stop the report"
    assert button.isEnabled()
    go.set()
    settle(lambda: not runs.report.running)
    page = trained / "complete" / "report" / "report.html"
    assert [Path(path) for path in opened] == [page]
    assert str(page) in runs.about.text().replace("\u200b", "")
    failures: list[str] = []
    runs.failed.connect(lambda failure: failures.append(failure.message))
    runs.choose(trained / "stopped")
    button.click()
    settle(lambda: not runs.report.running)
    assert failures == ["There are too few cells."]
    assert "⚠ There are too few cells." in runs.about.text()
    begun.clear()
    go.clear()
    button.click()
    assert begun.wait(20)
    button.click()
    go.set()
    settle(lambda: not runs.report.running)
    assert "nothing was written" in runs.about.text()
    assert len(opened) == len(failures) == 1


def test_a_run_is_described_by_a_table_into_a_new_model(
    qtbot: Any, trained: Path, tmp_path: Path, settle: Settle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fit itself is checked elsewhere: here a model of five conditions and a table of numbers are enough."""
    from napari_impa.engine.training.run_folder.summaries import summary
    from napari_impa.work.catalog import load_model

    bundled = load_model("simulated-screen")
    folder = tmp_path / "run"
    (folder / "checkpoints").mkdir(parents=True)
    bundled.save(folder / "model.impa")
    table = tmp_path / "numbers.csv"
    table.write_text("".join([",a,b\n", *(f"{name},{n},{n * n}\n" for n, name in enumerate(bundled.conditions))]))
    runs = RunsList()
    qtbot.addWidget(runs)
    one = replace(summary(trained / "complete"), folder=folder)
    runs._fill([one, replace(one, folder=tmp_path / "batches", task="batch")])
    runs.choose(tmp_path / "batches")
    assert not runs.describe.button.isEnabled()
    runs.choose(folder)
    asked: list[Any] = []
    monkeypatch.setattr(runs_module, "open_dialog", asked.append)
    runs.describe.button.click()
    asked[0].fileSelected.emit(str(table))
    settle(lambda: not runs.describe.running)
    said = runs.about.text().replace("\u200b", "")
    assert said.startswith("Fitted 5 conditions by numbers of its table.")
    assert said.endswith(f"Saved {tmp_path / 'run-described.impa'}; the Perturb dock lists it.")
    assert load_model(recent()[0]).descriptions[0].kind == "table"
    failures: list[str] = []
    runs.failed.connect(lambda failure: failures.append(failure.message))
    table.write_text("name,a\nx,1\n")
    runs.describe_by(table)
    settle(lambda: not runs.describe.running)
    assert "numbers.csv has no row for" in failures[0]
    assert "⚠ numbers.csv has no row for" in runs.about.text().replace("\u200b", "")


def test_a_report_under_way_is_stopped_as_the_dock_closes(
    runs: RunsList, trained: Path, monkeypatch: pytest.MonkeyPatch, settle: Settle
) -> None:
    begun, ended = threading.Event(), threading.Event()

    def report_of_run(folder: Path, *, watch: Watch) -> None:
        begun.set()
        try:
            while not ended.wait(0.01):
                watch.check()
        finally:
            ended.set()

    monkeypatch.setattr(run_report, "report_of_run", report_of_run)
    runs.choose(trained / "complete")
    runs.report.button.click()
    assert begun.wait(20)
    runs.close_jobs()
    assert ended.wait(20)
    settle(lambda: not runs.report.running)
