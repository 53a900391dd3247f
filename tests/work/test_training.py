"""The plain call `impa.train`, and by what it keeps the model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_impa.cells.simulated.screen import simulated_cells
from napari_impa.cells.store import Cells
from napari_impa.engine.model.model import IMPA
from napari_impa.engine.training.events import TrainingEvent
from napari_impa.engine.training.settings import TrainingSettings
from napari_impa.engine.training.trainer import Trainer
from napari_impa.work.catalog import load_model
from napari_impa.work.training import LAST, events, follow, make_trainer, train

SMALL = {"size": 24, "batch_size": 2, "style_dim": 8}


@pytest.fixture(scope="module")
def cells() -> Cells:
    """44 controls and as many treated cells, half of them on each of two plates."""
    return simulated_cells(44, size=24, seed=3, plates=2, conditions=("DMSO", "shrinkage"))


def test_train_is_the_plain_call(cells: Cells, tmp_path: Path) -> None:
    some = cells.take(np.arange(0, 88, 4))
    run = train(some, tmp_path / "plain", steps=1, progress=False, **SMALL)
    assert run.model_path.is_file()
    assert run.settings.steps == 1
    assert run.gaps.empty


def test_the_best_model_by_the_gap_that_it_closes_is_kept(cells: Cells, tmp_path: Path) -> None:
    run = train(cells, tmp_path / "held", hold_out={"plate": "sim-B"}, steps=2, progress=False, recipe="paper", **SMALL)
    assert run.gaps["step"].tolist() == [2]
    assert list(run.gaps.columns) == ["step", "seconds", "mean", "shrinkage"]
    model = load_model(run.folder)
    assert run.best == (2, model.history["gap_closed"])
    assert model.hash == IMPA.load(run.last_path).hash


@pytest.mark.parametrize(
    ("hold_out", "words"),
    [
        ({}, "Nothing is held out, so the last model is kept."),
        ({"plate": "sim-B"}, "The best model is kept by the gap that it closes on 22 held-out cells (plate = sim-B)."),
        ({"well": "A01"}, "The last model is kept, as there is nothing to score it by."),
    ],
)
def test_it_is_said_by_what_the_model_is_kept(
    cells: Cells, tmp_path: Path, hold_out: dict[str, str], words: str
) -> None:
    settings = TrainingSettings(hold_out={name: [value] for name, value in hold_out.items()}, **SMALL)
    if "well" in hold_out:
        cells = Cells(
            cells.pixels, cells.table.assign(well=np.where(cells.table.index % 9 == 0, "A01", "B01")), cells.channels,
            label=cells.label, control=cells.control,
        )  # fmt: skip
    trainer, said = make_trainer(cells, settings, tmp_path / "run")
    assert said.startswith(words)
    assert (trainer.best.score is None) == ("last" in words)


def test_the_bar_goes_back_where_the_training_does(
    cells: Cells, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trainer = Trainer(cells, TrainingSettings(steps=4, recipe="paper", **SMALL), tmp_path / "run")
    told = [TrainingEvent(step, 4, 1.0, None, "adversarial", {"real": 0.1}) for step in (1, 2, 3, 2, 3, 4, 4)]
    told[3] = replace(told[3], losses={}, message="It went back.")
    told[6] = replace(told[6], losses={}, message="It ended.", finished=True)
    assert follow(trainer, told) == "It ended."
    last = capsys.readouterr().err.splitlines()[-1]
    assert "| 4/4 [" in last
    assert last.startswith(f"{LAST}: 100%"), "what comes after the last step is named"


def test_samples_are_drawn_ever_more_seldom(cells: Cells, tmp_path: Path) -> None:
    settings = TrainingSettings(steps=12, recipe="paper", **SMALL)
    trainer = Trainer(cells, settings, tmp_path / "run", sample_every=1)
    assert follow(trainer, progress=False).startswith("Training finished")
    names = [path.name for path in sorted((tmp_path / "run" / "samples").iterdir())]
    assert names == [f"{step:06d}.png" for step in (1, 2, 3, 4, 5, 7, 9, 12)]
    with Image.open(tmp_path / "run" / "samples" / names[-1]) as picture:
        assert picture.width > 8 * 2 * 24
        assert len(np.unique(np.asarray(picture))) > 20
    longer = Trainer(cells, replace(settings, steps=14), tmp_path / "run", sample_every=1, resume=True)
    assert [event.step for event in events(longer)] == [13, 14, 14]
    assert sorted(path.name for path in (tmp_path / "run" / "samples").iterdir()) == [*names, "000014.png"]
