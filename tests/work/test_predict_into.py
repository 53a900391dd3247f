"""Predicting into a folder, as a script calls it: the same cells as `IMPA.predict` gives, by one process or several."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_impa.cells.parts import Share
from napari_impa.cells.simulated.screen import CONTROL, simulated_cells
from napari_impa.cells.store import Cells, open_cells
from napari_impa.engine.describing.new_condition import NewCondition
from napari_impa.engine.model.model import IMPA
from napari_impa.engine.model.networks import Networks
from napari_impa.engine.model.shape import Shape
from napari_impa.errors import CellsError, ConditionError
from napari_impa.watch import CancelledError, Progress, Token
from napari_impa.work.predicting.plan import PredictionPlan
from napari_impa.work.predicting.predict_into import cells_for, predict_into, rows_to_turn, targets_of

TO = ("shrinkage", "mitotic arrest")


@pytest.fixture(scope="module")
def cells() -> Cells:
    return simulated_cells(5, size=48, conditions=(CONTROL, "shrinkage"))


def test_it_is_what_predict_gives(model: IMPA, cells: Cells, tmp_path: Path) -> None:
    path = predict_into(tmp_path / "y", model, cells, TO, strength=1.5, seed=3, batch_size=2)
    after = open_cells(path)
    assert path == tmp_path / "y.cells"
    assert after.table["predicted"].value_counts().to_dict() == {"shrinkage": 5, "mitotic arrest": 5}
    whole = model.predict(cells.controls(), list(TO), strength=1.5, seed=3)
    for name in TO:
        ours, theirs = (some.pixels[(some.table["predicted"] == name).to_numpy()] for some in (after, whole))
        np.testing.assert_allclose(ours.astype(float), theirs.astype(float), atol=1)
    assert (after.history["strength"], after.history["seed"]) == (1.5, 3)
    assert after.control == CONTROL
    with pytest.raises(CellsError, match="exists"):
        predict_into(path, model, cells, TO)
    assert len(open_cells(predict_into(path, model, cells, TO[0], all_cells=True, overwrite=True))) == 10


def test_several_processes_write_the_same_folder(model: IMPA, cells: Cells, tmp_path: Path) -> None:
    how = {"batch_size": 2, "all_cells": True}
    alone = predict_into(tmp_path / "alone", model, cells, TO, **how)
    barrier = threading.Barrier(2)
    parts = [
        threading.Thread(
            target=predict_into, args=(tmp_path / "both", model, cells, TO),
            kwargs={**how, "share": Share(rank, 2, barrier.wait)},
        )
        for rank in range(2)
    ]  # fmt: skip
    for part in parts:
        part.start()
    for part in parts:
        part.join()
    one, both = open_cells(alone), open_cells(tmp_path / "both.cells")
    np.testing.assert_array_equal(one.pixels, both.pixels)
    assert one.table.equals(both.table)


def test_it_says_how_far_it_is_and_can_be_left(model: IMPA, cells: Cells, tmp_path: Path) -> None:
    told: list[Progress] = []
    predict_into(tmp_path / "y", model, cells, TO[0], batch_size=2, watch=Token(told.append))
    assert [(one.done, one.of) for one in told] == [(2, 5), (4, 5), (5, 5)]
    token = Token(lambda _: token.cancel())
    with pytest.raises(CancelledError):
        predict_into(tmp_path / "left", model, cells, TO[0], batch_size=2, watch=token)
    assert [path.name for path in tmp_path.iterdir()] == ["y.cells"]


def test_controls_alone_are_turned_where_they_are_known(model: IMPA, cells: Cells) -> None:
    assert rows_to_turn(model, cells).tolist() == np.flatnonzero(cells.is_control).tolist()
    assert len(rows_to_turn(model, cells, all_cells=True)) == 10
    assert len(rows_to_turn(model, replace(cells, label=(), control=None))) == 10


def test_targets_are_checked_before_anything_is_read(model: IMPA) -> None:
    assert targets_of(model, TO) == list(TO)
    for how, words in (({}, "Nothing to turn"), ({"dose": 3.0}, "SMILES"), ({"to": ["tea"]}, "does not know 'tea'")):
        with pytest.raises(ConditionError, match=words):
            targets_of(model, **how)
    with pytest.raises(ConditionError):  # of a model that knows conditions by name alone
        targets_of(model, smiles="CCO")
    assert NewCondition("CCO", smiles="CCO").name == "CCO"


def test_cells_come_as_the_model_takes_them(model: IMPA, cells: Cells, tmp_path: Path) -> None:
    larger = simulated_cells(2, size=64, conditions=(CONTROL, "shrinkage"))
    path = replace(larger, label=("plate",), control=None).save(tmp_path / "x.cells")
    known = model.label
    try:
        model.label = ("compound",)
        found = cells_for(model, path)
        assert (found.size, found.label, found.control) == (model.size, ("compound",), model.control)
        model.label = ("drug",)  # which the source does not have
        assert cells_for(model, path).label == ("plate",)
    finally:
        model.label = known


def test_a_model_of_one_condition_needs_no_name() -> None:
    networks = Networks(Shape(24, 1, width=2, embedding_dims=(4,), conditions=(1,)))
    model = IMPA(networks, channels=["DNA"], conditions=["shrinkage"], limits=np.array([[0.0, 1.0]]), control=CONTROL)
    assert targets_of(model) == ["shrinkage"]


def test_a_plan_keeps_which_channel_shows_nuclei_and_what_channels_are_called(tmp_path: Path) -> None:
    plan = PredictionPlan(model="m", source="s", to=("x",), nuclei_channel="DAPI", channels=("DAPI", "actin"))
    assert PredictionPlan.of(json.loads(json.dumps(plan.to_json()))) == plan
    assert "--nuclei-channel DAPI --channels DAPI actin" in plan.commands(tmp_path)
