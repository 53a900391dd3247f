"""The built-in segmenter, which needs no further package."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from napari_impa.cells.segmenters.base import Segmenter
from napari_impa.cells.segmenters.settings import setting


@dataclass(frozen=True, kw_only=True)
class Nuclei(Segmenter):
    """Bright blobs on a dark ground, by smoothing, thresholds and a watershed; see `segment_nuclei`."""

    name = "nuclei"
    title = "Nuclei (built in)"

    diameter: float = setting(
        "Diameter", 0, 0, 400, 1, "Diameter of a typical nucleus; measured in the image where it is not given.",
        unit="px", automatic="measured",
    )  # fmt: skip
    threshold: float = setting(
        "Threshold", 1.0, 0.2, 5.0, 0.1, "Times the threshold measured in the image: more takes fewer nuclei.", unit="×"
    )

    def find(
        self, pixels: NDArray[Any], nuclei_channel: int, pixel_size: float | None, masks: NDArray[Any] | None
    ) -> NDArray[Any]:
        """Find bright nuclei in the channel that shows them."""
        from napari_impa.cells.segmenters.blobs import segment_nuclei

        image, diameter = pixels[nuclei_channel], self.diameter or None
        return segment_nuclei(image, pixel_size=pixel_size, diameter=diameter, threshold=self.threshold)
