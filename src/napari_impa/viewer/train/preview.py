"""What a model in training draws, as one picture in the viewer: control, predicted and real treated cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from napari.utils.notifications import show_info
from numpy.typing import NDArray
from qtpy.QtCore import QObject

from napari_impa.analysis.pictures.training_preview import Picture, compose
from napari_impa.viewer.kit.jobs import Latest
from napari_impa.viewer.layers.sources import MADE_BY
from napari_impa.watch import Token

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_impa.engine.training.events import Samples

GAP = 0.05
"""Room between the user's layers and the picture, of their width."""


@dataclass(frozen=True, eq=False)
class _Composed:
    picture: Picture
    step: int


def _compose(token: Token, samples: Samples, step: int, *how: Any) -> _Composed:
    return _Composed(compose(samples, *how), step)


class Preview(QObject):
    """An RGB layer beside the user's layers that is drawn anew now and then.

    Camera, selection, dims and grid are left alone.  The layer may be moved, hidden or removed; once removed it comes
    back with `look_at` only, and it is not added by itself while layers stand in the grid.

    Parameters
    ----------
    viewer
        Where the layer is shown.
    channels
        Names of the cells' channels.
    pixel_size
        µm a pixel of the cells, where it is known.
    replaces
        The layer of the training before, which goes when this one comes.

    Attributes
    ----------
    composing
        The background job, to be cancelled when the viewer is closed.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        channels: Sequence[str],
        pixel_size: float | None = None,
        *,
        replaces: Image | None = None,
    ) -> None:
        super().__init__()
        self._before = replaces
        self.viewer, self.channels, self.pixel_size = viewer, tuple(channels), pixel_size
        self.layer: Image | None = None
        self._limits: NDArray[np.float64] | None = None
        self._newest: tuple[Picture, int] | None = None
        self.composing = Latest()
        self.composing.succeeded.connect(self._on_composed)

    @property
    def available(self) -> bool:
        """Whether there is a picture that could be shown."""
        return self._newest is not None

    @property
    def shown(self) -> bool:
        """Whether the layer is in the viewer."""
        return self.layer is not None and self.layer in self.viewer.layers

    def draw(self, samples: Samples, step: int) -> None:
        """Compose the picture in the background and show it; of several that wait, only the newest."""
        how = (self.channels, self._limits, self.pixel_size)
        self.composing.submit(_compose, samples, step, *how)

    def show(self, picture: Picture, step: int) -> None:
        """Show a picture, unless the user has removed the layer."""
        self._limits = picture.limits  # the same contrast from the first picture to the last
        self._newest = picture, step
        if self.layer is None and not self.viewer.canvas.grid.enabled:
            self._add()
        elif self.shown:
            self._update()

    def look_at(self) -> None:
        """Bring the layer back where it was removed or hidden, and move the camera to it."""
        if self._newest is None:
            return
        if not self.shown:
            self._add()
        else:
            self._update()
        assert self.layer is not None
        self.layer.visible = True
        if self.viewer.canvas.grid.enabled:
            show_info("The preview is one of the panes; switch the grid off to see it alone.")
            return
        low, high = self.layer.extent.world[:, -2:]
        height, width = self.viewer.canvas.viewbox_size(self.viewer.layers)
        self.viewer.scene.camera.center = (0.0, *(float(value) for value in (low + high) / 2))
        self.viewer.scene.camera.zoom = 0.95 * min(height / (high - low)[0], width / (high - low)[1])

    def _on_composed(self, composed: _Composed) -> None:
        self.show(composed.picture, composed.step)

    def _add(self) -> None:
        assert self._newest is not None
        picture, _ = self._newest
        chosen, dims = set(self.viewer.layers.selection) - {self._before}, self.viewer.dims
        if self._before is not None and self._before in self.viewer.layers:
            self.viewer.layers.remove(self._before)
        self._before = None
        self.layer = Image(picture.pixels, rgb=True, interpolation2d="linear", **self._named(), **self._beside(picture))
        before = dims.ndim, dims.current_step
        self.viewer.add_layer(self.layer)
        self.viewer.layers.selection = chosen or {self.layer}
        if dims.ndim == before[0] and dims.current_step != before[1]:
            dims.current_step = before[1]

    def _update(self) -> None:
        assert self._newest is not None
        assert self.layer is not None
        if self.layer.data is not self._newest[0].pixels:
            self.layer.data = self._newest[0].pixels
        for name, value in self._named().items():
            setattr(self.layer, name, value)

    def _named(self) -> dict[str, Any]:
        assert self._newest is not None
        picture, step = self._newest
        about = {"step": step, "conditions": list(picture.conditions)}
        return {"name": f"training preview · step {step:,}", "metadata": {MADE_BY: about}}

    def _beside(self, picture: Picture) -> dict[str, Any]:
        """Scale, place and units: to the right of what is open; true to scale where both sizes are known."""
        layers = self.viewer.layers
        if not layers:
            if self.pixel_size is None:
                return {"scale": (1 / picture.zoom,) * 2}
            return {"scale": (self.pixel_size / picture.zoom,) * 2, "units": ("um", "um")}
        extent = layers.extent
        low, high = extent.world[:, -2:]
        units = None if extent.units is None else tuple(extent.units[-2:])
        scale = self._true_scale(units, picture) or float(high[0] - low[0]) / picture.pixels.shape[0] or 1.0
        return {
            "scale": (scale, scale),
            "translate": (float(low[0]), float(high[1] + GAP * (high[1] - low[1]))),
            "units": None if units is None else tuple(str(unit) for unit in units),
        }

    def _true_scale(self, units: tuple[Any, ...] | None, picture: Picture) -> float | None:
        """Size of a drawn pixel in the layers' unit, where that is a length and the cells' pixel size is known."""
        if self.pixel_size is None or not units:
            return None
        micrometre = units[-1]._REGISTRY.Unit("um")
        if not units[-1].is_compatible_with(micrometre):
            return None
        return float((self.pixel_size / picture.zoom * micrometre).to(units[-1]).magnitude)
