"""What is evaluated, as metrics take it: predicted cells of a condition, what they were made of, and real cells."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.analysis.classifier import FairClassifier
from napari_impa.analysis.features import FEATURE_SPACES
from napari_impa.analysis.selection import FEWEST, ScoredCells
from napari_impa.cells.store import Cells
from napari_impa.watch import UNWATCHED, Watch

Group = Literal["predicted", "control", "real"]

GROUPS: tuple[Group, ...] = ("predicted", "control", "real")
"""What is compared of a condition: predicted cells, the cells that they were made of, and real cells."""

BLOCK = 512
"""Cells read at a time."""


@dataclass(frozen=True, eq=False)
class EvaluatedCells:
    """The real cells of an evaluation, the same for all its conditions; what takes long is computed when asked for.

    Parameters
    ----------
    chosen
        Which cells are scored.
    limits
        (C, 2) lower and upper intensity of each channel.
    seed
        Of every sample drawn.
    nuclei_channel
        Number of the channel that shows nuclei.
    watch
        Asked before every few cells whether to go on.
    """

    chosen: ScoredCells
    limits: NDArray[np.float64]
    seed: int
    nuclei_channel: int
    watch: Watch = UNWATCHED

    @cached_property
    def features(self) -> NDArray[np.float64]:
        """(n, D) of the chosen cells, in the first feature space."""
        pixels, rows = self.chosen.cells.pixels, self.chosen.rows
        return np.concatenate([self.describe(pixels[rows[i : i + BLOCK]]) for i in range(0, len(rows), BLOCK)])

    @cached_property
    def classifier(self) -> FairClassifier:
        """Trained on the real cells."""
        return FairClassifier(self.chosen, self.features, self.seed)

    def describe(self, pixels: NDArray[np.generic]) -> NDArray[np.float64]:
        """Features of other cells in the same space."""
        return FEATURE_SPACES[0].describe(pixels, self.limits, watch=self.watch)


@dataclass(frozen=True, eq=False)
class EvaluatedCondition:
    """Cells predicted under one condition, and what they are compared with.

    Parameters
    ----------
    condition
        Its name.
    cells
        All real cells of the evaluation.
    predicted
        The cells at `sources`, turned into the condition.
    """

    condition: str
    cells: EvaluatedCells
    predicted: Cells

    @cached_property
    def sources(self) -> NDArray[np.intp]:
        """Positions among the chosen cells of those that were turned: controls, or cells of the other batches."""
        return self.cells.chosen.sources(self.condition)

    @cached_property
    def real(self) -> NDArray[np.intp]:
        """Positions among the chosen cells of the real ones of the condition that are scored."""
        return self.cells.chosen.real(self.condition)

    @cached_property
    def predicted_features(self) -> NDArray[np.float64]:
        """(n, D) of the predicted cells."""
        return self.cells.describe(self.predicted.pixels)

    def features(self, group: Group) -> NDArray[np.float64]:
        """(n, D) of the cells of a group."""
        return self.predicted_features if group == "predicted" else self.cells.features[self.positions(group)]

    def positions(self, group: Group) -> NDArray[np.intp]:
        """(n,) positions of a group's cells among the chosen; of predicted cells, of those that they were made of."""
        return self.real if group == "real" else self.sources

    def real_halves(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Positions of two sets of real cells of the condition, whose difference is the floor of any distance.

        Those scored and the others; where there are too few others, the largest plate and the other plates; where there
        is one plate alone, random halves.
        """
        chosen, real = self.cells.chosen, self.real
        rest = chosen.real(self.condition, scored=False)
        if len(rest) >= FEWEST:
            return real, rest
        plates = pd.Series(chosen.plates[real])
        largest = np.asarray(plates == plates.value_counts().index[0])
        if np.sum(~largest) >= FEWEST:
            return real[largest], real[~largest]
        real = np.random.default_rng([self.cells.seed, 2]).permutation(real)
        return real[: len(real) // 2], real[len(real) // 2 :]
