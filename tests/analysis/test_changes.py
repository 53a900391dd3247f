"""What changed, on cells whose shape and brightness are known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_impa.analysis.changes import LEAST_STAINED, Changes, changes, cliffs_delta, features_table, percent
from napari_impa.analysis.measurements import MEASURES, Yardstick
from napari_impa.cells.simulated.screen import CONTROL, simulated_cells, true_counterfactual
from napari_impa.cells.store import Cells
from napari_impa.errors import CellsError
from napari_impa.watch import CancelledError, Token

BACKGROUND = 100.0


def discs(radii: list[float], brightness: float = 1.0, channels: tuple[str, ...] = ("DNA", "actin")) -> Cells:
    """Cells of 48 px: a nucleus of each radius; the other channel is half as bright within it as around it."""
    y, x = np.mgrid[:48, :48] - 24
    away = np.hypot(y, x)
    nuclei = np.stack([(away <= radius) * 1000.0 for radius in radii])
    others = np.stack([np.where(away <= radius, 200.0, 400.0 * (away <= 20)) for radius in radii])
    pixels = BACKGROUND + brightness * np.stack([nuclei, others], axis=1)
    table = pd.DataFrame({"label": np.arange(len(radii)) + 7})
    return Cells(pixels.astype(np.float32), table, channels, 0.5)


def value(found: Changes, side: str, channel: str, feature: str) -> Any:
    at = (found.columns["channel"] == channel) & (found.columns["feature"] == feature)
    return getattr(found, side)[:, np.flatnonzero(at)[0]]


def test_measures_of_a_known_shape() -> None:
    found = changes(discs([8, 8]), discs([6, 8]))
    assert len(found.columns) == 1 + 2 * len(MEASURES)
    areas = value(found, "predicted", "nucleus", "area")
    np.testing.assert_allclose(areas, np.pi * np.array([36, 64]) / 4, rtol=0.1)  # µm², of pixels of 0.5 µm
    np.testing.assert_allclose(value(found, "control", "DNA", "area"), np.pi * 64 / 4, rtol=0.1)
    np.testing.assert_allclose(value(found, "control", "DNA", "mean intensity"), 1000, rtol=0.1)
    disc = float((discs([8]).pixels[0, 0] > 500).sum())
    np.testing.assert_allclose(value(found, "control", "DNA", "total intensity"), 1000 * disc, rtol=1e-3)
    np.testing.assert_allclose(value(found, "control", "actin", "nuclear to ring"), 0.5, rtol=0.05)


def test_a_cell_twice_as_bright_has_the_same_texture_and_ratio() -> None:
    dim = simulated_cells(4, size=48, conditions=(CONTROL, "shrinkage")).controls()
    lowest = Yardstick.of(dim).background[:, None, None]
    bright = replace(dim, pixels=(2 * (dim.pixels - lowest) + lowest).astype(np.float32))
    yardstick = Yardstick.of(dim)
    one = pd.DataFrame(yardstick.measure(dim.pixels), columns=pd.MultiIndex.from_frame(yardstick.columns))
    two = pd.DataFrame(yardstick.measure(bright.pixels), columns=one.columns)
    ratio = (two / one).xs("actin", axis=1, level="channel").droplevel("unit", axis=1)
    np.testing.assert_allclose(ratio["total intensity"], 2, rtol=1e-3)
    np.testing.assert_allclose(ratio["nuclear to ring"], 1, rtol=0.02)
    assert (ratio["texture"] < 1.25).all()  # more of the cell is above the threshold, fainter parts too
    assert (ratio["texture"] > 0.8).all()


def test_the_simulated_effects_are_seen_as_in_real_treated_cells() -> None:
    cells = simulated_cells(8, size=48, conditions=(CONTROL, "shrinkage"))
    control = cells.controls()
    found = changes(control, true_counterfactual(control, "shrinkage"), cells.treated("shrinkage")).summary()
    nucleus = found.iloc[0]
    assert nucleus["change_percent"] < -30
    assert nucleus["effect"] < -0.9
    assert nucleus["treated"] == pytest.approx(nucleus["predicted"], rel=0.25)
    np.testing.assert_allclose(found["effect_treated"], found["effect"], atol=0.6)
    arrest = changes(control, true_counterfactual(control, "nuclear translocation")).summary()
    ratio = arrest[arrest["feature"] == "nuclear to ring"].set_index("channel")["change_percent"]
    assert ratio["actin"] > 100
    assert abs(ratio["DNA"]) < 1


def test_real_treated_cells_are_compared_with_the_controls_too() -> None:
    found = changes(discs([7, 8, 9]), discs([5, 6, 7]), discs([10, 11])).summary().iloc[0]
    assert (found["effect"], found["effect_treated"]) == (pytest.approx(-8 / 9), 1)
    assert found["treated"] > found["control"] > found["predicted"]


def test_what_cannot_be_measured_is_missing() -> None:
    nameless = changes(discs([8], channels=("red", "green")), discs([8], channels=("red", "green")))
    assert np.isnan(value(nameless, "control", "nucleus", "area")).all()
    assert np.isnan(value(nameless, "control", "red", "nuclear to ring")).all()
    assert np.isfinite(value(nameless, "control", "red", "texture")).all()
    cells = discs([8, 8])
    empty = replace(cells, pixels=np.full_like(cells.pixels, BACKGROUND))
    dead = changes(cells, empty)
    assert np.isnan(value(dead, "predicted", "nucleus", "area")).all()
    assert np.isnan(value(dead, "predicted", "DNA", "mean intensity")).all()
    assert (value(dead, "predicted", "DNA", "area") == 0).all()
    summary = dead.summary()
    assert np.isnan(summary["change_percent"][0])
    flat = changes(empty, empty).summary()
    assert np.isnan(flat["effect"][0])


def test_pixels_that_are_missing_count_as_background() -> None:
    cells = discs([8])
    torn = cells.pixels.copy()
    torn[..., :4, :4] = np.nan
    np.testing.assert_allclose(
        Yardstick.of(cells).measure(torn), Yardstick.of(cells).measure(cells.pixels), rtol=1e-3, equal_nan=True
    )


def test_tables() -> None:
    found = changes(discs([8, 8]), discs([6, 8]))
    tidy = found.cells()
    assert list(tidy) == ["cell", "label", "channel", "feature", "unit", "control", "predicted", "change"]
    assert len(tidy) == 2 * len(found.columns)
    assert list(tidy[tidy["cell"] == 2]["label"].unique()) == [8]
    np.testing.assert_allclose(tidy["change"], tidy["predicted"] - tidy["control"])
    wide = features_table(found)
    assert list(wide["index"]) == [7, 8]
    assert wide["nucleus area (change %)"][0] < -30
    assert wide["nucleus area (change %)"][1] == 0
    assert len(wide.columns) == 1 + 3 * len(found.columns)


def test_a_channel_under_the_controls_threshold_has_no_area() -> None:
    control = discs([8, 8])
    found = changes(control, discs([8, 8], brightness=0.3))
    summary = found.summary().set_index(["channel", "feature"])
    channel = control.channels[0]
    assert summary["predicted"][channel, "area"] < LEAST_STAINED * summary["control"][channel, "area"]
    for feature in ("area", "mean intensity", "texture"):
        assert np.isnan(summary["change_percent"][channel, feature])
        assert summary["too_dim"][channel, feature]
    assert summary["change_percent"][channel, "total intensity"] < -60
    assert not summary["too_dim"][channel, "total intensity"]
    assert features_table(found)[f"{channel} area (change %)"].isna().all()
    smaller = changes(discs([8, 8]), discs([6, 6])).summary().set_index(["channel", "feature"])
    assert not smaller["too_dim"].any()


def test_the_work_can_be_left() -> None:
    cells, token = discs([8]), Token()
    token.cancel()
    with pytest.raises(CancelledError):
        Yardstick.of(cells).measure(cells.pixels, watch=token)


@pytest.mark.parametrize(
    ("predicted", "message"), [(discs([8]), "cannot be compared"), (discs([8, 8, 8]), "cannot be compared")]
)
def test_other_cells_are_refused(predicted: Cells, message: str) -> None:
    with pytest.raises(CellsError, match=message):
        changes(discs([8, 8]), predicted)
    with pytest.raises(CellsError, match="no cells"):
        changes(discs([8]).take([]), predicted)


values = st.one_of(st.integers(-3, 3).map(float), st.just(np.nan))


@given(arrays(float, (5, 2), elements=values), arrays(float, (4, 2), elements=values))
@settings(deadline=None)
def test_cliffs_delta_is_the_share_of_pairs(control: Any, other: Any) -> None:
    found = cliffs_delta(control, other)
    for column in range(2):
        one, two = (side[np.isfinite(side[:, column]), column] for side in (control, other))
        signs = np.sign(two[:, None] - one[None, :])
        if signs.size:
            assert found[column] == pytest.approx(signs.mean())
        else:
            assert np.isnan(found[column])


def test_percent_of_nothing_is_missing() -> None:
    np.testing.assert_array_equal(percent([2, 0, -2, np.nan], [3, 1, -1, 1]), [50, np.nan, 50, np.nan])


def test_predicted_cells_of_the_simulated_screen_keep_their_order() -> None:
    cells = simulated_cells(3, size=48, conditions=(CONTROL, "shrinkage")).controls()
    found = changes(cells, cells)
    np.testing.assert_array_equal(found.control, found.predicted)
    np.testing.assert_array_equal(found.control[1], Yardstick.of(cells).measure(cells.pixels[1:2])[0])
