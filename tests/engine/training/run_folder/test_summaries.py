"""Runs at a glance: complete, stopped, never started, damaged, running; none of which is an error."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from napari_impa.engine.training.run_folder.summaries import runs_in, summary
from napari_impa.engine.training.trainer import Trainer

Make = Callable[..., Trainer]


def test_a_complete_run(make_trainer: Make) -> None:
    trainer = make_trainer(device="cpu")
    list(trainer)
    found = summary(trainer.run.folder)
    assert (found.state, found.progress, found.name) == ("complete", "4 of 4", "run")
    assert found.conditions == ("high", "low")
    assert (found.channels, found.size, found.preset, found.device) == (("DNA", "actin"), 24, "tiny", "cpu")
    assert found.gap_closed is None
    assert found.has_model
    assert found.describe() == "complete at step 4 of 4"


def test_a_stopped_run_can_be_resumed(make_trainer: Make) -> None:
    trainer = make_trainer(steps=None, minutes=30)
    for event in trainer:
        if event.step == 2:
            trainer.stop()
    found = summary(trainer.run.folder)
    assert (found.state, found.steps, found.can_resume) == ("stopped", 2, True)
    assert found.progress.startswith("2 (")
    assert found.progress.endswith(" of 30 min)")


def test_a_run_that_is_going_on(make_trainer: Make) -> None:
    trainer = make_trainer()
    events = iter(trainer)
    next(events)
    assert summary(trainer.run.folder).state == "running"
    assert not summary(trainer.run.folder).can_resume
    list(events)


def test_a_run_that_never_made_a_step(make_trainer: Make) -> None:
    found = summary(make_trainer().run.folder)
    assert (found.state, found.can_resume, found.has_model) == ("never started", True, False)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("config.json", b"{", "holds no run"),
        ("config.json", b"[]", "holds no run"),
        ("config.json", b'{"settings": {"size": 7}}', "crop side of 7 px"),
        ("model.impa", b"nonsense", "damaged or not a model file"),
        ("model.impa", None, "model.impa is missing"),
        ("checkpoints/last.safetensors", b"torn", "damaged"),
    ],
)
def test_damaged_runs_say_what_is_wrong(make_trainer: Make, name: str, content: bytes | None, words: str) -> None:
    trainer = make_trainer()
    list(trainer)
    path = trainer.run.folder / name
    path.unlink() if content is None else path.write_bytes(content)
    found = summary(trainer.run.folder)
    assert found.state == "damaged"
    assert words in found.problem
    assert words in found.describe()
    assert not found.can_resume


def test_runs_are_found_below_a_folder_the_latest_first(make_trainer: Make) -> None:
    runs = [make_trainer(name).run for name in ("a", "deep/er/b", "far/too/deep/er/c")]
    os.utime(runs[0].folder / "config.json", (2e9, 2e9))
    folder = runs[0].folder.parent
    (folder / "notes").mkdir()
    assert [one.name for one in runs_in(folder)] == ["a", "b"]
    assert [one.name for one in runs_in(runs[0].folder)] == ["a"]
    assert runs_in(folder / "nowhere") == []
