"""Which of several channels shows nuclei, by what is to be seen in them: for images whose names do not say so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

LEAST = 0.3
"""Look of a channel below which it is taken for none of nuclei."""

CLEARLY = 1.2
"""By what factor the channel of nuclei must look more like it than the next one."""

_SMALLEST = 20  # pixels; what is smaller is no nucleus, and has no shape to speak of


def nuclear_look(image: NDArray[np.generic]) -> float:
    """How much an image looks like one of nuclei: 0 not at all, 1 if it shows even disks on an even ground.

    The share of the variance that one threshold (Otsu 1979) explains, times the mean roundness, 4π·area/perimeter²,
    of what lies above it, by area. Stains of the cell's body are less even, and what lies above their threshold is
    ragged and runs together.

    Parameters
    ----------
    image
        (H, W) of any exposure and background.
    """
    from skimage.filters import threshold_otsu
    from skimage.measure import label, regionprops

    values = np.nan_to_num(np.asarray(image).astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = np.quantile(values, (0.01, 0.999))
    if not high > low:
        return 0.0
    smooth = ndi.gaussian_filter(np.clip((values - low) / (high - low), 0, 1), 1)
    above = ndi.binary_opening(smooth > threshold_otsu(smooth))  # type: ignore[no-untyped-call]
    share = float(above.mean())
    if not 0 < share < 1:
        return 0.0
    apart = share * (1 - share) * (smooth[above].mean() - smooth[~above].mean()) ** 2 / smooth.var()
    shapes = [(one.area, one.perimeter) for one in regionprops(label(above)) if one.area >= _SMALLEST]  # type: ignore[no-untyped-call]
    if not shapes:
        return 0.0
    area, edge = np.transpose(shapes)
    edge = np.maximum(edge, 1)
    return float(apart * np.average(np.minimum(4 * np.pi * area / edge**2, 1), weights=area))


def clearest(looks: Sequence[float]) -> int | None:
    """Number of the one that shows nuclei by its `nuclear_look`; None where that is not clear, or there is no other."""
    if len(looks) < 2:
        return None
    best, next_one = (int(at) for at in np.argsort(looks)[::-1][:2])
    return best if looks[best] >= max(LEAST, CLEARLY * looks[next_one]) else None
