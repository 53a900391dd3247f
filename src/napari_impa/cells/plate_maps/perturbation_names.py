"""What is in JUMP's wells, by the names that its tables have for some: of controls, genes, and of some compounds."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import pandas as pd

from napari_impa.cells.plate_maps.companions import JUMP_ID
from napari_impa.cells.words import Word, plain_name

COLUMN = "perturbation"
"""Of the names, or the ids where there is no name: a label for every well."""

_NAMES = Word(("pert_iname", "compound_name", "name", "symbol", "gene_symbol", "gene"))


@dataclass(frozen=True, eq=False)
class NamedPerturbations:
    """The values of a plate map with a column of names, and a sentence about it; none where nothing was to be done."""

    values: pd.DataFrame
    note: str = ""


def with_perturbation_names(values: pd.DataFrame) -> NamedPerturbations:
    """Add a column that calls what is in each well by its name, where a column of JUMP's ids and one of names are.

    JUMP's tables have names for controls and genes, and none for most compounds, so that neither a column of names nor
    the ids alone is a label to read. A name that several ids share (a gene of two libraries) stands with its id.

    Parameters
    ----------
    values
        Texts.
    """
    ids = next((str(name) for name in values.columns if plain_name(name) == JUMP_ID), None)
    names = _NAMES.all(values)
    if ids is None or COLUMN in map(plain_name, values.columns):
        return NamedPerturbations(values)
    called = values[ids].to_numpy(object).copy()
    used: list[str] = []
    for name in reversed(names):  # the preferred last, over the others
        texts = values[name].to_numpy(object)
        if (texts != "").any():
            called = np.where((texts != "") & (values[ids] != "").to_numpy(bool), texts, called)
            used.insert(0, name)
    if not used or any((values[name] != "").all() for name in used):
        return NamedPerturbations(values)
    of: defaultdict[str, set[str]] = defaultdict(set)
    for text, one in zip(called, values[ids], strict=True):
        of[str(text)].add(str(one))
    shared = np.array([len(of[str(text)]) > 1 for text in called], bool)
    called = np.where(shared, called + " (" + values[ids].to_numpy(object) + ")", called)
    note = f"{COLUMN} is by {' and '.join(used)}, or {ids} where there is none"
    if shared.any():
        note += "; names that several ids share stand with the id"
    return NamedPerturbations(values.assign(**{COLUMN: called}), f"{note}.")
