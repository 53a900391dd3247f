"""What mattered in predictions: how little of each has to change for a classifier of real cells to see a treated cell.

As QuAC defines it (Adjavon et al., Quantitative attributions with counterfactuals, bioRxiv 2024.11.26.625505).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_impa.analysis.attribution.fair_pixel_classifier import FairPixelClassifier
from napari_impa.analysis.attribution.integrated_gradients import integrated_gradients
from napari_impa.analysis.attribution.masks import SIZES, growing_masks, pasted
from napari_impa.analysis.attribution.pixel_classifier import scaled
from napari_impa.errors import CellsError
from napari_impa.watch import UNWATCHED, Watch

ROWS = 8
"""Cells at a time."""


@dataclass(frozen=True, eq=False)
class Attributions:
    """What mattered in n predicted cells.

    Parameters
    ----------
    maps
        (n, C, S, S) float32: what the change of each pixel adds to the log-odds of being treated.
    masks
        (n, C, S, S) float32, 0 to 1: the smallest mask under which the prediction, pasted into the control cell, makes
        the classifier take it for treated; where none does, the one of the best trade, change of the probability less
        size of the mask.
    sizes
        (n,) share of all pixels of all channels that this mask takes; NaN, and the mask empty, where the classifier
        takes the control for treated to begin with.
    flipped
        (n,) whether it is by this mask that the classifier takes the cell for treated.
    curve
        (n, K) change of the probability of being treated with masks of the K sizes `masks.SIZES`.
    areas
        (n,) area under it, QuAC's score: near 1 where a tiny part decides, 0 or less where nothing does.
    accuracy, how
        Of the classifier, as of `FairPixelClassifier`.
    """

    maps: NDArray[np.float32]
    masks: NDArray[np.float32]
    sizes: NDArray[np.float64]
    flipped: NDArray[np.bool_]
    curve: NDArray[np.float64]
    areas: NDArray[np.float64]
    accuracy: float
    how: str


def attributions(
    classifier: FairPixelClassifier,
    control: NDArray[Any],
    predicted: NDArray[Any],
    *,
    rows: NDArray[np.intp] | None = None,
    watch: Watch = UNWATCHED,
) -> Attributions:
    """Find what mattered in predictions.

    Parameters
    ----------
    classifier
        Of real cells; it may not have been trained with the same controls in another order.
    control, predicted
        (n, C, S, S) cells, and what they were turned into, in the camera's units.
    rows
        (n,) which of the classifier's controls each is; all of them where None.
    watch
        Hears the cells done, and is asked before every few whether to go on.

    Raises
    ------
    CellsError
        If the cells do not fit each other or the classifier.
    """
    rows = np.arange(len(classifier.parts)) if rows is None else np.asarray(rows)
    if control.shape != predicted.shape or len(control) != len(rows):
        raise CellsError(
            f"Attributions need each control beside its prediction, not shapes {control.shape} and {predicted.shape} "
            f"with {len(rows)} rows."
        )
    limits = classifier.classifiers[0].limits
    before, after, parts = scaled(control, limits), scaled(predicted, limits), classifier.parts[rows]
    maps = np.zeros(control.shape, np.float32)
    masks = np.zeros(control.shape, np.float32)
    chosen = np.zeros(len(rows), np.intp)
    reached = np.zeros((len(rows), len(SIZES)))
    done = 0
    for part, judge in enumerate(classifier.classifiers):
        of_part = np.flatnonzero(parts == part)
        for start in range(0, len(of_part), ROWS):
            watch.check()
            some = of_part[start : start + ROWS]
            maps[some] = integrated_gradients(judge.log_odds, before[some], after[some]).numpy()
            for row in some:
                grown = growing_masks(maps[row])
                hybrids = pasted(before[row].numpy(), after[row].numpy(), grown)
                reached[row] = judge.probability(torch.from_numpy(hybrids))
                chosen[row] = _chosen(reached[row])
                masks[row] = grown[chosen[row]]
            done += len(some)
            watch.report(done, len(rows), "what mattered")
    curve, told = reached - reached[:, :1], reached[:, 0] <= 0.5
    return Attributions(
        maps=maps,
        masks=masks,
        sizes=np.where(told, SIZES[chosen], np.nan),
        flipped=told & (reached[np.arange(len(rows)), chosen] > 0.5),
        curve=curve,
        areas=area_under(curve),
        accuracy=classifier.accuracy,
        how=classifier.how,
    )


def area_under(curve: NDArray[np.float64], sizes: NDArray[np.float64] = SIZES) -> NDArray[np.float64]:
    """(n,) area under curves (n, K) over the sizes (K,) of masks, by the trapezoidal rule."""
    return np.asarray(np.trapezoid(curve, sizes, axis=-1))


def _chosen(reached: NDArray[np.float64]) -> int:
    """Which mask is taken, by the probabilities (K,) of being treated."""
    flips = reached > 0.5
    return int(np.argmax(flips)) if flips.any() else int(np.argmax(reached - reached[0] - SIZES))
