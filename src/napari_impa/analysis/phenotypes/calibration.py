"""Probabilities of what was done to cells, made to come true as often as they say, on cells of which it is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 10
"""Bins of probability that the calibration error is taken over (Guo et al., ICML 2017)."""


@dataclass(frozen=True)
class Calibration:
    """How distances become probabilities.

    A mean of n cells lies from that of its own condition by chance, 1/n of the cells' variance, and by what the model
    gets wrong, which does not shrink with n.

    Parameters
    ----------
    sharpness
        Factor of the log-likelihood.
    misfit
        Variance of what the model gets wrong, in variances of cells.
    doubt
        Share that is given to all conditions alike: what the model knows nothing of.
    groups
        Groups of cells that it was learned of; 0 where it was not.
    """

    sharpness: float = 1.0
    misfit: float = 0.1
    doubt: float = 0.01
    groups: int = 0

    def probabilities(self, distances: NDArray[np.float64], cells: NDArray[np.floating]) -> NDArray[np.float64]:
        """(G, K) probabilities of K conditions for groups of so many `cells` (G,).

        `distances` (G, K) are squared Mahalanobis distances of each group's mean from each condition's.
        """
        logits = -0.5 * self.sharpness * distances / (1 / np.asarray(cells, float) + self.misfit)[:, None]
        logits = logits - logits.max(1, keepdims=True)
        likely = np.exp(logits)
        likely /= likely.sum(1, keepdims=True)
        out: NDArray[np.float64] = (1 - self.doubt) * likely + self.doubt / distances.shape[1]
        return out

    @staticmethod
    def fit(distances: NDArray[np.float64], cells: NDArray[np.floating], true: NDArray[np.integer]) -> Calibration:
        """Learn it from groups (G,) of known conditions, by the likelihood of what they truly are.

        Groups that one well gave count together as much as they are; there should be wells of every condition.
        """
        from scipy.optimize import minimize

        rows, cells = np.arange(len(true)), np.asarray(cells, float)
        least = 0.5 / (len(true) + 1)

        def of(values: NDArray[np.float64]) -> Calibration:
            sharp, misfit, doubt = np.clip(values, -12, 12)
            share = least + (0.5 - least) / (1 + np.exp(-doubt))
            return Calibration(float(np.exp(sharp)), float(np.exp(misfit)), float(share), len(true))

        def loss(values: NDArray[np.float64]) -> float:
            likely: NDArray[np.float64] = of(values).probabilities(distances, cells)[rows, true]
            return float(-np.log(likely).mean() + 1e-4 * (np.asarray(values) ** 2).sum())

        found = minimize(loss, np.array([0.0, -2.0, -3.0]), method="Nelder-Mead", options={"maxiter": 600})
        return of(found.x)


def expected_calibration_error(
    probability: NDArray[np.float64], right: NDArray[np.bool_], *, bins: int = BINS
) -> float:
    """Mean difference between how sure an answer was and how often such answers are right, 0…1.

    Parameters
    ----------
    probability
        (G,) of the first answer.
    right
        (G,) whether it was right.
    """
    which = np.minimum((np.asarray(probability) * bins).astype(int), bins - 1)
    error = 0.0
    for one in np.unique(which):
        of = which == one
        error += float(of.mean() * abs(probability[of].mean() - right[of].mean()))
    return error
