from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_impa.engine.training.run_folder.run import Run
from napari_impa.errors import TrainingError
from napari_impa.viewer.kit.live_plot import step_name
from napari_impa.viewer.kit.series import MOST, Series
from napari_impa.viewer.train.curves import LossCurves, read_past
from napari_impa.viewer.train.gap_curves import GapCurves
from napari_impa.watch import Token


@pytest.fixture
def losses(qtbot: Any) -> LossCurves:
    plot = LossCurves()
    qtbot.addWidget(plot)
    return plot


@pytest.fixture
def gaps(qtbot: Any) -> GapCurves:
    plot = GapCurves()
    qtbot.addWidget(plot)
    return plot


def steps_of(plot: LossCurves, name: str) -> list[float]:
    return plot._lines[name].getOriginalDataset()[0].tolist()


def two_stages(first: int, last: int, boundary: int) -> list[tuple[int, dict[str, float]]]:
    before, after = {"reconstruction": 0.5, "style_match": 1.0}, {"adversarial": 2.0, "cycle": 0.3, "real": 0.1}
    return [(step, before if step < boundary else after) for step in range(first, last)]


def test_losses_are_drawn_by_name_and_the_second_stage_is_marked(losses: LossCurves) -> None:
    assert losses.extend(two_stages(1, 5, 8))
    losses.draw()
    assert losses.boundary is None
    assert losses.extend(two_stages(5, 12, 8))
    assert not losses.extend(two_stages(12, 13, 8))  # no new lines
    losses.draw()
    assert losses.boundary == 8
    assert losses._boundary is not None
    assert losses._boundary.value() == 8
    assert set(losses._lines) == {"reconstruction", "adversarial", "cycle"}
    assert steps_of(losses, "adversarial") == [8, 9, 10, 11, 12]
    assert "adversarial" in losses.names.text()
    losses.clear_curves()
    assert losses.names.text() == ""
    assert losses.boundary is None


def test_a_recipe_without_autoencoder_has_no_boundary(losses: LossCurves) -> None:
    losses.extend(two_stages(1, 5, 0))
    losses.draw()
    assert losses.boundary is None


def test_drawing_is_put_off_and_happens_once(losses: LossCurves, qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []
    draw = losses.draw
    losses._timer.timeout.disconnect()
    losses._timer.timeout.connect(lambda: (drawn.append(1), draw()))
    for step in range(50):
        losses.extend([(step, {"cycle": 1.0})])
    assert not drawn
    qtbot.waitUntil(lambda: bool(drawn), timeout=2000)
    assert len(drawn) == 1
    assert len(steps_of(losses, "cycle")) == 50


def test_what_a_resumed_run_had_comes_first(losses: LossCurves, gaps: GapCurves, tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.append_history([{"step": step, "stage": "", **found} for step, found in two_stages(1, 11, 6)])
    run.append_gaps(8, 1.0, 0.6, {"a": 0.5, "b": 0.7})
    run.append_gaps(10, 2.0, 0.3, {"a": 0.2, "b": 0.4})
    past = read_past(Token(), tmp_path)
    losses.extend(two_stages(10, 14, 6))  # came while the files were read; step 10 is in both
    gaps.extend([(12, {"a": 0.4, "b": 0.6})])
    losses.show_past(past)
    gaps.show_past(past)
    losses.extend([(14, {"adversarial": 1.0})])
    losses.draw()
    gaps.draw()
    assert steps_of(losses, "adversarial") == [6, 7, 8, 9, 10, 11, 12, 13, 14]
    assert steps_of(losses, "reconstruction") == [1, 2, 3, 4, 5]
    assert losses.boundary == 6
    assert gaps._mean.getOriginalDataset()[0].tolist() == [8, 10, 12]
    assert gaps.best_step == (8, pytest.approx(0.6))


def test_a_history_that_is_something_else_is_told(tmp_path: Path) -> None:
    (tmp_path / "history.csv").write_text("step,cycle\n1,a\n")
    with pytest.raises(TrainingError, match="resumed without them"):
        read_past(Token(), tmp_path)


def test_a_new_run_has_no_past(losses: LossCurves, gaps: GapCurves, tmp_path: Path) -> None:
    past = read_past(Token(), tmp_path / "none")
    losses.show_past(past)
    gaps.show_past(past)
    losses.draw()
    gaps.draw()
    assert not losses._lines
    assert gaps.best_step is None


@pytest.mark.parametrize("plot", [LossCurves, GapCurves])
def test_colours_follow_the_theme(plot: type, qtbot: Any) -> None:
    curves = plot("light")
    qtbot.addWidget(curves)
    assert curves._light
    if plot is LossCurves:
        curves.extend(two_stages(1, 9, 4))
        curves.draw()
    before = curves.getAxis("left").textPen().color()
    curves.take_colours("dark")
    curves.draw()
    assert not curves._light
    assert curves.getAxis("left").textPen().color() != before


def test_the_drawing_stays_small(losses: LossCurves) -> None:
    rng = np.random.default_rng(0)
    losses.extend((step, {"cycle": float(value)}) for step, value in enumerate(rng.random(20_000)))
    losses.draw()
    steps = steps_of(losses, "cycle")
    assert len(steps) <= MOST + 1
    assert steps[-1] == 19_999


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=4 * MOST), st.sampled_from([0.0, 0.9]))
def test_a_series_keeps_range_order_and_end(values: list[float], smoothing: float) -> None:
    series = Series(smoothing)
    series.extend(range(len(values)), values)
    steps, kept = series.points()
    assert len(steps) == len(kept) == len(series) <= MOST + 1
    assert (np.diff(steps) > 0).all()
    assert min(values) - 1e-3 <= kept.min()
    assert kept.max() <= max(values) + 1e-3
    assert steps[-1] == len(values) - 1


def test_what_is_not_finite_is_passed_over() -> None:
    series = Series(0.9)
    series.extend([1, 2, 3], [1.0, math.nan, 1.0])
    assert series.points()[0].tolist() == [1, 3]


@given(st.integers(0, 10**9))
def test_a_step_is_named_in_little_room(step: int) -> None:
    name = step_name(step)
    assert "e" not in name
    assert float(name.rstrip("kM")) * {"k": 1e3, "M": 1e6}.get(name[-1], 1) == pytest.approx(step, rel=1e-3)
