"""A compound as it was read from a SMILES: its structure drawn, and the training compounds that are most like it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.engine.describing.fingerprint import read_molecule
from napari_impa.engine.model.model import IMPA
from napari_impa.errors import ConditionError

NEAR = 0.4
"""Tanimoto similarity below which a compound is called unlike another.

19 of 20 pairs of drug-like molecules picked at random are below 0.27 in Morgan fingerprints of radius 2 (G. Landrum,
RDKit blog, 2021-05-21); 0.4 is well above that noise, and leaves room for counts, which run a little higher than bits.
"""


@dataclass(frozen=True)
class Compound:
    """A structure that was read.

    Parameters
    ----------
    smiles
        As it was given; fingerprints are taken of it.
    canonical
        RDKit's canonical SMILES of what was read.
    name
        What stood behind the SMILES (`CCO ethanol`, as in .smi files); else empty.
    """

    smiles: str
    canonical: str
    name: str = ""


def read_compound(text: str) -> Compound:
    """Read a SMILES, with or without a name behind it.

    Raises
    ------
    ConditionError
        If the SMILES cannot be read.
    MissingDependencyError
        If RDKit is not installed.
    """
    from_text = text.split(maxsplit=1)
    smiles = from_text[0] if from_text else ""
    molecule = read_molecule(smiles)
    from rdkit import Chem

    return Compound(smiles, Chem.MolToSmiles(molecule), from_text[1].strip() if len(from_text) > 1 else "")


def draw_compound(smiles: str, *, dark: bool = False, width: int = 300, height: int = 150) -> str:
    """Draw a structure as SVG on a transparent ground, in the colours of RDKit for a light or a dark one.

    Raises
    ------
    ConditionError, MissingDependencyError
        As `read_compound`.
    """
    molecule = read_molecule(smiles)
    from rdkit.Chem.Draw import rdMolDraw2D

    drawer = rdMolDraw2D.MolDraw2DSVG(width, height)
    if dark:
        rdMolDraw2D.SetDarkMode(drawer)
    options: Any = drawer.drawOptions()
    options.clearBackground = False
    options.fixedBondLength = 30  # a small molecule is not blown up
    rdMolDraw2D.PrepareAndDrawMolecule(drawer, molecule)
    drawer.FinishDrawing()
    return drawer.GetDrawingText()


def nearest_compounds(model: IMPA, smiles: str, count: int = 5, *, modality: str | None = None) -> pd.DataFrame:
    """Find the compounds that a model was trained on and that are most like a new one.

    Parameters
    ----------
    model
        Its conditions are described by fingerprints, in one modality at least.
    smiles
        The new compound.
    count
        Most compounds to return.
    modality
        Kind of perturbation to look in; None for all that have fingerprints.

    Returns
    -------
    pandas.DataFrame
        Most similar first: `condition`, the first one of the compound; `conditions`, how many the compound has (as many
        as doses, say); `similarity`, as the model's own kind of description measures it (`tanimoto`).

    Raises
    ------
    ConditionError
        If the model knows no fingerprints, or the SMILES cannot be read.
    MissingDependencyError
        If RDKit is not installed.
    """
    parts, start = [], 0
    for number, description in enumerate(model.descriptions):
        names = model.conditions[start : start + model.shape.conditions[number]]
        start += len(names)
        if description.needs != "smiles" or modality not in (None, description.modality):
            continue
        bits = description.length(model.shape.embedding_dims[number])
        table = model.networks.table(number).weight.detach().cpu().numpy()[:, :bits]
        known, first, counts = np.unique(table, axis=0, return_index=True, return_counts=True)
        parts.append(
            pd.DataFrame(
                {
                    "condition": [names[row] for row in first],
                    "conditions": counts,
                    "similarity": description.similarity(description.of_smiles(smiles, bits), known),
                }
            )[known.any(axis=1)]  # a control without a structure is no compound
        )
    if not parts:
        raise ConditionError(f"The conditions of the model {model.name!r} are not described by fingerprints.")
    found = pd.concat(parts, ignore_index=True)
    return found.sort_values(["similarity", "condition"], ascending=[False, True], ignore_index=True).head(count)


def unseen_similarities(model: IMPA) -> dict[str, float]:
    """How like the most similar condition of the training each is that the model knows by description alone.

    Returns
    -------
    For each condition of `IMPA.unseen` that is described by its structure, the similarity (`tanimoto`, 0 … 1) to the
    nearest compound that the training saw.
    """
    nearest, start = {}, 0
    for number, description in enumerate(model.descriptions):
        names = model.conditions[start : start + model.shape.conditions[number]]
        start += len(names)
        if description.needs != "smiles":
            continue
        bits = description.length(model.shape.embedding_dims[number])
        known = model.networks.table(number).weight.detach().cpu().numpy()[:, :bits]
        for name, vector in description.unseen.items():
            nearest[name] = float(np.max(description.similarity(np.asarray(vector)[:bits], known)))
    return nearest


def training_doses(model: IMPA, modality: str | None = None) -> NDArray[np.float64]:
    """Doses above 0 that a model was trained on, ascending, to three digits; empty where doses are no feature."""
    doses: list[float] = []
    for number, description in enumerate(model.descriptions):
        if description.dose is not None and modality in (None, description.modality):
            feature = model.networks.table(number).weight[:, -1].detach().cpu().numpy().astype(float)
            doses += [float(f"{10 ** (value / description.dose) - 1:.3g}") for value in feature]
    return np.unique([dose for dose in doses if dose > 1e-6])
