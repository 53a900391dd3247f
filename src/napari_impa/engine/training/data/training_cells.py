"""Batches of control and treated cells, drawn anew at every step from the seed and the step's number alone."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_impa.cells.reading import read_pixels
from napari_impa.cells.store import Cells
from napari_impa.engine.model.intensity import intensity_limits, normalize, to_levels
from napari_impa.engine.training.data.augmentation import augment
from napari_impa.engine.training.data.feed import Feed
from napari_impa.engine.training.data.labels import TrainingLabels
from napari_impa.engine.training.settings import TrainingSettings
from napari_impa.engine.training.steps.batch import Batch
from napari_impa.engine.training.steps.recipe import Recipe
from napari_impa.errors import ConditionError
from napari_impa.watch import UNWATCHED, Watch


class TrainingCells:
    """The cells of a training: who is control, who is treated, what is held out, and batches of them.

    Parameters
    ----------
    cells
        Labelled cells; crops larger than `settings.size` are cut at the centre.
    settings
        Task, size, batch size, held-out cells and seed.
    recipe
        How cells are drawn.
    device
        Where batches are wanted; the CPU where it is not given.
    watch
        Asked before every part of a file that is read for a batch; what it raises ends the reading.

    Attributes
    ----------
    conditions
        K names of the conditions.
    counts
        Cells of each condition, and of the control.
    limits
        (C, 2) lower and upper intensity of each channel in the camera's units.

    Raises
    ------
    ConditionError
        If there are no controls, no treated cells, or only one batch outside what is held out, or the crops are too
        small.
    """

    def __init__(
        self,
        cells: Cells,
        settings: TrainingSettings,
        recipe: Recipe,
        device: torch.device | None = None,
        *,
        watch: Watch = UNWATCHED,
    ) -> None:
        self.settings, self.recipe, self.device = settings, recipe, device or torch.device("cpu")
        self.labels = labels = TrainingLabels(cells, settings)
        self.conditions, self.counts = labels.conditions, labels.counts
        rows = np.flatnonzero(~labels.held)
        if cells.size < settings.size:
            raise ConditionError(
                f"The crops have a side of {cells.size} px, smaller than the {settings.size} px asked for; "
                "crop the images again or choose a smaller size."
            )
        self.pixels = cells.pixels
        self.limits = intensity_limits(cells.pixels, rows, size=settings.size)
        self._feed = self._make_feed(watch)

    def _make_feed(self, watch: Watch) -> Feed:
        """Feed batches from every condition and, but for batch correction, from the controls of every modality."""
        labels, settings = self.labels, self.settings
        conditions = np.bincount(labels.modality)  # of each modality, which is drawn as often as it has conditions
        shares = np.ones(len(labels.sizes))
        if not self.recipe.even_conditions:
            shares = labels.sizes * (conditions / np.bincount(labels.modality, labels.sizes))[labels.modality]
        groups = np.split(labels.pool, labels.starts[1:])
        if settings.task != "batch":
            groups, shares = groups + labels.sources, np.append(shares, conditions)
        shares *= settings.cells_a_step / len(labels.sizes)
        return Feed(
            self.pixels, groups, shares, size=settings.size, seed=settings.seed, device=self.device, watch=watch
        )  # fmt: skip

    def batch(self, step: int, rank: int = 0, world: int = 1) -> Batch:
        """Draw the batch of a step, of one modality, on the device; the same step always gives the same batch.

        Where `world` processes share a batch, the one of number `rank` gets its part, with the very cells, flips and
        dither that these places of the whole batch have.

        Raises
        ------
        CellsError
            If the cells' file cannot be read any more.
        """
        rng = np.random.default_rng([self.settings.seed, step])
        labels, plan, count, modality = self.labels, self._feed.plan, self.settings.cells_a_step, 0
        if len(labels.modalities) > 1:  # each as often as it has conditions
            modality = int(labels.modality[rng.integers(len(labels.modality))])
        conditions = np.flatnonzero(labels.modality == modality)
        if self.recipe.even_conditions:
            y = rng.integers(len(conditions), size=count)
        else:
            ends = np.cumsum(labels.sizes[conditions])
            y = np.searchsorted(ends, rng.integers(ends[-1], size=count), side="right")
        treated = control = plan.draw(step, conditions[y], rng)
        y_target, at_target = y, conditions[y] == labels.control[modality]
        if self.settings.task == "batch":
            y_target = (y + rng.integers(1, len(conditions), size=count)) % len(conditions)
        else:
            control = plan.draw(step, np.full(count, len(labels.sizes) + modality), rng)
            control = np.where(at_target, treated, control)
        mine = slice(rank * count // world, (rank + 1) * count // world)

        def images(rows: NDArray[np.intp]) -> Tensor:
            pixels = self._feed.pixels(step, rows[mine])
            return augment(pixels, self.limits, rng, rotations=self.recipe.rotations, first=mine.start, count=count)

        controls = images(control)
        batch = Batch(
            controls,
            controls if control is treated else images(treated),
            torch.from_numpy(y[mine]).to(self.device),
            torch.from_numpy(y_target[mine]).to(self.device),
            modality,
            mine.start,
            torch.from_numpy(at_target[mine]).to(self.device) if labels.control[modality] >= 0 else None,
        )
        return batch

    def close(self) -> None:
        """End what is being read in the background; afterwards no thread is left."""
        self._feed.close()

    def images(self, rows: NDArray[np.intp]) -> Tensor:
        """Cells at `rows` as the networks see them, (n, C, S, S) in [-1, 1], neither dithered nor flipped."""
        return normalize(to_levels(read_pixels(self.pixels, rows, self.settings.size), self.limits))

    def examples(self, count: int, seed: int = 0) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
        """Rows of `count` cells to transform, of as many real cells, and the numbers (count,) of their conditions."""
        rng = np.random.default_rng([seed, 7])
        y = np.arange(count) % len(self.conditions)
        sources = np.empty(count, np.intp)
        for modality, found in enumerate(self.labels.sources):
            mine = self.labels.modality[y] == modality
            sources[mine] = rng.choice(found, mine.sum(), replace=len(found) < mine.sum())
        return sources, self.labels.examples(y, rng.integers(self.labels.sizes[y])), y
