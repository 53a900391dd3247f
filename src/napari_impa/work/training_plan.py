"""What the Train dock does in the background: crop the cells of a folder, train, and tell how it goes."""

from __future__ import annotations

import errno
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_impa.cells.folder import crop_source
from napari_impa.cells.source import Kind, Source, open_source
from napari_impa.cells.store import Cells, open_cells
from napari_impa.cells.tables import check_conditions, condition_names
from napari_impa.engine.steering import Abandoned, Steering
from napari_impa.errors import ConditionError, TrainingError
from napari_impa.watch import CancelledError, Token

if TYPE_CHECKING:
    from napari_impa.engine.training.settings import TrainingSettings
    from napari_impa.engine.training.trainer import TrainingEvent


REPORT_EVERY = 0.1
"""Seconds between reports, so that a fast GPU does not flood the window."""

FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
"""Numbers of the errors that say that a disk, or what the user may have of it, is full."""


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything a training needs, as plain values.

    Parameters
    ----------
    source
        The folder; with `cells`, whatever names them.
    label, control
        Columns that name conditions, and the control's name.
    settings
        Of the training.
    folder
        The run folder; the cells of whole fields are written beside it.
    segment, nuclei_channel
        How nuclei are found in whole fields, as `crop_source` takes it.
    kind
        Whether the images are whole fields or ready crops; guessed where None.
    start_from
        A model to go on from, as `catalog.load_model` takes it.
    cells
        Cells that were cut already, from layers; they are kept beside the run folder, so that it can be resumed.
    cache
        Where fetched models are; the user's cache folder where None.
    """

    source: Path
    label: tuple[str, ...]
    control: str | None
    settings: TrainingSettings
    folder: Path
    segment: str | None = None
    nuclei_channel: str | None = None
    kind: Kind | None = None
    start_from: str | Path | None = None
    cells: Cells | None = None
    cache: Path | None = None

    @property
    def cells_path(self) -> Path:
        """Where cells that are cut for this training are kept: beside the run folder."""
        return self.folder.with_name(f"{self.folder.name}.cells")


@dataclass(frozen=True)
class Cropping:
    """Fields or crops read so far."""

    done: int
    total: int
    text: str


@dataclass(frozen=True)
class Started:
    """The training begins: on which cells, what it computes on, by what the model is kept, and whether it is scored."""

    cells: int
    channels: tuple[str, ...]
    pixel_size: float | None
    device: str
    steps_done: int
    kept: str
    scored: bool = True


@dataclass(frozen=True, eq=False)
class Trained:
    """How the training ended, on which cells, which were held out, and whether it came to the end of its budget."""

    model_path: Path
    message: str
    cells: Cells
    hold_out: Mapping[str, Sequence[str]]
    complete: bool


@dataclass(eq=False)
class Progress:
    """The newest event, with the losses of all steps since the report before."""

    event: TrainingEvent
    points: list[tuple[int, Mapping[str, float]]] = field(default_factory=list)


@dataclass(frozen=True)
class Paused:
    """The training waits after a step, saved, until it is told to go on."""

    step: int


def train_plan(token: Token, plan: Plan, steering: Steering | None = None) -> Trained:
    """Crop where needed, then train; a cancelled training stops after its step and keeps its model.

    Reports `Cropping`, `Started`, `Progress` and `Paused`.  Where the run folder holds a run already, it is resumed.

    Raises
    ------
    ImpaError
        As `crop_source` and `Trainer`; other errors of files in words.
    CancelledError
        If it was cancelled before the training, or abandoned.
    """
    try:
        return _train(token, plan, steering)
    except Abandoned:
        raise CancelledError from None
    except OSError as error:
        raise TrainingError(in_words(error, plan)) from error


def in_words(error: OSError, plan: Plan) -> str:
    """Say what an error of the file system means for a training, and what to do."""
    if error.errno in FULL:
        return f"The disk with {plan.folder} is full; free some space and resume the run."
    if plan.folder.name and not plan.folder.exists():
        return f"The run folder {plan.folder} is gone or cannot be made; choose another folder."
    where = f"{error.filename}: " if error.filename else ""
    return f"A file cannot be read or written ({where}{error.strerror or error}); mend that and resume the run."


def _train(token: Token, plan: Plan, steering: Steering | None) -> Trained:
    from napari_impa.engine.training.run_folder.run import Run
    from napari_impa.work.catalog import load_model
    from napari_impa.work.training import events, make_trainer

    token.check()  # the first import of torch takes seconds
    steering = steering or Steering()
    run = Run(plan.folder)
    resume = run.exists
    cells = cells_of(token, plan, reuse=resume)
    check_conditions(cells, plan.settings.task)
    token.check()
    needed = plan.start_from is not None and not (resume and run.checkpoint_path.is_file())
    model = load_model(plan.start_from, plan.cache) if needed and plan.start_from is not None else None
    token.check()
    trainer, kept = make_trainer(
        cells, plan.settings, plan.folder, resume=resume, start_from=model, steering=steering
    )  # fmt: skip
    del model
    if steering.abandoned:
        raise CancelledError
    source = plan.source if plan.cells is None else plan.cells_path
    run.keep_source(
        source, plan.label, plan.control, segment=plan.segment, nuclei_channel=plan.nuclei_channel, kind=plan.kind
    )
    device = trainer.chosen_device.reason
    scored = trainer.best.score is not None
    token.send(Started(len(cells), cells.channels, cells.pixel_size, device, trainer.step, kept, scored))
    message, waiting, reported = "", [], 0.0
    for event in events(trainer):
        if token.cancelled:
            trainer.stop()
        if event.paused:
            token.send(Paused(event.step))
            continue
        if event.losses:
            waiting.append((event.step, event.losses))
        message = event.message or message
        if event.finished or event.scores or event.samples is not None or time.monotonic() - reported > REPORT_EVERY:
            token.send(Progress(event, waiting))
            waiting, reported = [], time.monotonic()
    if steering.abandoned:
        raise CancelledError
    return Trained(trainer.run.model_path, message, cells, plan.settings.hold_out, not token.cancelled)


def plan_of(folder: str | Path) -> Plan:
    """Return the plan that a run was trained by, from its folder; it resumes the run as it stands.

    Raises
    ------
    TrainingError
        If the folder holds no run, or its cells are not known or not there any more.
    """
    from napari_impa.engine.training.run_folder.run import Run

    run = Run(Path(folder))
    settings, source = run.settings, run.source
    beside = Plan(Path(), (), None, settings, run.folder).cells_path
    path = Path(source.get("path", beside))
    if not path.exists():
        gone = "not known" if not source else f"not at {path} any more"
        raise TrainingError(
            f"The images that {run.folder.name} was trained on are {gone}; choose their folder, and this run folder."
        )
    config = run.config["source"]
    return Plan(
        path, tuple(source.get("label", config["label"])), source.get("control", config["control"]), settings,
        run.folder, source.get("segment"), source.get("nuclei_channel"), source.get("kind"),
    )  # fmt: skip


def check_budget(plan: Plan) -> None:
    """Check that a run that is to be resumed has not come to the end of the plan's budget already.

    Raises
    ------
    TrainingError
        If it has.
    """
    from napari_impa.engine.training.run_folder.summaries import summary

    run, asked = summary(plan.folder), plan.settings
    if asked.steps is not None and run.steps >= asked.steps:
        done = f"{run.steps:,} steps"
    elif asked.minutes is not None and run.minutes >= asked.minutes:
        done = f"been trained for {run.minutes:.3g} min"
    else:
        return
    raise TrainingError(
        f"{run.name} has {done} already; ask for more in all to resume it, or choose another run folder."
    )


def read_plan(token: Token, folder: Path) -> Plan:
    """Read the plan of a run; for a background job, as settings need torch."""
    return plan_of(folder)


def read_settings_of(token: Token, model: Path) -> dict[str, Any]:
    """Read the settings that a training shares with the model it goes on from; for a background job."""
    from napari_impa.engine.training.fine_tuning import settings_of
    from napari_impa.work.catalog import load_model

    return settings_of(load_model(model))


def cells_of(token: Token, plan: Plan, *, reuse: bool = False) -> Cells:
    """Open the cells of a plan, or cut them into a `.cells` folder beside the run folder."""

    def tell(done: int, total: int, text: str) -> None:
        token.check()
        token.send(Cropping(done, total, text))

    if plan.cells is not None:
        if not (reuse and (plan.cells_path / "meta.json").is_file()):
            plan.cells.save(plan.cells_path, overwrite=True)
        return open_cells(plan.cells_path).labelled(plan.label, plan.control)
    source = open_source(plan.source, kind=plan.kind)
    if len(set(condition_names(source.table, plan.label, plan.control))) < 2:  # before minutes of segmenting
        raise ConditionError("All images are of one condition; training needs at least two.")
    if source.kind == "cells":
        cells = open_cells(plan.source)
    else:
        path = plan.cells_path
        if reuse and (path / "meta.json").is_file():
            cells = open_cells(path)
        else:
            _require_ours(path, source)
            size = plan.settings.size if source.kind == "fields" else None
            cells = crop_source(
                source, path, size=size, segment=plan.segment, nuclei_channel=plan.nuclei_channel,
                label=plan.label, control=plan.control, overwrite=True, progress=tell,
            )  # fmt: skip
    return cells.labelled(plan.label, plan.control)


def _require_ours(path: Path, source: Source) -> None:
    """Check that cells which would be replaced were cut from the same source, and are not the user's own."""
    if (path / "meta.json").is_file() and open_cells(path).history.get("source") != source.name:
        raise TrainingError(f"{path} holds cells of something else, which would be lost; choose another run folder.")
