"""The ways to look at a prediction: side by side, in place, difference, flicker, uncertainty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from napari.layers import Image, Layer
from numpy.typing import NDArray

from napari_impa.viewer.perturb.prediction import Predicted, Request
from napari_impa.viewer.perturb.views.flicker import FLICKER, RATE, Flicker
from napari_impa.viewer.perturb.views.maps import DIFFERENCE, UNCERTAINTY, Difference, Uncertainty
from napari_impa.viewer.perturb.views.view import AboutTarget, Stacks, View

SIDE_BY_SIDE, IN_PLACE = "side by side", "in place"


class SideBySide(Stacks):
    """Control, predicted and real crops in panes under one camera and one slider, contrast limits linked by channel.

    Each target has a pane, and another beside it where the source has real cells of it; those are no counterparts of
    the control cells, and begin again where there are fewer of them.
    """

    name = SIDE_BY_SIDE

    def _start(self, request: Request, hide: Sequence[Layer]) -> None:
        self._names = self._names_of(request)
        super()._start(request, hide)

    def _open(self, hide: Sequence[Layer]) -> None:
        channels = range(len(self._channels))
        sets, self.stacks, self._real_layers = [self._control()], [], {}
        for number, name in enumerate(self._names):
            stack = [self._empty(channel, "predicted") for channel in channels]
            self._tell(stack, "predicted", {})
            self.stacks.append(stack)
            sets.append(stack)
            pixels = self.real.get(name)
            if pixels is not None:
                real = [self._image(pixels[:, channel], channel, "real") for channel in channels]
                self._real_layers[number] = real
                self._tell_real(number)
                sets.append(real)
        self._link(sets)
        for layer in (layer for layers in sets for layer in layers):
            self._name_on_canvas(layer)
        top_down = [layer for layers in sets for layer in layers]
        self.panes.show(top_down[::-1], hide=hide, stride=len(channels))

    def fits(self, request: Request, real: Mapping[str, NDArray[Any] | None]) -> bool:
        """Whether there is a pane for each target, and for real cells of the same targets."""
        has = [real.get(name) is not None for name in self._names_of(request)]
        return super().fits(request, real) and has == [number in self._real_layers for number in self.targets]

    def show_real(self, request: Request, real: Mapping[str, NDArray[Any] | None]) -> None:
        """Show real cells of other targets."""
        before, self._names, self.real = self._names, self._names_of(request), dict(real)
        for number, layers in self._real_layers.items():
            pixels = self.real[self._names[number]]
            if self._names[number] != before[number] and pixels is not None:
                for channel, layer in enumerate(layers):
                    layer.data = pixels[:, channel]
                self._tell_real(number)

    def _tell_real(self, number: int) -> None:
        about = {"layers": list(self.found.layers.names), "condition": self._names[number], "real": True}
        self._tell(self._real_layers[number], f"real {self._names[number]}", about)

    @staticmethod
    def _names_of(request: Request) -> list[str]:
        return [request.name(number) for number in range(len(request.targets))]


class InPlace(View):
    """The field with the predicted cells where they were cut; its own channels are hidden meanwhile."""

    name = IN_PLACE
    shows_cells = False
    fields: list[list[Image]]

    def _start(self, request: Request, hide: Sequence[Layer]) -> None:
        assert self.found.field is not None
        self._hide = hide
        self.fields = []

    @property
    def _coloured(self) -> Sequence[Image]:
        return self.fields[0] if self.fields else ()

    def show(self, predicted: Predicted, about: AboutTarget) -> None:
        """Show a field for each target; several are panes of the grid."""
        if predicted.fields is None:
            return
        layers_of = self.found.layers
        laid = [[layers_of.in_series(plane)[0] for plane in np.moveaxis(field, -3, 0)] for field in predicted.fields]
        options = layers_of.in_series(predicted.fields[0][..., 0, :, :])[1]
        if not self.fields:
            self.fields = [
                [self._image(plane, c, "in place", leading="step", **options) for c, plane in enumerate(field)]
                for field in laid
            ]
            top_down = [layer for layers in self.fields for layer in layers]
            several = len(self.fields) > 1
            if several:
                self._link(self.fields)
                for layer in top_down:
                    self._name_on_canvas(layer)
            self.panes.show(top_down[::-1], hide=self._hide, stride=len(self._channels) if several else None)
        else:
            for layers, field in zip(self.fields, laid, strict=True):
                for layer, plane in zip(layers, field, strict=True):
                    layer.data = plane
        for number in self.targets:
            self._tell(self.fields[number], predicted.request.title(number), about(number))


VIEWS: dict[str, type[View]] = {view.name: view for view in (SideBySide, InPlace, Difference, Flicker, Uncertainty)}

__all__ = [
    "DIFFERENCE", "FLICKER", "IN_PLACE", "RATE", "SIDE_BY_SIDE", "UNCERTAINTY", "VIEWS",
    "Difference", "Flicker", "InPlace", "SideBySide", "Uncertainty", "View",
]  # fmt: skip
