"""Cells unlike those that a model learned from: what is said of them, and channels that names do not tell."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from napari_impa.cells.store import Cells
from napari_impa.engine.model.misfits import misfits, weaknesses
from napari_impa.engine.model.model import IMPA
from napari_impa.errors import ModelError


@pytest.fixture
def model(two_channels: IMPA, monkeypatch: pytest.MonkeyPatch) -> IMPA:
    monkeypatch.setattr(two_channels, "pixel_size", 0.5)
    return two_channels


def test_nothing_is_said_of_cells_of_its_own_kind(model: IMPA, cells: Cells) -> None:
    assert misfits(model, cells) == ()
    assert misfits(model, cells, np.empty(0, int)) == ()


def test_another_pixel_size_is_said_with_its_factor(model: IMPA, cells: Cells) -> None:
    (line,) = misfits(model, replace(cells, pixel_size=0.1))
    assert line.startswith(
        "Pixels are 0.1 µm, and those that the model learned from 0.5 µm: to it these cells are 5 times"
    )
    assert "resample the images to 0.5 µm a pixel" in line
    (line,) = misfits(model, replace(cells, pixel_size=1.0))
    assert "2 times as small" in line
    assert misfits(model, replace(cells, pixel_size=None)) == ()
    assert misfits(model, replace(cells, pixel_size=0.51)) == ()


def test_a_script_that_predicts_finds_it_in_the_log_once(
    model: IMPA, cells: Cells, caplog: pytest.LogCaptureFixture
) -> None:
    coarse = replace(cells, pixel_size=1.0)
    for _ in range(2):
        model.predict(coarse, "low")
    (line,) = caplog.messages
    assert "2 times as small" in line


def test_another_bit_depth_is_said(model: IMPA, cells: Cells) -> None:
    dim = replace(cells, pixels=(cells.pixels // 257).astype(np.uint8))
    lines = misfits(model, dim)
    assert [line.split(" to the model")[0] for line in lines] == ["Channel DNA is black", "Channel actin is black"]
    assert "give images of the same bit depth and exposure" in lines[0]
    bright = cells.pixels.copy()
    bright[:, 1] += 20_000
    (line,) = misfits(model, replace(cells, pixels=bright))
    assert line.startswith("Channel actin is white to the model")


@pytest.mark.parametrize(("factor", "count"), [(2.0, 0), (0.5, 0), (0.1, 2)])
def test_another_exposure_is_said(model: IMPA, cells: Cells, factor: float, count: int) -> None:
    low = np.array([limits[0] for limits in model.limits])[:, None, None]
    pixels = np.clip(low + factor * (cells.pixels.astype(float) - low), 0, 65535).astype(np.uint16)
    lines = misfits(model, replace(cells, pixels=pixels))
    assert len([line for line in lines if "goes up to" in line]) == count


def test_the_one_channel_left_over_stands_for_the_missing_one(model: IMPA, cells: Cells) -> None:
    swapped = replace(cells, pixels=cells.pixels[:, ::-1], channels=("actin", "Hoechst"))
    assert np.array_equal(model.predict(swapped, "low").pixels, model.predict(cells, "low").pixels)
    (line,) = misfits(model, swapped)
    assert line == "Channels are taken Hoechst for DNA (guessed); where that is wrong, name them as the model does."


def test_channels_without_a_known_name_are_taken_in_order_and_said(model: IMPA, cells: Cells) -> None:
    other = replace(cells, channels=("mito", "ER"))
    assert np.array_equal(model.predict(other, "low").pixels, model.predict(cells, "low").pixels)
    (line,) = misfits(model, other)
    assert "mito for DNA, ER for actin (guessed)" in line


def test_several_that_no_name_tells_are_refused(model: IMPA, cells: Cells, monkeypatch: pytest.MonkeyPatch) -> None:
    """The known one shows that their order is another than the model's."""
    four = replace(cells, pixels=np.repeat(cells.pixels, 2, 1), channels=("actin", "a", "b", "c"))
    monkeypatch.setattr(model, "channels", ("DNA", "actin", "ER", "mito"))
    with pytest.raises(ModelError, match=r"which of a, b, c shows DNA, ER, mito no name says"):
        model.fit(four)
    kept = replace(four, channels=("DNA", "a", "b", "c"))
    assert model.fit(kept).channels == kept.channels  # the known one is in its place


@pytest.mark.parametrize("source", ["https://example.org/x", {"cells": "a plate"}, None])
def test_whatever_a_history_says_of_its_source_is_no_error(
    model: IMPA, cells: Cells, monkeypatch: pytest.MonkeyPatch, source: Any
) -> None:
    monkeypatch.setitem(model.history, "source", source)
    assert not any("simulated" in one for one in misfits(model, cells))


def test_conditions_of_older_files_are_called_as_cells_are(model: IMPA) -> None:
    old = IMPA(**{**model.parts(), "conditions": ["tax  10 µM", *model.conditions[1:]]})
    assert old.conditions == ("tax 10 μM", *model.conditions[1:])
    alike = IMPA(**{**model.parts(), "conditions": ["a µ", "a μ", *model.conditions[2:]]})
    assert alike.conditions[:2] == ("a µ", "a μ")  # which are two


def test_a_model_that_has_hardly_learned_says_so(model: IMPA, cells: Cells, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "history", {"steps": 37, "gap_closed": -0.1})
    few, worse = weaknesses(model)
    assert "trained for 37 steps only" in few
    assert "worse than leaving cells as they are (gap closed -0.10; 0 is the control, 1 real cells)" in worse
    assert misfits(model, cells) == (few, worse)
    monkeypatch.setattr(model, "history", {"steps": 5000, "gap_closed": 0.4})
    assert weaknesses(model) == ()


def test_a_model_of_simulated_cells_says_so_of_real_ones(
    model: IMPA, cells: Cells, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "history", {"source": {"cells": {"simulated": {"seed": 1}}}})
    real = replace(cells, history={})
    (line,) = misfits(model, real)
    assert line.startswith("The model learned from simulated cells")
    assert misfits(model, real, simulated=True) == ()
    assert misfits(model, replace(cells, history={"simulated": {"seed": 2}})) == ()
