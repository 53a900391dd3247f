"""What all views of a prediction share: layers that lie and look like their source, in panes, put away at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.experimental import link_layers, unlink_layers
from napari.layers import Image, Layer
from numpy.typing import NDArray

from napari_impa.viewer.layers.channels import look_of
from napari_impa.viewer.layers.found_cells import Found
from napari_impa.viewer.layers.sources import MADE_BY, Look
from napari_impa.viewer.perturb.prediction import Predicted, PredictedBlock, Request
from napari_impa.viewer.perturb.views.panes import Panes

if TYPE_CHECKING:
    from napari.components import ViewerModel

TEXT = 8  # points, so that a name fits into its pane
LINKED = ("contrast_limits", "gamma", "colormap", "visible", "opacity")

AboutTarget = Callable[[int], dict[str, Any]]
"""What made the layers of a target, by its number."""


class View:
    """Layers that show one prediction after another; made anew when the cells or the number of targets change.

    Parameters
    ----------
    viewer
        Where to.
    found
        The cells, and the layers they came from.
    request
        The first to be shown.
    hide
        Layers to hide meanwhile.
    real
        (N, C, S, S) real cells of a target, by its name, where the source has them.
    """

    name: str
    shows_cells = True
    """Whether there is a cell slider."""

    def __init__(
        self,
        viewer: ViewerModel,
        found: Found,
        request: Request,
        hide: Sequence[Layer],
        real: Mapping[str, NDArray[Any] | None] | None = None,
    ) -> None:
        self.found, self.panes, self.targets = found, Panes(viewer), range(len(request.targets))
        self.real = dict(real or {})
        self._links: list[tuple[Layer, ...]] = []
        self._start(request, hide)

    def _start(self, request: Request, hide: Sequence[Layer]) -> None:
        raise NotImplementedError

    def fits(self, request: Request, real: Mapping[str, NDArray[Any] | None]) -> bool:
        """Whether the panes are those that a request needs."""
        return len(request.targets) == len(self.targets)

    def show_block(self, block: PredictedBlock, about: AboutTarget) -> None:
        """Show some cells; where the view needs all of them, wait."""

    def show(self, predicted: Predicted, about: AboutTarget) -> None:
        """Show all predicted cells."""

    def close(self) -> None:
        """Take the layers away and put the viewer back as it was."""
        self.abandon()
        self.panes.restore()

    def abandon(self) -> None:
        """Let go of the layers, which stay where they are."""
        for linked in self._links:
            unlink_layers(linked, LINKED)
        self._links = []
        self.panes.disconnect()

    @property
    def whole(self) -> bool:
        """Whether none of the layers was deleted."""
        return self.panes.whole

    def looks_now(self) -> tuple[Look, ...] | None:
        """How each channel is shown at present; None where no channel is shown in its own colours."""
        return tuple(map(look_of, self._coloured)) or None

    @property
    def _coloured(self) -> Sequence[Image]:
        """Layers that show the channels in their own colours, one a channel."""
        return ()

    @property
    def _channels(self) -> tuple[str, ...]:
        return self.found.cells.channels

    def _image(self, data: NDArray[Any], channel: int, name: str, *, leading: str = "cell", **more: Any) -> Image:
        """Make a layer that lies and looks like the source's channel."""
        look, place = self.found.layers.looks[channel], self.found.layers.place
        extra = data.ndim - 2
        options: dict[str, Any] = {
            "name": name,
            "axis_labels": ((leading,) * extra + ("y", "x")) if extra else None,
            "colormap": look.colormap,
            "contrast_limits": look.contrast_limits,
            "gamma": look.gamma,
            "blending": "additive",
            "metadata": {MADE_BY: {}},
        }
        return Image(data, **(place.options(extra) | options | more))

    def _control(self) -> list[Image]:
        """Layers of the cells as they are, one a channel."""
        pixels = self.found.cells.pixels
        layers = [self._image(pixels[:, c], c, "control") for c in range(len(self._channels))]
        self._tell(layers, "control", {"layers": list(self.found.layers.names)})
        return layers

    def _link(self, sets: Sequence[Sequence[Image]], attributes: Sequence[str] = LINKED) -> None:
        """Link the same channels of several sets of layers."""
        for same in zip(*sets, strict=True):
            link_layers(same, attributes)
            self._links.append(tuple(same))

    @staticmethod
    def _name_on_canvas(layer: Layer) -> None:
        layer.name_overlay.visible = True
        layer.name_overlay.font_size = TEXT

    def _layer_name(self, text: str, channel: str) -> str:
        return f"{text} · {channel}"

    def _tell(self, layers: Sequence[Layer], text: str, about: dict[str, Any]) -> None:
        for layer, channel in zip(layers, self._channels, strict=True):
            layer.name = self._layer_name(text, channel)
            layer.metadata = {MADE_BY: about}


class Stacks(View):
    """Cells as stacks, one layer a target and channel, filled block by block."""

    stacks: list[list[Image]]
    takes: type[PredictedBlock] = PredictedBlock
    """Which blocks are shown."""

    def _start(self, request: Request, hide: Sequence[Layer]) -> None:
        self._request: Request | None = None
        self._told: Request | None = None
        self._there = np.zeros((len(self.targets), len(self.found.cells)), bool)
        self._open(hide)

    def _open(self, hide: Sequence[Layer]) -> None:
        raise NotImplementedError

    def _empty(self, channel: int, name: str, *, dtype: Any = None, **more: Any) -> Image:
        pixels = self.found.cells.pixels[:, channel]
        return self._image(np.zeros(pixels.shape, dtype or pixels.dtype), channel, name, **more)

    @property
    def _coloured(self) -> Sequence[Image]:
        return self.stacks[0]

    def _change(self, rows: slice, pixels: NDArray[Any], channel: int) -> NDArray[Any]:
        return pixels[:, channel]

    def show_block(self, block: PredictedBlock, about: AboutTarget) -> None:
        """Put some cells of a target into its stacks."""
        if type(block) is self.takes:
            self._put(block.request, block.number, block.rows, block.pixels)
            if self._told is None or self._told.targets != block.request.targets:
                self._tell_all(block.request, about)

    def show(self, predicted: Predicted, about: AboutTarget) -> None:
        """Put all predicted cells into the stacks, unless they came as blocks."""
        self.show_all(predicted.request, predicted.pixels, about)

    def show_all(self, request: Request, pixels: NDArray[Any], about: AboutTarget) -> None:
        """Put all cells (T, N, C, S, S) into the stacks, unless they came as blocks."""
        if self._request != request or not self._there.all():
            for number in self.targets:
                self._put(request, number, slice(0, pixels.shape[1]), pixels[number])
        self._tell_all(request, about)
        for layer in (layer for layers in self.stacks for layer in layers):
            layer.refresh(data_displayed=False, extent=False, highlight=False)  # the thumbnail

    def _put(self, request: Request, number: int, rows: slice, pixels: NDArray[Any]) -> None:
        if self._request != request:
            self._request, self._there[:] = request, False
        self._there[number, rows] = True
        for channel, layer in enumerate(self.stacks[number]):
            layer.data[rows] = self._change(rows, pixels, channel)
            if rows.start <= self.panes.cell < rows.stop:
                layer.refresh(thumbnail=False, extent=False, highlight=False)

    def _tell_all(self, request: Request, about: AboutTarget) -> None:
        """Name the layers; while a slider moves, only when it rests: to draw names takes longer than to draw a cell."""
        if self._told != request:
            self._told = request
            for number in self.targets:
                self._tell(self.stacks[number], request.title(number), about(number))
