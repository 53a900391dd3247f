"""The commands under `models`: what there is, what one is, fetching, sharing, and converting published ones."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

from napari_impa.cli.console import Several, description_of, progress_bar
from napari_impa.engine.describing import DESCRIPTIONS, names_of
from napari_impa.errors import ImpaError
from napari_impa.work.text_table import aligned

if TYPE_CHECKING:
    from napari_impa.engine.model.card import Card
    from napari_impa.engine.model.model import IMPA

models_app = App(name="models", help="Models and images: list, fetch, share.", result_action="return_value")


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


@models_app.command(name="list")
def list_models() -> None:
    """List models and images: those here, and those that can be fetched."""
    from napari_impa.fetching.cache import cache_folder
    from napari_impa.work.catalog import catalog

    rows = [("name", "task", "channels", "px", "conditions", "size", "where")]
    for entry in catalog():
        where = {"bundled": "bundled"}.get(entry.kind, "here") if entry.is_here else "to fetch"
        about = "" if entry.is_here else "about "
        channels = ", ".join(entry.channels) if len(entry.channels) < 4 else str(len(entry.channels))
        count = "" if entry.kind == "images" else str(entry.count)
        side = str(entry.size or "")
        rows.append((entry.name, entry.task, channels, side, count, about + entry.megabytes, where))
    print("\n".join(aligned(rows, right=(3, 4, 5))))
    print(f"Fetched files are kept in {cache_folder()}.")


@models_app.command
def info(model: str) -> None:
    """Say what a model is: channels, conditions, how it was trained, its card.

    Parameters
    ----------
    model
        A name of `models list`, a `.impa` file or a run folder.
    """
    from napari_impa.engine.model.card import Card
    from napari_impa.work.catalog import find_entry, load_model

    entry = find_entry(model)
    if entry is not None and (entry.kind == "images" or not entry.is_here):
        where = str(entry.path) if entry.is_here else f"not here; napari-impa models fetch {entry.name}"
        print(f"{entry.name} ({entry.task}): {entry.description}")
        print(f"Channels: {', '.join(entry.channels)}")
        print(f"Where: {where}")
        if entry.conditions:
            print(f"Conditions: {', '.join(entry.conditions)}")
        _print_card(entry.card)
        return
    chosen = load_model(model)
    _print_model(chosen)
    if entry is not None:
        print(f"Where: {entry.path}, {entry.megabytes}")
    if chosen.card:
        _print_card(Card.parse(chosen.card))


def _print_model(chosen: IMPA) -> None:
    print(f"{chosen.name} ({chosen.task}, {chosen.hash}): {chosen.describe()}")
    print(f"Channels: {', '.join(chosen.channels)}")
    print(f"Pixel size: {chosen.pixel_size or 'unknown'}{' µm' if chosen.pixel_size else ''}")
    if chosen.control is not None:
        print(f"Control: {chosen.control}, {chosen.counts.get(chosen.control, 0):,} cells")
    for description in chosen.descriptions:
        print(f"{description.modality or 'Conditions'}: {description.kind}{' with dose' if description.dose else ''}")
    for name in chosen.conditions:
        print(f"  {name}: {chosen.counts[name]:,} cells" if name in chosen.counts else f"  {name}")
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


def _print_card(card: Card) -> None:
    named = {"Author": card.author, "Licence": card.licence, "DOI": card.doi, "Cite": card.citation}
    for name, value in named.items():
        if value:
            print(f"{name}: {value}")
    if card.text:
        print(f"\n{card.text}")


@models_app.command
def fetch(
    name: str,
    *,
    sha256: str | None = None,
    member: str | None = None,
    archive: str | None = None,
    unsaid: Unsaid = NOTHING,
) -> None:
    """Fetch a published model, sample images, or a `.impa` file that someone put on a server.

    What came before a break is kept: the same command goes on with it.

    Parameters
    ----------
    name
        A name of `models list`, or an address (https://…/NAME.impa).
    sha256
        SHA-256 of the file at that address, as its publisher says it.
    member
        Folder in the archive, where several fit a published model or none does.
    archive
        Another address of the archive of published models, a copy of your own say.
    """
    from napari_impa.fetching.archive import fetch_archive_model
    from napari_impa.fetching.archive_models import ARCHIVE, ARCHIVE_MODELS
    from napari_impa.fetching.cache import cache_folder
    from napari_impa.fetching.image_sets import IMAGE_SETS
    from napari_impa.watch import Reported
    from napari_impa.work import catalog

    folder = cache_folder()
    with progress_bar("MB") as show:
        watch = Reported(lambda done, of, what: show(round(done / 1e6, 1), round(of / 1e6, 1) or None, what))
        if catalog.is_address(name):
            print(f"Saved {catalog.fetch_model(name, folder, sha256=sha256, watch=watch).path}.")
            return
        for images in IMAGE_SETS:
            if images.name == name:
                print(f"Saved {images.fetch(folder, watch)[0].parent} ({images.licence}). Cite: {images.citation}")
                return
        for model in ARCHIVE_MODELS:
            if model.name == name:
                given = unsaid.given()
                entry = catalog.find_entry(name, folder)
                if not (given or member) and entry is not None and entry.is_here:
                    print(f"{name} is here: {entry.path}.")
                    return
                path, remark = fetch_archive_model(
                    model, folder, url=archive or ARCHIVE, member=member, watch=watch, **given
                )
                print(f"Saved {path}.")
                if remark:
                    print(remark)
                return
    known = ", ".join(entry.name for entry in catalog.catalog() if entry.kind in ("published", "images"))
    raise ImpaError(f"{name!r} cannot be fetched: neither an address (https://…/NAME.impa) nor one of {known}.")


@models_app.command
def remove(name: str) -> None:
    """Remove a fetched model or fetched images from this computer.

    Parameters
    ----------
    name
        A name of `models list`.
    """
    from napari_impa.work import catalog

    print(f"Removed {name}: {catalog.remove(name) / 1e6:.1f} MB freed.")


@models_app.command
def export(
    model: str,
    *,
    out: Path,
    card: Path | None = None,
    title: str | None = None,
    author: str | None = None,
    licence: str | None = None,
    doi: str | None = None,
    citation: str | None = None,
    description: str | None = None,
    half: bool = False,
    trainable: bool = False,
    overwrite: bool = False,
) -> None:
    """Write a model as one `.impa` file with its card, to share it.

    Parameters
    ----------
    model
        A run folder, a `.impa` file or a name of `models list`.
    out
        The `.impa` file to make.
    card
        Markdown file of the card; the options below replace its fields.
    title
        What lists show.
    author
        Who made it.
    licence
        Terms of use, say CC-BY-4.0.
    doi
        Where it is published.
    citation
        What to cite.
    description
        What it was trained on, how good it is, and where its limits are.
    half
        Weights as float16, half the size.
    trainable
        Keep the discriminator, with which a training can go on from this model.
    overwrite
        Replace `out` where it exists.
    """
    from napari_impa.engine.model.card import Card
    from napari_impa.work.catalog import load_model

    out = out if out.suffix == ".impa" else out.with_name(out.name + ".impa")
    if out.exists() and not overwrite:
        raise ImpaError(f"{out} exists already; choose another name, or give --overwrite.")
    chosen = load_model(model)
    known = Card.parse(chosen.card if card is None else card.read_text(encoding="utf-8"))
    known = known.with_fields(title=title, author=author, licence=licence, doi=doi, citation=citation, text=description)
    missing = [name for name in ("title", "author", "licence") if not getattr(known, name)]
    chosen.card, chosen.name = known.markdown(), out.stem
    chosen.save(out, compact=not trainable, half=half)
    print(f"Saved {out} ({out.stat().st_size / 1e6:.1f} MB).")
    if missing:
        print(f"Its card does not say: {', '.join(missing)}; give it as --{missing[0]}, so that others may use it.")


@models_app.command(name="import")
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
