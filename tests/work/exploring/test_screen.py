"""A screen is the same whether it was left, killed and gone on with, and says of each condition what was measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_impa.analysis.phenotypes.control_scale import ControlScale
from napari_impa.analysis.phenotypes.real_effects import cells_lost, real_effects, real_shifts
from napari_impa.analysis.phenotypes.shifts import effect_of
from napari_impa.cells.simulated.screen import CONTROL, simulated_cells
from napari_impa.cells.store import Cells, open_cells
from napari_impa.cli import main
from napari_impa.engine.model.model import IMPA
from napari_impa.errors import CellsError, ConditionError
from napari_impa.watch import CancelledError, Watch
from napari_impa.work.exploring import screen as module
from napari_impa.work.exploring.screen import ScreenPlan, screen

TO = ("shrinkage", "mitotic arrest", "actin inhibitor")


class LeftAfter(Watch):
    """Stops when so many cells were turned."""

    def __init__(self, done: int) -> None:
        self._most, self._left = done, False

    def report(self, done: int, of: int, what: str = "") -> None:
        self._left = self._left or done >= self._most

    def check(self) -> None:
        if self._left:
            raise CancelledError


@pytest.fixture(scope="module")
def more_cells() -> Cells:
    return simulated_cells(16, size=48, conditions=(CONTROL, "shrinkage", "mitotic arrest"))


@pytest.fixture(scope="module")
def cells(cells_path: Path) -> Cells:
    return open_cells(cells_path)


def test_it_is_left_and_gone_on_with(
    model: IMPA, cells: Cells, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_A_TIME", 1)
    plan = ScreenPlan(targets=TO, wanted="shrinkage", batch_size=4)
    whole = screen(plan, tmp_path / "whole.csv", model=model, cells=cells)
    with pytest.raises(CancelledError):
        screen(plan, tmp_path / "left.csv", model=model, cells=cells, watch=LeftAfter(12))
    left = tmp_path / ".left.unfinished"
    assert [one.name for one in sorted(left.glob("*.npz"))] == ["00000000.npz"]
    before = (left / "00000000.npz").stat().st_mtime_ns
    told: list[str] = []
    seen = []
    real = module.predict_blocks
    monkeypatch.setattr(
        module, "predict_blocks", lambda model, cells, to, **how: (seen.append(to), real(model, cells, to, **how))[1]
    )
    with pytest.raises(CellsError, match="other settings"):
        screen(ScreenPlan(targets=TO, batch_size=4), tmp_path / "left.csv", model=model, cells=cells, resume=True)
    assert (left / "00000000.npz").stat().st_mtime_ns == before
    screen(plan, tmp_path / "left.csv", model=model, cells=cells, resume=True, say=told.append)
    assert "1 condition was done before." in told
    assert {to[0] for to in seen} == set(TO[1:])
    assert (tmp_path / "left.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert not left.exists()
    assert list(whole["rank"]) == [1, 2, 3]


def test_the_effect_is_that_of_the_predicted_cells(model: IMPA, cells: Cells, tmp_path: Path) -> None:
    plan = ScreenPlan(targets=TO, variability=0.0)
    table = screen(plan, tmp_path / "t.csv", model=model, cells=cells)
    controls = model.fit(cells.controls())
    scale = ControlScale.of(model, controls)
    before = scale(controls.pixels)
    for row in table.itertuples():
        change = scale(model.predict(controls, row.condition, variability=0.0).pixels) - before
        known = np.isfinite(change)
        shift = np.where(known, change, 0).sum(0) / known.sum(0)
        chance = np.array([column[np.isfinite(column)].var(ddof=1) / np.isfinite(column).sum() for column in change.T])
        assert row.effect == pytest.approx(float(effect_of(shift, chance)), abs=2e-6)
    assert table["effect"].is_monotonic_decreasing
    assert table["spread"].isna().all()  # nothing was drawn twice


def test_noise_that_moves_cells_makes_it_less_sure(model: IMPA, cells: Cells, tmp_path: Path) -> None:
    some = {
        much: screen(ScreenPlan(targets=TO, variability=much), tmp_path / f"{much}.csv", model=model, cells=cells)
        for much in (0.1, 3.0)
    }
    assert some[3.0]["spread"].mean() > 1.4 * some[0.1]["spread"].mean()
    assert some[0.1]["sureness"].between(0, 1).all()


def test_what_real_cells_say_stands_beside(model: IMPA, more_cells: Cells, tmp_path: Path) -> None:
    fields = more_cells.table.groupby(["plate", "compound"]).cumcount() % 2  # half of the cells of each plate
    cells = more_cells.take(np.flatnonzero((more_cells.conditions != "shrinkage") | (fields == 0)))
    table = screen(ScreenPlan(targets=TO), tmp_path / "t.csv", model=model, cells=cells).set_index("condition")
    assert table["real_effect"].notna().to_dict() == {
        "shrinkage": True,
        "mitotic arrest": True,
        "actin inhibitor": False,
    }
    assert table["cells_lost"].drop("actin inhibitor").to_dict() == {"shrinkage": 1.0, "mitotic arrest": 0.0}


def test_what_was_left_is_gone_on_with_for_the_same_cells_and_model_alone(
    model: IMPA, cells: Cells, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_A_TIME", 1)
    plan = ScreenPlan(targets=TO, batch_size=4)
    with pytest.raises(CancelledError):
        screen(plan, tmp_path / "left.csv", model=model, cells=cells, watch=LeftAfter(12))
    others = replace(cells, pixels=np.asarray(cells.pixels)[:, :, ::-1].copy())
    with pytest.raises(CellsError, match="other cells"):
        screen(plan, tmp_path / "left.csv", model=model, cells=others, resume=True)
    monkeypatch.setattr(IMPA, "hash", "another")
    with pytest.raises(CellsError, match="another model"):
        screen(plan, tmp_path / "left.csv", model=model, cells=cells, resume=True)
    monkeypatch.undo()
    monkeypatch.setattr(module, "AT_A_TIME", 1)
    part = tmp_path / ".left.unfinished" / "00000000.npz"
    part.write_bytes(part.read_bytes()[:100])
    with pytest.raises(CellsError, match="is damaged; remove it"):
        screen(plan, tmp_path / "left.csv", model=model, cells=cells, resume=True)


def test_a_wanted_phenotype_has_cells_enough(model: IMPA, cells: Cells, tmp_path: Path) -> None:
    rows = np.flatnonzero(cells.conditions == "shrinkage")
    few = cells.take(np.sort(np.r_[np.flatnonzero(cells.is_control), rows[:3]]))
    for wanted, count in (("shrinkage", 3), (str(cells.control), 0)):
        with pytest.raises(ConditionError, match=f"has {count} treated cells of the wanted phenotype '{wanted}'"):
            screen(ScreenPlan(targets=TO, wanted=wanted), tmp_path / "t.csv", model=model, cells=few)


def test_few_cells_that_nothing_was_done_to_have_no_large_effect(model: IMPA, more_cells: Cells) -> None:
    cells = more_cells
    controls = np.flatnonzero(cells.is_control)
    table = cells.table.iloc[controls].reset_index(drop=True)
    column = cells.label[0]
    table[column] = np.where(np.arange(len(table)) % 2 == 0, "nothing", cells.control)
    noise = replace(cells, pixels=np.asarray(cells.pixels)[controls], table=table)
    scale = ControlScale.of(model, model.fit(noise))
    shifts = real_shifts(model, scale, noise)
    inflated = float(effect_of(shifts["nothing"][0]))
    assert real_effects(shifts)["nothing"] < 0.7 * inflated


@pytest.mark.parametrize("column", ["field", "site"])
def test_no_cells_are_lost_where_no_image_is_named(cells: Cells, column: str) -> None:
    names = [f"crop {number}" for number in range(len(cells))]
    one = replace(cells, table=pd.DataFrame({cells.label[0]: cells.conditions, column: names}))
    assert cells_lost(one) == {}


def test_nothing_is_overwritten_or_asked_for_twice(model: IMPA, cells: Cells, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("mine")
    with pytest.raises(CellsError, match="exists already"):
        screen(ScreenPlan(targets=TO), tmp_path / "t.csv", model=model, cells=cells)
    with pytest.raises(ConditionError, match="twice"):
        screen(ScreenPlan(targets=(*TO, TO[0])), tmp_path / "u.csv", model=model, cells=cells)
    with pytest.raises(ConditionError, match="wanted phenotype"):
        screen(ScreenPlan(targets=TO, wanted="nothing"), tmp_path / "u.csv", model=model, cells=cells)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["t.csv"]


def test_the_command_line_screens(
    model_path: Path, cells_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "screen.csv"
    main.main(["screen", str(model_path), str(cells_path), "--out", str(out), "--like", "shrinkage", "--device", "cpu"])
    table = pd.read_csv(out)
    assert len(table) == 5
    assert table["likeness"].is_monotonic_decreasing
    assert f"Saved {out}." in capsys.readouterr().out
    assert sorted(one.name for one in tmp_path.iterdir()) == ["screen.csv"]
