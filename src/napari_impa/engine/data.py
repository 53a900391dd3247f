"""Batches of control and treated cells, drawn anew at every step from the seed and the step's number alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_impa.cells.store import Cells
from napari_impa.engine.intensity import intensity_limits, normalize, to_levels
from napari_impa.engine.labels import TrainingLabels
from napari_impa.engine.settings import Recipe, TrainingSettings
from napari_impa.errors import ConditionError

FLIP_PROBABILITY = 0.3
IN_MEMORY_BYTES = 2 << 30


@dataclass(frozen=True)
class Batch:
    """One step's cells.

    Parameters
    ----------
    control, y_control
        Cells to transform, (B, C, S, S) in [-1, 1], and, for batch correction, their own batches (B,).
    treated, y_treated
        Real cells (B, C, S, S) and their conditions (B,).
    y_target
        What the control cells are turned into (B,).
    modality
        Number of the kind of perturbation that the conditions belong to.
    first
        Place of the first cell in the whole batch, where several processes share one.
    """

    control: Tensor
    treated: Tensor
    y_treated: Tensor
    y_target: Tensor
    modality: int = 0
    first: int = 0


class TrainingCells:
    """The cells of a training: who is control, who is treated, what is held out, and batches of them.

    Parameters
    ----------
    cells
        Labelled cells; crops larger than `settings.size` are cut at the centre.
    settings
        Task, size, held-out cells and seed.

    Raises
    ------
    ConditionError
        If there are no controls, no treated cells, or only one batch outside what is held out, or the crops are too
        small.
    """

    def __init__(self, cells: Cells, settings: TrainingSettings) -> None:
        self.settings = settings
        self.labels = labels = TrainingLabels(cells, settings)
        self.conditions, self.counts = labels.conditions, labels.counts
        rows = np.flatnonzero(~labels.held)
        start = (cells.size - settings.size) // 2
        if start < 0:
            raise ConditionError(
                f"The crops have a side of {cells.size} px, smaller than the {settings.size} px asked for; "
                "crop the images again or choose a smaller size."
            )
        pixels = cells.pixels[..., start : start + settings.size, start : start + settings.size]
        self.pixels = np.ascontiguousarray(pixels) if pixels.nbytes <= IN_MEMORY_BYTES else pixels
        self.limits = intensity_limits(self.pixels[rows] if len(rows) <= 4000 else self.pixels)

    def batch(self, step: int, recipe: Recipe) -> Batch:
        """Draw the batch of a step, of one modality; the same step always gives the same batch."""
        rng = np.random.default_rng([self.settings.seed, step])
        labels, count, modality = self.labels, self.settings.batch_size, 0
        if len(labels.modalities) > 1:  # each as often as it has conditions
            modality = int(labels.modality[rng.integers(len(labels.modality))])
        conditions, sources = np.flatnonzero(labels.modality == modality), labels.sources[modality]
        sizes = labels.sizes[conditions]
        if recipe.even_conditions:
            y = rng.integers(len(conditions), size=count)
        else:
            y = np.searchsorted(np.cumsum(sizes), rng.integers(sizes.sum(), size=count), side="right")
        treated = labels.examples(conditions[y], rng.integers(sizes[y]))
        if self.settings.task == "batch":
            control = treated
            y_target = (y + rng.integers(1, len(conditions), size=count)) % len(conditions)
        else:
            control, y_target = sources[rng.integers(len(sources), size=count)], y
            control = np.where(conditions[y] == labels.control[modality], treated, control)
        images = [self.images(control, rng, recipe)]
        images.append(images[0] if control is treated else self.images(treated, rng, recipe))
        return Batch(images[0], images[1], torch.from_numpy(y), torch.from_numpy(y_target), modality)

    def images(
        self, rows: NDArray[np.intp], rng: np.random.Generator | None = None, recipe: Recipe | None = None
    ) -> Tensor:
        """Cells at `rows` in [-1, 1]; dithered and flipped or rotated where a random generator is given."""
        levels = to_levels(self._read(rows), self.limits)
        if rng is None or recipe is None:
            return normalize(levels)
        images = normalize(levels, torch.from_numpy(rng.random(levels.shape, dtype=np.float32)))
        probability = 0.5 if recipe.rotations else FLIP_PROBABILITY
        chances = torch.from_numpy(rng.random((3, len(rows)), dtype=np.float32))[..., None, None, None]
        images = torch.where(chances[0] < probability, images.flip(-1), images)
        images = torch.where(chances[1] < probability, images.flip(-2), images)
        if recipe.rotations:  # with both flips, a transposition gives all eight right-angle poses evenly
            images = torch.where(chances[2] < probability, images.transpose(-1, -2), images)
        return images

    def _read(self, rows: NDArray[np.intp]) -> NDArray[Any]:
        order = np.argsort(rows)  # in the order of the file, which matters where it is memory-mapped
        out = np.empty((len(rows), *self.pixels.shape[1:]), self.pixels.dtype)
        out[order] = self.pixels[rows[order]]
        return out

    def examples(self, count: int, seed: int = 0) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
        """Rows of `count` cells to transform, of as many real cells, and the numbers (count,) of their conditions."""
        rng = np.random.default_rng([seed, 7])
        y = np.arange(count) % len(self.conditions)
        sources = np.empty(count, np.intp)
        for modality, found in enumerate(self.labels.sources):
            mine = self.labels.modality[y] == modality
            sources[mine] = rng.choice(found, mine.sum(), replace=len(found) < mine.sum())
        return sources, self.labels.examples(y, rng.integers(self.labels.sizes[y])), y
