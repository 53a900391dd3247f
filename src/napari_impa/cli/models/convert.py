"""The command `models import`: a published checkpoint folder to a model file."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from napari_impa.cli.console import description_of
from napari_impa.cli.models.unsaid import NOTHING, Unsaid
from napari_impa.errors import ImpaError


def import_model(
    folder: Path,
    *,
    out: Path,
    unsaid: Unsaid = NOTHING,
    task: Literal["perturbation", "batch"] = "perturbation",
    overwrite: bool = False,
) -> None:
    """Convert a checkpoint folder in the layout that IMPA was published in to a `.impa` file.

    Parameters
    ----------
    folder
        It holds files like `000200_nets.ckpt` and `000200_embeddings.ckpt`.
    out
        The `.impa` file to make.
    task
        What it was trained for.
    overwrite
        Replace `out` where it exists.
    """
    from napari_impa.engine.published.checkpoint_folder import model_of
    from napari_impa.engine.published.naming import Naming

    out = out if out.suffix == ".impa" else out.with_name(out.name + ".impa")
    if out.exists() and not overwrite:
        raise ImpaError(f"{out} exists already; choose another name, or give --overwrite.")
    naming = None
    if unsaid.names is not None:
        naming = Naming(unsaid.names, unsaid.column, unsaid.control, unsaid.smiles, unsaid.modality)
    kinds = description_of(unsaid.description)
    model = model_of(folder, naming=naming, channels=unsaid.channels, task=task, description=kinds)
    model.save(out)
    print(f"{model.describe()}: {', '.join(model.conditions[:12])}{' …' if len(model.conditions) > 12 else ''}")
    print(f"Saved {out}.")
