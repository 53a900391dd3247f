"""Compounds by their Morgan fingerprints: which substructures occur (bit), or how often (count)."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from napari_impa.engine.describing.description import Description, Vector
from napari_impa.errors import ConditionError, MissingDependencyError

if TYPE_CHECKING:
    import pandas as pd

RADIUS, BITS = 2, 1024
"""Of the Morgan fingerprints that IMPA was published with."""


def read_molecule(smiles: str) -> Any:
    """Read a SMILES into RDKit's molecule.

    Raises
    ------
    ConditionError
        If the SMILES cannot be read.
    MissingDependencyError
        If RDKit is not installed.
    """
    try:
        from rdkit import Chem, rdBase
    except ImportError as error:
        raise MissingDependencyError(
            'Fingerprints need RDKit; install it with: pip install "napari-impa[chem]".'
        ) from error
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles) if smiles.strip() else None
    if molecule is None:
        raise ConditionError(f"{smiles!r} cannot be read as a SMILES; correct it.")
    return molecule


@lru_cache(maxsize=8192)
def fingerprint(smiles: str, kind: str, bits: int = BITS) -> Vector:
    """(bits,) Morgan fingerprint of a compound: radius 2, without chirality (Rogers & Hahn, J Chem Inf Model 2010).

    Parameters
    ----------
    smiles
        The compound.
    kind
        `bit` or `count`.
    bits
        Length.

    Raises
    ------
    ConditionError, MissingDependencyError
        As `read_molecule`.
    """
    molecule = read_molecule(smiles)
    from rdkit.Chem import rdFingerprintGenerator

    generator = rdFingerprintGenerator.GetMorganGenerator(radius=RADIUS, fpSize=bits, includeChirality=False)
    draw = generator.GetCountFingerprintAsNumPy if kind == "count" else generator.GetFingerprintAsNumPy
    vector: Vector = draw(molecule).astype(np.float32)
    vector.flags.writeable = False  # it is cached
    return vector


def tanimoto(one: NDArray[Any], others: NDArray[Any]) -> NDArray[np.float64]:
    """Tanimoto similarity Σ min(a, b) / Σ max(a, b) of a fingerprint (bits,) to others (K, bits).

    For bits this is the number of common bits over that of bits in either; for counts the min/max form, as in
    `rdkit.DataStructs.TanimotoSimilarity` (Ralaivola et al., Neural Networks 18:1093, 2005). Two empty fingerprints
    have similarity 0.
    """
    one, others = np.asarray(one, np.float64), np.asarray(others, np.float64)
    common, either = np.minimum(one, others).sum(-1), np.maximum(one, others).sum(-1)
    found: NDArray[np.float64] = np.divide(common, either, out=np.zeros_like(common), where=either > 0)
    return found


class Fingerprint(Description):
    """What both kinds of fingerprint share; they look alike and are not interchangeable."""

    needs = "smiles"
    package = "rdkit"
    telling = True

    @classmethod
    def of_training(
        cls, facts: pd.DataFrame, modality: str, path: str, *, standardize: bool
    ) -> tuple[Self, NDArray[Any]]:
        """(K, 1024) fingerprints; a control without a structure has none of the substructures."""
        nothing = np.zeros_like(cls.of_smiles("C"))
        return cls(modality), np.stack([cls.of_smiles(s) if s else nothing for s in facts["smiles"]])

    @classmethod
    def of_smiles(cls, smiles: str, size: int | None = None) -> Vector:
        """(size,) fingerprint, 1024 long where not said."""
        return fingerprint(smiles, cls.kind, BITS if size is None else size)

    @classmethod
    def similarity(cls, one: NDArray[Any], others: NDArray[Any]) -> NDArray[np.float64]:
        """See `tanimoto`."""
        return tanimoto(one, others)


class BitFingerprint(Fingerprint):
    """Whether each substructure occurs."""

    kind = "bit"
    label = "structure (bits)"
    help = "bit (Morgan fingerprints: which substructures occur)"
    tip = (
        "Structure (bits): which substructures occur in the compound, by Morgan fingerprints of its SMILES, so that "
        "new compounds can be asked for; needs RDKit."
    )
    plural = "bit fingerprints"
    singular = "a bit fingerprint"
    advice = "give a SMILES, or a vector of the kind bit"
    wanted = "0 and 1"

    @classmethod
    def fits(cls, vectors: NDArray[Any]) -> bool:
        """Whether they hold nothing but 0 and 1."""
        return bool(np.isin(vectors, (0, 1)).all())


class CountFingerprint(Fingerprint):
    """How often each substructure occurs."""

    kind = "count"
    label = "structure (counts)"
    help = "count (how often they occur)"
    tip = "Structure (counts): how often they occur."
    plural = "count fingerprints"
    singular = "a count fingerprint"
    advice = "give a SMILES, or a vector of the kind count"
    wanted = "whole ones from 0 up"

    @classmethod
    def fits(cls, vectors: NDArray[Any]) -> bool:
        """Whether they are whole numbers from 0 up."""
        return bool((vectors >= 0).all() and (vectors == np.round(vectors)).all())
