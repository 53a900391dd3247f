"""What structures alone say: physicochemical descriptors, nearest neighbours, and effects guessed from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_impa.engine.describing.fingerprint import fingerprint, read_molecule, tanimoto

DESCRIPTORS = (
    "MolWt", "MolLogP", "TPSA", "NumHDonors", "NumHAcceptors", "NumRotatableBonds", "NumAromaticRings",
    "FractionCSP3", "HeavyAtomCount", "RingCount",
)  # fmt: skip
"""RDKit's descriptors that are compared by: size, how it dissolves, and how stiff it is."""


def physicochemical(smiles: Sequence[str]) -> NDArray[np.float64]:
    """(K, 10) `DESCRIPTORS` of compounds.

    Raises
    ------
    ConditionError, MissingDependencyError
        As `read_molecule`.
    """
    molecules = [read_molecule(one) for one in smiles]
    from rdkit.Chem import Descriptors

    return np.array([[float(getattr(Descriptors, name)(m)) for name in DESCRIPTORS] for m in molecules]).reshape(
        len(molecules), len(DESCRIPTORS)
    )


def fingerprints(smiles: Sequence[str]) -> NDArray[np.float64]:
    """(K, 1024) Morgan fingerprints (bits)."""
    return np.stack([fingerprint(one, "bit") for one in smiles]).astype(np.float64)


def guessed_by_descriptors(
    descriptors: NDArray[np.float64], known: NDArray[np.float64], *, penalty: float = 1.0
) -> NDArray[np.float64]:
    """(K,) effects guessed by ridge regression on descriptors (K, p), each from the other compounds alone.

    Parameters
    ----------
    known
        (K,) effects that are known of real cells; NaN of the others. With fewer than 3 others nothing is guessed.
    """
    middle, spread = descriptors.mean(0), descriptors.std(0)
    ready = (descriptors - middle) / np.where(spread > 0, spread, 1)
    out = np.full(len(known), np.nan)
    for row in range(len(known)):
        others = np.flatnonzero(np.isfinite(known) & (np.arange(len(known)) != row))
        if len(others) < 3:
            continue
        x, y = ready[others], known[others]
        mean = x.mean(0)
        weights = np.linalg.solve(
            (x - mean).T @ (x - mean) + penalty * np.eye(x.shape[1]), (x - mean).T @ (y - y.mean())
        )
        out[row] = y.mean() + (ready[row] - mean) @ weights
    return out


def guessed_by_neighbour(prints: NDArray[np.float64], known: NDArray[np.float64]) -> NDArray[np.float64]:
    """(K,) the known effect of the other compound of the most similar fingerprint; NaN where there is none."""
    out = np.full(len(known), np.nan)
    for row, one in enumerate(prints):
        others = np.flatnonzero(np.isfinite(known) & (np.arange(len(known)) != row))
        if len(others):
            out[row] = known[others[np.argmax(tanimoto(one, prints[others]))]]
    return out


def leaders(
    items: NDArray[np.float64],
    like: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]],
    least: float,
) -> NDArray[np.intp]:
    """(K,) cluster of each item, from 1: it joins the first leader that it is `least` alike, or leads a new one.

    Sphere exclusion (Hartigan's leader algorithm, 1975): the order counts, so that the strongest come first.

    Parameters
    ----------
    items
        (K, …) by rank; one with a missing value is in no cluster (0).
    like
        (…,) and (L, …) → (L,) how alike they are.
    """
    heads: list[int] = []
    found = np.zeros(len(items), np.intp)
    for row, item in enumerate(items):
        if not np.isfinite(item).all():
            continue
        alike = like(item, items[heads]) if heads else np.zeros(0)
        if len(alike) and alike.max() >= least:
            found[row] = int(alike.argmax()) + 1
        else:
            heads.append(row)
            found[row] = len(heads)
    return found
