"""What a published checkpoint does not say itself, as options of `models fetch` and `models import`."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from napari_impa.cli.console import Several, description_of
from napari_impa.engine.describing import DESCRIPTIONS, names_of

DESCRIPTION = Parameter(
    help=f"How conditions are described: {', '.join(names_of(DESCRIPTIONS))}, or MODALITY=KIND; known or told from the "
    "values where not given."
)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Unsaid:
    """What a published checkpoint does not say itself.

    Parameters
    ----------
    names
        CSV table of its training; conditions that nothing names are called `condition 1`, `condition 2`, ….
    column
        Column of the conditions' names; known or guessed where not given.
    control
        Name of the untreated control; known or guessed where not given.
    smiles
        Column of SMILES, by which fingerprints are matched; guessed where one is called smiles.
    modality
        Column that names the kind of perturbation, for a model of several; known or guessed where not given.
    channels
        Names of the channels, in order.
    """

    names: Path | None = None
    column: str | None = None
    control: str | None = None
    smiles: str | None = None
    modality: str | None = None
    description: Annotated[list[str] | None, Several, DESCRIPTION] = None
    channels: Annotated[list[str] | None, Several] = None

    def given(self) -> dict[str, Any]:
        """What is given, by the parameters of `fetch_archive_model`."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        values["description"] = description_of(self.description)
        return {name: value for name, value in values.items() if value}


NOTHING = Unsaid()
