"""What the Train dock does in the background: crop the cells of a folder, train, and tell how it goes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from napari_impa.cells.folder import crop_source
from napari_impa.cells.source import Kind, open_source
from napari_impa.cells.store import Cells, open_cells
from napari_impa.cells.tables import check_conditions, condition_names
from napari_impa.errors import ConditionError
from napari_impa.viewer.jobs import Token

if TYPE_CHECKING:
    from napari_impa.engine.settings import TrainingSettings
    from napari_impa.engine.training import TrainingEvent


REPORT_EVERY = 0.1
"""Seconds between reports, so that a fast GPU does not flood the window."""


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything a training needs, as plain values.

    Parameters
    ----------
    source
        The folder.
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
    """

    source: Path
    label: tuple[str, ...]
    control: str | None
    settings: TrainingSettings
    folder: Path
    segment: str | None = None
    nuclei_channel: str | None = None
    kind: Kind | None = None


@dataclass(frozen=True)
class Cropping:
    """Fields or crops read so far."""

    done: int
    total: int
    text: str


@dataclass(frozen=True)
class Started:
    """The training begins: on which cells, what it computes on, and by what the model is kept."""

    cells: int
    channels: tuple[str, ...]
    pixel_size: float | None
    device: str
    steps_done: int
    kept: str


@dataclass(frozen=True, eq=False)
class Trained:
    """How the training ended, and the cells it was trained on."""

    model_path: Path
    message: str
    cells: Cells


@dataclass(eq=False)
class Progress:
    """The newest event, with the losses of all steps since the report before."""

    event: TrainingEvent
    points: list[tuple[int, Mapping[str, float]]] = field(default_factory=list)


def train_plan(token: Token, plan: Plan) -> Trained:
    """Crop where needed, then train; a cancelled training stops after its step and keeps its model.

    Reports `Cropping`, `Started` and `Progress`.  Where the run folder holds a run already, it is resumed.

    Raises
    ------
    ImpaError
        As `crop_source` and `Trainer`.
    """
    from napari_impa.training import events, make_trainer

    resume = (plan.folder / "config.json").is_file()
    cells = cells_of(token, plan, reuse=resume)
    check_conditions(cells, plan.settings.task)
    token.check()
    trainer, kept = make_trainer(cells, plan.settings, plan.folder, resume=resume)
    device = trainer.chosen_device.reason
    token.report(Started(len(cells), cells.channels, cells.pixel_size, device, trainer.step, kept))
    message, waiting, reported = "", [], 0.0
    for event in events(trainer):
        if token.cancelled:
            trainer.stop()
        if event.losses:
            waiting.append((event.step, event.losses))
        message = event.message or message
        if event.finished or event.scores or event.samples is not None or time.monotonic() - reported > REPORT_EVERY:
            token.report(Progress(event, waiting))
            waiting, reported = [], time.monotonic()
    return Trained(trainer.run.model_path, message, cells)


def cells_of(token: Token, plan: Plan, *, reuse: bool = False) -> Cells:
    """Open the cells of a plan, or cut them into a `.cells` folder beside the run folder."""

    def tell(done: int, total: int, text: str) -> None:
        token.check()
        token.report(Cropping(done, total, text))

    source = open_source(plan.source, kind=plan.kind)
    if len(set(condition_names(source.table, plan.label, plan.control))) < 2:  # before minutes of segmenting
        raise ConditionError("All images are of one condition; training needs at least two.")
    if source.kind == "cells":
        cells = open_cells(plan.source)
    else:
        path = plan.folder.with_name(f"{plan.folder.name}.cells")
        if reuse and (path / "meta.json").is_file():
            cells = open_cells(path)
        else:
            size = plan.settings.size if source.kind == "fields" else None
            cells = crop_source(
                source, path, size=size, segment=plan.segment, nuclei_channel=plan.nuclei_channel,
                label=plan.label, control=plan.control, overwrite=True, progress=tell,
            )  # fmt: skip
    return cells.labelled(plan.label, plan.control)
