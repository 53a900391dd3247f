"""Which columns of a folder's table can be a dose, SMILES or the kind of perturbation: only those are offered."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import pandas as pd

from napari_impa.cells.tables import condition_names, shortest
from napari_impa.cells.words import DOSE, SMILES
from napari_impa.watch import UNWATCHED, Watch

_SMILES = re.compile(r"[A-Za-z0-9@+\-\[\]()=#$/\\.%:*~]+")
_STRUCTURE = re.compile(r"[=#()\[\]]|[cno]\d|\d[cno]")
_LOOKED_AT = 200
_MOST_KINDS = 12


@dataclass(frozen=True)
class Offered:
    """Columns, the likeliest first; of a column that tells kinds of perturbation apart, the kinds too."""

    smiles: tuple[str, ...] = ()
    dose: tuple[str, ...] = ()
    modality: tuple[str, ...] = ()
    kinds: dict[str, tuple[str, ...]] = field(default_factory=dict)
    conditions: int = 0


def offer_columns(
    table: pd.DataFrame, label: tuple[str, ...] = (), control: str | None = None, *, watch: Watch = UNWATCHED
) -> Offered:
    """Find what the columns of a table can be, given which of them name conditions."""
    smiles = [str(name) for name in table.columns if looks_like_smiles(str(name), table[name])]
    smiles.sort(key=lambda name: SMILES.rank(name) or (len(SMILES.names) + 1, 0))
    watch.check()
    dose = [
        str(name)
        for name in DOSE.all(table)
        if pd.api.types.is_numeric_dtype(table[name]) and table[name].nunique() > 1
    ]
    kinds: dict[str, tuple[str, ...]] = {}
    conditions = 0
    if label:
        names = pd.Series(condition_names(table, label, control))
        treated = (names != (None if control is None else shortest(control))).to_numpy()
        conditions = int(names[treated].nunique())
        for name in table.columns:
            watch.check()
            if name in label or str(name) in smiles or pd.api.types.is_numeric_dtype(table[name]):
                continue
            found = kinds_in(table[name][treated], names[treated])
            if found:
                kinds[str(name)] = found
    return Offered(tuple(smiles), tuple(dose), tuple(kinds), kinds, conditions)


def looks_like_smiles(name: str, column: pd.Series) -> bool:
    """Whether a column holds SMILES: it is called so, or half of its texts can only be that."""
    if pd.api.types.is_numeric_dtype(column):
        return False
    texts = [str(value).strip() for value in column.dropna().unique()[:_LOOKED_AT]]
    texts = [text for text in texts if text]
    if not texts:
        return False
    if SMILES.fits(name):
        return True
    likely = [text for text in texts if _SMILES.fullmatch(text) and _STRUCTURE.search(text)]
    return all(_SMILES.fullmatch(text) for text in texts) and 2 * len(likely) >= len(texts)


def kinds_in(column: pd.Series, conditions: pd.Series) -> tuple[str, ...]:
    """Kinds of perturbation that a column tells apart, each condition being of one alone; empty where it is not so.

    Parameters
    ----------
    column
        Its values of treated cells.
    conditions
        The names of the same cells' conditions.
    """
    values = column.to_numpy()
    kinds = pd.unique(column.dropna())
    if not 2 <= len(kinds) <= _MOST_KINDS or column.isna().any() or conditions.nunique() <= len(kinds):
        return ()
    if (pd.Series(values).groupby(conditions.to_numpy()).nunique() > 1).any():
        return ()
    return tuple(sorted(map(str, kinds)))
