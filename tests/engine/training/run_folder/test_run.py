from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from napari_impa.engine.training.run_folder.run import Run
from napari_impa.engine.training.settings import TrainingSettings
from napari_impa.engine.training.steps import recipe_named
from napari_impa.errors import TrainingError


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run with a history of five steps and gaps at steps 2 and 4."""
    run = Run(tmp_path / "run")
    run.start(TrainingSettings(size=24), recipe_named("default"), {"count": 3})
    run.append_history([{"step": n, "seconds": n / 3, "stage": "adversarial", "cycle": 1 / n} for n in (1, 2, 3)])
    run.append_history([{"step": n, "seconds": n / 3, "stage": "adversarial", "cycle": 1 / n} for n in (4, 5)])
    for step in (2, 4):
        run.append_gaps(step, step / 3, 0.5, {"a, b": 0.4, "c": 0.6})
    return run


def test_history_and_gaps_are_read_as_written(run: Run) -> None:
    assert run.history["step"].tolist() == [1, 2, 3, 4, 5]
    assert run.history["r1"].isna().all()
    assert list(run.gaps.columns) == ["step", "seconds", "mean", "a, b", "c"]
    assert run.gaps["step"].tolist() == [2, 4]
    assert run.settings == TrainingSettings(size=24)
    assert run.best is None


def test_cut_keeps_what_was_before_byte_for_byte(run: Run) -> None:
    before = (run.folder / "history.csv").read_bytes()
    run.cut(5)
    assert (run.folder / "history.csv").read_bytes() == before
    run.cut(3)
    assert (run.folder / "history.csv").read_bytes() == before[: before.index(b"\n4,") + 1]
    assert run.gaps["step"].tolist() == [2]
    run.cut(0)
    assert run.history.empty
    assert run.gaps.empty
    run.append_history([{"step": 1, "seconds": 0.1, "stage": "autoencoder", "reconstruction": 1.0}])
    assert run.history["reconstruction"].tolist() == [1.0]


@pytest.mark.parametrize("torn", [b"6", b"6,2.0,adversarial", b"1"])
def test_a_torn_line_is_passed_over(run: Run, torn: bytes) -> None:
    path = run.folder / "history.csv"
    with open(path, "ab") as file:
        file.write(torn)
    assert run.history["step"].tolist() == [1, 2, 3, 4, 5]
    run.cut(5)
    assert path.read_bytes().endswith(b"\n")
    path.write_bytes(b"step,sec")  # torn in the very first line
    assert run.history.empty
    run.cut(0)
    assert not path.exists()


@pytest.mark.parametrize(("line", "kept"), [("1.0,1,adversarial", True), ("", True), ("x,1,adversarial", False)])
def test_what_is_no_step_in_a_history_is_said(run: Run, line: str, kept: bool) -> None:
    path = run.folder / "history.csv"
    path.write_text(f"step,seconds,stage\n{line}\n9,1,adversarial\n")
    if kept:
        run.cut(5)
        assert "9,1" not in (path.read_text() if path.exists() else "")
    else:
        with pytest.raises(TrainingError, match=r"history\.csv is damaged .*; mend or remove it"):
            run.cut(5)
        assert "9,1" in path.read_text()


def test_what_a_run_was_started_from_is_a_record_or_nothing(run: Run) -> None:
    config = json.loads((run.folder / "config.json").read_text())
    (run.folder / "config.json").write_text(json.dumps(config | {"start_from": "x"}))
    assert Run(run.folder).started_from is None


def test_what_a_killed_process_left_half_written_is_removed(run: Run) -> None:
    left = run.folder / "checkpoints" / ".last.safetensors.123.partial"
    left.write_bytes(b"half")
    run.cut(5)
    assert not left.exists()


def test_no_run(tmp_path: Path) -> None:
    assert not Run(tmp_path).exists
    with pytest.raises(TrainingError, match="holds no run"):
        _ = Run(tmp_path).settings


def test_a_run_that_another_version_began_keeps_its_columns(run: Run) -> None:
    (run.folder / "history.csv").write_text("step,seconds,stage,real\n1,0.5,adversarial,0.7\n", encoding="utf-8")
    run.append_history([{"step": 2, "seconds": 1.0, "stage": "adversarial", "real": 0.6, "mismatch": 0.3}])
    assert run.history["real"].tolist() == [0.7, 0.6]
    assert "mismatch" not in run.history


def test_a_loss_that_no_column_is_for_is_an_error(run: Run) -> None:
    before = (run.folder / "history.csv").read_bytes()
    with pytest.raises(TrainingError, match="loss 'perceptual' has no row"):
        run.append_history([{"step": 6, "seconds": 2.0, "stage": "adversarial", "perceptual": 1.0}])
    assert (run.folder / "history.csv").read_bytes() == before


def test_the_recipe_is_kept_value_by_value(run: Run) -> None:
    assert run.recipe == recipe_named("default")
    path = run.folder / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {"recipe": config["recipe"] | {"adversarial": 0.25}}))
    assert run.recipe == replace(recipe_named("default"), adversarial=0.25)
    path.write_text(json.dumps(config | {"recipe": config["recipe"] | {"of_a_later_version": 1}}))
    with pytest.raises(TrainingError, match="begun by another version"):
        _ = run.recipe
    del config["recipe"]
    path.write_text(json.dumps(config))
    assert run.recipe is None


@pytest.mark.parametrize("content", [b"\xff\xfe\n1,2,3\n4,5,6,7\n", b"step,seconds\n1,\xff\n", b'step,"\n1,2\n'])
def test_a_damaged_history(run: Run, content: bytes) -> None:
    (run.folder / "history.csv").write_bytes(content)
    try:
        assert len(run.history) <= 2
    except TrainingError as error:
        assert "history.csv is damaged" in str(error)  # noqa: PT017


@pytest.mark.parametrize("values", [10**9, "x", [], {"recipe": 1}, None])
def test_settings_and_recipes_that_are_none(run: Run, values: Any) -> None:
    config = json.loads((run.folder / "config.json").read_text())
    (run.folder / "config.json").write_text(json.dumps(config | {"settings": values}))
    with pytest.raises(TrainingError):
        _ = run.settings
    if values is not None:
        (run.folder / "config.json").write_text(json.dumps(config | {"recipe": values}))
        with pytest.raises(TrainingError, match="another version"):
            _ = run.recipe


def test_a_table_that_cannot_be_removed_is_said(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(TrainingError, match=r"history\.csv cannot be removed"):
        run.cut(0)
