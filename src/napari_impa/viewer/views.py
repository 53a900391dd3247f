"""The three ways to look at a prediction: side by side, in place, and the difference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.experimental import link_layers, unlink_layers
from napari.layers import Image, Layer
from napari.utils import Colormap
from numpy.typing import NDArray

from napari_impa.viewer.channels import MADE_BY
from napari_impa.viewer.finding import Found
from napari_impa.viewer.panes import Panes
from napari_impa.viewer.prediction import Block, Predicted, Request

if TYPE_CHECKING:
    from napari.components import ViewerModel

SIDE_BY_SIDE, IN_PLACE, DIFFERENCE = "side by side", "in place", "difference"
TEXT = 8  # points, so that a name fits into its pane
LINKED = ("contrast_limits", "gamma", "colormap", "visible", "opacity")

CHANGE = Colormap([[0.25, 0.65, 1.0], [0.0, 0.0, 0.0], [1.0, 0.55, 0.1]], name="less to more")
"""Blue where the predicted cell is darker, black where nothing changed, orange where it is brighter."""


class View:
    """Layers that show one prediction after another; made anew when the cells change."""

    name: str

    def __init__(self, viewer: ViewerModel, found: Found, hide: Sequence[Layer]) -> None:
        self.found, self.panes = found, Panes(viewer)
        self._links: list[tuple[Layer, Layer]] = []
        self._start(hide)

    def _start(self, hide: Sequence[Layer]) -> None:
        raise NotImplementedError

    def show_block(self, block: Block, about: dict[str, Any]) -> None:
        """Show some predicted cells; where the view needs all of them, wait."""

    def show(self, predicted: Predicted, about: dict[str, Any]) -> None:
        """Show all predicted cells."""
        raise NotImplementedError

    def close(self) -> None:
        """Take the layers away and put the viewer back as it was."""
        self.abandon()
        self.panes.restore()

    def abandon(self) -> None:
        """Let go of the layers, which stay where they are."""
        for pair in self._links:
            unlink_layers(pair, LINKED)
        self._links = []
        self.panes.disconnect()

    @property
    def whole(self) -> bool:
        """Whether none of the layers was deleted."""
        return self.panes.whole

    def _image(self, data: NDArray[Any], channel: int, name: str, **more: Any) -> Image:
        """Make a layer that lies and looks like the source's channel."""
        look, place = self.found.layers.looks[channel], self.found.layers.place
        leading = data.ndim - 2
        options: dict[str, Any] = {
            "name": name,
            "scale": (1.0,) * leading + place.scale,
            "translate": (0.0,) * leading + place.translate,
            "units": ("pixel",) * leading + tuple(str(unit) for unit in place.units),
            "axis_labels": (("cell",) * leading + ("y", "x")) if leading else None,
            "colormap": look.colormap,
            "contrast_limits": look.contrast_limits,
            "gamma": look.gamma,
            "blending": "additive",
            "metadata": {MADE_BY: {}},
        }
        return Image(data, **(options | more))

    @staticmethod
    def _name_on_canvas(layer: Layer) -> None:
        layer.name_overlay.visible = True
        layer.name_overlay.font_size = TEXT

    @property
    def _channels(self) -> tuple[str, ...]:
        return self.found.cells.channels

    def _layer_name(self, text: str, channel: str) -> str:
        return f"{text} · {channel}"

    def _tell(self, layers: Sequence[Layer], text: str, about: dict[str, Any]) -> None:
        for layer, channel in zip(layers, self._channels, strict=True):
            layer.name = self._layer_name(text, channel)
            layer.metadata = {MADE_BY: about}


class _Stacks(View):
    """Predicted crops as stacks, one layer a channel, filled block by block."""

    stacks: list[Image]
    _shown: Request | None = None
    _before: NDArray[Any] | None = None

    def _change(self, rows: slice, pixels: NDArray[Any], channel: int) -> NDArray[Any]:
        return pixels[:, channel]

    def show_block(self, block: Block, about: dict[str, Any]) -> None:
        """Put some predicted cells into the stacks."""
        for channel, layer in enumerate(self.stacks):
            layer.data[block.rows] = self._change(block.rows, block.pixels, channel)
        self._refresh(block.rows)
        if self._shown != block.request:
            self._tell(self.stacks, block.request.title, about)
            self._shown = block.request

    def show(self, predicted: Predicted, about: dict[str, Any]) -> None:
        """Put all predicted cells into the stacks."""
        every = slice(0, len(predicted.pixels))
        self.show_block(Block(predicted.request, every, predicted.pixels), about)

    def _refresh(self, rows: slice) -> None:
        at = self.panes.viewer.dims.current_step[0]
        if rows.start <= at < rows.stop:
            for layer in self.stacks:
                layer.refresh(extent=False, highlight=False)


class SideBySide(_Stacks):
    """Control and predicted crops in two panes under one camera and one slider, contrast limits linked in pairs."""

    name = SIDE_BY_SIDE

    def _start(self, hide: Sequence[Layer]) -> None:
        pixels, numbers = self.found.cells.pixels, range(len(self._channels))
        control = [self._image(np.ascontiguousarray(pixels[:, c]), c, "control") for c in numbers]
        self.stacks = [self._image(np.zeros_like(control[c].data), c, "predicted") for c in numbers]
        self._tell(control, "control", {"layers": list(self.found.layers.names)})
        self._tell(self.stacks, "predicted", {})
        for pair in zip(control, self.stacks, strict=True):
            link_layers(pair, LINKED)
            self._links.append(pair)
        for layer in control + self.stacks:
            self._name_on_canvas(layer)
        self.panes.show([*reversed(self.stacks), *reversed(control)], hide=hide, stride=len(numbers))


class Difference(_Stacks):
    """Predicted − control, each channel in its own pane; limits are half the channel's contrast, whatever is shown."""

    name = DIFFERENCE

    def _start(self, hide: Sequence[Layer]) -> None:
        pixels = self.found.cells.pixels
        self.stacks = []
        for channel, look in enumerate(self.found.layers.looks):
            reach = (look.contrast_limits[1] - look.contrast_limits[0]) / 2
            zeros = np.zeros(pixels[:, channel].shape, np.float32)
            options = {"colormap": CHANGE, "contrast_limits": (-reach, reach), "gamma": 1.0, "blending": "opaque"}
            layer = self._image(zeros, channel, "difference", **options)
            self._name_on_canvas(layer)
            layer.colorbar.visible = True
            layer.colorbar.position = "bottom_center"
            layer.colorbar.font_size = TEXT
            self.stacks.append(layer)
        self._tell(self.stacks, "predicted", {})
        self.panes.show(self.stacks[::-1], hide=hide, stride=1)

    def _change(self, rows: slice, pixels: NDArray[Any], channel: int) -> NDArray[Any]:
        return pixels[:, channel].astype(np.float32) - self.found.cells.pixels[rows, channel]

    def _layer_name(self, text: str, channel: str) -> str:
        return f"Δ {channel} · {text}"


class InPlace(View):
    """The field with the predicted cells where they were cut; its own channels are hidden meanwhile."""

    name = IN_PLACE
    fields: list[Image]

    def _start(self, hide: Sequence[Layer]) -> None:
        assert self.found.field is not None
        self._hide = hide
        self.fields = []

    def show(self, predicted: Predicted, about: dict[str, Any]) -> None:
        """Show the field."""
        if predicted.field is None:
            return
        if not self.fields:
            planes = np.moveaxis(predicted.field, -3, 0)
            self.fields = [self._image(plane, c, "in place") for c, plane in enumerate(planes)]
            self.panes.show(self.fields[::-1], hide=self._hide)
        else:
            for layer, plane in zip(self.fields, np.moveaxis(predicted.field, -3, 0), strict=True):
                layer.data = plane
        self._tell(self.fields, predicted.request.title, about)


VIEWS: dict[str, type[View]] = {view.name: view for view in (SideBySide, InPlace, Difference)}
