"""Cells of which it is known what their treatment changes: a bright spot, in one of two channels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

SIDE, LIMITS = 32, np.array([[100.0, 1100.0], [100.0, 1100.0]])
SPOT = (slice(12, 18), slice(12, 18))
"""Where treated cells have a bright spot, in the first channel alone."""


def control_cells(count: int, seed: int) -> NDArray[np.float64]:
    """Noise in which a broad nucleus lies, in both channels."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    nucleus = 300 * np.exp(-(y**2 + x**2) / 80) * random.uniform(0.8, 1.2, (count, 1, 1, 1))
    return 200 + nucleus + random.normal(0, 20, (count, 2, SIDE, SIDE))


def with_spots(cells: NDArray[Any]) -> NDArray[np.float64]:
    """The same cells as the treatment truly changes them."""
    treated = np.array(cells, np.float64)
    treated[:, 0, *SPOT] += 400
    return treated
