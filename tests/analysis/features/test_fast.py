"""Fast measurements against CellProfiler's own numbers, and what they must not depend on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cp_measure.bulk import get_core_measurements
from cp_measure.core.measurecolocalization import (
    get_correlation_manders_fold,
    get_correlation_overlap,
    get_correlation_pearson,
)
from drawn_cells import drawn_cells
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_impa.analysis.features.families.radial import radial_distribution
from napari_impa.analysis.features.families.under_mask import NUCLEI, UnderMask
from napari_impa.analysis.features.fast import FAST, fast_columns, fast_measurements
from napari_impa.analysis.features.masks import find_masks, scaled_crops

LIMITS = np.tile([200.0, 4200.0], (3, 1))
CHANNELS = ("DNA", "actin", "tubulin")
NAMES = [column.name for column in fast_columns(CHANNELS)]

INTENSITY = [
    f"{what}Intensity"
    for what in ("Mean", "Integrated", "Std", "Min", "LowerQuartile", "Median", "UpperQuartile", "Max")
]
SHAPE = ["Area", "Perimeter", "FormFactor", "Eccentricity", "MajorAxisLength", "MinorAxisLength", "Extent"]


@pytest.fixture(scope="module")
def measured(drawn: NDArray[np.uint16]) -> dict[str, NDArray[np.float64]]:
    """The fast measurements of the drawn cells, by name."""
    return dict(zip(NAMES, fast_measurements(drawn, LIMITS).T, strict=True))


@pytest.fixture(scope="module")
def reference(drawn: NDArray[np.uint16]) -> Callable[..., NDArray[np.float64]]:
    """One of cp-measure's numbers of each drawn cell, measured one by one with a margin of bare ground."""
    scaled = np.pad(scaled_crops(drawn, LIMITS), ((0, 0), (0, 0), (1, 1), (1, 1)))
    masks = find_masks(scaled_crops(drawn, LIMITS), 0)
    labels = {"Nuclei": masks.nucleus, "Cells": masks.cell}

    def take(measure: Callable[..., Any], mask: str, key: str, *channels: int) -> NDArray[np.float64]:
        found = []
        for number, label in enumerate(labels[mask]):
            label = np.pad(label, 1).astype(int)
            pictures = [scaled[number, channel] for channel in channels]
            given = (label, *pictures) if len(channels) == 1 else (*pictures, label)
            found.append(measure(*given)[key][0])
        return np.array(found)

    return take


@pytest.mark.parametrize("mask", ["Nuclei", "Cells"])
@pytest.mark.parametrize("key", [*INTENSITY, "MassDisplacement"])
def test_intensities_are_cell_profilers(mask: str, key: str, measured: Any, reference: Any) -> None:
    expected = reference(get_core_measurements()["intensity"], mask, f"Intensity_{key}", 1)
    np.testing.assert_allclose(measured[f"{mask}_Intensity_{key}_actin"], expected, rtol=1e-9)


@pytest.mark.parametrize("mask", ["Nuclei", "Cells"])
@pytest.mark.parametrize("key", [*SHAPE, "MaximumRadius", "MeanRadius"])
def test_shapes_are_cell_profilers(mask: str, key: str, measured: Any, reference: Any) -> None:
    expected = reference(get_core_measurements()["sizeshape"], mask, key, 0)
    np.testing.assert_allclose(measured[f"{mask}_AreaShape_{key}"], expected, rtol=1e-9)


@pytest.mark.parametrize("mask", ["Nuclei", "Cells"])
def test_hulls_are_cell_profilers_but_for_the_grid(mask: str, measured: Any, reference: Any) -> None:
    expected = reference(get_core_measurements()["sizeshape"], mask, "Solidity", 0)
    np.testing.assert_allclose(measured[f"{mask}_AreaShape_Solidity"], expected, atol=0.02)
    for key, tolerance in (("MinFeretDiameter", 0.01), ("MaxFeretDiameter", 0.002)):
        expected = reference(get_core_measurements()["feret"], mask, key, 0)
        np.testing.assert_allclose(measured[f"{mask}_AreaShape_{key}"], expected, rtol=tolerance)


@pytest.mark.parametrize("mask", ["Nuclei", "Cells"])
def test_correlations_are_cell_profilers(mask: str, measured: Any, reference: Any) -> None:
    for ours, function, key in (
        ("Correlation_DNA_tubulin", get_correlation_pearson, "Correlation_Pearson"),
        ("Overlap_DNA_tubulin", get_correlation_overlap, "Correlation_Overlap"),
        ("Manders_DNA_tubulin", get_correlation_manders_fold, "Correlation_Manders_1"),
        ("Manders_tubulin_DNA", get_correlation_manders_fold, "Correlation_Manders_2"),
    ):
        if mask == "Nuclei" and "Manders" in ours:
            continue
        expected = reference(function, mask, key, 0, 2)
        np.testing.assert_allclose(measured[f"{mask}_Correlation_{ours}"], expected, rtol=1e-9)


@pytest.mark.parametrize("key", ["FracAtD", "MeanFrac", "RadialCV"])
@pytest.mark.parametrize("ring", [1, 2, 3, 4])
def test_radial_distribution_in_a_convex_mask_is_cell_profilers(key: str, ring: int) -> None:
    rows, columns = np.indices((1, 48, 48))[1:]
    mask = ((rows - 22) / 15) ** 2 + ((columns - 25) / 11) ** 2 < 1
    scaled = np.random.default_rng(0).uniform(0.2, 1, (1, 1, 48, 48))
    found = radial_distribution(UnderMask(NUCLEI, mask, scaled, ("DNA",)))
    numbers = {measurement.name: value[0] for measurement, value in found}
    expected = get_core_measurements()["radial_distribution"](mask[0].astype(int), scaled[0, 0])
    ours = numbers[f"Nuclei_RadialDistribution_{key}_DNA_{ring}of4"]
    np.testing.assert_allclose(ours, expected[f"RadialDistribution_{key}_{ring}of4"], rtol=1e-9)


def test_radial_distribution_of_bodies_goes_with_cell_profilers(measured: Any, reference: Any) -> None:
    for ring in range(1, 5):
        key = f"RadialDistribution_FracAtD_{ring}of4"
        expected = reference(get_core_measurements()["radial_distribution"], "Cells", key, 1)
        ours = measured[f"Cells_RadialDistribution_FracAtD_actin_{ring}of4"]
        assert np.abs(ours - expected).max() < 0.03


def test_contrast_goes_with_haralicks(measured: Any, reference: Any) -> None:
    def texture(label: Any, picture: NDArray[np.float64]) -> Any:
        return get_core_measurements()["texture"](label, np.minimum(picture, 1))

    contrast = np.mean([reference(texture, "Nuclei", f"Contrast_3_{way}_256", 0) for way in ("00", "02")], 0)
    ours = measured["Nuclei_Texture_RelativeContrast_3_DNA"] * measured["Nuclei_Intensity_MeanIntensity_DNA"] * 255
    np.testing.assert_allclose(ours, np.sqrt(contrast), rtol=0.03)


@given(st.integers(0, 50), st.integers(1, 3))
@settings(max_examples=10, deadline=None)
def test_turning_a_crop_leaves_its_measurements(seed: int, turns: int) -> None:
    crops = drawn_cells(2, seed=seed, side=47)
    before, after = (fast_measurements(x, LIMITS) for x in (crops, np.rot90(crops, turns, (2, 3))))
    # The wedges that unevenness is of are not turned with the crop, and ties of the watershed are not, either.
    whole = np.array(["RadialCV" not in name for name in NAMES])
    scale = np.abs(before).max(0) + 1e-9
    assert np.median(np.abs(before - after)[:, whole] / scale[whole]) < 1e-6


@given(st.floats(0.01, 100), st.floats(-100, 1000))
@settings(max_examples=10, deadline=None)
def test_other_units_of_the_camera_leave_all(gain: float, offset: float) -> None:
    crops = drawn_cells(2).astype(np.float64)
    found = fast_measurements(crops * gain + offset, LIMITS * gain + offset)
    # The last bits of the scaled intensities may move a pixel across a threshold.
    np.testing.assert_allclose(found, fast_measurements(crops, LIMITS), rtol=0.03, atol=0.03)


def test_cells_are_measured_alike_in_any_company(drawn: NDArray[np.uint16]) -> None:
    many = drawn_cells(70)
    found = fast_measurements(many, LIMITS)
    order = np.random.default_rng(0).permutation(70)
    np.testing.assert_array_equal(fast_measurements(many[order], LIMITS), found[order])
    np.testing.assert_array_equal(fast_measurements(many[5:6], LIMITS), found[5:6])


@pytest.mark.parametrize("value", [0, 200, 3000, np.nan])
def test_a_constant_crop_has_no_nucleus_and_no_infinite_number(value: float) -> None:
    found = fast_measurements(np.full((2, 3, 32, 32), value), LIMITS)
    nuclei = np.array([name.startswith("Nuclei") for name in NAMES])
    assert np.isnan(found[:, nuclei]).all()
    assert not np.isinf(found).any()


def test_a_pixel_that_is_not_a_number_counts_as_the_lower_limit(drawn: NDArray[np.uint16]) -> None:
    holed, filled = drawn[:2].astype(np.float64), drawn[:2].astype(np.float64)
    holed[:, :, 30, 30], filled[:, :, 30, 30] = np.nan, 200
    np.testing.assert_array_equal(fast_measurements(holed, LIMITS), fast_measurements(filled, LIMITS))


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_any_number_of_channels_is_measured(channels: int) -> None:
    limits = np.tile([200.0, 4200.0], (channels, 1))
    columns = fast_columns([f"channel {number}" for number in range(channels)])
    found = fast_measurements(drawn_cells(2, channels), limits)
    assert found.shape == (2, len(columns))
    assert np.isfinite(found).all()
    assert FAST.columns is not None
    assert ("correlation" in {column.family for column in columns}) == (channels > 1)
