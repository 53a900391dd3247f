"""Segmenters: the ways to find nuclei, each with its settings, one file each.

    from napari_impa.cells.segmenters import segmenter

    find = segmenter("nuclei", diameter=24, minimum_area=60)       # or Nuclei(diameter=24, minimum_area=60)
    labels = find(pixels, nuclei_channel=0, pixel_size=0.65)       # (C, H, W) -> (H, W)
    cells = crop_source("plate/", segment=find)                    # a name alone ("cellpose") means its defaults
    find.name, find.changed                                        # "nuclei", {"diameter": 24, "minimum_area": 60}
    Nuclei.settings()                                              # titles, ranges, units, help: what a form needs

A new segmenter is a file with a subclass of `Segmenter`, and its line in `SEGMENTERS`.
"""

from __future__ import annotations

from napari_impa.cells.segmenters.base import Segmenter
from napari_impa.cells.segmenters.cellpose import Cellpose
from napari_impa.cells.segmenters.instanseg import InstanSeg
from napari_impa.cells.segmenters.masks import Masks
from napari_impa.cells.segmenters.nuclei import Nuclei
from napari_impa.cells.segmenters.settings import Setting
from napari_impa.errors import CellsError

__all__ = [
    "SEGMENTERS",
    "Cellpose",
    "InstanSeg",
    "Masks",
    "Nuclei",
    "Segmenter",
    "Setting",
    "as_segmenter",
    "available_segmenters",
    "segmenter",
]

SEGMENTERS: tuple[type[Segmenter], ...] = (Nuclei, Masks, Cellpose, InstanSeg)
"""All of them, in the order in which they are offered; some are offered only where their packages are installed."""


def available_segmenters() -> tuple[type[Segmenter], ...]:
    """Those that find nuclei by themselves and can be used here, the built-in one first."""
    return tuple(kind for kind in SEGMENTERS if not kind.takes_masks and kind.available())


def segmenter(name: str, /, **settings: object) -> Segmenter:
    """Make a segmenter of its name and settings, which are numbers, or texts of numbers as on a command line.

    Raises
    ------
    CellsError
        If there is no such segmenter or setting, or the value does not fit.
    """
    kind = next((kind for kind in SEGMENTERS if kind.name == name), None)
    if kind is None:
        raise CellsError(
            f"There is no segmenter {name!r}; choose one of: {', '.join(kind.name for kind in SEGMENTERS)}."
        )
    known = [one.name for one in kind.settings()]
    unknown = next((one for one in settings if one not in known), None)
    if unknown is not None:
        raise CellsError(f"{kind.title} has no setting {unknown!r}; it has: {', '.join(known)}.")
    return kind(**settings)  # type: ignore[arg-type]


def as_segmenter(segment: str | Segmenter) -> Segmenter:
    """Return a segmenter as it is, or of its name alone with its defaults.

    Raises
    ------
    CellsError
        If there is no such segmenter.
    """
    return segment if isinstance(segment, Segmenter) else segmenter(segment)
