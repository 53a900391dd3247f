"""What `train --from MODEL --describe …` does: conditions of a finished model described, without any training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_impa.cli.console import progress_watch
from napari_impa.errors import ImpaError

if TYPE_CHECKING:
    from napari_impa.cells.choice import LayoutChoice

TAKEN = ("label", "control", "description", "smiles", "start_from")
"""Options of `train` that say something here, besides where things are."""


def describe(told: str, source: Path | None, out: Path | None, given: Mapping[str, Any], choice: LayoutChoice) -> None:
    """Describe the conditions of a model, say how good it is, and write the new one.

    Parameters
    ----------
    told
        What `--describe` says.
    source
        The plate, where there is one.
    out
        Folder or `.impa` file of the new model.
    given
        All other options of `train` that were given, by name.
    choice
        How the plate is read.

    Raises
    ------
    ImpaError
        If an option is missing or says nothing here, and as `describe_model` and `save_described`.
    """
    idle = sorted(f"--{name.replace('_', '-')}" for name, value in given.items() if value and name not in TAKEN)
    if idle:
        raise ImpaError(f"--describe fits a finished model and trains nothing; leave {' and '.join(idle)} out.")
    model, kind = given["start_from"], given["description"]
    if model is None or out is None:
        raise ImpaError("--describe takes a finished model; give --from MODEL, and --out for the new one.")
    if isinstance(kind, Mapping):
        raise ImpaError("--describe is for models of one kind of perturbation; give --description KIND.")
    from napari_impa.cells.source import open_source
    from napari_impa.engine.describing import BY_SMILES, names_of
    from napari_impa.work.describing import describe_model, require_free, save_described

    require_free(out)
    plate = None
    if source is not None and told in names_of(BY_SMILES):
        plate = open_source(source, choice=choice)
        print(plate.describe())
    elif source is not None:
        print("Styles are taken from the model, and descriptions from the table: the plate is not read.")
    with progress_watch("parts left out") as watch:
        found = describe_model(
            model, told, source=plate, kind=kind, label=given["label"] or (), control=given["control"],
            smiles=given.get("smiles"), watch=watch,
        )  # fmt: skip
    print("\n".join(found.lines))
    print(f"Saved {save_described(found, out)}.")
