"""The commands `models fetch` and `models remove`: models and images into the cache and out of it."""

from __future__ import annotations

from napari_impa.cli.console import progress_watch
from napari_impa.cli.models.unsaid import NOTHING, Unsaid
from napari_impa.errors import ImpaError


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
    from napari_impa.cache import cache_folder
    from napari_impa.fetching.archive import fetch_archive_model
    from napari_impa.fetching.archive_models import ARCHIVE, ARCHIVE_MODELS
    from napari_impa.fetching.image_sets import IMAGE_SETS
    from napari_impa.work import catalog
    from napari_impa.work.fetched import fetched_models

    folder = cache_folder()
    with progress_watch("MB", parts=1e6) as watch:
        if fetched_models.is_address(name):
            print(f"Saved {fetched_models.fetch_model(name, folder, sha256=sha256, watch=watch).path}.")
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


def remove(name: str) -> None:
    """Remove a fetched model or fetched images from this computer.

    Parameters
    ----------
    name
        A name of `models list`.
    """
    from napari_impa.work.fetched.fetched_models import remove as remove_fetched

    print(f"Removed {name}: {remove_fetched(name) / 1e6:.1f} MB freed.")
