"""Where fetched files are kept."""

from __future__ import annotations

import os
from pathlib import Path

import pooch

CACHE = "NAPARI_IMPA_CACHE"
"""Environment variable that names the cache folder; it wins over napari's preferences."""

SYSTEM_CACHE = Path(pooch.os_cache("napari-impa"))
"""The system's own folder for such files."""


def cache_folder() -> Path:
    """Return the cache folder without napari's preferences: what `NAPARI_IMPA_CACHE` says, else the system's own."""
    folder = Path(os.environ.get(CACHE) or SYSTEM_CACHE)
    try:
        return folder.expanduser()
    except RuntimeError:  # a user whose home is not known
        return folder
