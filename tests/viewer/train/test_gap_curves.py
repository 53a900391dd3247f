"""The plot of the gap closed: its two levels, the best step, an axis that opens downwards, conditions by name."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from shown_texts import shown

from napari_impa.viewer.train.curves import Past
from napari_impa.viewer.train.gap_curves import LOWEST, GapCurves


@pytest.fixture
def gaps(qtbot: Any) -> GapCurves:
    plot = GapCurves()
    qtbot.addWidget(plot)
    return plot


def span(plot: GapCurves) -> tuple[float, float]:
    low, high = plot.viewRange()[1]
    return low, high


def test_gaps_show_mean_and_best_between_untouched_and_real_cells(gaps: GapCurves) -> None:
    assert not gaps._control.isVisible()
    gaps.set_floor(0.81)
    gaps.draw()
    assert not gaps._real.isVisible()
    gaps.extend([(10, {"a": 0.1, "b": 0.3}), (15, {}), (20, {"a": 0.8, "b": 0.6}), (30, {"a": 0.4, "b": 0.8})])
    gaps.draw()
    steps, means = gaps._mean.getOriginalDataset()
    assert steps.tolist() == [10, 20, 30]
    assert means.tolist() == pytest.approx([0.2, 0.7, 0.6])
    assert gaps.best_step == (20, pytest.approx(0.7))
    assert "0.70, step 20" in gaps.best.text()
    assert gaps._star.getOriginalDataset()[0].tolist() == [20]
    assert (gaps._control.isVisible(), gaps._control.value()) == (True, 0)
    assert (gaps._real.isVisible(), gaps._real.value()) == (True, 0.81)
    assert gaps._real.label.toPlainText() == "other real cells: 0.81"
    low, high = span(gaps)
    assert -0.1 < low < 0
    assert 1 < high < 1.1


def test_without_other_real_cells_there_is_no_line_of_them(gaps: GapCurves) -> None:
    gaps.set_floor(math.nan)
    gaps.extend([(10, {"a": 0.5})])
    gaps.draw()
    assert gaps._control.isVisible()
    assert not gaps._real.isVisible()


@pytest.mark.parametrize(("gap", "lowest"), [(-0.4, -0.4), (-25.0, LOWEST)])
def test_the_axis_opens_downwards_as_far_as_it_must(gaps: GapCurves, gap: float, lowest: float) -> None:
    gaps.extend([(10, {"a": gap}), (20, {"a": 0.5})])
    gaps.draw()
    low, high = span(gaps)
    assert low == pytest.approx(lowest - 0.06 * (1 - lowest))
    assert high > 1
    assert gaps._mean.getOriginalDataset()[1].tolist() == pytest.approx([lowest, 0.5])


def test_what_could_not_be_scored_is_passed_over(gaps: GapCurves, recwarn: pytest.WarningsRecorder) -> None:
    gaps.extend([(10, {"a": math.nan, "b": math.nan})])
    gaps.draw()
    assert gaps.best_step is None
    assert gaps.best.text() == ""
    gaps.extend([(20, {"a": math.nan, "b": 0.4}), (30, {"a": math.nan, "b": 0.2})])
    gaps.each.setChecked(True)
    assert gaps.best_step == (20, pytest.approx(0.4))
    assert gaps.names.text().index("b&nbsp;0.20") < gaps.names.text().index("a&nbsp;–")
    assert not recwarn


def test_each_condition_is_drawn_where_that_is_ticked(gaps: GapCurves) -> None:
    gaps.extend([(10, {"a": -3.0}), (20, {"a": 0.2, "b": 0.4})])
    gaps.draw()
    assert not gaps._thin
    gaps.each.setChecked(True)
    assert set(gaps._thin) == {"a", "b"}
    assert gaps.names.text().index("b&nbsp;0.40") < gaps.names.text().index("a&nbsp;0.20")
    gaps.each.setChecked(False)
    assert not gaps._thin
    assert gaps.names.text() == ""


def test_of_many_conditions_the_best_are_named(gaps: GapCurves) -> None:
    gaps.extend([(10, {f"c<{number}": number / 100 for number in range(30)})])
    gaps.each.setChecked(True)
    names = shown(gaps.names.text())
    assert names.index("c<29 0.29") < names.index("c<18 0.18")
    assert "c<17" not in names
    assert names.endswith("and 18 more")


def test_before_the_first_gap_it_is_said_when_it_comes(gaps: GapCurves) -> None:
    assert "second stage" in gaps._note.toPlainText()
    gaps.resize(220, 200)
    gaps._place_note()
    assert gaps._note.boundingRect().width() <= gaps.getPlotItem().getViewBox().rect().width()
    gaps.extend([(10, {"a": 1.0})])
    gaps.draw()
    assert gaps._note.toPlainText() == ""
    gaps.set_floor(0.5)
    gaps.clear_curves()
    assert "second stage" in gaps._note.toPlainText()
    assert math.isnan(gaps.floor)


def test_conditions_missing_from_the_past_are_kept(gaps: GapCurves) -> None:
    gaps.show_past(Past({}, None, [(5, {"a": 0.5})]))
    gaps.extend([(9, {"a": 0.4, "b": 0.2})])
    gaps.each.setChecked(True)
    assert np.isnan(gaps._gaps["b"][0])
