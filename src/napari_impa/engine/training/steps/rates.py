"""Learning rates of every width and batch: a recipe's values are those of width 16 and batch 16, the others follow.

- **Width.** Adam moves a weight by about its rate, whatever the gradient, so that the output of a hidden layer changes
  by the rate times the number of its inputs; a rate ∝ 1 / width keeps that as it was tuned (μP's rule for hidden
  matrices: Yang et al. 2022, arXiv 2203.03466). The discriminator learns so. Elsewhere hidden matrices are `Muon`'s,
  whose step is scaled by the sides of each, so that one rate fits all widths (the spectral condition of Yang, Simon &
  Bernstein 2023, arXiv 2310.17813); what Adam has beside it, vectors, layers whose inputs do not grow and two small
  outputs, keeps its rate. Where a recipe has no Muon, Adam's rate follows the width everywhere.
- **Batch.** Fewer cells give noisier gradients, and a step of fixed size does not get smaller with the noise; a rate
  ∝ √batch keeps the noise of the weights (Malladi et al. 2022, arXiv 2205.10287, for Adam; taken for Muon too).
- **Never more.** At width 16 and batch 16 the discriminator is at its limit (spikes now and then). That is one of
  curvature (Cohen et al. 2022, arXiv 2207.14484), not of noise, so more cells a step do not raise it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

REFERENCE_WIDTH, REFERENCE_BATCH = 16, 16
"""Base width of the networks, and cells a step, that the values of recipes are meant for."""


class RateFactors(NamedTuple):
    """What rates are multiplied by: the discriminator's (`critic`), and those of all that makes images (`makers`)."""

    critic: float = 1.0
    makers: float = 1.0


def by_width(width: int) -> float:
    """Factor of Adam's rate for the hidden matrices of networks of some base width (`Shape.width`)."""
    return min(1.0, REFERENCE_WIDTH / width)


def by_batch(batch_size: int) -> float:
    """Factor of all rates for so many cells a step, those of all processes together."""
    return min(1.0, math.sqrt(batch_size / REFERENCE_BATCH))
