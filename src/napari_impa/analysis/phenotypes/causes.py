"""What did this? Conditions ranked by how alike they would make control cells to treated ones that are given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.analysis.phenotypes.calibration import Calibration
from napari_impa.analysis.phenotypes.control_scale import ControlScale
from napari_impa.analysis.phenotypes.shifts import effect_of
from napari_impa.analysis.ratio import ratio_or_nan
from napari_impa.cells.store import Cells
from napari_impa.engine.describing.new_condition import Target, name_of
from napari_impa.engine.model.model import IMPA
from napari_impa.errors import CellsError
from napari_impa.watch import UNWATCHED, Checked, Watch

UNTREATED = "untreated"
"""What cells are called that nothing was done to, where the control has no name."""

SIZES = (1, 3, 10)
"""Cells of the smaller groups that every well is parted into when probabilities are calibrated."""


@dataclass(frozen=True, eq=False)
class LikelyCauses:
    """Conditions as they would make control cells, to compare treated cells with.

    Attributes
    ----------
    scale
        What cells are measured by.
    names
        K: the control, then the conditions.
    middles
        (K, d) mean of the control cells as they are, and turned into each condition, less what drawing them at
        strength 0 changes.
    whitening
        (d, e) by which distances are weighed: the covariance of cells within conditions, shrunk as Ledoit and Wolf
        (J. Multivar. Anal. 2004) say, and the mean variance added to every direction, as models get wrong what hardly
        varies from cell to cell.
    calibration
        How distances become probabilities.
    """

    scale: ControlScale
    names: tuple[str, ...]
    middles: NDArray[np.float64]
    whitening: NDArray[np.float64]
    calibration: Calibration

    @classmethod
    def of(
        cls, model: IMPA, controls: Cells, targets: Sequence[Target], *, by: str = "fast", variability: float = 0.1,
        seed: int = 0, watch: Watch = UNWATCHED,
    ) -> LikelyCauses:  # fmt: skip
        """Turn control cells into each condition, and measure them.

        Parameters
        ----------
        model, controls
            That predicts, and cells as it takes them (`IMPA.fit`).
        targets
            What may have been done to cells.
        by
            One of `MEASURED_BY`.
        variability, seed
            As `IMPA.predict` takes them.

        Raises
        ------
        CellsError
            If there are too few controls.
        ConditionError, ModelError
            As `IMPA.predict`.
        """
        from sklearn.covariance import ledoit_wolf

        scale = ControlScale.of(model, controls, by, watch=Checked(watch))
        control_cells = np.nan_to_num(scale(controls.pixels, watch=Checked(watch)))
        parts, middles = [control_cells], [control_cells.mean(0)]
        drawn: NDArray[np.float64] | None = None
        for number, target in enumerate(targets):
            watch.check()
            watch.report(number, len(targets), "conditions")
            if drawn is None:  # what drawing a cell changes, whatever it is turned into, says nothing of the condition
                as_it_is = model.predict(controls, target, strength=0.0, variability=0.0)
                drawn = np.nan_to_num(scale(as_it_is.pixels, watch=Checked(watch))).mean(0) - middles[0]
            made = model.predict(controls, target, variability=variability, seed=seed)
            parts.append(np.nan_to_num(scale(made.pixels, watch=Checked(watch))))
            middles.append(parts[-1].mean(0) - drawn)
        within = np.concatenate([part - part.mean(0) for part in parts])
        covariance, _ = ledoit_wolf(within, assume_centered=True)
        values, vectors = np.linalg.eigh(covariance)
        whitening = vectors / np.sqrt(values + values.mean())
        control = UNTREATED if model.control is None else model.control
        names = (control, *(name_of(target) for target in targets))
        return cls(scale, names, np.stack(middles), whitening, Calibration())

    def distances(self, groups: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        """(G, K) squared distances of the mean of each group of cells (n, d) from each condition."""
        means = np.stack([np.nan_to_num(group).mean(0) for group in groups])
        apart = (means[:, None] - self.middles) @ self.whitening
        return np.asarray((apart**2).sum(-1))

    def calibrated(self, wells: Sequence[NDArray[np.float64]], true: Sequence[str], *, seed: int = 0) -> LikelyCauses:
        """Learn how probable an answer is, from wells of known conditions.

        Parameters
        ----------
        wells
            Cells (n, d) of each, measured on `scale`, that nothing was learned from.
        true
            What was done to each, one of `names`; wells of something else are left out.

        Raises
        ------
        CellsError
            If no well is of a condition that is known.
        """
        groups, labels = [], []
        random = np.random.default_rng([seed, 31])
        for well, name in zip(wells, true, strict=True):
            if name not in self.names or not len(well):
                continue
            dealt = random.permutation(len(well))
            some = [dealt[:size] for size in SIZES if size < len(well)]
            groups += [well, *(well[rows] for rows in some)]
            labels += [self.names.index(name)] * (1 + len(some))
        if not groups:
            raise CellsError(
                "No well is of a condition that the model knows, so that probabilities are not calibrated."
            )
        count = np.array([len(group) for group in groups], float)
        return replace(self, calibration=Calibration.fit(self.distances(groups), count, np.array(labels)))

    def probabilities(self, groups: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        """(G, K) how probable it is that each condition was done to each group of cells (n, d)."""
        return self.calibration.probabilities(self.distances(groups), np.array([len(one) for one in groups], float))

    def rank(self, cells: NDArray[np.float64]) -> pd.DataFrame:
        """Rank the conditions for treated cells (n, d) that are measured on `scale`.

        Returns
        -------
        Its columns are `condition`, `probability`, and `likeness`: the share of the way from control cells to these
        that the condition goes (1 all, 0 none). A low likeness of all says that none of them did this.
        """
        mean = np.nan_to_num(cells).mean(0)
        away, whole = effect_of(self.middles - mean), effect_of(self.middles[0] - mean)
        table = pd.DataFrame({
            "condition": self.names, "probability": self.probabilities([cells])[0],
            "likeness": 1 - ratio_or_nan(away, np.broadcast_to(whole, away.shape)),
        })  # fmt: skip
        return table.sort_values("probability", ascending=False, ignore_index=True, kind="stable")
