"""A training folder: settings, history, gaps closed, samples, checkpoints, and the best and the last model."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from napari_impa.cells.beside import sync
from napari_impa.engine.model import tensor_file
from napari_impa.engine.training.settings import TrainingSettings
from napari_impa.engine.training.steps import recipe_from_json
from napari_impa.engine.training.steps.recipe import Recipe
from napari_impa.engine.training.steps.terms import HISTORY, require_known
from napari_impa.errors import TrainingError, brief
from napari_impa.versions import versions

_DAMAGED = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)

SOURCE = "source.json"
"""File of the run folder that says where its cells came from."""

HISTORY_FILE, GAPS_FILE, EARLIER_SCORES = "history.csv", "gaps.csv", "scores.csv"
"""Tables of a run: losses; gaps closed; and scores of runs from before the gap was measured, the lower the better."""


@dataclass(frozen=True)
class Run:
    """A training folder, whether the training is going on, was stopped or has ended."""

    folder: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", Path(self.folder))

    @property
    def model_path(self) -> Path:
        """The best model by the gap that it closes on held-out cells; where none is scored yet, the last."""
        return self.folder / "model.impa"

    @property
    def last_path(self) -> Path:
        """The model as it was at the last checkpoint."""
        return self.folder / "last.impa"

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
        if not self.exists:
            raise TrainingError(f"{self.folder} holds no run (no config.json).")
        try:
            config: dict[str, Any] = json.loads((self.folder / "config.json").read_text(encoding="utf-8"))
            if not isinstance(config, dict):
                raise ValueError("no settings by name")
        except (OSError, ValueError, RecursionError) as error:
            raise TrainingError(f"{self.folder} holds no run (no readable config.json).") from error
        return config

    @property
    def settings(self) -> TrainingSettings:
        """The settings of the training.

        Raises
        ------
        TrainingError
            If the folder holds no run, or they are damaged.
        """
        try:
            return TrainingSettings.from_json(self.config["settings"])
        except _DAMAGED as error:
            raise TrainingError(
                f"{self.folder} holds no run ({brief(error)} in the settings of its config.json)."
            ) from error

    @property
    def recipe(self) -> Recipe | None:
        """The recipe that it was begun with, value by value; None where that was not kept.

        Raises
        ------
        TrainingError
            If it has values that this version does not know.
        """
        values = self.config.get("recipe")
        if values is None:
            return None
        try:
            return recipe_from_json(values, self.settings.recipe)
        except _DAMAGED as error:
            raise TrainingError(
                f"{self.folder} was begun by another version of napari-impa, whose recipe this one does not know; "
                "update napari-impa, or choose another folder and start from its model."
            ) from error

    @property
    def history(self) -> pd.DataFrame:
        """One row a step: step, seconds, stage and losses."""
        return _read_rows(self.folder / HISTORY_FILE, ("step", "seconds", "stage"))

    @property
    def gaps(self) -> pd.DataFrame:
        """One row a score: step, seconds, mean gap closed on held-out cells, and that of each condition."""
        return _read_rows(self.folder / GAPS_FILE, ("step", "seconds", "mean"))

    @property
    def best(self) -> tuple[int, float] | None:
        """Step and mean gap closed of the best model, which its own file says; None where none is scored yet."""
        history = self._model_history
        return (history["steps"], history["gap_closed"]) if {"steps", "gap_closed"} <= history.keys() else None

    @property
    def is_scored_by_earlier_measure(self) -> bool:
        """Whether the best model was chosen by a ratio of distances, from before the gap closed was measured."""
        return scored_by_earlier_measure(self._model_history)

    @property
    def _model_history(self) -> dict[str, Any]:
        if not self.model_path.is_file():
            return {}
        history = tensor_file.read_header(self.model_path).get("history")
        return history if isinstance(history, dict) else {}

    @property
    def started_from(self) -> dict[str, Any] | None:
        """What was taken over from which model, where the training goes on from one."""
        taken = self.config.get("start_from")
        return taken if isinstance(taken, dict) else None

    def start(
        self,
        settings: TrainingSettings,
        recipe: Recipe,
        source: Mapping[str, Any],
        started_from: Mapping[str, Any] | None = None,
    ) -> None:
        """Make the folder and write `config.json`."""
        config = {"settings": settings.to_json(), "recipe": recipe.to_json(), "source": source, "versions": versions()}
        config |= {"start_from": started_from} if started_from else {}
        try:
            for name in ("samples", "checkpoints"):
                (self.folder / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TrainingError(
                f"{self.folder} cannot be written ({error.strerror}); choose another folder."
            ) from error
        self._write_config(config)

    def note(self, **facts: Any) -> None:
        """Add to `config.json` what is to be known of the run, JSON-able, to whom reads it."""
        self._write_config({**self.config, **facts})

    def _write_config(self, config: Mapping[str, Any]) -> None:
        self._replace("config.json", json.dumps(config, indent=1, default=str))

    def _replace(self, name: str, text: str) -> None:
        try:
            tensor_file.write_beside(self.folder / name, lambda partial: partial.write_bytes(text.encode("utf-8")))
        except OSError as error:
            raise TrainingError(
                f"{self.folder} cannot be written ({error.strerror}); free some space, or choose another folder."
            ) from error

    @property
    def source(self) -> dict[str, Any]:
        """Where the cells came from and how they were cut, see `keep_source`; empty where that was not kept."""
        if not (self.folder / SOURCE).is_file():
            return {}
        try:
            source: dict[str, Any] = json.loads((self.folder / SOURCE).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        return source if isinstance(source, dict) else {}

    def keep_source(self, path: str | Path, label: Sequence[str], control: str | None, **how: Any) -> None:
        """Write down where the cells came from, so that the run can be resumed or repeated from its folder alone.

        Parameters
        ----------
        path
            The source, as `open_source` takes it.
        label, control
            As `Cells.labelled` takes them.
        **how
            How cells were cut, JSON-able.

        Raises
        ------
        TrainingError
            If it cannot be written.
        """
        values = {"path": str(Path(path).resolve()), "label": list(label), "control": control, **how}
        self._replace(SOURCE, json.dumps(values, indent=1))

    def require_there(self) -> None:
        """Check that the folder is still where it was.

        Raises
        ------
        TrainingError
            If it was removed or renamed.
        """
        if not self.exists:
            raise TrainingError(
                f"The run folder {self.folder} is gone: it was removed or renamed while it was trained in; "
                "put it back, or start anew in another folder."
            )

    def cut(self, step: int) -> None:
        """Drop history and gaps after `step`, which a resumed training makes again, and files left half-written."""
        tensor_file.remove_partial(self.folder)
        for path in (self.folder / name for name in (HISTORY_FILE, GAPS_FILE, EARLIER_SCORES)):
            try:
                rows = [row for row in csv.reader(io.StringIO(_whole_lines(path))) if row]
                kept = rows[:1] + [row for row in rows[1:] if float(row[0]) <= step]
            except (ValueError, csv.Error) as error:
                raise TrainingError(f"{path} is damaged ({brief(error)}); mend or remove it, and resume.") from error
            if len(kept) < 2:
                self._remove(path)
                continue
            text = io.StringIO()
            csv.writer(text, lineterminator="\n").writerows(kept)
            self._replace(path.name, text.getvalue())

    def _remove(self, path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise TrainingError(f"{path} cannot be removed ({error.strerror}); mend that and resume.") from error

    def append_history(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows to `history.csv`; missing losses are left empty.

        Raises
        ------
        TrainingError
            If a loss has no row in `steps.terms.TERMS`, or the file cannot be written.
        """
        for row in rows:
            require_known(row)
        self._append(HISTORY_FILE, HISTORY, rows)

    def append_gaps(self, step: int, seconds: float, mean: float, gaps: Mapping[str, float]) -> None:
        """Add a row to `gaps.csv`, a column a condition."""
        row = {"step": step, "seconds": round(seconds, 3), "mean": mean, **gaps}
        self._append(GAPS_FILE, tuple(row), [row])

    def _append(self, name: str, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
        if not rows:
            return
        path = self.folder / name
        new = not path.is_file() or not path.stat().st_size
        try:
            with open(path, "a", newline="", encoding="utf-8") as file:
                # a run begun by another version has other columns, which it keeps
                columns = columns if new else next(csv.reader(io.StringIO(_whole_lines(path))), columns)
                writer = csv.DictWriter(file, columns, restval="", extrasaction="ignore", lineterminator="\n")
                if new:
                    writer.writeheader()
                writer.writerows(rows)
            sync(path)  # before the checkpoint that comes after these rows
        except OSError as error:
            raise TrainingError(
                f"{self.folder} cannot be written ({error.strerror}); free some space and resume."
            ) from error


def scored_by_earlier_measure(history: Mapping[str, Any]) -> bool:
    """Whether a model's history has the score of an earlier version, which says nothing of the gap closed."""
    return "score" in history and "gap_closed" not in history


def _whole_lines(path: Path) -> str:
    """Text of a table, empty where there is none, without a last line that was torn when the process was killed."""
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    return text[: text.rfind("\n") + 1]


def _read_rows(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    text = _whole_lines(path)
    try:
        return pd.read_csv(io.StringIO(text)) if text else pd.DataFrame(columns=list(columns))
    except ValueError as error:
        raise TrainingError(f"{path} is damaged ({brief(error)}); remove it to go on without.") from error
