"""How conditions are described to the mapping network: one file a kind of description, and the list of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from napari_impa.engine.describing.description import Description
from napari_impa.engine.describing.fingerprint import BitFingerprint, CountFingerprint
from napari_impa.engine.describing.learned import Learned
from napari_impa.engine.describing.table import Table

DESCRIPTIONS: tuple[type[Description], ...] = (Learned, BitFingerprint, CountFingerprint, Table)
"""Every kind; the first is the default, and what numbers are taken for that no other kind can be told from."""

DESCRIBED = tuple(kind for kind in DESCRIPTIONS if kind.needs)
"""Those that take a condition which the model was not trained on."""

BY_SMILES = tuple(kind for kind in DESCRIPTIONS if kind.needs == "smiles")
BY_FILE = tuple(kind for kind in DESCRIPTIONS if kind.needs == "file")


def names_of(kinds: Iterable[type[Description]]) -> tuple[str, ...]:
    """Names of kinds, as `TrainingSettings.description` has them."""
    return tuple(kind.kind for kind in kinds)


def kind_named(name: str) -> type[Description] | None:
    """Return the kind of a name (`learned`, `bit`, …), as models and new conditions have it."""
    return next((kind for kind in DESCRIPTIONS if kind.kind == name), None)


def kind_asked(text: str) -> type[Description] | None:
    """Return the kind that a training is told: by its name, or by the path of its file; None where it is neither.

    >>> [kind_asked(text).kind for text in ("bit", "genes.csv")], kind_asked("bits")
    (['bit', 'table'], None)
    """
    ending = Path(text).suffix.casefold()
    named = (kind for kind in DESCRIPTIONS if kind.needs != "file" and kind.kind == text)
    by_file = (kind for kind in BY_FILE if ending in kind.endings)
    return next(named, None) or next(by_file, Table if ending else None)


def kind_told(vectors: NDArray[Any]) -> type[Description]:
    """Tell the kind of an embedding table (K, e) from its values; other numbers may be learned or from a table."""
    return next((kind for kind in DESCRIPTIONS if kind.telling and kind.fits(vectors)), DESCRIPTIONS[0])


def read_description(values: Mapping[str, Any], unseen: NDArray[Any]) -> Description:
    """Read what `Description.to_json` wrote, with the vectors (U, e) of the conditions that were not trained on.

    Raises
    ------
    ValueError
        If this version does not know the kind.
    KeyError
        If a value is missing.
    """
    kind = kind_named(values["kind"])
    if kind is None:
        raise ValueError(f"conditions are described by {values['kind']!r}, which this version does not know")
    return kind.from_json(values, unseen)
