"""Profiles: one description of many cells together, a well's or, where there are no wells, a group's."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_impa.errors import CellsError

GROUP = 25
"""Cells of a group, where there are no wells."""


def profiles_of(
    features: NDArray[np.float64], wells: ArrayLike | None = None, *, group: int = GROUP, seed: int = 0
) -> NDArray[np.float64]:
    """Medians of the features of cells of a well, as profiles are usually made (Caicedo et al., Nat. Methods 2017).

    Parameters
    ----------
    features
        (N, D) of the cells of one condition.
    wells
        (N,) the well of each; without, cells are dealt at random to groups of about `group`, but to two at least.
    group
        Cells of a group.
    seed
        Of the groups.

    Returns
    -------
    (profiles, D), in the order of the wells' names.

    Raises
    ------
    CellsError
        If there are fewer than two cells, or a well is not given for each.
    """
    features = np.asarray(features, np.float64)
    if wells is None:
        if len(features) < 2:
            raise CellsError(f"Profiles need two cells or more, not {len(features)}.")
        order = np.random.default_rng([seed, 22]).permutation(len(features))
        parts = np.array_split(order, max(2, round(len(features) / group)))
    else:
        names = np.asarray(wells).astype(str)
        if len(names) != len(features) or not len(names):
            raise CellsError(f"Profiles need the well of each cell: {len(names)} of {len(features)} are given.")
        parts = [np.flatnonzero(names == name) for name in np.unique(names)]
    return np.stack([np.median(features[part], axis=0) for part in parts])
