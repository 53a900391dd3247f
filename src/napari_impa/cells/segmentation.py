"""Segmentation: the segmenters to choose from, which channel shows nuclei, and how well found nuclei fit true ones."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from napari_impa.cells.nuclei import segment_nuclei
from napari_impa.errors import CellsError, MissingDependencyError

__all__ = [
    "MINIMUM_AREA",
    "SEGMENTERS",
    "Segmenter",
    "Setting",
    "available_segmenters",
    "detection_f1",
    "guess_nuclei_channel",
    "match_labels",
    "segment",
    "segment_nuclei",
]

Run = Callable[..., NDArray[Any]]


@dataclass(frozen=True)
class Setting:
    """A number that a segmenter can be given.

    Parameters
    ----------
    name, title
        What a script and what a dock calls it.
    default, low, high, step
        Of the type that is wanted, int or float.
    help
        What it does, in a sentence.
    unit
        Of the value, or an empty text.
    automatic
        What the lowest value means, where it is not taken as a number.
    """

    name: str
    title: str
    default: float
    low: float
    high: float
    step: float
    help: str
    unit: str = ""
    automatic: str = ""


MINIMUM_AREA = Setting(
    "minimum_area", "Minimum area", 0, 0, 100_000, 10, "Nuclei with fewer pixels are left out.", "px", "any"
)


def _diameter(most: int) -> Setting:
    tip = "Diameter of a typical nucleus; measured in the image where it is not given."
    return Setting("diameter", "Diameter", 0, 0, most, 1, tip, "px", "measured")


@dataclass(frozen=True)
class Segmenter:
    """One way to find nuclei in a field.

    Parameters
    ----------
    name, title
        What a command line and what a dock calls it.
    run
        Function of pixels (C, H, W), the nuclei channel's number and the pixel size in µm or None, and of those
        settings that are not at their default.
    settings
        What else it can be given; `MINIMUM_AREA` goes for all.
    package, hint
        Module that must be installed, and the line that installs it; None where nothing is needed.
    """

    name: str
    title: str
    run: Run
    settings: tuple[Setting, ...] = ()
    package: str | None = None
    hint: str | None = None

    def available(self) -> bool:
        """Whether what it needs is installed (it is not imported)."""
        return self.package is None or find_spec(self.package) is not None

    def __call__(
        self, pixels: NDArray[Any], nuclei_channel: int = 0, pixel_size: float | None = None, **settings: float
    ) -> NDArray[np.int32]:
        """Return (H, W) labels of the nuclei in (C, H, W) pixels, 0 for background; without settings they are 1…n.

        Raises
        ------
        MissingDependencyError
            If the package it needs is not installed.
        CellsError
            If there is no such channel or setting.
        """
        if not self.available():
            raise MissingDependencyError(f"{self.title} is not installed; install it with: {self.hint}")
        pixels = np.asarray(pixels)
        if pixels.ndim != 3 or not 0 <= nuclei_channel < len(pixels):
            raise CellsError(f"There is no channel number {nuclei_channel} in a field of shape {pixels.shape}.")
        known = {setting.name: setting for setting in (*self.settings, MINIMUM_AREA)}
        for name in settings:
            if name not in known:
                raise CellsError(f"{self.title} has no setting {name!r}; it has: {', '.join(known)}.")
        changed = {name: value for name, value in settings.items() if value != known[name].default}
        least = changed.pop(MINIMUM_AREA.name, 0)
        labels = np.asarray(self.run(pixels, nuclei_channel, pixel_size, **changed)).astype(np.int32)
        if least:
            labels[np.bincount(labels.ravel())[labels] < least] = 0
        return labels


def _nuclei(
    pixels: NDArray[Any], nuclei_channel: int, pixel_size: float | None, diameter: float | None = None, **more: float
) -> NDArray[Any]:
    return segment_nuclei(pixels[nuclei_channel], pixel_size=pixel_size, diameter=diameter, **more)


@lru_cache(maxsize=1)
def _cellpose_model() -> Any:
    from cellpose.models import CellposeModel

    return CellposeModel(gpu=True)  # falls back to the CPU by itself


def _cellpose(pixels: NDArray[Any], nuclei_channel: int, pixel_size: float | None, **settings: float) -> NDArray[Any]:
    image = np.nan_to_num(pixels[nuclei_channel].astype(np.float32), posinf=0, neginf=0)
    return np.asarray(_cellpose_model().eval(image, **settings)[0])


@lru_cache(maxsize=1)
def _instanseg_model() -> Any:
    from instanseg import InstanSeg

    return InstanSeg("fluorescence_nuclei_and_cells", verbosity=0)


def _instanseg(pixels: NDArray[Any], nuclei_channel: int, pixel_size: float | None, **settings: float) -> NDArray[Any]:
    image = np.nan_to_num(pixels[nuclei_channel].astype(np.float32), posinf=0, neginf=0)
    model = _instanseg_model()
    # Its own limit between the two: larger images are worked on in tiles.
    evaluate = model.eval_small_image if image.size <= 1500 * 1500 else model.eval_medium_image
    pixel_size = settings.pop("pixel_um", pixel_size)
    labels = evaluate(image, pixel_size=pixel_size, return_image_tensor=False, target="nuclei", **settings)
    return np.asarray(labels.cpu()).reshape(-1, *image.shape)[0]


_THRESHOLD = Setting(
    "threshold",
    "Threshold",
    1.0,
    0.2,
    5.0,
    0.1,
    "Times the threshold measured in the image: more takes fewer nuclei.",
    "×",
)
_CELLPOSE = (
    Setting(
        "cellprob_threshold",
        "Cell probability",
        0.0,
        -6.0,
        6.0,
        0.5,
        "More takes fewer and smaller cells, less takes dim ones too.",
    ),
    Setting(
        "flow_threshold",
        "Flow error",
        0.4,
        0.1,
        3.0,
        0.1,
        "The greatest error of a cell's flows: more takes cells of odd shapes too.",
    ),
)
_INSTANSEG = (
    Setting(
        "pixel_um",
        "Pixel size",
        0.0,
        0.0,
        5.0,
        0.05,
        "What the image is rescaled by; the layer's own where it is not given.",
        "µm",
        "the layer's",
    ),
    Setting(
        "seed_threshold",
        "Seed threshold",
        0.0,
        0.0,
        1.0,
        0.05,
        "How sure a nucleus's middle must be: more takes fewer nuclei.",
        "",
        "the model's",
    ),
    Setting(
        "mask_threshold",
        "Mask threshold",
        0.0,
        0.0,
        1.0,
        0.05,
        "How sure a pixel must be to belong to a nucleus: more makes them smaller.",
        "",
        "the model's",
    ),
)

SEGMENTERS: dict[str, Segmenter] = {
    segmenter.name: segmenter
    for segmenter in (
        Segmenter("nuclei", "Nuclei (built in)", _nuclei, (_diameter(400), _THRESHOLD)),
        Segmenter(
            "cellpose",
            "Cellpose",
            _cellpose,
            (_diameter(1000), *_CELLPOSE),
            "cellpose",
            'pip install "napari-impa[cellpose]"',
        ),
        Segmenter(
            "instanseg", "InstanSeg", _instanseg, _INSTANSEG, "instanseg", 'pip install "napari-impa[instanseg]"'
        ),
    )
}
"""Segmenters by name; the last two are offered only where their packages are installed."""


def available_segmenters() -> list[str]:
    """Names of the segmenters that can be used here, the built-in one first."""
    return [name for name, segmenter in SEGMENTERS.items() if segmenter.available()]


def segment(
    pixels: NDArray[Any],
    method: str = "nuclei",
    *,
    nuclei_channel: int = 0,
    pixel_size: float | None = None,
    **settings: float,
) -> NDArray[np.int32]:
    """Find nuclei in (C, H, W) pixels by the method named; see `Segmenter.__call__`.

    Raises
    ------
    CellsError
        If there is no such method, channel or setting.
    MissingDependencyError
        If the method's package is not installed.
    """
    if method not in SEGMENTERS:
        raise CellsError(f"There is no segmenter {method!r}; there are: {', '.join(SEGMENTERS)}.")
    return SEGMENTERS[method](pixels, nuclei_channel, pixel_size, **settings)


# From the surest to the vaguest; a dye's name must stand by itself, so that "DNA" is not found in "cDNAx".
_NUCLEAR = (
    r"dapi|hoechst\d*|h(?:o|oe|oechst)? ?33(?:342|258)|draq\d*|siR-?dna|h2b|nuclearmask",
    r"dna|histone|nuclei|nucleus|nuclear|propidium|sytox|to-?pro-?3",
    r"nuc|blue",
)


def guess_nuclei_channel(channels: Sequence[str]) -> int | None:
    """Number of the channel that by its name shows nuclei (DAPI, Hoechst, DNA …), or None if no name says so."""
    for names in _NUCLEAR:
        for index, channel in enumerate(channels):
            if re.search(rf"(?<![a-z])(?:{names})(?![a-z])", channel.replace("_", " "), re.IGNORECASE):
                return index
    return None


def match_labels(truth: NDArray[Any], found: NDArray[Any], iou: float = 0.5) -> NDArray[np.int64]:
    """Pair the objects of two label images, one to one, with the largest sum of intersection over union.

    Returns
    -------
    (n, 2) pairs of labels, of truth and of found, that overlap by at least `iou`.
    """
    truth, found = np.asarray(truth), np.asarray(found)
    if truth.shape != found.shape:
        raise CellsError(f"Label images of {truth.shape} and {found.shape} pixels cannot be compared.")
    true_names, t = np.unique(truth, return_inverse=True)
    found_names, f = np.unique(found, return_inverse=True)
    shared = np.zeros((len(true_names), len(found_names)), np.int64)
    np.add.at(shared, (t.ravel(), f.ravel()), 1)
    union = shared.sum(1)[:, None] + shared.sum(0)[None] - shared
    overlap = np.where(shared > 0, shared / union, 0.0)
    overlap[true_names <= 0] = 0
    overlap[:, found_names <= 0] = 0
    overlap[overlap < iou] = 0
    rows, columns = linear_sum_assignment(-overlap)
    kept = overlap[rows, columns] > 0
    return np.stack([true_names[rows[kept]], found_names[columns[kept]]], axis=1).astype(np.int64)


def detection_f1(truth: NDArray[Any], found: NDArray[Any], iou: float = 0.5) -> float:
    """F1 of objects found: twice the pairs over the objects of both; 1 where both are empty."""
    n_truth, n_found = (np.count_nonzero(np.unique(part) > 0) for part in (np.asarray(truth), np.asarray(found)))
    if n_truth + n_found == 0:
        return 1.0
    return 2 * len(match_labels(truth, found, iou)) / (n_truth + n_found)
