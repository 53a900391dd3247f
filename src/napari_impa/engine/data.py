"""Batches of control and treated cells, drawn anew at every step from the seed and the step's number alone."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_impa.cells.reading import read_pixels
from napari_impa.cells.store import Cells, shortest
from napari_impa.engine.augmentation import augment
from napari_impa.engine.feeding import Feed
from napari_impa.engine.intensity import intensity_limits, normalize, to_levels
from napari_impa.engine.settings import RECIPES, Recipe, TrainingSettings
from napari_impa.errors import ConditionError


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
        Task, size, recipe, batch size, held-out cells and seed.
    device
        Where batches are wanted; the CPU where it is not given.

    Attributes
    ----------
    conditions
        K names of the conditions.
    counts
        Cells of each condition, and of the control.
    limits
        (C, 2) lower and upper intensity of each channel in the camera's units.
    seconds
        Time spent in `batch`, in which the training waited for its data.

    Raises
    ------
    ConditionError
        If there are no controls, no treated cells, or only one batch outside what is held out.
    """

    def __init__(self, cells: Cells, settings: TrainingSettings, device: torch.device | None = None) -> None:
        self.settings, self.device = settings, device or torch.device("cpu")
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
        y = pd.Categorical(names[targets], categories=self.conditions).codes
        self._members = [targets[y == k] for k in range(len(self.conditions))]
        self.counts = {name: len(found) for name, found in zip(self.conditions, self._members, strict=True)}
        if settings.task != "batch":
            self.counts[shortest(cells.control)] = len(sources)
        self._modality, self._sources = np.zeros(len(self.conditions), np.intp), [sources]
        if cells.size < settings.size:
            raise ConditionError(
                f"The crops have a side of {cells.size} px, smaller than the {settings.size} px asked for; "
                "crop the images again or choose a smaller size."
            )
        self.pixels = cells.pixels
        self.limits = intensity_limits(cells.pixels, rows, size=settings.size)
        self.seconds = 0.0
        self._feed = self._make_feed()

    def _make_feed(self) -> Feed:
        """Feed batches from every condition and, but for batch correction, from the controls of every modality."""
        sizes, modality = np.array([len(rows) for rows in self._members]), self._modality
        conditions = np.bincount(modality)  # of each modality, which is drawn as often as it has conditions
        weights = np.ones(len(sizes))
        if not RECIPES[self.settings.recipe].even_conditions:
            weights = sizes * (conditions / np.bincount(modality, sizes))[modality]
        groups, shares = self._members, weights
        if self.settings.task != "batch":
            groups, shares = groups + self._sources, np.append(shares, conditions)
        return Feed(
            self.pixels,
            groups,
            shares * self.settings.batch_size / len(modality),
            size=self.settings.size,
            seed=self.settings.seed,
            device=self.device,
        )

    def batch(self, step: int, recipe: Recipe, rank: int = 0, world: int = 1) -> Batch:
        """Draw the batch of a step, on the device; the same step always gives the same batch.

        Where `world` processes share a batch, the one of number `rank` gets its part, with the very cells, flips and
        dither that these places of the whole batch have.

        Raises
        ------
        CellsError
            If the cells' file cannot be read any more.
        """
        began = time.perf_counter()
        rng = np.random.default_rng([self.settings.seed, step])
        count, plan, modality = self.settings.batch_size, self._feed.plan, 0
        if len(self._sources) > 1:  # each as often as it has conditions
            modality = int(self._modality[rng.integers(len(self._modality))])
        conditions = np.flatnonzero(self._modality == modality)
        if recipe.even_conditions:
            y = rng.integers(len(conditions), size=count)
        else:
            ends = np.cumsum(plan.sizes[conditions])
            y = np.searchsorted(ends, rng.integers(ends[-1], size=count), side="right")
        treated = control = plan.draw(step, conditions[y], rng)
        y_target = y
        if self.settings.task == "batch":
            y_target = (y + rng.integers(1, len(conditions), size=count)) % len(conditions)
        else:
            control = plan.draw(step, np.full(count, len(self._modality) + modality), rng)
        mine = slice(rank * count // world, (rank + 1) * count // world)

        def images(rows: NDArray[np.intp]) -> Tensor:
            pixels = self._feed.pixels(step, rows[mine])
            return augment(pixels, self.limits, rng, rotations=recipe.rotations, first=mine.start, count=count)

        controls = images(control)
        batch = Batch(
            controls,
            controls if control is treated else images(treated),
            torch.from_numpy(y[mine]).to(self.device),
            torch.from_numpy(y_target[mine]).to(self.device),
            modality,
            mine.start,
        )
        self.seconds += time.perf_counter() - began
        return batch

    def close(self) -> None:
        """Wait for what is being read in the background; afterwards no thread is left."""
        self._feed.close()

    def images(self, rows: NDArray[np.intp]) -> Tensor:
        """Cells at `rows` as the networks see them, (n, C, S, S) in [-1, 1], neither dithered nor flipped."""
        return normalize(to_levels(read_pixels(self.pixels, rows, self.settings.size), self.limits))

    def examples(self, count: int, seed: int = 0) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
        """Rows of `count` cells to transform, of as many real cells, and the conditions (count,) these belong to."""
        rng = np.random.default_rng([seed, 7])
        y = np.arange(count) % len(self.conditions)
        sources = rng.choice(self._sources[0], count, replace=len(self._sources[0]) < count)
        reals = np.array([rng.choice(self._members[k]) for k in y])
        return sources, reals, y


def held_out_mask(cells: Cells, hold_out: Mapping[str, Sequence[str]]) -> NDArray[np.bool_]:
    """(N,) whether each cell is held out: it has one of the values given in any of the columns."""
    mask = np.zeros(len(cells), bool)
    for column, values in hold_out.items():
        mask |= cells.mask_where({column: list(values)})
    return mask
