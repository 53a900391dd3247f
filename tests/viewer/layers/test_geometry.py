from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_impa.viewer.layers.geometry import Region, Window, inside, moved, read_on_grid, shared

SIDES = st.integers(1, 30)
SHAPES = st.tuples(SIDES, SIDES)
WINDOWS = st.builds(Window, st.integers(-20, 20), st.integers(-20, 20), st.integers(0, 30), st.integers(0, 30))
SCALES = st.sampled_from([0.25, 0.5, 1.0, 2.0, 3.0])
SHIFTS = st.floats(-15, 15).map(lambda value: round(value, 2))


@st.composite
def matrices(draw: st.DrawFn) -> np.ndarray:
    matrix = np.diag([draw(SCALES), draw(SCALES), 1.0])
    matrix[:2, 2] = draw(SHIFTS), draw(SHIFTS)
    return matrix


def pixels_of(window: Window) -> set[tuple[int, int]]:
    rows, columns = window.slices
    return {(y, x) for y in range(rows.start, rows.stop) for x in range(columns.start, columns.stop)}


@given(WINDOWS, WINDOWS)
def test_what_two_windows_share(one: Window, other: Window) -> None:
    assert pixels_of(one & other) == pixels_of(one) & pixels_of(other)


@given(SHAPES, matrices(), SHAPES)
def test_shared_pixels_are_those_that_lie_in_the_other(shape: tuple[int, int], matrix: np.ndarray, own) -> None:
    points = np.argwhere(np.ones(shape))
    held = {tuple(int(at) for at in point) for point in points[inside(matrix, own, points)]}
    assert pixels_of(shared(shape, [(matrix, own)])) == held


@given(SHAPES, st.integers(-5, 5), st.integers(-5, 5))
def test_grids_that_differ_by_whole_pixels_give_the_very_pixels(shape: tuple[int, int], down: int, right: int) -> None:
    image = np.arange(shape[0] * shape[1], dtype=np.uint16).reshape(shape)
    matrix = np.eye(3)
    matrix[:2, 2] = down, right
    window = shared((40, 40), [(matrix, shape)])
    if 0 not in window.shape:
        read = read_on_grid(lambda slices: image[slices], shape, matrix, window)
        rows, columns = window.slices
        assert np.array_equal(
            read, image[rows.start + down : rows.stop + down, columns.start + right : columns.stop + right]
        )


@given(st.tuples(st.integers(4, 30), st.integers(4, 30)), matrices(), st.data())
def test_only_the_part_that_is_needed_is_read(shape: tuple[int, int], matrix: np.ndarray, data: st.DataObject) -> None:
    image = np.arange(shape[0] * shape[1], dtype=np.float32).reshape(shape)
    whole = shared((40, 40), [(matrix, shape)])
    if 0 in whole.shape:
        return
    top, left = data.draw(st.integers(0, whole.height - 1)), data.draw(st.integers(0, whole.width - 1))
    window = Window(whole.top + top, whole.left + left, 1, 1)
    asked = []

    def read(slices: tuple[slice, slice]) -> np.ndarray:
        asked.append(slices)
        return image[slices]

    value = read_on_grid(read, shape, matrix, window, nearest=True)[0, 0]
    y, x = moved(matrix, [(window.top, window.left)])[0]
    near = image[
        np.clip(int(np.floor(y + 0.5 - 1e-3)), 0, shape[0] - 1), np.clip(int(np.floor(x + 0.5 - 1e-3)), 0, shape[1] - 1)
    ]
    assert value == near
    assert len(asked) == 1
    reach = 2 * (2 + 2 * 3) + 1
    assert all(part.stop - part.start <= reach for part in asked[0])


@given(matrices(), st.sampled_from([np.uint8, np.int32, np.float32]))
def test_a_slope_stays_a_slope(matrix: np.ndarray, kind: type) -> None:
    image = np.add.outer(2.0 * np.arange(40), 1.0 * np.arange(40)).astype(kind)
    window = shared((30, 30), [(matrix, image.shape)])
    if min(window.shape) == 0:
        return
    read = read_on_grid(lambda slices: image[slices], image.shape, matrix, window)
    assert read.dtype == kind
    points = moved(matrix, np.argwhere(np.ones(window.shape)) + np.array([window.top, window.left]))
    held = np.all((points >= 4) & (points <= 35), axis=1)
    expected = points @ (2, 1)
    assert np.allclose(read.ravel()[held], expected[held], atol=0.01 if kind is np.float32 else 0.51)


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=20), st.integers(0, 20))
def test_a_regions_window_holds_the_crops_of_its_cells(points: list[tuple[int, int]], margin: int) -> None:
    region = Region((np.array([[10.0, 10.0], [10.0, 40.0], [30.0, 45.0], [30.0, 10.0]]),), (None,))
    window = region.window(margin)
    for y, x in np.array(points)[region.holds(points)]:
        assert window.top <= y - margin
        assert y + margin < window.top + window.height
        assert window.left <= x - margin
        assert x + margin < window.left + window.width


def test_cells_of_a_region() -> None:
    square = np.array([[0.0, 0.0], [0.0, 10.0], [10.0, 10.0], [10.0, 0.0]])
    region = Region((square, square + 20), (None, None))
    assert region.holds([(5, 5), (15, 15), (25, 25), (5, 25)]).tolist() == [True, False, True, False]
    region = Region((square, square + 20), (0, 1))
    assert region.holds([(5, 5), (25, 25)], 0).tolist() == [True, False], "a shape counts at the step it was drawn at"
    assert region.holds([(5, 5), (25, 25)], 1).tolist() == [False, True]


def test_fine_grids_are_smoothed_before_they_are_thinned_out() -> None:
    """A pattern finer than the coarse grid becomes its mean, not whichever pixel is hit; a coarse one is left alone."""
    stripes = np.zeros((64, 64), np.float32)
    stripes[::2] = 1.0
    coarse = read_on_grid(lambda part: stripes[part], stripes.shape, np.diag([4.0, 4.0, 1.0]), Window(4, 4, 8, 8))
    assert np.allclose(coarse, 0.5, atol=0.05)
    fine = read_on_grid(lambda part: stripes[part], stripes.shape, np.diag([0.5, 0.5, 1.0]), Window(20, 20, 8, 8))
    assert np.allclose(fine[::2, 0], stripes[10:14, 10])


def test_labels_beyond_the_image_are_background() -> None:
    labels = np.full((6, 6), 7, np.uint16)
    read = read_on_grid(
        lambda part: labels[part], labels.shape, np.diag([0.5, 0.5, 1.0]), Window(-2, -2, 16, 16), nearest=True
    )
    assert (read[2:13, 2:13] == 7).all()
    assert not read[0].any()
    assert not read[:, 15].any()
