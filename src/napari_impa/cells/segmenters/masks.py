"""The masks that the fields of a source come with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from napari_impa.cells.segmenters.base import Segmenter
from napari_impa.errors import CellsError


@dataclass(frozen=True, kw_only=True)
class Masks(Segmenter):
    """The label image of each field, as it stands."""

    name = "labels"
    title = "Masks of the folder"
    takes_masks = True

    def find(
        self, pixels: NDArray[Any], nuclei_channel: int, pixel_size: float | None, masks: NDArray[Any] | None
    ) -> NDArray[Any]:
        """Return the masks."""
        if masks is None:
            raise CellsError("This field comes without masks; let nuclei be found with segment 'nuclei'.")
        return masks
