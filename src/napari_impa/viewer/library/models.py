"""The models that the Perturb dock offers: bundled, fetched, recent runs, files the user opened, and those to fetch."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari.utils.notifications import show_warning

from napari_impa.cells.beside import replacing
from napari_impa.errors import ModelError
from napari_impa.viewer.kit.texts import plain
from napari_impa.viewer.library.settings import Settings, SettingsError, cache_folder, chosen_device, read_settings
from napari_impa.watch import Token

if TYPE_CHECKING:
    from napari_impa.engine.model.model import IMPA
    from napari_impa.work.catalog import CatalogEntry

RECENT = "recent-models.json"
"""File of the cache folder."""

_MOST_RECENT = 8


@dataclass(frozen=True)
class Choice:
    """One line of the list of models: what it shows, what `catalog.load_model` takes, and what is said of it.

    `to_fetch` is the size of a model that is not here yet, in words; empty where it is here. `channels` and
    `pixel_size` (µm) are the model's, as far as they are known.
    """

    title: str
    key: str
    about: str = ""
    to_fetch: str = ""
    channels: tuple[str, ...] = ()
    pixel_size: float | None = None


@dataclass(frozen=True, eq=False)
class Loaded:
    """A model that was loaded, with what takes a while to say of it, and how many cells to predict at a time."""

    key: str
    model: IMPA
    hash: str
    device: str
    batch_size: int = Settings.batch_size


def choices(token: Token | None = None) -> list[Choice]:
    """List bundled and fetched models, then recent ones that are still there, then those that can be fetched.

    The first call imports torch, so that docks make it in the background.
    """
    from napari_impa.work.catalog import catalog

    models = [entry for entry in catalog(read_settings().cache) if entry.kind != "images"]
    here = [_of_entry(entry) for entry in models if entry.is_here]
    return [*here, *(_of_recent(path) for path in recent()), *(_of_entry(one) for one in models if not one.is_here)]


def _of_entry(entry: CatalogEntry) -> Choice:
    where = "" if entry.is_here else f" · fetch {entry.megabytes}"
    to_fetch = "" if entry.is_here else entry.megabytes
    return Choice(f"{entry.title}{where}", entry.name, _about(entry), to_fetch, entry.channels, entry.pixel_size)


def _about(entry: CatalogEntry) -> str:
    task = {"batch": "batch correction"}.get(entry.task, entry.task)
    named = {"Task": task, "Licence": entry.card.licence, "Cite": entry.card.citation}
    named |= {"Comes with": "napari-impa"} if entry.kind == "bundled" else {}
    return "\n".join([entry.description, *(f"{name}: {value}" for name, value in named.items() if value)])


def _of_recent(path: Path) -> Choice:
    """As `of_path`, with what the file says of itself: for the background."""
    from napari_impa.engine.training.run_folder.run import Run
    from napari_impa.work.catalog import of_file

    choice = of_path(path)
    try:
        entry = of_file(Run(path).model_path if path.is_dir() else path)
    except ModelError:  # said when it is chosen
        return choice
    about = f"{path}\n{_about(entry)}"
    return replace(choice, about=about, channels=entry.channels, pixel_size=entry.pixel_size)


def of_path(path: str | Path) -> Choice:
    """Make the line of the list for a model file or run folder."""
    path = Path(path)
    name = path.parent.name if path.name == "model.impa" else path.stem if path.suffix == ".impa" else path.name
    return Choice(f"{name} ({path.parent})", str(path))


def recent() -> list[Path]:
    """Models trained or opened lately, newest first; only those that still exist."""
    try:
        file = read_settings().cache / RECENT
        paths = [Path(text) for text in json.loads(file.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        return []
    return [path for path in paths if path.exists()]


def remember(path: str | Path) -> None:
    """Put a model at the top of the recent ones; where the list cannot be written, that is told."""
    path = Path(path).resolve()
    kept = [str(path)] + [str(other) for other in recent() if other != path]
    try:
        with replacing(cache_folder() / RECENT) as partial:
            partial.write_text(json.dumps(kept[:_MOST_RECENT], indent=1), encoding="utf-8")
    except SettingsError as error:
        show_warning(plain(str(error)))
    except OSError:
        return


def load(token: Token, key: str) -> Loaded:
    """Load a model onto the device that the preferences name, leaving torch one core less than there are.

    Raises
    ------
    ModelError
        As `catalog.load_model`.
    SettingsError
        If that device is not there.
    """
    from napari_impa.engine.device import leave_a_core_free
    from napari_impa.work.catalog import load_model

    leave_a_core_free()
    model = load_model(key, read_settings().cache)
    token.check()
    device = chosen_device()
    return Loaded(key, model.to(device.device), model.hash, device.reason, read_settings().batch_size)
