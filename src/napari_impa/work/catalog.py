"""The catalog: every model and image that comes with napari-impa or can be fetched; and how a name becomes a model."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from napari_impa.cache import cache_folder
from napari_impa.engine.model.card import Card
from napari_impa.engine.model.model import IMPA
from napari_impa.engine.model.tensor_file import read_header
from napari_impa.engine.published.checkpoint_folder import is_published, model_of
from napari_impa.errors import ModelError
from napari_impa.fetching.archive_models import MODELS, ArchiveModel, card_of
from napari_impa.fetching.archive_models import by_name as published_by_name
from napari_impa.fetching.image_sets import IMAGE_SETS

BUNDLED = Path(__file__).parents[1] / "models"
DEFAULT_MODEL = "simulated-screen"
"""The model that the demo shows."""

EntryKind = Literal["bundled", "published", "fetched", "images"]

_DAMAGED = (ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError)
"""What reading a model file raises whose header, though JSON perhaps, holds other things than it ought to."""


@dataclass(frozen=True)
class CatalogEntry:
    """One line of the catalog.

    Parameters
    ----------
    name
        What `load_model` and the command line take.
    title
        What a list shows.
    kind
        `bundled` in the package, `published` with IMPA, `fetched` from an address that the user gave, or `images`.
    task
        `perturbation`, `batch` or `images`.
    channels
        Their names.
    size
        Crop side in pixels; 0 of images.
    conditions
        Names of the conditions, as far as they are known.
    count
        How many conditions there are.
    bytes
        On disk, or to be fetched (about).
    path
        Where it is; None where it has to be fetched.
    card
        Licence, citation and the rest that is said of it.
    pixel_size
        µm a pixel of the cells that a model learned from; None where it is not known.
    """

    name: str
    title: str
    kind: EntryKind
    task: str
    channels: tuple[str, ...]
    size: int
    conditions: tuple[str, ...]
    count: int
    bytes: int
    path: Path | None
    card: Card
    pixel_size: float | None = None

    @property
    def is_here(self) -> bool:
        """Whether it can be used without a network."""
        return self.path is not None

    @property
    def megabytes(self) -> str:
        """Its size in words."""
        return f"{self.bytes / 1e6:.1f} MB" if self.bytes < 1e8 else f"{self.bytes / 1e6:.0f} MB"

    @property
    def description(self) -> str:
        """One line: channels, crop side, conditions, size on disk or to fetch."""
        words = {"batch": ("batch", "batches"), "images": ("file", "files")}
        what = words.get(self.task, ("condition", "conditions"))[self.count != 1]
        side = f"{self.size} px · " if self.size else ""
        names = ", ".join(self.channels) if len(self.channels) < 4 else f"{len(self.channels)} channels"
        return f"{names} · {side}{self.count} {what} · {self.megabytes}{'' if self.is_here else ' to fetch'}"


def catalog(folder: Path | None = None) -> tuple[CatalogEntry, ...]:
    """List bundled, published and fetched models, then images.

    Parameters
    ----------
    folder
        The cache folder; `cache_folder()` where None.
    """
    folder = folder or cache_folder()
    taken = own_names()
    fetched = [path for path in _files_in(folder / MODELS) if path.stem.casefold() not in taken]
    return (
        *bundled_models(),
        *(_published(model, folder) for model in published_by_name().values()),
        *(entry for path in fetched if (entry := entry_or_none(path)) is not None),
        *_image_sets(folder),
    )


def _files_in(folder: Path) -> list[Path]:
    """Model files of a folder; none where it cannot be read, as another user's cache."""
    try:
        return sorted(path for path in folder.iterdir() if path.suffix == ".impa")
    except OSError:
        return []


@cache
def bundled_models() -> tuple[CatalogEntry, ...]:
    """Models in the package, the default one first, the others by name; their cards lie beside them."""
    paths = sorted(BUNDLED.glob("*.impa"), key=lambda path: (path.stem != DEFAULT_MODEL, path.stem))
    return tuple(of_file(path, "bundled") for path in paths)


def own_names() -> set[str]:
    """Names of what comes with napari-impa, without case: no model from elsewhere can be reached under them."""
    own = [entry.name for entry in bundled_models()] + [images.name for images in IMAGE_SETS] + [*published_by_name()]
    return {name.casefold() for name in own}


def of_file(path: Path, kind: EntryKind = "fetched") -> CatalogEntry:
    """Make the entry of a `.impa` file; a Markdown file of its name beside it is its card.

    Raises
    ------
    ModelError
        If it cannot be read.
    """
    try:
        header = read_header(path)
        beside = path.with_suffix(".md")
        text = beside.read_text(encoding="utf-8", errors="replace") if beside.is_file() else header.get("card", "")
        card = Card.parse(str(text))
        return CatalogEntry(
            path.stem,
            card.title or path.stem.replace("-", " ").capitalize(),
            kind,
            str(header["task"]),
            tuple(map(str, header["channels"])),
            int(header["shape"]["size"]),
            tuple(map(str, header["conditions"])),
            len(header["conditions"]),
            path.stat().st_size,
            path,
            card,
            None if header.get("pixel_size") is None else float(header["pixel_size"]),
        )
    except _DAMAGED as error:
        raise _incomplete(path, error) from error


def _incomplete(path: Path, error: Exception) -> ModelError:
    return ModelError(f"{path.name} is not a complete model file ({error}); get it again.")


def load_file(path: Path) -> IMPA:
    """Load a `.impa` file; whatever is wrong with it is a `ModelError`."""
    try:
        return IMPA.load(path)
    except _DAMAGED as error:
        raise _incomplete(path, error) from error


def find_entry(name: str, folder: Path | None = None) -> CatalogEntry | None:
    """Return what the catalog has under a name."""
    return next((entry for entry in catalog(folder) if entry.name == name), None)


def load_model(model: str | Path, folder: Path | None = None) -> IMPA:
    """Load a model by its name in the catalog, a `.impa` file, a run folder, or a published checkpoint folder.

    Parameters
    ----------
    model
        The name or path.
    folder
        The cache folder; `cache_folder()` where None.

    Raises
    ------
    ModelError
        If there is no such model, it has to be fetched first, or it cannot be read.
    """
    entry = find_entry(str(model), folder)
    if entry is not None and entry.kind != "images":
        if entry.path is None:
            raise ModelError(
                f"The model {entry.name} is not here yet ({entry.megabytes}); fetch it with "
                f"'napari-impa models fetch {entry.name}', or choose it in the Perturb dock."
            )
        loaded = load_file(entry.path)
        loaded.card = loaded.card or entry.card.markdown()
        return loaded
    path = Path(model)
    if not path.exists():
        if cached_file(str(model), folder or cache_folder()) is not None:
            raise ModelError(
                f"The model {model} was fetched, but is damaged; fetch it again, or remove it with "
                f"'napari-impa models remove {model}'."
            )
        names = ", ".join(entry.name for entry in catalog(folder) if entry.kind != "images" and entry.is_here)
        raise ModelError(
            f"There is no model {str(model)!r}: neither a file or folder, nor one that is here ({names or 'none'})."
        )
    if not path.is_dir():
        return load_file(path)
    if (path / "model.impa").is_file():
        return load_file(path / "model.impa")
    if is_published(path):
        return model_of(path)
    raise ModelError(f"The folder {path} holds no model (neither model.impa nor a published checkpoint).")


def cached_file(name: str, folder: Path) -> Path | None:
    """Where the `.impa` file that was fetched under a name lies, readable or not; None where there is none."""
    path = folder / MODELS / f"{name}.impa"
    return path if path.name == f"{name}.impa" and os.path.isfile(path) else None


def _published(model: ArchiveModel, folder: Path) -> CatalogEntry:
    path = model.path(folder)
    here = entry_or_none(path, "published") if os.path.isfile(path) else None
    if here is not None:
        return here
    return CatalogEntry(
        model.name, model.title, "published", model.task, model.channels, model.size, model.conditions, model.count,
        model.bytes, None, card_of(model),
    )  # fmt: skip


def _image_sets(folder: Path) -> list[CatalogEntry]:
    return [
        CatalogEntry(
            images.name, images.title, "images", "images", images.channels, 0, (), len(images.files), images.bytes,
            images.paths(folder)[0].parent if images.is_here(folder) else None,
            Card(images.title, licence=images.licence, citation=images.citation, text=images.source),
        )
        for images in IMAGE_SETS
    ]  # fmt: skip


def entry_or_none(path: Path, kind: EntryKind = "fetched") -> CatalogEntry | None:
    """Make the entry of a file of the cache; one that is damaged is left out."""
    try:
        return of_file(path, kind)
    except ModelError:
        return None
