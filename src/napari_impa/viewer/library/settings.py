"""What a user sets in napari's preferences: device, cache folder, batch size, interpolation; and where it is wrong."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_impa.cache import CACHE, SYSTEM_CACHE
from napari_impa.errors import ImpaError, ModelError

PLUGIN = "napari-impa"
WHERE = "Preferences ▸ Plugins ▸ IMPA"


class SettingsError(ImpaError):
    """A preference of napari-impa cannot be used as it is."""


@dataclass(frozen=True)
class Settings:
    """Preferences of the docks.

    Parameters
    ----------
    device
        auto, cuda, mps or cpu.
    cache
        Folder of fetched models and images, and of the list of recent models.
    batch_size
        Cells predicted at a time at most.
    interpolation
        smooth, or squares: how pixels larger than those of the screen are drawn.
    """

    device: str = "auto"
    cache: Path = SYSTEM_CACHE
    batch_size: int = 256
    interpolation: str = "smooth"

    @property
    def interpolation2d(self) -> str:
        """The same as napari's image layers call it."""
        return "nearest" if self.interpolation == "squares" else "linear"


def read_settings() -> Settings:
    """Read the preferences; defaults where the plugin is not installed or this napari has no plugin preferences."""
    chosen, pictures = _contributed("computing"), _contributed("pictures")
    device = str(getattr(chosen, "device", Settings.device))
    batch_size = int(getattr(chosen, "batch_size", Settings.batch_size))
    cache = os.environ.get(CACHE) or getattr(chosen, "cache_folder", "") or Settings.cache
    interpolation = str(getattr(pictures, "interpolation", Settings.interpolation))
    return Settings(device, Path(cache).expanduser(), batch_size, interpolation)


def cache_folder() -> Path:
    """Return the cache folder, made where it was not.

    Raises
    ------
    SettingsError
        If it cannot be written.
    """
    folder = read_settings().cache
    try:
        folder.mkdir(parents=True, exist_ok=True)
        usable = folder.is_absolute() and os.access(folder, os.W_OK)
    except OSError:
        usable = False
    if not usable:
        where = f"the environment variable {CACHE}" if os.environ.get(CACHE) else WHERE
        raise SettingsError(f"The cache folder {folder} cannot be written; choose a whole path to another in {where}.")
    return folder


def chosen_device() -> Any:
    """Return the `Device` that the preferences name; imports torch.

    Raises
    ------
    SettingsError
        If it is not there.
    """
    from napari_impa.engine.device import choose_device

    name = read_settings().device
    try:
        return choose_device(name)
    except ModelError as error:
        raise SettingsError(f"{error} It was chosen in {WHERE}; choose auto or cpu there.") from error


def _contributed(section: str) -> Any:
    """The settings that napari keeps for a section of the manifest's `configurations`."""
    try:
        from napari.settings import get_plugin_settings

        return getattr(get_plugin_settings(PLUGIN), section)
    except (ImportError, KeyError, AttributeError):
        return None
