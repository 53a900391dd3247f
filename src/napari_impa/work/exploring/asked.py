"""What a screen is asked of: the conditions of a model, and compounds of a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from napari_impa.engine.describing.new_condition import NewCondition, Target
from napari_impa.engine.model.model import IMPA
from napari_impa.errors import ConditionError
from napari_impa.work.exploring.compound_file import read_compounds


def screened_targets(
    model: IMPA, names: Sequence[str] | None = None, smiles: Path | None = None
) -> tuple[tuple[Target, ...], tuple[str, ...]]:
    """Conditions of a model, and compounds of a file, each under a name of its own.

    Parameters
    ----------
    names
        Of conditions; None for all that the model knows, but for the control.
    smiles
        As `read_compounds` takes it.

    Returns
    -------
    targets, unread
        What can be screened, and in words what was left out.

    Raises
    ------
    ConditionError
        If a name is not known, or the model cannot take structures.
    """
    known = [one for one in (*model.conditions, *model.unseen) if one != model.control]
    targets: list[Target] = list(dict.fromkeys(known if names is None else names))
    for name in targets:
        model.embedding(name)
    if smiles is None:
        return tuple(targets), ()
    if not any(one.needs == "smiles" for one in model.descriptions):
        raise ConditionError(f"The conditions of the model {model.name!r} are not described by structures.")
    found, taken, unread = read_compounds(smiles), set(map(str, targets)), []
    for compound in found.compounds:
        name, count = compound.name, 1
        while name in taken:
            count += 1
            name = f"{compound.name} ({count})"
        taken.add(name)
        one = NewCondition(name, smiles=compound.smiles, dose=compound.dose)
        try:
            model.embedding(one)
        except ConditionError as error:
            unread.append(f"{name}: {error}")
            continue
        targets.append(one)
    if len(unread) == len(found.compounds):
        raise ConditionError(f"The model {model.name!r} takes none of these compounds. {unread[0]}")
    return tuple(targets), (*found.unread, *unread)
