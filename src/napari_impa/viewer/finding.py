"""Cells from layers: nuclei found here, a Labels layer, or stacks that already are crops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.cells.crops import cut, paste
from napari_impa.cells.store import Cells
from napari_impa.errors import CellsError, ModelError
from napari_impa.viewer.channels import ChannelLayers
from napari_impa.viewer.jobs import Token

LABELS = "labels"
CROPS = "crops"


@dataclass(frozen=True, eq=False)
class Found:
    """Cells and where they came from.

    Parameters
    ----------
    cells
        Crops of the model's side; `table` has `y`, `x` and `label`.
    layers
        The layers they were cut from.
    field
        (C, H, W) the pixels they were cut from; None where the layers already were crops.
    labels
        (H, W) nuclei; None where the layers already were crops.
    left_out
        Cells nearer to the border than half a crop.
    method
        A segmenter's name, `labels` or `crops`.
    """

    cells: Cells
    layers: ChannelLayers
    field: NDArray[Any] | None
    labels: NDArray[Any] | None
    left_out: int
    method: str

    def describe(self) -> str:
        """Say in a few words how many cells there are, and how many were left out."""
        count = len(self.cells)
        text = f"{count:,} cell{'s' * (count != 1)}"
        return text + (f" · {self.left_out:,} at the border left out" if self.left_out else "")

    def treated(self, condition: str) -> NDArray[Any] | None:
        """(n, C, S, S) real cells of a condition, where the source has them."""
        return None

    def paste(self, pixels: NDArray[Any]) -> NDArray[Any] | None:
        """(C, H, W) the field with cells (N, C, S, S) where they were cut; None where the cells have no field."""
        if self.field is None:
            return None
        return paste(self.field, pixels, self.cells.table[["y", "x"]].to_numpy())

    def taking(self, keep: NDArray[np.bool_]) -> Found:
        """Take only some of the cells, (N,)."""
        return replace(self, cells=self.cells.take(np.flatnonzero(keep)))


def find_cells(
    token: Token,
    layers: ChannelLayers,
    channels: Sequence[str],
    size: int,
    method: str,
    nuclei_channel: int,
    mask: Any = None,
) -> Found:
    """Cut the cells that a model of the given channels and crop side takes.

    Parameters
    ----------
    layers
        One layer a channel.
    channels
        The model's names for them.
    size
        The model's crop side in pixels.
    method
        A name of `segmentation.SEGMENTERS`, `labels` or `crops`.
    nuclei_channel
        Which channel shows nuclei.
    mask
        (H, W) labels, for the method `labels`.

    Raises
    ------
    CellsError, ModelError
        If no cell is found, or the layers do not fit.
    """
    pixels = layers.read()
    token.check()
    if method == CROPS:
        return _crops(pixels, layers, channels, size)
    if min(pixels.shape[1:]) < size:
        raise CellsError(
            f"The model takes crops of {size} px, more than the image of {pixels.shape[1]}×{pixels.shape[2]} px holds."
        )
    if method == LABELS:
        labels = np.asarray(mask)
        if labels.shape != pixels.shape[1:]:
            raise CellsError(
                f"The labels have {labels.shape} pixels and the channels {pixels.shape[1:]}; choose its own labels."
            )
    else:
        from napari_impa.cells.segmentation import SEGMENTERS

        labels = SEGMENTERS[method](np.nan_to_num(pixels), nuclei_channel, layers.place.pixel_size)
    token.check()
    found = cut(pixels, labels, size)
    if not len(found.pixels):
        if found.left_out:
            raise CellsError(f"All {found.left_out} cells are nearer to the border than half a crop of {size} px.")
        where = "in the Labels layer" if method == LABELS else f"in {layers.names[nuclei_channel]!r}"
        raise CellsError(f"No cell was found {where}; choose another channel or a Labels layer.")
    table = found.table.assign(field=layers.names[0])
    cells = Cells(found.pixels, table, tuple(channels), layers.place.pixel_size, history=_history(layers, method))
    return Found(cells, layers, pixels, labels, found.left_out, method)


def _crops(pixels: NDArray[Any], layers: ChannelLayers, channels: Sequence[str], size: int) -> Found:
    side = pixels.shape[-1]
    if pixels.shape[-2] != side or side < size:
        raise ModelError(
            f"The model takes square crops of at least {size} px, and the layers have "
            f"{pixels.shape[-2]}×{side} px; choose how cells are found in them."
        )
    start = side // 2 - size // 2
    pixels = pixels[..., start : start + size, start : start + size]
    table = pd.DataFrame({"field": layers.names[0], "crop": np.arange(len(pixels))})
    cells = Cells(pixels, table, tuple(channels), layers.place.pixel_size, history=_history(layers, CROPS))
    return Found(cells, layers, None, None, 0, CROPS)


def _history(layers: ChannelLayers, method: str) -> dict[str, Any]:
    return {"layers": list(layers.names), "segmenter": method}
