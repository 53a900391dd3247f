"""What a report says of an evaluation: its numbers at their places, and which measurements are drawn."""

from __future__ import annotations

import datetime
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from napari_impa.analysis.attribution.mattered_cells import MatteredCells
from napari_impa.analysis.evaluation import Evaluation, evaluation
from napari_impa.analysis.report.composition import most_moved, report_contents
from napari_impa.analysis.report.contents import MatteredPart, ReportContents
from napari_impa.analysis.report.files import as_json
from napari_impa.cells.store import Cells

NOW = datetime.datetime(2026, 1, 2, 3, 4)


@pytest.fixture(scope="module")
def explained(cells: Cells, double: Any) -> Evaluation:
    """With what mattered in it."""
    model = double(double.oracle, hold_out={"plate": ("P2",)})
    return evaluation(model, cells, features=("fast",), mattered=True)


@pytest.fixture(scope="module")
def said(evaluated: Evaluation) -> ReportContents:
    return report_contents(evaluated, now=NOW)


def test_it_says_what_was_scored(said: ReportContents, evaluated: Evaluation) -> None:
    facts = dict(said.facts)
    assert facts["model"] == "double"
    assert facts["date"] == "2026-01-02 03:04"
    assert facts["which"] == "plate = P2"
    assert facts["cells scored"] == "60 predicted, 60 real ones"
    assert said.held_out
    assert said.first == evaluated.verdict.first
    assert f"{said.first} {said.paragraph}" == evaluated.verdict.text
    assert [finding.name for finding in said.findings] == [finding.name for finding in evaluated.verdict.findings]
    assert said.channels == ("DNA", "actin")
    assert said.pixel_size == 0.5
    one, other = said.counts
    assert (one.condition, one.turned, one.real, one.elsewhere, one.plates, one.wells) == ("dim", 30, 30, 30, 1, None)
    assert other.condition == "swell"


def test_a_panel_has_the_numbers_of_the_tables(said: ReportContents, evaluated: Evaluation) -> None:
    table = evaluated.table.set_index(["condition", "row"])
    panel = said.panels[1]
    assert panel.condition == "swell"
    closed, low, high = table.loc[("swell", "predicted"), ["gap_closed", "gap_low", "gap_high"]]
    shown = dict(panel.key_figures)
    assert shown["gap closed, 0 … 1"] == f"{closed:.2f} ({low:.2f} to {high:.2f})"
    assert shown["real cells, repeated"] == f"{table.at[('swell', 'real'), 'gap_closed']:.2f}"
    bars = {bar.family: bar for bar in panel.families}
    assert list(bars) == ["all", "intensity", "texture", "radial distribution", "correlation", "shape"]
    assert bars["all"].closed == closed
    assert bars["shape"].closed == table.at[("swell", "predicted"), "gap_shape"]
    assert bars["shape"].floor == table.at[("swell", "real"), "gap_shape"]
    assert bars["shape"].mean_effect == table.at[("swell", "mean_effect"), "gap_shape"]
    moving = evaluated.measured.query("condition == 'swell' and row == 'predicted' and moves and family == 'shape'")
    assert bars["shape"].moved == len(moving) > 0
    kinds = [one.name for one in panel.pictures]
    assert kinds == ["best", "median", "worst"]
    assert panel.pictures[0].errors.max() < panel.pictures[2].errors.min()


def test_what_mattered_is_that_of_the_pictured_cells(explained: Evaluation) -> None:
    panel = report_contents(explained).panels[1]
    mattered, extremes = explained.mattered["swell"], explained.extremes["swell"]
    assert isinstance(mattered, MatteredCells)
    assert isinstance(panel.mattered, MatteredPart)
    assert panel.mattered.accuracy == mattered.found.accuracy > 0.8
    assert panel.mattered.cells == len(mattered.positions) == 30
    assert panel.mattered.share == np.median(mattered.found.sizes[mattered.found.flipped])
    masks = np.concatenate([one.masks for one in panel.pictures if one.masks is not None])
    words = [text for one in panel.pictures for text in one.mattered]
    assert len(masks) == len(words) == len(extremes.positions)
    for mask, text, position in zip(masks, words, extremes.positions, strict=True):
        (place,) = np.flatnonzero(mattered.positions == position)
        np.testing.assert_array_equal(mask, (mattered.found.masks[place] > 0.5).any(0))
        size = mattered.found.sizes[place]
        assert text == (
            (f"{100 * size:.0f} %" if size >= 0.01 else "under 1 %") if mattered.found.flipped[place] else text
        )
        assert np.isfinite(size) == (text != "as it is")


def test_what_mattered_stands_in_the_json_too(explained: Evaluation) -> None:
    kept = json.loads(as_json(replace(explained, mattered=dict(explained.mattered, dim="It cannot tell."))))["mattered"]
    part = report_contents(explained).panels[1].mattered
    assert isinstance(part, MatteredPart)
    assert kept["dim"] == "It cannot tell."
    assert (kept["swell"]["share"], kept["swell"]["accuracy"]) == (part.share, part.accuracy)
    assert kept["swell"]["changes"] == list(part.changes)


def test_what_mattered_may_not_be_known(explained: Evaluation, evaluated: Evaluation) -> None:
    said = report_contents(replace(explained, mattered=dict.fromkeys(explained.mattered, "It cannot tell.")))
    for panel in said.panels:
        assert panel.mattered == "It cannot tell."
        assert [one.masks for one in panel.pictures] == [None, None, None]
    assert [panel.mattered for panel in report_contents(evaluated).panels] == [None, None]  # not asked for


def test_distributions_are_of_measurements_that_move(said: ReportContents, evaluated: Evaluation) -> None:
    for panel in said.panels:
        sizes = [abs(one.shift) for one in panel.distributions]
        assert sizes == sorted(sizes, reverse=True)
        assert len(sizes) > 2
        measured = evaluated.measured.query(f"condition == '{panel.condition}' and row == 'predicted'")
        for one in panel.distributions:
            line = measured[measured["measurement"] == one.name].iloc[0]
            assert line["moves"]
            control, real = (np.nanmedian(one.groups[group]) for group in ("control", "real"))
            assert np.sign(real - control) == np.sign(one.shift)  # the column is that of the name


def test_the_tables_are_those_of_evaluate(said: ReportContents, evaluated: Evaluation) -> None:
    assert [(row.condition, row.name) for row in said.rows] == list(
        zip(evaluated.table["condition"], evaluated.table["row"], strict=True)
    )
    for number, score in enumerate(said.scores):
        np.testing.assert_array_equal([row.values[number] for row in said.rows], evaluated.table[score.key])
    better = {score.key: score.better for score in said.scores}
    assert better["gap_closed"] == better["gap_shape"] == "higher"
    assert better["ratio"] == "lower"
    assert better["cells"] is better["gap_low"] is None
    assert len(said.measurements) == 2 * len(evaluated.measurements)
    assert {one.name for one in said.explained} >= {"Gap closed"}
    assert all(one.source for one in said.explained)
    outside = evaluated.table.set_index(["condition", "row"])["outside"]
    for curve in said.support:
        assert curve.real == outside[(curve.condition, "real")] > 0
        assert curve.control == outside[(curve.condition, "control")]


def test_what_was_not_held_out_or_not_measured_is_said(evaluated: Evaluation) -> None:
    table = evaluated.table.copy()
    table.attrs = {
        **table.attrs, "held_out": False, "not_measured": ["install copairs"], "not_scored": ["rare"], "citation": "Me",
    }  # fmt: skip
    said = report_contents(replace(evaluated, table=table))
    assert not said.held_out
    assert said.notes == ("Not measured: install copairs", "Not scored, for want of real cells among these: rare.")
    assert "The model double: Me" in said.citations


def test_a_batch_model(cells: Cells, double: Any) -> None:
    model = double(lambda some, condition: some.pixels, task="batch", label=("batch",), control=None, names=("0", "1"))
    said = report_contents(evaluation(model, cells, features=("fast",), mattered=True))
    assert said.title == "How well double predicts cells of other batches"
    assert said.settings["control"] == "–"
    assert [(panel.condition, panel.mattered) for panel in said.panels] == [("0", None), ("1", None)]


def test_the_most_moved_say_different_things() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(50, 6))
    values[:, 1] = 2 * values[:, 0]  # the same again
    values[:, 5] = np.nan
    shift = np.array([3.0, -3.5, np.nan, -1.0, 2.0, 0.5])
    families = ["shape", "shape", "shape", "texture", "shape", "shape"]
    assert most_moved(shift, values, families) == [1, 4, 3]  # 0 is alike, 2 does not move, 5 is the third of shape
    assert most_moved(shift, values, families, count=1) == [1]
    assert most_moved(np.full(6, np.nan), values, families) == []
    assert most_moved(np.abs(shift), values, list("abcdef")) == [1, 4, 3, 5]
