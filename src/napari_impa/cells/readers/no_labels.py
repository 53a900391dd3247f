"""What a picture of numbers is where it is no label image: colours, classes, a picture without a background."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_impa.errors import SourceError

_FEW = 100  # pixels that say too little
_PART = 1 << 22  # numbers counted at a time, or as many as there are kinds of them
_HOLLOW = 2  # so many times as large when filled, objects are outlines
_FEW_CLASSES, _PARTS = 10, 3  # so few numbers, each in so many parts on average, are classes


def of_colours(pixels: NDArray[Any]) -> NDArray[np.int32]:
    """(1, H, W) a number for each colour of a picture (3, H, W), 0 for the one all around."""
    red, green, blue = pixels.astype(np.int32)
    colours, numbers, counts = np.unique(
        (red << 16 | green << 8 | blue).ravel(), return_inverse=True, return_counts=True
    )
    plane = numbers.reshape(red.shape) + 1
    commonest = int(counts.argmax()) + 1
    ground = int(np.flatnonzero(colours == 0)[0]) + 1 if 0 in colours else commonest
    if ground != commonest and _is_around(plane == commonest):
        ground = commonest
    plane[plane == ground] = 0
    return plane[None].astype(np.int32)


def check_objects(plane: NDArray[np.int32], path: str | Path) -> int:
    """Refuse numbers (H, W) from 0 that do not tell objects from each other and from a background of 0.

    Returns
    -------
    How many numbers there are but 0.

    Raises
    ------
    SourceError
        If one number lies all around the others, neighbours mostly differ, or each number is in many places.
    """
    values, counts = _counted(plane)
    values, counts = values[values > 0], counts[values > 0]
    if not len(values):
        return 0
    largest = values[counts.argmax()]
    if counts.max() > plane.size / 2 and _is_around(plane == largest):
        raise SourceError(
            f"{path} is no label image: the number {int(largest)} covers {100 * counts.max() / plane.size:.0f} % of it "
            "and touches all its borders, as a background does; give the background the number 0."
        )
    there = plane > 0
    both = there[:, :-1] & there[:, 1:]
    if both.sum() > _FEW and (both & (plane[:, :-1] != plane[:, 1:])).sum() > both.sum() / 2:
        raise SourceError(
            f"{path} is no label image: most neighbouring pixels have other numbers, as in a picture of intensities or "
            "probabilities; save the labels."
        )
    if len(values) == 1 and ndimage.binary_fill_holes(there).sum() > _HOLLOW * there.sum():
        raise SourceError(f"{path} is no label image: it holds outlines and not areas; fill them, or save the labels.")
    if 2 <= len(values) <= _FEW_CLASSES:
        parts = sum(int(ndimage.label(plane == value)[1]) for value in values)
        if parts >= _PARTS * len(values):
            raise SourceError(
                f"{path} is no label image: it has {len(values)} numbers in {parts} separate places, as classes have; "
                "number each nucleus by itself, or save the class of nuclei alone."
            )
    return len(values)


def _counted(plane: NDArray[np.int32]) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """The numbers from 0 of a plane, in order, and how many pixels have each."""
    if plane.max(initial=0) > max(plane.size, _FEW):
        return np.unique(plane, return_counts=True)
    # A tenth of the time of sorting them; part by part, as bincount takes eight bytes a number.
    flat, top = plane.ravel(), int(plane.max(initial=0)) + 1
    part = max(top, _PART)
    counts = np.zeros(top, np.intp)
    for start in range(0, len(flat), part):
        counts += np.bincount(flat[start : start + part], minlength=top)
    there = np.flatnonzero(counts)
    return there, counts[there]


def _is_around(there: NDArray[np.bool_]) -> bool:
    """Whether something lies along most of all four borders."""
    return min(float(edge.mean()) for edge in (there[0], there[-1], there[:, 0], there[:, -1])) > 0.5
