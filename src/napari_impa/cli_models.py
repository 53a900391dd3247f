"""The commands under `models`: what models there are, what one is, and converting published ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App

from napari_impa.console import Several, description_of
from napari_impa.errors import ImpaError

models_app = App(name="models", help="Models that can be used here.", result_action="return_value")


@models_app.command(name="list")
def list_models() -> None:
    """List the models that can be used here."""
    from napari_impa.catalog import bundled_models

    entries = bundled_models()
    if not entries:
        print("No model comes with this installation.")
    width = max((len(entry.name) for entry in entries), default=0)
    for entry in entries:
        print(f"{entry.name:<{width}}  {entry.header['task']}  {entry.description}")


@models_app.command
def info(model: str) -> None:
    """Say what a model is: channels, conditions, how it was trained.

    Parameters
    ----------
    model
        A `.impa` file, a run folder, or the name of a bundled model.
    """
    from napari_impa.catalog import load_model

    chosen = load_model(model)
    print(f"{chosen.name} ({chosen.task}, {chosen.hash}): {chosen.describe()}")
    print(f"Channels: {', '.join(chosen.channels)}")
    print(f"Pixel size: {chosen.pixel_size or 'unknown'}{' µm' if chosen.pixel_size else ''}")
    if chosen.control is not None:
        print(f"Control: {chosen.control}, {chosen.counts.get(chosen.control, 0):,} cells")
    for description in chosen.descriptions:
        print(f"{description.modality or 'Conditions'}: {description.kind}{' with dose' if description.dose else ''}")
    for name in chosen.conditions:
        print(f"  {name}: {chosen.counts.get(name, 0):,} cells")
    for name in chosen.unseen:
        print(f"  {name}: not trained on, known by its description")
    if chosen.hold_out:
        print(
            "Held out: " + ", ".join(f"{column} = {' or '.join(values)}" for column, values in chosen.hold_out.items())
        )
    if "steps" in chosen.history:
        facts = chosen.history
        minutes = facts["seconds"] / 60
        print(f"Trained for {facts['steps']:,} steps in {minutes:.1f} minutes on {facts['device']}, {facts['date']}.")
    if "score" in chosen.history:
        print(f"Held-out score {chosen.history['score']:.3f} (lower is better; 1: the cells left as they are).")


@models_app.command(name="import")
def import_model(
    folder: Path,
    *,
    out: Path,
    names: Path | None = None,
    column: str | None = None,
    control: str | None = None,
    smiles: str | None = None,
    modality: str | None = None,
    description: Annotated[list[str] | None, Several] = None,
    channels: Annotated[list[str] | None, Several] = None,
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
    names
        CSV table of its training; conditions are called `condition 1`, `condition 2`, … without it.
    column
        Column of the conditions' names; guessed where not given.
    control
        Name of the untreated control; guessed where not given.
    smiles
        Column of SMILES, by which fingerprints are matched; guessed where one is called smiles.
    modality
        Column that names the kind of perturbation, for a model of several.
    description
        learned, bit, count or table, or MODALITY=KIND; told from the values where not given.
    channels
        Names of the channels, in order.
    task
        What it was trained for.
    overwrite
        Replace `out` where it exists.
    """
    from napari_impa.engine.naming import Naming
    from napari_impa.engine.published import model_of

    out = out if out.suffix == ".impa" else out.with_name(out.name + ".impa")
    if out.exists() and not overwrite:
        raise ImpaError(f"{out} exists already; choose another name, or give --overwrite.")
    naming = None if names is None else Naming(names, column, control, smiles, modality)
    model = model_of(folder, naming=naming, channels=channels, task=task, description=description_of(description))
    model.save(out)
    print(f"{model.describe()}: {', '.join(model.conditions[:12])}{' …' if len(model.conditions) > 12 else ''}")
    print(f"Saved {out}.")
