"""A training folder: settings, history, samples, checkpoints and the model."""

from __future__ import annotations

import csv
import json
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd

from napari_impa.engine import checkpoint
from napari_impa.engine.settings import TrainingSettings
from napari_impa.errors import TrainingError


@dataclass(frozen=True)
class Run:
    """A training folder, whether the training is going on, was stopped or has ended."""

    folder: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", Path(self.folder))

    @property
    def model_path(self) -> Path:
        """The model, as good as it was at the last checkpoint."""
        return self.folder / "model.impa"

    @property
    def checkpoint_path(self) -> Path:
        """Everything a training needs to go on."""
        return self.folder / "checkpoints" / "last.safetensors"

    @property
    def exists(self) -> bool:
        """Whether a training was started here."""
        return (self.folder / "config.json").is_file()

    @property
    def config(self) -> dict[str, Any]:
        """Settings, source and versions, as written at the start.

        Raises
        ------
        TrainingError
            If the folder holds no run.
        """
        try:
            return json.loads((self.folder / "config.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise TrainingError(f"{self.folder} holds no run (no readable config.json).") from error

    @property
    def settings(self) -> TrainingSettings:
        """The settings of the training."""
        return TrainingSettings.from_json(self.config["settings"])

    @property
    def history(self) -> pd.DataFrame:
        """One row a step: step, seconds, stage and losses."""
        path = self.folder / "history.csv"
        return pd.read_csv(path) if path.is_file() else pd.DataFrame(columns=["step", "seconds", "stage"])

    def start(self, settings: TrainingSettings, source: dict[str, Any]) -> None:
        """Make the folder and write `config.json`."""
        config = {"settings": settings.to_json(), "source": source, "versions": versions()}
        try:
            for name in ("samples", "checkpoints"):
                (self.folder / name).mkdir(parents=True, exist_ok=True)
            text = json.dumps(config, indent=1, default=str)
            checkpoint.write_beside(self.folder / "config.json", lambda path: path.write_text(text, encoding="utf-8"))
        except OSError as error:
            raise TrainingError(
                f"{self.folder} cannot be written ({error.strerror}); choose another folder."
            ) from error

    def cut_history(self, step: int) -> None:
        """Drop the rows of steps after `step`, which a resumed training makes again."""
        path = self.folder / "history.csv"
        if path.is_file():
            kept = self.history
            kept = kept[kept["step"] <= step]
            checkpoint.write_beside(path, lambda partial: kept.to_csv(partial, index=False))

    def append_history(self, rows: list[dict[str, Any]]) -> None:
        """Add rows to `history.csv`; missing losses are left empty."""
        if not rows:
            return
        path = self.folder / "history.csv"
        new = not path.is_file()
        with open(path, "a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, HISTORY, restval="")
            if new:
                writer.writeheader()
            writer.writerows(rows)


HISTORY = (
    "step",
    "seconds",
    "stage",
    "real",
    "fake",
    "r1",
    "adversarial",
    "style",
    "diversity",
    "cycle",
    "self_reconstruction",
    "reconstruction",
    "style_match",
)
"""Columns of `history.csv`."""


def versions() -> dict[str, str]:
    """Versions of what computes, for `config.json` and the model."""
    found = {"python": platform.python_version(), "system": platform.system()}
    for name in ("napari-impa", "torch", "numpy", "pandas", "scikit-image"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed as a package"
    return found
