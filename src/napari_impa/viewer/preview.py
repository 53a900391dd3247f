"""What a model in training draws, as one picture in the viewer: control, predicted and real cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from numpy.typing import NDArray

from napari_impa.viewer.sources import MADE_BY

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_impa.engine.training import Samples

ZOOM = 2


class Preview:
    """An RGB layer beside the user's layers that is drawn anew now and then; the camera is left alone."""

    def __init__(self, viewer: ViewerModel, channels: Sequence[str], pixel_size: float | None = None) -> None:
        self.viewer, self.channels, self.pixel_size = viewer, tuple(channels), pixel_size
        self.layer: Image | None = None
        self._limits: NDArray[np.float64] | None = None

    def show(self, samples: Samples, step: int) -> None:
        """Draw samples."""
        from napari_impa.analysis.montage import display_limits, montage, sample_rows

        if self._limits is None:  # the same contrast from the first picture to the last
            self._limits = display_limits(np.concatenate([samples.control, samples.real]))
        picture = montage(sample_rows(samples), self.channels, self._limits, zoom=ZOOM)
        name = f"training preview · step {step:,}"
        about = {MADE_BY: {"step": step, "conditions": list(samples.conditions)}}
        if self.layer is None or self.layer not in self.viewer.layers:
            self.layer = Image(picture, rgb=True, name=name, metadata=about, **self._beside(picture))
            chosen = set(self.viewer.layers.selection)
            self.viewer.add_layer(self.layer)
            self.viewer.layers.selection = chosen or {self.layer}
        else:
            self.layer.data, self.layer.name, self.layer.metadata = picture, name, about

    def look_at(self) -> None:
        """Move the camera to the picture."""
        if self.layer is None or self.layer not in self.viewer.layers:
            return
        low, high = self.layer.extent.world[:, -2:]
        height, width = self.viewer.canvas.viewbox_size(self.viewer.layers)
        self.viewer.scene.camera.center = (0.0, *(float(value) for value in (low + high) / 2))
        self.viewer.scene.camera.zoom = 0.95 * min(height / (high - low)[0], width / (high - low)[1])

    def _beside(self, picture: NDArray[np.uint8]) -> dict[str, Any]:
        """Place and unit: to the right of what is open, as tall as that."""
        layers = self.viewer.layers
        if not layers:
            if self.pixel_size is None:
                return {}
            return {"scale": (self.pixel_size / ZOOM,) * 2, "units": ("um", "um")}
        extent = layers.extent
        low, high = extent.world[:, -2:]
        scale = float(high[0] - low[0]) / picture.shape[0] or 1.0
        return {
            "scale": (scale, scale),
            "translate": (float(low[0]), float(high[1] + 0.05 * (high[1] - low[1]))),
            "units": None if extent.units is None else tuple(str(unit) for unit in extent.units[-2:]),
        }
