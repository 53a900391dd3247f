"""What is evaluated: real cells with their features, and cells that a model predicts of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.analysis.classifier import FairClassifier
from napari_impa.analysis.features.reduction import Reduction
from napari_impa.analysis.features.space import FeatureSpace, Measurement
from napari_impa.analysis.selection import FEWEST, ScoredCells
from napari_impa.cells.store import condition_names
from napari_impa.cells.words import WELL
from napari_impa.engine.model.model import IMPA
from napari_impa.watch import UNWATCHED, Watch

BLOCK = 512
"""Cells read at a time."""

MOST_OF_ANOTHER = 120
"""Cells that are turned into another condition."""


@dataclass(eq=False)
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
    nuclei
        Number of the channel that shows nuclei.
    spaces
        The feature spaces that cells are compared in; the first has names and is the one that verdicts rest on.
    watch
        Asked before every few cells whether to go on.
    channels
        What the channels are called, in the model's words; the cells' own names where nothing is given.
    """

    chosen: ScoredCells
    limits: NDArray[np.float64]
    seed: int
    nuclei: int
    spaces: Sequence[FeatureSpace]
    watch: Watch = UNWATCHED
    channels: Sequence[str] = ()
    _known: dict[str, tuple[NDArray[np.float64], NDArray[np.bool_]]] = field(default_factory=dict, repr=False)
    _reductions: dict[str, Reduction] = field(default_factory=dict, repr=False)

    @property
    def main(self) -> FeatureSpace:
        """The space whose measurements have names."""
        return self.spaces[0]

    @cached_property
    def measurements(self) -> tuple[Measurement, ...]:
        """What the numbers of the first space are."""
        columns = self.main.columns
        return () if columns is None else columns(self.channels or self.chosen.cells.channels)

    @cached_property
    def wells(self) -> NDArray[np.object_] | None:
        """(n,) plate and well of each chosen cell; None where no column says the well."""
        column = WELL.find(self.chosen.cells.table, but=self.chosen.cells.label)
        if column is None:
            return None
        wells = condition_names(self.chosen.cells.table, [column])[self.chosen.rows]
        return np.array([f"{plate} {well}" for plate, well in zip(self.chosen.plates, wells, strict=True)], object)

    @cached_property
    def classifier(self) -> FairClassifier:
        """Trained on the real cells, by the measurements of the first space."""
        everywhere = np.arange(len(self.chosen.rows))
        return FairClassifier(self.chosen, self.real(everywhere).reduced(), self.seed)

    def describe(self, space: FeatureSpace, pixels: NDArray[np.generic]) -> NDArray[np.float64]:
        """(n, D) of cells that are not among the chosen."""
        return space.describe(pixels, self.limits, nuclei=self.nuclei, watch=self.watch)

    def features(self, space: FeatureSpace, positions: NDArray[np.intp]) -> NDArray[np.float64]:
        """(n, D) of chosen cells; each is described once."""
        pixels, rows = self.chosen.cells.pixels, self.chosen.rows
        done = self._known[space.name][1] if space.name in self._known else np.zeros(len(rows), bool)
        new = np.unique(positions[~done[positions]])
        for part in np.array_split(new, -(-len(new) // BLOCK)) if len(new) else ():
            values = self.describe(space, pixels[rows[part]])
            if space.name not in self._known:
                self._known[space.name] = np.full((len(rows), values.shape[1]), np.nan), done
            self._known[space.name][0][part] = values
            self._known[space.name][1][part] = True
        if space.name not in self._known:
            return np.empty((0, 0))
        return self._known[space.name][0][positions]

    def reduction(self, space: FeatureSpace) -> Reduction:
        """Of the real cells that are scored, controls and treated."""
        if space.name not in self._reductions:
            self._reductions[space.name] = Reduction.fit(self.features(space, self.chosen.judged()))
        return self._reductions[space.name]

    def real(self, positions: NDArray[np.intp]) -> CellSet:
        """Chosen cells as they are."""
        return CellSet(self, positions)


@dataclass(eq=False)
class CellSet:
    """Cells of one side of a comparison; what describes them is computed when asked for, once.

    Parameters
    ----------
    evaluated
        The evaluation that they are of.
    positions
        (n,) which of the chosen cells they are, or were made of.
    drawn
        (n, C, S, S) the cells, where they are not the chosen ones themselves.
    """

    evaluated: EvaluatedCells
    positions: NDArray[np.intp]
    drawn: NDArray[Any] | None = None
    _known: dict[str, NDArray[np.float64]] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def pixels(self) -> NDArray[Any]:
        """(n, C, S, S) in the camera's units."""
        return self.evaluated.chosen.take(self.positions).pixels[:] if self.drawn is None else self.drawn

    @property
    def wells(self) -> NDArray[np.object_] | None:
        """(n,) plate and well; None where no column says it."""
        wells = self.evaluated.wells
        return None if wells is None else wells[self.positions]

    def features(self, space: FeatureSpace | None = None) -> NDArray[np.float64]:
        """(n, D) in a space, by default in the first."""
        space = space or self.evaluated.main
        if self.drawn is None:
            return self.evaluated.features(space, self.positions)
        if space.name not in self._known:
            self._known[space.name] = self.evaluated.describe(space, self.drawn)
        return self._known[space.name]

    def reduced(self, space: FeatureSpace | None = None) -> NDArray[np.float64]:
        """(n, k) principal components of the standardised features, see `Reduction`."""
        space = space or self.evaluated.main
        return self.evaluated.reduction(space)(self.features(space))

    def subset(self, which: NDArray[np.intp] | NDArray[np.bool_]) -> CellSet:
        """Some of the cells; what is known of them is not computed again."""
        drawn = None if self.drawn is None else self.drawn[which]
        return CellSet(
            self.evaluated, self.positions[which], drawn, {name: value[which] for name, value in self._known.items()}
        )

    def sample(self, count: int, *seeds: int) -> CellSet:
        """So many of the cells, drawn by the evaluation's seed and others; all where there are no more."""
        rng = np.random.default_rng([self.evaluated.seed, *seeds])
        return self if len(self) <= count else self.subset(np.sort(rng.permutation(len(self))[:count]))


class EvaluatedCondition:
    """One condition of a model: its real cells, the cells that are turned into it, and what they become.

    Parameters
    ----------
    model
        Predicts.
    condition
        Its name.
    evaluated
        The real cells.
    strength, variability
        As for `IMPA.predict`.
    """

    def __init__(
        self, model: IMPA, condition: str, evaluated: EvaluatedCells, *, strength: float, variability: float
    ) -> None:
        self.model, self.condition, self.evaluated = model, condition, evaluated
        self.strength, self.variability = strength, variability
        chosen = evaluated.chosen
        self.control = evaluated.real(chosen.sources(condition))
        self.real = evaluated.real(chosen.real(condition))
        self.others = evaluated.real(chosen.real(condition, scored=False))

    @cached_property
    def predicted(self) -> CellSet:
        """The control cells, turned into the condition."""
        return self.predict(self.control)

    def predict(self, cells: CellSet, condition: str | None = None, *, strength: float | None = None) -> CellSet:
        """Turn real cells into the condition, or into another, with the evaluation's strength or another."""
        self.evaluated.watch.check()
        after = self.model.predict(
            self.evaluated.chosen.take(cells.positions),
            condition or self.condition,
            strength=self.strength if strength is None else strength,
            variability=self.variability,
            seed=self.evaluated.seed,
        )
        return CellSet(self.evaluated, cells.positions, after.pixels)

    @cached_property
    def other_condition(self) -> str | None:
        """A condition of the model drawn at random, among those scored if there are several; None if there is none.

        Which one depends on the seed and on the condition alone.
        """
        chosen = self.evaluated.chosen
        for names in (chosen.conditions, self.model.conditions):
            others = [name for name in names if name not in (self.condition, chosen.control)]
            if others:
                rng = np.random.default_rng([self.evaluated.seed, 9, chosen.conditions.index(self.condition)])
                return str(rng.choice(np.array(others, object)))
        return None

    @cached_property
    def another(self) -> tuple[CellSet, CellSet] | None:
        """Some control cells, and what the model makes of them when asked for another condition."""
        if self.other_condition is None:
            return None
        control = self.control.sample(MOST_OF_ANOTHER, 14)
        return control, self.predict(control, self.other_condition)

    @cached_property
    def halves(self) -> tuple[CellSet, CellSet]:
        """Two sets of real cells of the condition, whose difference is the floor of any distance.

        Those scored and the others; where there are too few others, the largest plate and the other plates; where there
        is one plate alone, random halves.
        """
        if len(self.others) >= FEWEST:
            return self.real, self.others
        plates = pd.Series(self.evaluated.chosen.plates[self.real.positions])
        largest = np.asarray(plates == plates.value_counts().index[0])
        if np.sum(~largest) >= FEWEST:
            return self.real.subset(largest), self.real.subset(~largest)
        return self.random_halves

    @cached_property
    def random_halves(self) -> tuple[CellSet, CellSet]:
        """The real cells of the condition, parted by chance."""
        order = np.random.default_rng([self.evaluated.seed, 2]).permutation(len(self.real))
        return self.real.subset(order[: len(order) // 2]), self.real.subset(order[len(order) // 2 :])
