"""What a run folder says of its training at a glance, and all runs under a folder, without loading weights."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from napari_impa.engine.model import tensor_file
from napari_impa.engine.model.header import check_header
from napari_impa.engine.training.run_folder.lock import is_locked
from napari_impa.engine.training.run_folder.run import Run, scored_by_earlier_measure
from napari_impa.errors import ImpaError

_DAMAGED = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)

State = Literal["running", "complete", "stopped", "never started", "damaged"]

DEPTH = 3
"""Folders below a folder in which runs are looked for."""


@dataclass(frozen=True)
class RunSummary:
    """A run at a glance.

    Parameters
    ----------
    folder
        The run folder.
    state
        `running` in some process now; `complete`; `stopped`, so that it can be resumed; `never started`, that is
        without a step; or `damaged`.
    date
        Last change, in local time.
    steps, steps_in_all
        Steps done, and asked for; None where only the time is limited.
    minutes, minutes_in_all
        Minutes trained, and asked for; None where only the steps are limited.
    gap_closed
        Mean of the best model on held-out cells (0: as the control, 1: as real cells); None where none is scored.
    gap_floor
        The same of other real cells, which is as much as can be had; None where that is not known.
    of_earlier_measure
        Whether it was scored before the gap closed was measured, by a number that says nothing of it.
    task, conditions, channels, size, preset
        What the model is for, its conditions and channels, crop side in pixels, and the width of its networks.
    device
        Where it was trained.
    start_from
        The model that the training went on from.
    has_model
        Whether there is a model to use.
    problem
        What is wrong with a damaged run.
    """

    folder: Path
    state: State
    date: datetime.datetime
    steps: int = 0
    steps_in_all: int | None = None
    minutes: float = 0.0
    minutes_in_all: float | None = None
    gap_closed: float | None = None
    gap_floor: float | None = None
    of_earlier_measure: bool = False
    task: str = ""
    conditions: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    size: int | None = None
    preset: str = ""
    device: str = ""
    start_from: str | None = None
    has_model: bool = False
    problem: str = ""

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.folder.name

    @property
    def can_resume(self) -> bool:
        """Whether the training can go on in its folder; one that is complete can with more steps."""
        return self.state in ("stopped", "never started", "complete")

    @property
    def progress(self) -> str:
        """Steps, of how many, or minutes, of how many."""
        if self.steps_in_all is not None:
            return f"{self.steps:,} of {self.steps_in_all:,}"
        if self.minutes_in_all is not None:
            return f"{self.steps:,} ({self.minutes:.3g} of {self.minutes_in_all:.3g} min)"
        return f"{self.steps:,}"

    def describe(self) -> str:
        """Say in one line how far it came."""
        if self.state == "damaged":
            return f"damaged: {self.problem}"
        if self.state == "never started":
            return "never started"
        return f"{'stopped' if self.state == 'stopped' else self.state} at step {self.progress}"


def runs_in(folder: str | Path, *, depth: int = DEPTH) -> list[RunSummary]:
    """Summarise the runs in a folder and below (the folder may be a run itself), the latest first."""
    return latest_first(summary(found) for found in _run_folders(Path(folder), depth))


def latest_first(summaries: Iterable[RunSummary]) -> list[RunSummary]:
    """Sort runs by their last change."""
    return sorted(summaries, key=lambda one: one.date, reverse=True)


def _run_folders(folder: Path, depth: int) -> Iterator[Path]:
    try:
        if (folder / "config.json").is_file() and (folder / "checkpoints").is_dir():
            yield folder
            return
    except OSError:  # a folder that may not be looked into
        return
    if depth == 0 or folder.suffix == ".cells":
        return
    try:
        below = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError:
        return
    for path in below:
        yield from _run_folders(path, depth - 1)


def summary(folder: str | Path) -> RunSummary:
    """Summarise a run from its files; one that cannot be read is `damaged`, which is no error."""
    run = Run(Path(folder))
    date = _last_change(run)
    try:
        return RunSummary(**_facts(run), date=date, folder=run.folder)
    except (ImpaError, OSError, *_DAMAGED) as error:
        reason = str(error) if isinstance(error, ImpaError) else f"its files cannot be read ({error})"
        return RunSummary(run.folder, "damaged", date, problem=reason)


def _facts(run: Run) -> dict[str, Any]:
    settings, config = run.settings, run.config
    state = tensor_file.read_header(run.checkpoint_path) if run.checkpoint_path.is_file() else {}
    header = tensor_file.read_header(run.model_path) if run.model_path.is_file() else {}
    if header:
        check_header(header, run.model_path.name)
    history = header.get("history", {})
    steps, seconds = int(state.get("step", 0)), float(state.get("seconds", 0.0))
    enough = (settings.steps is not None and steps >= settings.steps) or (
        settings.minutes is not None and seconds >= 60 * settings.minutes
    )
    started = config.get("start_from") or {}
    return {
        "state": "running" if is_locked(run.folder) else _state(run, steps, enough),
        "steps": steps,
        "steps_in_all": settings.steps,
        "minutes": seconds / 60,
        "minutes_in_all": settings.minutes,
        "gap_closed": history.get("gap_closed"),
        "gap_floor": history.get("gap_floor"),
        "of_earlier_measure": scored_by_earlier_measure(history),
        "task": settings.task,
        "conditions": tuple(header.get("conditions", ())),
        "channels": tuple(header.get("channels", ())),
        "size": settings.size,
        "preset": settings.preset,
        "device": history.get("device", settings.device),
        "start_from": started.get("model"),
        "has_model": bool(header),
    }


def _state(run: Run, steps: int, enough: bool) -> State:
    if not steps:
        return "never started"
    if not run.model_path.is_file():
        raise FileNotFoundError("model.impa is missing")
    return "complete" if enough else "stopped"


def _last_change(run: Run) -> datetime.datetime:
    times = [0.0]
    for path in (run.checkpoint_path, run.folder / "config.json", run.folder):
        try:
            times.append(path.stat().st_mtime)
            break
        except OSError:
            continue
    try:
        return datetime.datetime.fromtimestamp(max(times)).astimezone()
    except (OSError, OverflowError, ValueError):  # after the year 9999
        return datetime.datetime.fromtimestamp(0).astimezone()
