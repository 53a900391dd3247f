"""What a budget gives, measured in the background whenever what a step costs is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_impa.engine.training.cost.budget import Measured, advise, describe_budget
from napari_impa.viewer.kit.jobs import Failure, Latest, as_job
from napari_impa.work.estimate import Estimate, estimate

if TYPE_CHECKING:
    from napari_impa.engine.training.settings import TrainingSettings

WAIT = 400
"""Milliseconds without a change before a measurement begins."""

COSTLY = ("size", "preset", "recipe", "batch_size", "device", "threads", "style_dim", "noise_dim", "embedding_dim")
"""Settings that a step's time depends on."""


class Estimator(QObject):
    """Says what a budget gives; measures anew only where a step may cost something else.

    Signals
    -------
    said
        Text, and its tooltip.
    suggested
        Name of the preset that fits the device.
    """

    said = Signal(str, str)
    suggested = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._measuring = Latest(self)
        self._measuring.succeeded.connect(self._on_measured)
        self._measuring.failed.connect(self._on_failed)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(WAIT)
        self._timer.timeout.connect(self._measure)
        self._known: dict[tuple[Any, ...], Measured] = {}
        self._asked: tuple[tuple[int, int], TrainingSettings, bool] | None = None
        self._under_way: tuple[Any, ...] | None = None

    @property
    def busy(self) -> bool:
        """Whether something is being measured, or soon will be."""
        return self._timer.isActive() or self._measuring.busy

    @property
    def measured(self) -> Measured | None:
        """What was measured for the settings asked about; None until then."""
        return None if self._asked is None else self._known.get(self._key())

    def ask(self, channels: int, conditions: int, settings: TrainingSettings, *, choose_preset: bool = False) -> None:
        """Say what a training would take, at once where the same step was measured before.

        Parameters
        ----------
        channels, conditions
            Of the cells.
        settings
            What would be trained.
        choose_preset
            Look for the largest preset that fits and emit `suggested`.
        """
        self._asked = (channels, conditions), settings, choose_preset
        if self._key() in self._known:
            self._leave()
            self._say(self._known[self._key()])
        elif self._under_way != self._key():
            self._leave()
            self._write("Measuring how long a step takes …")
            self._timer.start()

    def complain(self, message: str) -> None:
        """Say what contradicts what, instead of an estimate."""
        self.stop()
        self._asked = None
        self._write(f"⚠ {message}")

    def stop(self) -> None:
        """Measure no more, as a training starts."""
        if self.busy:
            self._write("")
        self._leave()

    def abandon(self) -> None:
        """Leave the measurement, as the viewer goes away; no widget or timer is touched."""
        self._asked = None
        self._measuring.cancel()

    def _leave(self) -> None:
        self._timer.stop()
        self._measuring.cancel()
        self._under_way = None

    def _key(self) -> tuple[Any, ...]:
        assert self._asked is not None
        outline, settings, _ = self._asked
        return (*outline, *(getattr(settings, name) for name in COSTLY), settings.dose is None)

    def _measure(self) -> None:
        if self._asked is None:
            return
        (channels, conditions), settings, choose = self._asked
        self._under_way = self._key()
        self._measuring.submit(as_job(estimate), channels, conditions, settings, choose)

    def _on_measured(self, found: Estimate) -> None:
        if self._asked is None or self._under_way is None:
            return
        (channels, conditions), settings, _ = self._asked
        if found.preset is None or found.preset == settings.preset:
            self._known[self._under_way] = found.measured
            self._under_way = None
            self._say(found.measured)
        else:
            at = 2 + COSTLY.index("preset")
            self._known[(*self._under_way[:at], found.preset, *self._under_way[at + 1 :])] = found.measured
            self._under_way = None
            self._asked = (channels, conditions), settings, False
        if found.preset is not None:
            self.suggested.emit(found.preset)

    def _on_failed(self, failure: Failure) -> None:
        self._under_way = None
        self._write(f"⚠ {failure.message}")

    def _say(self, measured: Measured) -> None:
        assert self._asked is not None
        settings = self._asked[1]
        self._write(
            f"{describe_budget(measured, settings)}\n{advise(measured, settings)}",
            f"{measured.device}. Some steps were made with throw-away networks of this size; reading cells and scoring "
            f"come on top.\nThe model's file will have {measured.model_bytes / 1e6:.0f} MB. How good so many steps are "
            "was measured on one plate (docs/recipes.md).",
        )

    def _write(self, text: str, tip: str = "") -> None:
        self.said.emit(text, tip)
