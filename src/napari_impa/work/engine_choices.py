"""What the engine offers for a training: devices, crop sides and segmenters, which take seconds to find."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_impa.engine.training.settings import TrainingSettings


@dataclass(frozen=True, eq=False)
class Engine:
    """What the form needs to know of the engine, whose import takes seconds."""

    defaults: TrainingSettings
    devices: tuple[tuple[str, str], ...]
    sizes: tuple[int, ...]
    segmenters: tuple[tuple[str, str], ...]


def ask_engine() -> Engine:
    """Import torch and gather what can be chosen."""
    from napari_impa.cells.segmenters import available_segmenters
    from napari_impa.engine.device import choose_device
    from napari_impa.engine.model.shape import valid_sizes
    from napari_impa.engine.training.settings import TrainingSettings

    best = choose_device("auto")
    devices = [("auto", best.reason)]
    if best.is_gpu:
        devices += [(best.device.type, best.reason), ("cpu", "CPU")]
    return Engine(
        TrainingSettings(),
        tuple(devices),
        tuple(valid_sizes(512)),
        tuple((kind.name, kind.title) for kind in available_segmenters()),
    )
