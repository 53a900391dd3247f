"""How two stains go together under a mask (CellProfiler's MeasureColocalization)."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from napari_impa.analysis.features.families.under_mask import Columns, UnderMask
from napari_impa.analysis.ratio import ratio_or_nan

SHARE = 0.15
"""Of a channel's greatest intensity: what is fainter is left out of all but the correlation, as CellProfiler does."""


def correlation(under: UnderMask) -> Columns:
    """Pearson's correlation and the overlap coefficient of each pair of channels, and Manders' two shares."""
    found: Columns = []
    for first, second in combinations(range(len(under.channels)), 2):
        names = under.channels[first], under.channels[second]
        a, b = under.values[first], under.values[second]
        away = [v - under.means[c][under.crop] for c, v in ((first, a), (second, b))]
        spread = under.sums(away[0] ** 2) * under.sums(away[1] ** 2)
        pearson = ratio_or_nan(under.sums(away[0] * away[1]), np.sqrt(spread))
        bright = [v >= SHARE * under.greatest(v)[under.crop] for v in (a, b)]
        both = bright[0] & bright[1]
        product, squares = under.sums(a * b * both), under.sums(a * a * both) * under.sums(b * b * both)
        shares = [
            ratio_or_nan(under.sums(v * both), under.sums(v * own)) for v, own in zip((a, b), bright, strict=True)
        ]
        numbers = {
            f"Correlation_{names[0]}_{names[1]}": ("correlation in the", pearson),
            f"Overlap_{names[0]}_{names[1]}": ("overlap in the", ratio_or_nan(product, np.sqrt(squares))),
            f"Manders_{names[0]}_{names[1]}": (f"share of {names[0]} where {names[1]} is, in the", shares[0]),
            f"Manders_{names[1]}_{names[0]}": (f"share of {names[1]} where {names[0]} is, in the", shares[1]),
        }
        for key, (title, value) in numbers.items():
            words = f"{names[0]} and {names[1]}: {title}"
            found.append(under.named("correlation", f"Correlation_{key}", words, value, *names))
    return found
