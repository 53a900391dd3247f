"""How long a training will take, measured on some throw-away steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_impa.engine.training.cost.budget import Measured
from napari_impa.watch import UNWATCHED, Watch

if TYPE_CHECKING:
    from napari_impa.engine.training.settings import TrainingSettings


@dataclass(frozen=True)
class Estimate:
    """What was measured, and the preset that fits the device where that was asked for."""

    measured: Measured
    preset: str | None


def estimate(
    channels: int, conditions: int, settings: TrainingSettings, choose_preset: bool, *, watch: Watch = UNWATCHED
) -> Estimate:
    """Measure some steps; with `choose_preset` those of the largest preset that fits the device.

    Raises
    ------
    OutOfMemoryError
        As `measure`.
    """
    from napari_impa.engine.training.cost.measure import Outline, measure, suggest_preset

    outline = Outline(channels, conditions)
    if choose_preset:
        preset, measured = suggest_preset(outline, settings, watch=watch)
        return Estimate(measured, preset)
    return Estimate(measure(outline, settings, watch=watch), None)
