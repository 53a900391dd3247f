"""Measurements with names against cp-measure's, one crop by one, and in several processes."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import joblib
import numpy as np
import psutil
import pytest
from cp_measure.bulk import get_core_measurements
from cp_measure.core.measuregranularity import get_granularity
from cp_measure.core.measuretexture import get_texture
from drawn_cells import drawn_cells
from numpy.typing import NDArray

from napari_impa.analysis.features import processes
from napari_impa.analysis.features.cell_profiler import (
    MEASUREMENTS,
    cell_profiler_columns,
    cell_profiler_measurements,
)
from napari_impa.analysis.features.families.granularity import BACKGROUND, STEPS
from napari_impa.analysis.features.families.haralick import BRIGHTEST, DARKEST, LEVELS, SCALE, TITLES
from napari_impa.analysis.features.masks import find_masks, scaled_crops
from napari_impa.watch import CancelledError, Reported, Token

LIMITS = np.tile([200.0, 4200.0], (3, 1))
CHANNELS = ("DNA", "actin", "tubulin")
COLUMNS = cell_profiler_columns(CHANNELS)
EDGE = [f"{what}IntensityEdge" for what in ("Mean", "Integrated", "Std", "Min", "Max")]
MASKS = pytest.mark.parametrize("mask", ["Nuclei", "Cells"])


@pytest.fixture(scope="module")
def measured(drawn: NDArray[np.uint16]) -> dict[str, NDArray[np.float64]]:
    """All measurements of the drawn cells, by name."""
    numbers = cell_profiler_measurements(drawn, LIMITS)
    return dict(zip([column.name for column in COLUMNS], numbers.T, strict=True))


@pytest.fixture(scope="module")
def one_by_one(drawn: NDArray[np.uint16]) -> Callable[..., NDArray[np.float64]]:
    """Numbers of cp-measure of each drawn cell, of a mask and a channel."""
    scaled = scaled_crops(drawn, LIMITS)
    masks = find_masks(scaled, 0)
    labels = {"Nuclei": masks.nucleus, "Cells": masks.cell}

    def take(measure: Callable[..., Any], mask: str, channel: int) -> dict[str, NDArray[np.float64]]:
        found = [
            measure(label.astype(int), crop[channel].copy()) for label, crop in zip(labels[mask], scaled, strict=True)
        ]
        return {key: np.array([one[key][0] for one in found]) for key in found[0]}

    return take


@MASKS
@pytest.mark.parametrize("key", ["MADIntensity", *EDGE])
def test_medians_and_edges_are_cell_profilers(mask: str, key: str, measured: Any, one_by_one: Any) -> None:
    expected = one_by_one(get_core_measurements()["intensity"], mask, 1)[f"Intensity_{key}"]
    np.testing.assert_allclose(measured[f"{mask}_Intensity_{key}_actin"], expected, rtol=1e-6)


@MASKS
def test_radial_distributions_are_cell_profilers(mask: str, measured: Any, one_by_one: Any) -> None:
    def padded(label: Any, crop: Any) -> Any:
        with np.errstate(invalid="ignore"):
            return get_core_measurements()["radial_distribution"](np.pad(label, 1), np.pad(crop, 1))

    expected = one_by_one(padded, mask, 2)
    assert len(expected) == 12
    for key, numbers in expected.items():
        _, what, ring = key.split("_")
        np.testing.assert_allclose(measured[f"{mask}_RadialDistribution_{what}_tubulin_{ring}"], numbers, rtol=1e-6)


@MASKS
def test_textures_are_cp_measures_in_the_stains_own_mean(mask: str, measured: Any, one_by_one: Any) -> None:
    def in_own_mean(label: Any, crop: Any) -> Any:
        grey = np.clip(crop / (BRIGHTEST * crop[label > 0].mean()), DARKEST, 1)
        return get_texture(label, grey, SCALE, LEVELS)

    expected = one_by_one(in_own_mean, mask, 1)
    for key in TITLES:
        ways = np.mean([expected[f"{key}_{SCALE}_{way:02d}_{LEVELS}"] for way in range(4)], axis=0)
        np.testing.assert_allclose(measured[f"{mask}_Texture_{key}_{SCALE}_actin"], ways, rtol=1e-6)


def test_granularity_is_cell_profilers_on_every_second_pixel(measured: Any, one_by_one: Any) -> None:
    def halved(label: Any, crop: Any) -> Any:
        return get_granularity(label, crop, 0.5, 1, BACKGROUND, STEPS)

    for step, numbers in enumerate(one_by_one(halved, "Cells", 1).values(), 1):
        assert numbers.max() > 0.1
        np.testing.assert_allclose(measured[f"Cells_Granularity_{step}_actin"], numbers, atol=1e-4)


def test_texture_granularity_radial_and_correlation_say_nothing_of_brightness(measured: Any) -> None:
    # Twice the light, by the limits, so that neither masks nor rounding differ: all is bright enough to be a cell.
    brighter = LIMITS.copy()
    brighter[:, 1] = 2200
    changed = cell_profiler_measurements(drawn_cells(12), brighter)
    for column, numbers in zip(COLUMNS, changed.T, strict=True):
        if column.name.startswith("Nuclei") and column.family not in ("intensity", "shape"):
            np.testing.assert_allclose(numbers, measured[column.name], rtol=1e-6, atol=1e-9, err_msg=column.name)
    bright = [c.name for c in COLUMNS if c.name.startswith("Nuclei_Intensity_M") and "Displacement" not in c.name]
    index = {column.name: number for number, column in enumerate(COLUMNS)}
    for name in bright:
        np.testing.assert_allclose(changed[:, index[name]], 2 * measured[name], rtol=1e-6)


def test_every_measurement_has_a_plain_title() -> None:
    assert MEASUREMENTS.missing() == ""
    by_name = {column.name: column for column in COLUMNS}
    assert by_name["Nuclei_AreaShape_Area"].title == "area of the nucleus"
    assert by_name["Cells_Intensity_MeanIntensity_actin"].title == "actin: mean in the cell"
    assert by_name["Cells_Correlation_Correlation_DNA_actin"].channels == ("DNA", "actin")
    assert all(set(column.channels) <= set(CHANNELS) for column in COLUMNS)


@pytest.mark.parametrize("value", [0.0, 200.0, 3000.0, np.nan])
def test_a_constant_crop_has_no_infinite_number(value: float) -> None:
    found = cell_profiler_measurements(np.full((2, 3, 32, 32), value), LIMITS)
    nuclei = np.array([column.name.startswith("Nuclei") for column in COLUMNS])
    assert np.isnan(found[:, nuclei]).all()
    assert not np.isinf(found).any()


@pytest.mark.parametrize(("channels", "side"), [(1, 48), (6, 33), (2, 16)])
def test_any_channels_and_sides_are_measured(channels: int, side: int) -> None:
    found = cell_profiler_measurements(drawn_cells(2, channels, side), np.tile([200.0, 4200.0], (channels, 1)))
    assert found.shape == (2, len(cell_profiler_columns([str(number) for number in range(channels)])))
    assert np.isfinite(found).mean() > 0.95


@pytest.fixture
def two_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many cells are few, and there are two cores."""
    monkeypatch.setattr(processes, "FEW", 40)
    monkeypatch.setattr(joblib, "cpu_count", lambda: 2)


def workers_left() -> list[str]:
    """Command lines of child processes that still work or were not waited for."""
    return [
        " ".join(child.cmdline())
        for child in psutil.Process().children()
        if "resource_tracker" not in str(child.cmdline())
    ]


def test_several_processes_give_the_same_to_the_bit_and_are_gone(two_processes: None) -> None:
    crops = drawn_cells(100)
    said: list[tuple[int, int]] = []
    before = workers_left()
    found = cell_profiler_measurements(crops, LIMITS, watch=Reported(lambda done, of, _: said.append((done, of))))
    assert workers_left() == before
    assert sorted(said)[-1] == (100, 100)
    assert len(said) == 4
    np.testing.assert_array_equal(found[:32], cell_profiler_measurements(crops[:32], LIMITS))
    np.testing.assert_array_equal(found[96:], cell_profiler_measurements(crops[96:], LIMITS))
    alone = cell_profiler_measurements(crops[40:60], LIMITS)
    np.testing.assert_allclose(found[40:60], alone, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("after", ["the start", "the first block"])
def test_many_cells_are_left_within_a_second(after: str, two_processes: None) -> None:
    crops = np.broadcast_to(drawn_cells(1), (10_000, 3, 64, 64))
    before, first = workers_left(), threading.Event()
    token, ended = Token(lambda _: first.set()), []

    def measure() -> None:
        with pytest.raises(CancelledError):
            cell_profiler_measurements(crops, LIMITS, watch=token)
        ended.append(time.monotonic())

    thread = threading.Thread(target=measure)
    thread.start()
    if after == "the first block":
        assert first.wait(60)
    else:
        deadline = time.monotonic() + 60
        while len(workers_left()) == len(before):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    asked = time.monotonic()
    token.cancel()
    thread.join(60)
    assert ended[0] - asked < 1
    assert workers_left() == before


KILLED = """
import os, signal, joblib, numpy as np
from napari_impa.analysis.features import processes
from napari_impa.analysis.features.cell_profiler import cell_profiler_measurements
from napari_impa.watch import Reported
processes.FEW, joblib.cpu_count = 40, lambda: 2
crops = np.random.default_rng(0).integers(0, 4000, (2000, 3, 32, 32))
said = Reported(lambda *_: os.kill(os.getpid(), signal.SIGKILL))
cell_profiler_measurements(crops, np.tile([0.0, 4000.0], (3, 1)), watch=said)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there, nobody is told that a parent has gone")
def test_processes_end_with_a_program_that_is_killed() -> None:
    def workers() -> set[int]:
        found = psutil.process_iter(["pid", "cmdline"])
        return {one.info["pid"] for one in found if "LokyProcess" in " ".join(one.info["cmdline"] or ())}

    before = workers()
    assert subprocess.run([sys.executable, "-c", KILLED], stderr=subprocess.DEVNULL).returncode == -9
    deadline = time.monotonic() + 30
    while workers() - before:
        assert time.monotonic() < deadline
        time.sleep(0.1)
