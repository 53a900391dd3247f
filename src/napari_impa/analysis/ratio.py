"""Ratios of numbers of which some may be missing or zero."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def ratio_or_nan(part: NDArray[Any], whole: NDArray[Any]) -> NDArray[np.float64]:
    """Return part / whole, of equal shapes; NaN where the whole is not above 0."""
    ratio = np.full(whole.shape, np.nan)
    np.divide(part, whole, out=ratio, where=whole > 0)
    return ratio
