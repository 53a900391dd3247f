"""Control and predicted cells in turn in one pane: what changes catches the eye."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from napari.layers import Image, Layer
from qtpy.QtCore import QTimer

from napari_impa.viewer.perturb.views.stacks import Stacks
from napari_impa.viewer.perturb.views.view import LINKED

FASTEST = 3.0
"""Changes a second; three flashes a second are the most that is safe for photosensitive people (WCAG 2.3.1)."""


@dataclass(frozen=True)
class FlickerControls:
    """How cells take turns."""

    rate: float = field(
        default=1.0,
        metadata={
            "title": "Turns", "low": 0.0, "high": FASTEST, "step": 0.5, "unit": "/s",
            "help": "How often a second control and predicted crops take turns; 0 stops.",
        },
    )  # fmt: skip


class Flicker(Stacks):
    """One pane a target, in which control and predicted crops take turns; the name on the canvas says whose turn it is.

    What is not on turn has the opacity 0, so that which layers are visible stays the user's choice.
    """

    title = "flicker"
    tip = "Control and predicted crops take turns in one pane; the name on the canvas says whose turn it is."
    controls = FlickerControls

    def _open(self, hide: Sequence[Layer]) -> None:
        channels = range(len(self._channels))
        self.control_stacks: list[list[Image]] = [self._control() for _ in self.targets]
        self.stacks = [[self._empty(channel, "predicted") for channel in channels] for _ in self.targets]
        layers: list[Image] = []
        for control, stack in zip(self.control_stacks, self.stacks, strict=True):
            self._tell(stack, "predicted", {})
            layers = [*reversed(stack), *reversed(control), *layers]  # the first target on top, in the left pane
        for layer in layers:
            self._name_on_canvas(layer, coloured=True)
        self._link([*self.control_stacks, *self.stacks], [name for name in LINKED if name != "opacity"])
        self._turn(predicted=True)
        self.panes.show(layers, hide=hide, stride=2 * len(channels))
        self._timer = QTimer()
        self._timer.timeout.connect(self.turn)
        self.steer(FlickerControls())

    def steer(self, controls: FlickerControls) -> None:
        """Take turns so many times a second; 0 stops."""
        if controls.rate > 0:
            self._timer.start(round(1000 / min(controls.rate, FASTEST)))
        else:
            self._timer.stop()

    def turn(self) -> None:
        """Show the other one."""
        self._turn(predicted=not self.predicted_on_turn)

    def _turn(self, *, predicted: bool) -> None:
        self.predicted_on_turn = predicted
        for sets, on in ((self.stacks, predicted), (self.control_stacks, not predicted)):
            for layer in (layer for layers in sets for layer in layers):
                layer.opacity = float(on)
                layer.name_overlay.visible = on

    def abandon(self) -> None:
        """Stop the clock and let go of the layers."""
        self._timer.stop()
        self._timer.timeout.disconnect(self.turn)
        self._timer.deleteLater()
        super().abandon()
