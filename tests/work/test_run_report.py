"""The report of a run: of its own cells, into its own folder, and what is said where that cannot be."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from napari_impa.cells.simulated.screen import simulated_cells
from napari_impa.engine.training.settings import TrainingSettings
from napari_impa.errors import ConditionError, ModelError, TrainingError
from napari_impa.watch import CancelledError, Progress, Token
from napari_impa.work.run_report import report_of_run
from napari_impa.work.training import train_plan
from napari_impa.work.training_plan import Plan

FAST = ("fast",)
"""The feature space that takes least time."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two steps on two plates, of which one is held out."""
    folder = tmp_path_factory.mktemp("runs")
    cells = simulated_cells(44, size=48, plates=2, conditions=("DMSO", "shrinkage")).save(folder / "some.cells")
    settings = TrainingSettings(size=48, batch_size=2, device="cpu", steps=2, hold_out={"plate": ["sim-B"]})
    train_plan(Plan(cells, ("compound",), "DMSO", settings, folder / "run"))
    return folder / "run"


def test_it_is_written_into_the_run_folder_and_said_how_far_it_is(run: Path) -> None:
    told: list[Progress] = []
    page = report_of_run(run, features=FAST, watch=Token(told.append))
    assert page == run / "report" / "report.html"
    assert "shrinkage" in page.read_text(encoding="utf-8")
    made = json.loads((run / "report" / "report.json").read_text(encoding="utf-8"))["settings"]
    assert made["held_out"] is True
    assert "sim-B" in made["where"]
    assert [report.done <= report.of for report in told] == [True] * len(told)
    assert len(told) > 4


def test_cancelled_it_leaves_nothing(run: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("report")))
    token = Token(lambda report: token.cancel())
    with pytest.raises(CancelledError):
        report_of_run(other, features=FAST, watch=token)
    assert not (other / "report").exists()


def test_what_cannot_be_scored_is_said(run: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no run"):
        report_of_run(tmp_path)
    other = Path(shutil.copytree(run, tmp_path / "run"))
    (other / "model.impa").unlink()
    with pytest.raises(ModelError, match="run has no model yet"):
        report_of_run(other, features=FAST)
    other = Path(shutil.copytree(run, tmp_path / "gone"))
    source = json.loads((run / "source.json").read_text())
    (other / "source.json").write_text(json.dumps({**source, "path": str(tmp_path / "gone.cells")}))
    with pytest.raises(TrainingError, match=r"not at .* any more"):
        report_of_run(other, features=FAST)


def test_too_few_cells(tmp_path: Path) -> None:
    cells = simulated_cells(8, size=48, plates=2, conditions=("DMSO", "shrinkage")).save(tmp_path / "few.cells")
    settings = TrainingSettings(size=48, batch_size=2, device="cpu", steps=1)
    train_plan(Plan(cells, ("compound",), "DMSO", settings, tmp_path / "run"))
    with pytest.raises(ConditionError, match="where 20 or more are needed"):
        report_of_run(tmp_path / "run", features=FAST)
