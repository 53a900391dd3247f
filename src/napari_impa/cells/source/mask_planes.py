"""Which plane of a file of masks holds the nuclei."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_impa.cells.readers import Image
from napari_impa.cells.source.differences import by
from napari_impa.cells.words import guess_nuclei_masks
from napari_impa.errors import SourceError


def mask_plane(masks: Image, path: Path, pixels: NDArray[Any], wanted: str | int | None) -> int | None:
    """Find the number of the plane of nuclei: as wanted, the only one, or by its name; None where all may be.

    Parameters
    ----------
    masks, path
        Planes of masks, and the file they are of.
    pixels
        The image (C, H, W) they are the masks of.
    wanted
        Name or number of the plane.

    Raises
    ------
    SourceError
        If masks are of another size, or there is no such plane.
    """
    planes = masks.pixels
    if planes.shape[1:] != pixels.shape[1:]:
        raise SourceError(
            f"{path} is {by(planes.shape[1:])} px but its image {by(pixels.shape[1:])} px; use masks of the image."
        )
    if wanted is not None:
        if wanted in masks.channels:
            return masks.channels.index(str(wanted))
        if str(wanted).isdecimal() and int(wanted) < len(planes):
            return int(wanted)
        names = ", ".join(name or str(i) for i, name in enumerate(masks.channels))
        raise SourceError(f"{path} has no plane {wanted!r}; its planes are: {names}.")
    return 0 if len(planes) == 1 else guess_nuclei_masks(masks.channels)


def likest_plane(planes: NDArray[Any], nuclei: NDArray[Any]) -> int:
    """Find the number of the plane of masks most correlated with what nuclei look like (H, W)."""
    return int(np.argmax([_correlation(plane > 0, nuclei.astype(float)) for plane in planes]))


def _correlation(mask: NDArray[np.bool_], image: NDArray[Any]) -> float:
    image = np.nan_to_num(image)
    if mask.all() or not mask.any() or not image.std():
        return -1.0
    return float(np.corrcoef(mask.ravel(), image.ravel())[0, 1])
