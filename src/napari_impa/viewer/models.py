"""The models that the Perturb dock offers: bundled ones, recent runs, and files the user opened."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pooch

from napari_impa.viewer.jobs import Token

if TYPE_CHECKING:
    from napari_impa.engine.model import IMPA

RECENT = Path(pooch.os_cache("napari-impa")) / "recent-models.json"
_MOST_RECENT = 8


@dataclass(frozen=True)
class Choice:
    """One line of the list of models: what it shows, and what `catalog.load_model` takes."""

    title: str
    key: str


@dataclass(frozen=True, eq=False)
class Loaded:
    """A model that was loaded, with what takes a while to say of it."""

    key: str
    model: IMPA
    hash: str
    device: str


def choices(token: Token | None = None) -> list[Choice]:
    """List bundled models, then recent ones that are still there.

    The first call imports torch, so that docks make it in the background.
    """
    from napari_impa.catalog import bundled_models

    return [Choice(entry.title, entry.name) for entry in bundled_models()] + [of_path(path) for path in recent()]


def of_path(path: str | Path) -> Choice:
    """Make the line of the list for a model file or run folder."""
    path = Path(path)
    name = path.parent.name if path.name == "model.impa" else path.stem if path.suffix == ".impa" else path.name
    return Choice(f"{name} ({path.parent})", str(path))


def recent() -> list[Path]:
    """Models trained or opened lately, newest first; only those that still exist."""
    try:
        paths = [Path(text) for text in json.loads(RECENT.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        return []
    return [path for path in paths if path.exists()]


def remember(path: str | Path) -> None:
    """Put a model at the top of the recent ones; where the list cannot be written, it is forgotten with the session."""
    path = Path(path).resolve()
    kept = [str(path)] + [str(other) for other in recent() if other != path]
    try:
        RECENT.parent.mkdir(parents=True, exist_ok=True)
        RECENT.write_text(json.dumps(kept[:_MOST_RECENT], indent=1), encoding="utf-8")
    except OSError:
        return


def load(token: Token, key: str) -> Loaded:
    """Load a model onto the best device, leaving torch one core less than there are.

    Raises
    ------
    ModelError
        As `catalog.load_model`.
    """
    from napari_impa.catalog import load_model
    from napari_impa.engine.device import choose_device, leave_a_core_free

    leave_a_core_free()
    model = load_model(key)
    token.check()
    device = choose_device("auto")
    return Loaded(key, model.to(device.device), model.hash, device.reason)
