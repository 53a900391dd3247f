"""Batches of control and treated cells, drawn anew at every step from the seed and the step's number alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_impa.cells.store import Cells, shortest
from napari_impa.engine.intensity import intensity_limits, normalize, to_levels
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
        If there are no controls, no treated cells, or only one batch outside what is held out.
    """

    def __init__(self, cells: Cells, settings: TrainingSettings) -> None:
        self.settings = settings
        held = held_out_mask(cells, settings.hold_out)
        names = cells.conditions
        is_control = cells.is_control
        rows = np.flatnonzero(~held)
        if settings.task == "batch":
            sources = rows
            targets = rows
        else:
            if cells.control is None:
                raise ConditionError("No control was named; say which label value is the untreated control.")
            sources, targets = rows[is_control[rows]], rows[~is_control[rows]]
            if not len(sources):
                raise ConditionError(
                    f"No control cells ({cells.control}) are left to train on outside what is held out."
                )
            if not len(targets):
                raise ConditionError(
                    "All cells left to train on are controls; give cells of at least one other condition."
                )
        self.conditions: list[str] = sorted(set(map(str, names[targets])))
        if settings.task == "batch" and len(self.conditions) < 2:
            raise ConditionError(
                "Batch correction needs cells of at least two batches; "
                f"there is only {', '.join(self.conditions) or 'none'}."
            )
        y = np.full(len(cells), -1)
        y[targets] = np.searchsorted(np.array(self.conditions, dtype=object), names[targets])
        self._y, self._sources, self._targets = y, sources, targets
        self._of_condition = [targets[y[targets] == k] for k in range(len(self.conditions))]
        self.counts = {name: len(found) for name, found in zip(self.conditions, self._of_condition, strict=True)}
        if settings.task != "batch":
            self.counts[shortest(cells.control)] = len(sources)
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
        """Draw the batch of a step; the same step always gives the same batch."""
        rng = np.random.default_rng([self.settings.seed, step])
        count = self.settings.batch_size
        if recipe.even_conditions:
            y = rng.integers(len(self.conditions), size=count)
            treated = np.array([self._of_condition[k][rng.integers(len(self._of_condition[k]))] for k in y])
        else:
            treated = self._targets[rng.integers(len(self._targets), size=count)]
        y_treated = self._y[treated]
        if self.settings.task == "batch":
            control = treated
            y_target = (y_treated + rng.integers(1, len(self.conditions), size=count)) % len(self.conditions)
        else:
            control, y_target = self._sources[rng.integers(len(self._sources), size=count)], y_treated
        images = [self.images(control, rng, recipe)]
        images.append(images[0] if control is treated else self.images(treated, rng, recipe))
        return Batch(images[0], images[1], torch.from_numpy(y_treated), torch.from_numpy(y_target))

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
        """Rows of `count` cells to transform, of as many real cells, and the conditions (count,) these belong to."""
        rng = np.random.default_rng([seed, 7])
        y = np.arange(count) % len(self.conditions)
        sources = rng.choice(self._sources, count, replace=len(self._sources) < count)
        reals = np.array([rng.choice(self._of_condition[k]) for k in y])
        return sources, reals, y


def held_out_mask(cells: Cells, hold_out: Mapping[str, Sequence[str]]) -> NDArray[np.bool_]:
    """(N,) whether each cell is held out: it has one of the values given in any of the columns."""
    mask = np.zeros(len(cells), bool)
    for column, values in hold_out.items():
        mask |= cells.mask_where({column: list(values)})
    return mask
