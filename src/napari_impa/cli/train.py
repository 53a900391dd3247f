"""The commands `train` and `runs`: train a model into a run folder, and list what was trained."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from napari_impa.cli.console import (
    Segment,
    Several,
    columns_of,
    description_of,
    progress_watch,
    speaker,
    with_settings,
)
from napari_impa.engine.describing import DESCRIPTIONS
from napari_impa.engine.training.settings import TrainingSettings

DESCRIPTION = Parameter(
    help=f"How conditions are described: {'; '.join(kind.help for kind in DESCRIPTIONS)}. MODALITY=KIND for one of "
    "several modalities."
)


@with_settings
def train(
    source: Path,
    *,
    out: Path,
    label: Annotated[list[str] | None, Several] = None,
    control: str | None = None,
    hold_out: Annotated[list[str] | None, Several] = None,
    where: Annotated[list[str] | None, Several] = None,
    segment: Segment | None = None,
    description: Annotated[list[str] | None, Several, DESCRIPTION] = None,
    resume: bool = False,
    dry_run: bool = False,
    start_from: Annotated[str | None, Parameter(name="--from")] = None,
    **settings: Any,
) -> None:
    """Train a model on labelled cells into a run folder; Ctrl-C stops it and keeps the model.

    Parameters
    ----------
    source
        Folder of images or `.cells`, as for `crop`.
    out
        The run folder.
    label
        Columns whose values, joined, name a cell's condition (or batch); guessed where not given.
    control
        Label value of the untreated control; guessed where not given.
    hold_out
        COLUMN=VALUE of cells to keep out of the training; several are possible.
    where
        COLUMN=VALUE of the cells that the training is about, say the controls alone to correct batches; else all.
    segment
        How nuclei of whole fields are found, as for `crop`.
    resume
        Go on where the run folder's training stopped.
    dry_run
        Make a few steps on networks that are thrown away, say how long the training would take, and write nothing.
    start_from
        A trained model to go on from, with the weights that fit: a `.impa` file, a run folder, or the name of a bundled
        model.
    **settings
        Fields of `TrainingSettings`.
    """
    from napari_impa.cells.folder import crop_summary
    from napari_impa.cells.source import open_source
    from napari_impa.engine.distributed import processes
    from napari_impa.work.training import Training
    from napari_impa.work.training_plan import Plan, cells_of

    with processes() as group:
        say = speaker(group.rank)
        chosen = TrainingSettings(
            hold_out=columns_of(hold_out),
            where=columns_of(where),
            description=description_of(description) or "learned",
            **settings,
        )
        plan = Plan(
            source, tuple(label or ()), control, chosen, out, segment, kind="fields" if segment else None,
            start_from=start_from, keep_crops=False,
        )  # fmt: skip
        say(open_source(source, kind=plan.kind).describe())
        with progress_watch("images", group.rank) as watch:
            cells = cells_of(plan, watch=watch)
        say(crop_summary(cells))
        if dry_run:
            from napari_impa.engine.training.cost.measure import dry_run as lines_of

            say("\n".join(lines_of(cells, chosen)))
            return
        training = Training(plan, resume=resume, cells=cells, group=group)
        start = training.start
        if start.taken_over:
            say(start.taken_over)
        say(f"Conditions ({' '.join(cells.label)}): " + ", ".join(f"{name} {n:,}" for name, n in start.counts.items()))
        say(f"Training on {start.device}{f', {group.count} times' * (group.count > 1)}.")
        say(start.kept)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: training.stop())
        say(training.follow())


def runs(folder: Path = Path()) -> None:
    """List the trainings in a folder and below: name, date, how far each came, and its best held-out score.

    Parameters
    ----------
    folder
        Where to look.
    """
    from napari_impa.engine.training.run_folder.summaries import runs_in

    found = runs_in(folder)
    if not found:
        print(f"There is no run in {folder} or below.")
        return
    head = ("run", "changed", "state", "steps", "score", "task", "conditions", "size", "device")
    table = [
        (
            str(one.folder.relative_to(folder)) if one.folder != folder else one.name,
            f"{one.date:%Y-%m-%d %H:%M}",
            one.state,
            "" if one.state == "damaged" else one.progress,
            "" if one.score is None else f"{one.score:.3f}",
            one.task,
            str(len(one.conditions) or ""),
            "" if one.size is None else f"{one.size} px",
            one.device,
        )
        for one in found
    ]
    widths = [max(map(len, column)) for column in zip(head, *table, strict=True)]
    for row in (head, *table):
        print("  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip())
    for one in found:
        if one.problem:
            print(f"{one.name} is damaged: {one.problem}")
