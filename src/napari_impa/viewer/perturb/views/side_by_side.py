"""Side by side: control, predicted and real cells in panes under one camera."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from napari.layers import Image, Layer
from numpy.typing import NDArray

from napari_impa.viewer.perturb.request import Request
from napari_impa.viewer.perturb.views.stacks import Stacks


class SideBySide(Stacks):
    """Control, predicted and real crops in panes under one camera and one slider, contrast limits linked by channel.

    Each target has a pane, and another beside it where the source has real cells of it; those are no counterparts of
    the control cells, and begin again where there are fewer of them.
    """

    title = "side by side"
    tip = "Control, predicted and, where there are any, real treated crops in panes; contrast limits linked."

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
        self._lay(sets, hide)

    def _lay(self, sets: Sequence[list[Image]], hide: Sequence[Layer]) -> None:
        """Lay out sets of channels: as they are, then predicted and real ones of each target."""
        self._link(sets)
        top_down = [layer for layers in sets for layer in layers]
        for layer in top_down:
            self._name_on_canvas(layer, coloured=True)
        self.panes.show(top_down[::-1], hide=hide, stride=len(self._channels))

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
