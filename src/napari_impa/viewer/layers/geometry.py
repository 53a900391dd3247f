"""Pixel grids: how one image's pixels lie on another's, what both show, and reading one on the pixels of the other.

Matrices are 3×3 and map homogeneous (row, column) pixels; the centre of pixel (0, 0) is at (0, 0).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage as ndi
from skimage.measure import points_in_poly

CLOSE = 1e-3
"""Grids whose pixels lie within this share of a pixel of each other are the same."""

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Window:
    """A rectangle of whole pixels."""

    top: int
    left: int
    height: int
    width: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """What cuts it out of an array."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.height, self.width

    @property
    def corners(self) -> NDArray[np.float64]:
        """(4, 2) centres of its corner pixels, in turn."""
        bottom, right = self.top + self.height - 1.0, self.left + self.width - 1.0
        return np.array([[self.top, self.left], [self.top, right], [bottom, right], [bottom, self.left]], float)

    def __and__(self, other: Window) -> Window:
        """Return what both hold; without pixels where they share nothing."""
        top, left = max(self.top, other.top), max(self.left, other.left)
        bottom = min(self.top + self.height, other.top + other.height)
        right = min(self.left + self.width, other.left + other.width)
        return Window(top, left, max(0, bottom - top), max(0, right - left))

    @classmethod
    def around(cls, points: NDArray[np.float64], margin: int = 0) -> Window:
        """Return the smallest window that holds the pixels nearest to all points, and a margin around them."""
        low = np.floor(points.min(axis=0) + 0.5).astype(int) - margin
        high = np.floor(points.max(axis=0) + 0.5).astype(int) + margin
        return cls(int(low[0]), int(low[1]), int(high[0] - low[0] + 1), int(high[1] - low[1] + 1))


def moved(matrix: Matrix, points: ArrayLike) -> NDArray[np.float64]:
    """Map (n, 2) points."""
    return np.asarray(points, float).reshape(-1, 2) @ matrix[:2, :2].T + matrix[:2, 2]


def inside(matrix: Matrix, shape: Sequence[int], points: ArrayLike) -> NDArray[np.bool_]:
    """(n,) whether points, mapped by the matrix, lie in an image of (H, W) pixels."""
    at = moved(matrix, points)
    held: NDArray[np.bool_] = np.all((at >= -0.5 - CLOSE) & (at <= np.asarray(shape) - 0.5 + CLOSE), axis=1)
    return held


def shared(shape: tuple[int, int], others: Sequence[tuple[Matrix, tuple[int, int]]]) -> Window:
    """Return the window of an image in which others lie too.

    Parameters
    ----------
    shape
        (H, W) of the image.
    others
        For each of the others the matrix from the image's pixels to its own, and its (H, W).

    Returns
    -------
    A window whose pixels all lie in every other image; where one is rotated, the smallest around those that do.
    """
    window = Window(0, 0, *shape)
    for matrix, (height, width) in others:
        ends = np.array([[-0.5, -0.5], [-0.5, width - 0.5], [height - 0.5, width - 0.5], [height - 0.5, -0.5]])
        corners = moved(np.linalg.inv(matrix).astype(np.float64), ends)
        low = np.ceil(corners.min(axis=0) - CLOSE).astype(int)
        high = np.floor(corners.max(axis=0) + CLOSE).astype(int) + 1
        window &= Window(int(low[0]), int(low[1]), *(int(side) for side in np.maximum(high - low, 0)))
    return window


def whole_step(matrix: Matrix, shape: Sequence[int]) -> tuple[int, int] | None:
    """Rows and columns between two grids that differ by whole pixels only, over an image of (H, W); else None."""
    offset = np.rint(matrix[:2, 2])
    corners = np.array([[0, 0], [0, shape[1]], [shape[0], 0], [shape[0], shape[1]]], np.float64)
    return (
        (int(offset[0]), int(offset[1])) if np.allclose(moved(matrix, corners), corners + offset, atol=CLOSE) else None
    )


def read_on_grid(
    read: Callable[[tuple[slice, slice]], NDArray[Any]],
    shape: tuple[int, int],
    matrix: Matrix,
    window: Window,
    *,
    nearest: bool = False,
) -> NDArray[Any]:
    """Read an image on the pixels of another.

    Parameters
    ----------
    read
        Function of two slices that reads that part of the image, and nothing else.
    shape
        The image's (H, W).
    matrix
        From the other's pixels to its own.
    window
        The other's pixels that are wanted.
    nearest
        Take the nearest pixel, as for labels, and 0 beyond the image; else interpolate linearly, after smoothing where
        the image is the finer one, and repeat its edge.

    Returns
    -------
    Pixels of the window's shape and the image's type; the very pixels where the grids differ by whole pixels.
    """
    own = Window(0, 0, *shape)
    step = whole_step(matrix, (window.top + window.height, window.left + window.width))
    if step is not None:
        wanted = Window(window.top + step[0], window.left + step[1], *window.shape)
        if wanted & own == wanted:
            return read(wanted.slices)
    finer = np.maximum(np.linalg.norm(matrix[:2, :2], axis=1), 1.0)  # own pixels a pixel of the window
    part = own & Window.around(moved(matrix, window.corners), margin=2 + int(2 * finer.max()))
    if 0 in part.shape:
        dtype = read((slice(0, 1), slice(0, 1))).dtype
        return np.zeros(window.shape, dtype)
    pixels = read(part.slices)
    if nearest:  # by index, as interpolation would round large labels
        rows, columns = np.indices(window.shape)
        points = np.stack([rows + window.top, columns + window.left], axis=-1).reshape(-1, 2)
        there = inside(matrix, shape, points)
        at = np.clip(np.floor(moved(matrix, points) + 0.5 - CLOSE).astype(int), 0, np.array(shape) - 1)
        at -= (part.top, part.left)
        labels = np.zeros(len(points), pixels.dtype)
        labels[there] = pixels[at[there, 0], at[there, 1]]
        return labels.reshape(window.shape)
    values = pixels.astype(np.float32 if pixels.dtype.itemsize <= 2 else np.float64)
    if finer.max() > 1 + CLOSE:
        values = ndi.gaussian_filter(values, (finer - 1) / 2, mode="nearest")
    start = moved(matrix, [(window.top, window.left)])[0] - (part.top, part.left)
    values = ndi.affine_transform(values, matrix[:2, :2], start, output_shape=window.shape, order=1, mode="nearest")
    return np.asarray(np.rint(values) if pixels.dtype.kind in "iu" else values).astype(pixels.dtype)


@dataclass(frozen=True, eq=False)
class Region:
    """Polygons, (n, 2) vertices each, in which cells are wanted, and at which step each; None for every one."""

    polygons: tuple[NDArray[np.float64], ...]
    steps: tuple[int | None, ...]

    def window(self, margin: int) -> Window:
        """Return what must be read for crops that reach `margin` beyond."""
        return Window.around(np.concatenate(self.polygons), margin)

    def holds(self, points: ArrayLike, step: int | None = None) -> NDArray[np.bool_]:
        """(n,) whether each point lies in one of the polygons of a step."""
        points = np.asarray(points, float).reshape(-1, 2)
        held = np.zeros(len(points), bool)
        for polygon, at in zip(self.polygons, self.steps, strict=True):
            if at is None or step is None or at == step:
                held |= points_in_poly(points, polygon)  # type: ignore[no-untyped-call]
        return held
