"""What a form and the command line say of a setting: its name, its help, its range, and when it has a meaning."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, get_type_hints


@dataclass(frozen=True)
class About:
    """What a form says of a setting, and when and how it asks for it.

    Parameters
    ----------
    help, label
        One phrase, which the command line shows too; and the name of its row.
    group
        `essential` settings are seen, `conditions` too where the folder gives a choice, `advanced` ones are folded
        away; `budget` and `data` are asked for by parts of their own.
    unit
        Behind a number.
    low, high
        Range of a number.
    choices
        Value and words of each, where the values are few.
    offered
        Where the choices come from instead: `sizes`, `devices`, `descriptions`, or columns for a `dose`, `smiles` or
        `modality`.
    automatic
        Word for None, or for the lowest number where that switches something off.
    when
        Another setting, and the values of it with which alone this one has a meaning; none for any but its default.
    tasks
        Tasks that it has a meaning for.
    """

    help: str
    label: str = ""
    group: str = "advanced"
    unit: str = ""
    low: float = 0
    high: float = 9999
    choices: tuple[tuple[str, str], ...] = ()
    offered: str = ""
    automatic: str = ""
    when: tuple[str, tuple[str, ...]] | None = None
    tasks: tuple[str, ...] = ("perturbation", "batch")


def option(default: Any, help: str, **more: Any) -> Any:
    """Make a field of `TrainingSettings`, with what `About` says of it."""
    metadata = {"help": help, "about": About(help, **more)}
    if callable(default):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


def about_settings(settings: type) -> dict[str, tuple[Any, Any, About]]:
    """Type, default and `About` of every field of a class of settings; torch is not needed."""
    types = get_type_hints(settings)
    return {
        entry.name: (types[entry.name], entry.default, entry.metadata["about"])
        for entry in dataclasses.fields(settings)
    }
