from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_impa.cells.crops import cut, cut_at, fits, nucleus_centres, paste, soft_window, without_old_bodies
from napari_impa.errors import CellsError

DTYPES = (np.uint8, np.uint16, np.int16, np.float32, np.float64)


@st.composite
def fields_and_centres(draw):
    height, width = draw(st.integers(4, 40)), draw(st.integers(4, 40))
    size = draw(st.integers(1, 16))
    dtype = draw(st.sampled_from(DTYPES))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    pixels = (
        rng.integers(0, 200, (2, height, width))
        if np.issubdtype(dtype, np.integer)
        else rng.normal(size=(2, height, width))
    ).astype(dtype)
    n = draw(st.integers(0, 6))
    return pixels, np.stack([rng.integers(0, height, n), rng.integers(0, width, n)], axis=1), size


@given(fields_and_centres(), st.floats(0, 0.5), st.booleans())
def test_pasting_unchanged_crops_gives_the_field_exactly(case, softness, masked):
    pixels, centres, size = case
    crops = cut_at(pixels, centres, size)
    masks = np.random.default_rng(0).uniform(size=(len(crops), size, size)) if masked else None
    back = paste(pixels, crops, centres, masks=masks, softness=softness)
    assert back.dtype == pixels.dtype
    np.testing.assert_array_equal(back, pixels)


@given(fields_and_centres())
def test_crops_have_their_centre_pixel_where_the_docs_say(case):
    pixels, centres, size = case
    crops = cut_at(pixels, centres, size)
    assert crops.shape == (len(centres), 2, size, size)
    np.testing.assert_array_equal(crops[:, :, size // 2, size // 2], pixels[:, centres[:, 0], centres[:, 1]].T)


@given(fields_and_centres())
def test_padding_reflects_as_numpy_does(case):
    pixels, centres, size = case
    padded = np.pad(pixels, ((0, 0), (size, size), (size, size)), mode="reflect")
    for crop, (y, x) in zip(cut_at(pixels, centres, size), centres, strict=True):
        top, left = y - size // 2 + size, x - size // 2 + size
        np.testing.assert_array_equal(crop, padded[:, top : top + size, left : left + size])


@given(fields_and_centres(), st.floats(0, 0.5))
def test_pixels_outside_every_crop_stay(case, softness):
    pixels, centres, size = case
    crops = cut_at(pixels, centres, size) + 7
    covered = np.zeros(pixels.shape[1:], bool)
    for y, x in centres - size // 2:
        covered[max(y, 0) : y + size, max(x, 0) : x + size] = True
    after = paste(pixels, crops, centres, softness=softness)
    np.testing.assert_array_equal(after[:, ~covered], pixels[:, ~covered])


@given(fields_and_centres())
def test_pasted_values_lie_between_the_field_and_the_crops(case):
    pixels, centres, size = case
    crops = np.full((len(centres), 2, size, size), 190).astype(pixels.dtype)
    after = paste(pixels, crops, centres)
    assert np.all(after >= np.minimum(pixels, 190) - 1e-5)
    assert np.all(after <= np.maximum(pixels, 190) + 1e-5)


@given(fields_and_centres())
@settings(max_examples=50)
def test_order_of_crops_does_not_matter(case):
    pixels, centres, size = case
    crops = np.random.default_rng(1).uniform(0, 200, (len(centres), 2, size, size))
    forth = paste(pixels.astype(np.float64), crops, centres)
    back = paste(pixels.astype(np.float64), crops[::-1], centres[::-1])
    np.testing.assert_allclose(forth, back, atol=1e-9)


def test_overlapping_crops_blend_as_a_weighted_mean():
    pixels = np.zeros((1, 20, 30), np.float32)
    centres = [(10, 10), (10, 14)]
    crops = np.stack([np.full((1, 12, 12), 10.0), np.full((1, 12, 12), 30.0)])
    after = paste(pixels, crops, centres, softness=0)[0]
    assert after[10, 5] == 10
    assert after[10, 19] == 30
    assert after[10, 12] == 20
    soft = paste(pixels, crops, centres, softness=0.5)[0]
    assert np.all(np.diff(soft[10, 6:14]) > 0)


def test_integers_are_rounded_and_clipped():
    pixels = np.full((1, 9, 9), 100, np.uint8)
    crops = np.array([300.0, -50.0, 100.6])[:, None, None, None] * np.ones((3, 1, 1, 1))
    after = paste(pixels, crops, [(1, 1), (4, 4), (7, 7)], softness=0)
    assert (after[0, 1, 1], after[0, 4, 4], after[0, 7, 7]) == (255, 0, 101)
    assert after.sum() == 100 * 78 + 255 + 0 + 101


def test_nan_in_the_field_stays_where_no_crop_is():
    pixels = np.full((1, 20, 20), 5, np.float32)
    pixels[0, 0, 0] = np.nan
    after = paste(pixels, np.full((1, 1, 6, 6), 9.0), [(12, 12)])
    assert np.isnan(after[0, 0, 0])
    assert after[0, 12, 12] == 9


def test_masks_keep_what_they_hide():
    pixels = np.zeros((2, 16, 16), np.uint16)
    mask = np.zeros((1, 8, 8))
    mask[0, 3:5, 3:5] = 1
    after = paste(pixels, np.full((1, 2, 8, 8), 50), [(8, 8)], masks=mask, softness=0)
    assert after.sum() == 50 * 4 * 2
    assert (after[:, 7:9, 7:9] == 50).all()


def test_soft_window_is_symmetric_whole_in_the_middle_and_low_at_the_sides():
    window = soft_window(32, 0.25)
    np.testing.assert_array_equal(window, window[::-1, ::-1].T)
    assert window[16, 16] == 1
    assert window[0].max() < 0.02
    with pytest.raises(CellsError, match=r"0 to 0\.5"):
        soft_window(32, 0.7)


def three_nuclei() -> np.ndarray:
    labels = np.zeros((40, 60), np.int32)
    labels[18:23, 28:33] = 7  # centre 20, 30
    labels[0:4, 0:4] = 2  # at the border
    labels[30:34, 20:24] = 3  # an even side: centre 31.5, 21.5 is rounded up
    return labels


def test_centres_are_rounded_centroids():
    table = nucleus_centres(three_nuclei())
    assert table.to_dict("list") == {"y": [2, 32, 20], "x": [2, 22, 30], "label": [2, 3, 7]}


def test_cut_leaves_out_or_pads_cells_at_the_border():
    labels = three_nuclei()
    pixels = np.arange(2 * 40 * 60, dtype=np.uint16).reshape(2, 40, 60)
    skipped = cut(pixels, labels, 16)
    assert list(skipped.table["label"]) == [3, 7]
    assert skipped.left_out == 1
    assert skipped.pixels.dtype == np.uint16
    np.testing.assert_array_equal(skipped.pixels[1], pixels[:, 12:28, 22:38])
    padded = cut(pixels, labels, 16, border="pad")
    assert list(padded.table["label"]) == [2, 3, 7]
    assert padded.left_out == 0
    np.testing.assert_array_equal(padded.pixels[1:], skipped.pixels)


def test_crops_are_copies():
    pixels = np.zeros((1, 20, 20), np.uint16)
    cut_at(pixels, [(10, 10)], 8)[...] = 1
    assert not pixels.any()


def test_an_empty_mask_gives_no_crops():
    nothing = cut(np.zeros((3, 30, 30), np.uint16), np.zeros((30, 30), int), 8)
    assert nothing.pixels.shape == (0, 3, 8, 8)
    assert list(nothing.table.columns) == ["y", "x", "label"]
    field = np.ones((3, 30, 30), np.uint16)
    np.testing.assert_array_equal(paste(field, nothing.pixels, nothing.table[["y", "x"]]), field)


def test_fits_counts_the_last_row_and_column():
    assert list(fits([(4, 4), (3, 4), (6, 6), (7, 6)], (10, 10), 8)) == [True, False, True, False]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda field: cut(field, np.zeros((30, 40), int), 64), "64 px does not fit"),
        (lambda field: cut(field, np.zeros((30, 30), int), 8), "does not fit a field"),
        (lambda field: cut_at(field, [(50, 3)], 8), "outside the field"),
        (lambda field: cut_at(field, [(0, 3)], 8, border="skip"), "reaches over the border"),
        (lambda field: cut_at(field, [(9, 9)], 0), "at least 1"),
        (lambda field: paste(field, np.zeros((2, 1, 8, 8)), [(9, 9), (8, 8)]), "do not fit a field"),
        (lambda field: paste(field, np.zeros((1, 2, 8, 8)), [(9, 9)], masks=np.zeros((1, 7, 7))), "Masks of shape"),
    ],
)
def test_what_does_not_fit_is_said(call, words):
    with pytest.raises(CellsError, match=words):
        call(np.zeros((2, 30, 40), np.uint16))


def discs(radius: float) -> NDArray[Any]:
    """(1, 120, 200) two round cells of that radius on a ground of 100; the second of radius 24 in any case."""
    y, x = np.ogrid[:120, :200]
    inside = (np.hypot(y - 60, x - 60) < radius) | (np.hypot(y - 60, x - 150) < 24)
    return np.where(inside, 1100, 100)[None].astype(np.uint16)


def nuclei() -> NDArray[Any]:
    y, x = np.ogrid[:120, :200]
    return (np.hypot(y - 60, x - 60) < 5) + 2 * (np.hypot(y - 60, x - 150) < 5)


def test_a_cell_larger_than_its_crop_leaves_no_ghost_of_its_old_body():
    field, after, centres = discs(28), discs(8), [[60, 60]]
    crops = cut_at(after, centres, 40)
    ghost = paste(field, crops, centres)
    whole = paste(without_old_bodies(field, crops, centres, nuclei(), [1]), crops, centres)
    y, x = np.ogrid[:120, :200]
    old = (np.hypot(y - 60, x - 60) < 28) & (np.hypot(y - 60, x - 60) > 10)
    assert (ghost[0, old] > 400).mean() > 0.3  # what this is about
    assert (whole[0, old] > 400).mean() < 0.02
    assert whole[0, 60, 60] == 1100
    np.testing.assert_array_equal(whole[0, :, 100:], field[0, :, 100:])  # the other cell, which was not turned


def test_one_pixel_that_is_no_number_stays_one():
    field, after, centres = discs(28).astype(np.float32), discs(8), [[60, 60]]
    crops, marks = cut_at(after, centres, 40), nuclei()
    wanted = without_old_bodies(field, crops, centres, marks, [1])
    field[0, 60, 62] = np.nan
    found = without_old_bodies(field, crops, centres, marks, [1])
    assert np.isnan(found).sum() == 1
    np.testing.assert_allclose(found[0, :, :55], wanted[0, :, :55], atol=1)


def test_cells_that_do_not_change_or_grow_keep_the_field():
    field, centres = discs(28), [[60, 60], [60, 150]]
    np.testing.assert_array_equal(
        without_old_bodies(field, cut_at(field, centres, 40), centres, nuclei(), [1, 2]), field
    )
    brighter = cut_at(field, centres, 40) + 500
    np.testing.assert_array_equal(without_old_bodies(field, brighter, centres, nuclei(), [1, 2]), field)
    at_the_border = [[3, 5]]
    cells = np.zeros((120, 200), int)
    cells[3, 5] = 1
    kept = without_old_bodies(field, cut_at(field, at_the_border, 40), at_the_border, cells, [1])
    np.testing.assert_array_equal(kept, field)
