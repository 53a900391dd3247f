"""The command `train`: a model trained into a run folder."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from napari_impa.cells.choice import AS_FOUND
from napari_impa.cli.console import (
    HowRead,
    Segment,
    SegmentOption,
    Several,
    columns_of,
    counted,
    description_of,
    progress_watch,
    segmenter_of,
    speaker,
    with_settings,
)
from napari_impa.engine.describing import DESCRIPTIONS
from napari_impa.engine.training.settings import TrainingSettings
from napari_impa.errors import ImpaError

if TYPE_CHECKING:
    from napari_impa.work.training_plan import Plan

DESCRIPTION = Parameter(
    help=f"How conditions are described: {'; '.join(kind.help for kind in DESCRIPTIONS)}. MODALITY=KIND for one of "
    "several modalities."
)


_OF_CUTTING = ("choice", "nuclei_channel", "channels")
_FIXED = ("label", "control", "segment", "nuclei_channel", "channels", "start_from")
"""What a run that is resumed has been told already."""


@with_settings
def train(
    source: Path | None = None,
    *,
    out: Path | None = None,
    label: Annotated[list[str] | None, Several] = None,
    control: str | None = None,
    hold_out: Annotated[list[str] | None, Several] = None,
    where: Annotated[list[str] | None, Several] = None,
    segment: Segment | None = None,
    segment_option: SegmentOption = None,
    nuclei_channel: str | None = None,
    channels: Annotated[list[str] | None, Several] = None,
    choice: HowRead = AS_FOUND,
    description: Annotated[list[str] | None, Several, DESCRIPTION] = None,
    resume: bool = False,
    dry_run: bool = False,
    start_from: Annotated[str | None, Parameter(name="--from")] = None,
    describe: str | None = None,
    **settings: Any,
) -> None:
    """Train a model on labelled cells into a run folder; Ctrl-C stops it and keeps the model.

    Parameters
    ----------
    source
        Folder of images or `.cells`, as for `crop`; with `--resume` and without `--out` the run folder, which says
        itself what it was trained on and how; not needed with a table to `--describe`.
    out
        The run folder.
    label
        Columns whose values, joined, name a cell's condition (or batch); guessed where not given.
    control
        Label value of the untreated control; guessed where not given.
    hold_out
        COLUMN=VALUE of cells to keep out of the training; several are possible, and a column may be several joined by
        +, as in plate+well="P1 A01". wells=half keeps back half of the wells of each condition, drawn by the seed.
    where
        COLUMN=VALUE of the cells that the training is about, say the controls alone to correct batches; else all.
    segment
        How nuclei of whole fields are found, as for `crop`.
    nuclei_channel
        Name or number of the channel that shows nuclei; guessed from the names.
    channels
        Names for the channels, in the order of the images.
    resume
        Go on where the run folder's training stopped, with more steps or minutes in all, or on another device.
    dry_run
        Make a few steps on networks that are thrown away, say how long the training would take, and write nothing.
    start_from
        A trained model to go on from, with the weights that fit: a `.impa` file, a run folder, or the name of a bundled
        model.
    describe
        Train nothing: describe the conditions of the model of `--from` by a table (a row a condition: its name, then
        a column of SMILES, or numbers), or by bit or count where the table of SOURCE has SMILES, so that the new model
        of `--out` takes conditions that were not trained on.
    **settings
        Fields of `TrainingSettings`.
    """
    from napari_impa.cells.folder import crop_summary
    from napari_impa.cells.source import open_source
    from napari_impa.engine.distributed import processes
    from napari_impa.work.source_survey import concerns_of
    from napari_impa.work.training import Training
    from napari_impa.work.training_plan import cells_of, with_drawn_wells

    given = {
        "label": label, "control": control, "hold_out": columns_of(hold_out), "where": columns_of(where),
        "segment": segmenter_of(segment, segment_option), "description": description_of(description),
        "start_from": start_from, "choice": choice, "nuclei_channel": nuclei_channel, "channels": channels,
    }  # fmt: skip
    if describe is not None:
        from napari_impa.cli.describing import describe as describe_conditions

        given = given | settings | {"resume": resume, "dry_run": dry_run}
        of_model = {name: value for name, value in given.items() if name not in _OF_CUTTING}
        describe_conditions(describe, source, out, of_model, choice)
        return
    if source is None:
        raise ImpaError("Nothing says what to train on; give SOURCE, a folder of images or cells.")
    if out is None and not resume:
        raise ImpaError("Nothing says where the run is kept; give --out RUN, or --resume with the folder of a run.")
    with processes() as group:
        say = speaker(group.rank)
        plan = _resumed(source, given, settings) if out is None else _begun(source, out, given, settings)
        say(open_source(plan.source, kind=plan.kind, channels=plan.channels, choice=plan.choice).describe())
        with progress_watch("images", group.rank) as watch:
            cells = cells_of(plan, reuse=resume, watch=watch)
        say(crop_summary(cells))
        plan, drawn = with_drawn_wells(plan, cells)
        if drawn:
            say(drawn)
        for concern in concerns_of(cells, plan.settings) if group.is_first else ():
            print(f"Warning: {concern.message}", file=sys.stderr)
        if dry_run:
            from napari_impa.engine.training.cost.measure import dry_run as lines_of

            say("\n".join(lines_of(cells, plan.settings)))
            return
        training = Training(plan, resume=resume, cells=cells, group=group)
        start = training.start
        if start.taken_over:
            say(start.taken_over)
        say(f"Conditions ({' '.join(cells.label)}): {counted(start.counts)}")
        say(f"Training on {start.device}{f', {group.count} times' * (group.count > 1)}.")
        say(start.kept)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: training.stop())
        say(training.follow())


def _begun(source: Path, out: Path, given: dict[str, Any], settings: dict[str, Any]) -> Plan:
    """Make the plan of a training on a source; where the run folder holds a run, what resumes it has to be the same."""
    from napari_impa.work.training_plan import Plan

    chosen = TrainingSettings(
        hold_out=given["hold_out"], where=given["where"], description=given["description"] or "learned", **settings
    )
    return Plan(
        source, tuple(given["label"] or ()), given["control"], chosen, out, given["segment"],
        given["nuclei_channel"], kind="fields" if given["segment"] else None, start_from=given["start_from"],
        keep_crops=False, choice=given["choice"], channels=tuple(given["channels"]) if given["channels"] else None,
    )  # fmt: skip


def _resumed(folder: Path, given: dict[str, Any], settings: dict[str, Any]) -> Plan:
    """Return the plan of a run, changed where it may be.

    Raises
    ------
    ImpaError
        If there is no run, or it is to be another than it was begun as.
    """
    from dataclasses import replace

    from napari_impa.work.training_plan import plan_of, with_changes

    named = [f"--{name.replace('_', '-')}" for name in _FIXED if given[name]]
    named += [f"--{name}" for name in given["choice"].changed]
    if named:
        raise ImpaError(
            f"A run is resumed on the cells that it was begun on; leave {' and '.join(named)} out, or give SOURCE "
            "and --out to train anew."
        )
    changes = settings | {name: given[name] for name in ("hold_out", "where", "description") if given[name]}
    plan = with_changes(plan_of(folder), changes)
    return replace(plan, keep_crops=(plan.cells_path / "meta.json").is_file())
