"""Integrated gradients: what each pixel of a pair of images adds to the change of a score between them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from torch import Tensor

POINTS = 24
"""Points of the path at which gradients are taken."""


def integrated_gradients(
    score: Callable[[Tensor], Tensor], before: Tensor, after: Tensor, *, points: int = POINTS
) -> Tensor:
    """Share out the change of a score between two images among their pixels.

    (after − before) · ∫₀¹ ∇score(before + t (after − before)) dt, by Gauss–Legendre quadrature (Sundararajan et al.,
    ICML 2017). The baseline is the other image of the pair, which makes the attribution discriminative (Eckstein et
    al., arXiv 2109.13412): pixels that do not change count nothing, and the shares of all sum to
    score(after) − score(before).

    Parameters
    ----------
    score
        (k, …) images → (k,) scores, each of its own image alone; k is n times the points.
    before, after
        (n, …) pairs of images.
    points
        At which gradients are taken.

    Returns
    -------
    As the images.
    """
    nodes, weights = np.polynomial.legendre.leggauss(points)
    each = (points, *[1] * before.ndim)
    at, share = (torch.as_tensor(one, dtype=before.dtype).view(each) for one in ((nodes + 1) / 2, weights / 2))
    images = (before + at * (after - before)).flatten(0, 1).requires_grad_()
    (gradients,) = torch.autograd.grad(score(images).sum(), images)
    return (after - before) * (share * gradients.view(points, *before.shape)).sum(0)
