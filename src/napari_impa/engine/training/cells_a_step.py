"""How many cells a step takes where nobody says so: few, and more on a GPU that would wait with few."""

from __future__ import annotations

from dataclasses import replace

import torch

from napari_impa.engine.device import free_memory
from napari_impa.engine.training.settings import CELLS_A_STEP, TrainingSettings

MOST = 64
"""More cells were not tried."""

IDLE = MOST * 64**2 * 16**2
"""Work of a step, cells · pixels · width², up to which a large GPU waits for its launches rather than computes.

On an H100 a step of 16 cells of 64 px took 17 ms at width 16, and 34 ms, twice as long, at width 64, which is 16 times
the work: at four times the work of the former the time has hardly begun to grow.
"""

CELL = 1 << 30
"""Memory of a GPU for each cell. Steps need far less; it tells small GPUs, which have work enough, from large ones."""


def with_cells_a_step(settings: TrainingSettings, device: torch.device) -> TrainingSettings:
    """Return settings that say how many cells a step takes: as they say, else by the device.

    On a CPU, where twice the cells take twice as long, and on a GPU that has enough to do 16. On a CUDA GPU twice as
    many, and again, up to 64, while its whole memory (what is free is another at every start, and the same settings
    are to give the same model) has 1 GiB for each and the step stays one that takes hardly longer.
    """
    if settings.batch_size is not None:
        return settings
    count, memory = CELLS_A_STEP, free_memory(device) if device.type == "cuda" else None
    if memory is not None:
        work = settings.size**2 * settings.width**2
        while 2 * count <= MOST and 2 * count * work <= IDLE and 2 * count * CELL <= memory[1]:
            count *= 2
    return replace(settings, batch_size=count)


def cells_in_words(given: TrainingSettings, settings: TrainingSettings) -> str:
    """Say how many cells a step takes, and why where that was chosen here and is not the usual number.

    >>> cells_in_words(TrainingSettings(), TrainingSettings(batch_size=64))
    '64 cells a step, with fewer of which the GPU would be idle'
    >>> cells_in_words(TrainingSettings(), TrainingSettings(batch_size=16))
    '16 cells a step'
    """
    text = f"{settings.cells_a_step} cells a step"
    if given.batch_size is None and settings.cells_a_step > CELLS_A_STEP:
        text += ", with fewer of which the GPU would be idle"
    return text
