"""A whole folder predicted: left and gone on with, by one process or several, as the command line: the same bits."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from stub_plates import spotted_plate

from napari_impa.cells.layouts import LayoutChoice
from napari_impa.cells.source import open_source
from napari_impa.cells.store import open_cells
from napari_impa.cli import main
from napari_impa.engine.model.model import IMPA
from napari_impa.errors import CellsError
from napari_impa.watch import CancelledError, Watch
from napari_impa.work.predicting import folder
from napari_impa.work.predicting.folder import predict_folder, unfinished_prediction
from napari_impa.work.predicting.measured_table import named_before
from napari_impa.work.predicting.plan import PredictionPlan
from napari_impa.work.predicting.predict_into import cells_for, predict_into
from napari_impa.workers import Workers

TO = ("shrinkage", "mitotic arrest")
SETTINGS = ["--batch-size", "8", "--jobs", "1"]


def files(folder: Path) -> dict[str, bytes]:
    return {str(one.relative_to(folder)): one.read_bytes() for one in sorted(folder.rglob("*")) if one.is_file()}


class LeftAt(Watch):
    """Stops when a step of some words is so far."""

    def __init__(self, what: str, done: int) -> None:
        self._at, self._left = (what, done), False
        self.seen: list[tuple[int, int, str]] = []

    def report(self, done: int, of: int, what: str = "") -> None:
        self.seen.append((done, of, what))
        self._left = self._left or (self._at[0] == what.strip("0123456789,. ") and done >= self._at[1])

    def check(self) -> None:
        if self._left:
            raise CancelledError


@pytest.fixture(scope="module")
def plate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return spotted_plate(tmp_path_factory.mktemp("plate"), wells=24)


@pytest.fixture(scope="module")
def whole(plate: Path, model: IMPA, model_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command line writes."""
    folder = tmp_path_factory.mktemp("command line")
    table = ["--table", str(folder / "measurements.csv")]
    main.main(["predict", str(model_path), str(plate), "--to", *TO, "--out", str(folder / "y"), *SETTINGS, *table])
    return folder


def plan_for(plate: Path, model_path: Path, **other: object) -> PredictionPlan:
    return PredictionPlan(model=str(model_path), source=str(plate), to=TO, batch_size=8, **other)


def test_the_command_line_writes_what_was_predicted_before(whole: Path, plate: Path, model: IMPA) -> None:
    """As it was when all cells were cut into memory."""
    cells = cells_for(model, plate)
    alone = predict_into(whole.parent / "memory", model, cells, TO, batch_size=8)
    assert files(alone) == files(whole / "y.cells")
    made = open_cells(alone)
    assert made.table["well"].nunique() == 8  # the controls' wells
    assert sorted(one.name for one in whole.iterdir()) == ["measurements.csv", "y.cells"]


@pytest.mark.parametrize("at", [("cells", 9), ("", 8), ("measuring cells", 1)])
def test_it_is_left_and_gone_on_with(
    at: tuple[str, int], whole: Path, plate: Path, model: IMPA, model_path: Path, tmp_path: Path
) -> None:
    plan, table = plan_for(plate, model_path), tmp_path / "measurements.csv"
    with pytest.raises(CancelledError):
        predict_folder(plan, tmp_path / "y", model=model, table=table, watch=LeftAt(*at))
    assert [one.name for one in tmp_path.iterdir()] == [".y.unfinished"]
    left = unfinished_prediction(tmp_path / "y")
    assert left is not None
    assert (left.plan, left.table, left.report) == (plan, table, None)
    watch = LeftAt("never", 0)
    predict_folder(left.plan, tmp_path / "y", model=model, table=table, resume=True, watch=watch)
    assert files(tmp_path) == files(whole)
    if at[0] == "cells":
        assert watch.seen[0][:2] == (10, 24)
    assert [one.name for one in sorted(tmp_path.iterdir())] == ["measurements.csv", "y.cells"]


@pytest.mark.parametrize("jobs", [["--jobs", "2"], []])
def test_several_processes_write_the_same(
    jobs: list[str], whole: Path, plate: Path, model_path: Path, tmp_path: Path
) -> None:
    """Also where torch has more threads: in which order they sum floats depends on how many they are."""
    options = ["--out", str(tmp_path / "y"), "--table", str(tmp_path / "measurements.csv"), "--batch-size", "8"]
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        main.main(["predict", str(model_path), str(plate), "--to", *TO, *options, *jobs])
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert files(tmp_path) == files(whole)


def test_the_workers_of_a_scheduler_write_the_same(whole: Path, plate: Path, model_path: Path, tmp_path: Path) -> None:
    """By --dask they cut, predict and measure; nothing is left of the model that was given to them."""
    distributed = pytest.importorskip("distributed")
    options = ["--out", str(tmp_path / "y"), "--table", str(tmp_path / "measurements.csv"), "--batch-size", "8"]
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, scheduler_port=0, silence_logs=50
    ) as cluster:
        dask = ["--dask", cluster.scheduler_address]
        main.main(["predict", str(model_path), str(plate), "--to", *TO, *options, *dask])
    assert files(tmp_path) == files(whole)


@pytest.mark.slow
def test_the_report_is_that_of_evaluate(plate: Path, model: IMPA, model_path: Path, tmp_path: Path) -> None:
    wells = open_source(plate).table["well"]
    halves = tmp_path / "halves.csv"  # 24 controls
    halves.write_text("\n".join(["well,compound", *(f"{w},{('DMSO', TO[0])[n % 2]}" for n, w in enumerate(wells))]))
    choice = LayoutChoice(plate_map=str(halves))
    plan = plan_for(plate, model_path, strength=0.8, seed=4, choice=choice)
    made = predict_folder(plan, tmp_path / "y", model=model, report=tmp_path / "ours")
    assert not made.without_report
    _, evaluate = plan.commands(tmp_path / "y.cells", report=tmp_path / "theirs").splitlines()
    main.main(shlex.split(evaluate)[1:])
    ours, theirs = files(tmp_path / "ours"), files(tmp_path / "theirs")
    pages = [re.sub(rb"<dt>date</dt>.*?</dd>", b"", one.pop("report.html")) for one in (ours, theirs)]
    assert pages[0] == pages[1]
    assert len(ours) >= 3
    assert ours == theirs


def test_there_is_a_process_a_core_where_there_is_enough_to_do(
    plate: Path, model: IMPA, model_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Workers] = []

    def told(*_: Any, workers: Workers, **__: Any) -> None:
        asked.append(workers)
        raise CancelledError

    monkeypatch.setattr(folder, "cores", lambda: 6)
    monkeypatch.setattr(folder, "predict_into", told)
    for number, few in enumerate((32, 33)):  # 16 controls, twice
        monkeypatch.setattr(folder, "FEW_CELLS", few)
        with pytest.raises(CancelledError):
            predict_folder(plan_for(plate, model_path), tmp_path / str(number), model=model, resume=True)
    assert asked == [Workers(6), Workers(1)]


def test_other_settings_are_no_going_on(plate: Path, model: IMPA, model_path: Path, tmp_path: Path) -> None:
    with pytest.raises(CancelledError):
        predict_folder(plan_for(plate, model_path), tmp_path / "y", model=model, watch=LeftAt("cells", 2))
    other = plan_for(plate, model_path, strength=2.0, seed=3)
    with pytest.raises(CellsError, match=r"of other settings \(strength, seed\); give the same"):
        predict_folder(other, tmp_path / "y", model=model, resume=True)
    fewer = open_source(plate).of_rows(np.arange(3))
    with pytest.raises(CellsError, match=r"\(the images\)"):
        predict_folder(plan_for(plate, model_path), tmp_path / "y", model=model, opened=fewer, resume=True)
    watch = LeftAt("cells", 1)  # without resuming it begins anew
    with pytest.raises(CancelledError):
        predict_folder(plan_for(plate, model_path), tmp_path / "y", model=model, watch=watch)
    assert watch.seen[0][:2] == (1, 24)


def test_where_nothing_is_done_nothing_stays(plate: Path, model: IMPA, model_path: Path, tmp_path: Path) -> None:
    class AtOnce(Watch):
        def check(self) -> None:
            raise CancelledError

    with pytest.raises(CancelledError):
        predict_folder(plan_for(plate, model_path), tmp_path / "y", model=model, watch=AtOnce())
    assert list(tmp_path.iterdir()) == []
    assert unfinished_prediction(tmp_path / "y") is None


def test_the_table_has_each_cell_before_and_after(whole: Path) -> None:
    table, cells = pd.read_csv(whole / "measurements.csv"), open_cells(whole / "y.cells")
    assert table["condition"].value_counts().to_dict() == dict.fromkeys(("control", *TO), len(cells) // 2)
    assert list(table.columns[:6]) == ["cell", "condition", "field", "y", "x", "label"]
    for name in TO:
        rows = (cells.table["predicted"] == name).to_numpy()
        said = table[table["condition"] == name]
        assert said[["field", "y", "x"]].values.tolist() == cells.table[rows][["field", "y", "x"]].values.tolist()
        assert said["cell"].tolist() == list(range(1, len(said) + 1))
    assert table.filter(like="mean intensity").notna().all().all()


def test_cells_are_called_control_only_where_a_label_says_so(model: IMPA, cells_path: Path) -> None:
    cells = open_cells(cells_path)
    rows = np.arange(len(cells))
    named = named_before(model, cells, rows)
    assert set(named[cells.is_control]) == {"control"}
    assert set(named[~cells.is_control]) == {"input"}
    assert named_before(model, cells, rows[::-1]).tolist() == named[::-1].tolist()
    assert set(named_before(model, replace(cells, label=(), control=None), rows)) == {"input"}


def test_the_plan_says_its_commands(plate: Path, model_path: Path, tmp_path: Path) -> None:
    plan = plan_for(plate, model_path, all_cells=True)
    assert PredictionPlan.of(plan.to_json()) == plan
    lines = plan.commands(tmp_path / "y.cells", tmp_path / "m.csv", tmp_path / "report").splitlines()
    assert lines[0].startswith(f"napari-impa predict {model_path} {plate} --to shrinkage 'mitotic arrest' --out ")
    assert lines[0].endswith(f"--all-cells --table {tmp_path / 'm.csv'}")
    assert lines[1].startswith("napari-impa evaluate ")


def test_lock_of_another_process(plate: Path, model: IMPA, model_path: Path, tmp_path: Path) -> None:
    from filelock import FileLock

    (tmp_path / ".y.unfinished").mkdir()
    with FileLock(tmp_path / ".y.unfinished" / "lock"), pytest.raises(CellsError, match="Another process"):
        predict_folder(plan_for(plate, model_path), tmp_path / "y", model=model)


def test_cells_unlike_the_models_own_are_said_before_they_are_turned(
    plate: Path, model: IMPA, model_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "pixel_size", 6.5)
    said: list[str] = []
    with pytest.raises(CancelledError):
        predict_folder(plan_for(plate, model_path), tmp_path / "y", model=model, say=said.append, watch=LeftAt("", 8))
    assert any(line.startswith("Warning: Pixels are 0.65 µm") and "10 times as large" in line for line in said)
