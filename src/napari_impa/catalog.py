"""Models that come with napari-impa, and how a name or a path becomes a model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from napari_impa.engine.checkpoint import read_header
from napari_impa.engine.model import IMPA
from napari_impa.engine.published import is_published, model_of
from napari_impa.errors import ModelError

BUNDLED = Path(__file__).parent / "models"
DEFAULT_MODEL = "simulated-screen"
"""The model that the demo shows."""

TITLES = {"simulated-screen": "Simulated screen"}


@dataclass(frozen=True)
class ModelEntry:
    """A model that can be used now.

    Parameters
    ----------
    name
        What `load_model` and the command line take.
    title
        What a list shows.
    path
        Its `.impa` file.
    header
        Everything but the weights, see `IMPA.header`.
    """

    name: str
    title: str
    path: Path
    header: dict[str, Any]

    @property
    def description(self) -> str:
        """One line: task, channels, crop side, conditions, size on disk."""
        header = self.header
        what = "batches" if header["task"] == "batch" else "conditions"
        size = f"{self.path.stat().st_size / 1e6:.1f} MB"
        channels = ", ".join(header["channels"])
        return f"{channels} · {header['shape']['size']} px · {len(header['conditions'])} {what} · {size}"


@cache
def bundled_models() -> tuple[ModelEntry, ...]:
    """Models in the package, by name."""
    return tuple(
        ModelEntry(path.stem, f"{TITLES.get(path.stem, path.stem)} (bundled)", path, read_header(path))
        for path in sorted(BUNDLED.glob("*.impa"))
    )


def load_model(model: str | Path) -> IMPA:
    """Load a bundled model by name, a `.impa` file, a run folder, or a published checkpoint folder.

    Raises
    ------
    ModelError
        If there is no such model, or it cannot be read.
    """
    for entry in bundled_models():
        if str(model) == entry.name:
            return IMPA.load(entry.path)
    path = Path(model)
    if not path.exists():
        names = ", ".join(entry.name for entry in bundled_models()) or "none"
        raise ModelError(
            f"There is no model {str(model)!r}: neither a file or folder, nor one that is bundled ({names})."
        )
    if not path.is_dir():
        return IMPA.load(path)
    if (path / "model.impa").is_file():
        return IMPA.load(path / "model.impa")
    if is_published(path):
        return model_of(path)
    raise ModelError(f"The folder {path} holds no model (neither model.impa nor a published checkpoint).")
