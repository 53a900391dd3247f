"""What was fetched into the cache: a model from an address that the user gave, and removing models and images."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from napari_impa.cache import cache_folder
from napari_impa.cells.sheets.texts import tidy
from napari_impa.errors import FetchError, ImpaError, ModelError
from napari_impa.fetching.archive import remove_archive_model
from napari_impa.fetching.archive_models import MODELS
from napari_impa.fetching.archive_models import by_name as published_by_name
from napari_impa.fetching.files import arriving_beside, fetch_file
from napari_impa.fetching.image_sets import IMAGE_SETS
from napari_impa.fetching.members import sha256_of
from napari_impa.watch import UNWATCHED, Watch
from napari_impa.work.catalog import (
    CatalogEntry,
    cached_file,
    entry_or_none,
    find_entry,
    load_file,
    of_file,
    own_names,
)


def is_address(text: str) -> bool:
    """Whether a text is the address of a file on a server."""
    return text.startswith(("https://", "http://"))


def fetch_model(
    url: str,
    folder: Path | None = None,
    *,
    sha256: str | None = None,
    watch: Watch = UNWATCHED,
) -> CatalogEntry:
    """Fetch a `.impa` file that someone published into the cache, where it gets the name of the file.

    It is loaded before it is kept. A damaged one that was there is replaced, any other model is not.

    Parameters
    ----------
    url
        Its address.
    folder
        The cache folder; `cache_folder()` where None.
    sha256
        What its publisher says that its SHA-256 is; not checked where None.
    watch
        Hears the bytes so far and in all.

    Raises
    ------
    FetchError
        If it cannot be fetched, has another SHA-256, or its name is taken.
    ModelError
        If it is no model.
    """
    name = Path(unquote(urlsplit(url).path)).name
    stem = name.removesuffix(".impa")
    if stem in ("", name):
        raise FetchError(f"{url} is not the address of a model file: it does not end in a name and .impa.")
    if tidy(stem) != stem or stem.startswith(".") or len(name.encode()) > 200 or set(stem) & set('\\/:*?"<>|'):
        raise FetchError(
            f"The name of the file at {urlsplit(url).hostname or url} is none that a model can be kept under; download "
            "it in a browser, give it another name, and use it by its path."
        )
    if stem.casefold() in own_names():
        raise FetchError(
            f"{url} cannot be kept as {stem}, the name of something that comes with napari-impa; download it in a "
            "browser, give the file another name, and use it by its path."
        )
    path = (folder or cache_folder()) / MODELS / name
    with arriving_beside(path) as beside:
        arriving = fetch_file(url, beside / name, sha256=sha256, watch=watch)
        try:
            of_file(arriving)
            load_file(arriving)
        except ImpaError as error:
            raise ModelError(f"What {url} gives is no model of napari-impa ({error})") from error
        if entry_or_none(path) is not None and sha256_of(path) != sha256_of(arriving):
            raise FetchError(
                f"Another model is there under the name {stem}; remove it first with "
                f"'napari-impa models remove {stem}'."
            )
        os.replace(arriving, path)
    return of_file(path)


def remove(name: str, folder: Path | None = None) -> int:
    """Remove what was fetched under a name from the cache, a damaged file too; returns the bytes freed.

    Raises
    ------
    ModelError
        If nothing of that name was ever fetched, or it comes with the package.
    """
    folder = folder or cache_folder()
    entry, cached = find_entry(name, folder), cached_file(name, folder)
    if entry is not None and entry.kind == "published":
        return remove_archive_model(published_by_name()[name], folder)
    if cached is None and (entry is None or entry.kind == "bundled"):
        why = "there is nothing of that name" if entry is None else "it comes with napari-impa"
        raise ModelError(f"{name!r} cannot be removed: {why}.")
    paths = [path for images in IMAGE_SETS if images.name == name for path in images.paths(folder)]
    present = [path for path in (*paths, cached) if path is not None and path.is_file()]
    freed = sum(path.stat().st_size for path in present)
    for path in present:
        path.unlink()
    return freed
