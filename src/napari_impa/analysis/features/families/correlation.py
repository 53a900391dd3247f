"""How two stains go together under a mask (CellProfiler's MeasureColocalization)."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
from numpy.typing import NDArray

from napari_impa.analysis.features.families.under_mask import Columns, UnderMask
from napari_impa.analysis.ratio import ratio_or_nan

SHARE = 0.15
"""Of a channel's greatest intensity: what is fainter is left out of all but the correlation, as CellProfiler does."""


def correlation(under: UnderMask) -> Columns:
    """Pearson's correlation and the overlap coefficient of each pair of channels."""
    found: Columns = []
    for first, second in combinations(range(len(under.channels)), 2):
        names = under.channels[first], under.channels[second]
        a, b, bright = under.values[first], under.values[second], _bright(under)
        away = [v - under.means[c][under.crop] for c, v in ((first, a), (second, b))]
        spread = under.sums(away[0] ** 2) * under.sums(away[1] ** 2)
        pearson = ratio_or_nan(under.sums(away[0] * away[1]), np.sqrt(spread))
        both = bright[first] & bright[second]
        squares = under.sums(a * a * both) * under.sums(b * b * both)
        overlap = ratio_or_nan(under.sums(a * b * both), np.sqrt(squares))
        for key, title, value in (("Correlation", "correlation", pearson), ("Overlap", "overlap", overlap)):
            label, words = f"Correlation_{key}_{names[0]}_{names[1]}", f"{names[0]} and {names[1]}: {title} in the"
            found.append(under.named("correlation", label, words, value, *names))
    return found


def shared_stain(under: UnderMask) -> Columns:
    """Manders' shares: how much of a channel lies where another one is bright, for each pair of channels both ways."""
    found: Columns = []
    bright = _bright(under)
    for first, second in permutations(range(len(under.channels)), 2):
        names, values = (under.channels[first], under.channels[second]), under.values[first]
        share = ratio_or_nan(under.sums(values * (bright[first] & bright[second])), under.sums(values * bright[first]))
        label, words = f"Correlation_Manders_{names[0]}_{names[1]}", f"{names[0]}: share where {names[1]} is, in the"
        found.append(under.named("correlation", label, words, share, *names))
    return found


def _bright(under: UnderMask) -> NDArray[np.bool_]:
    """(C, k)."""
    return np.asarray(under.values >= SHARE * under.greatest(under.values)[:, under.crop])
