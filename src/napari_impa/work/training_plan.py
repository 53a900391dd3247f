"""The plan of a training: everything it needs as plain values, that of a run on disk, and the cells it trains on."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_impa.cells.folder import crop_source, read_cells
from napari_impa.cells.layouts import AS_FOUND, LayoutChoice
from napari_impa.cells.segmenters import Segmenter, segmenter
from napari_impa.cells.source import Source, SourceKind, open_source
from napari_impa.cells.store import Cells, open_cells
from napari_impa.cells.tables import condition_names, guess_labels
from napari_impa.engine.training.settings import MAY_CHANGE, TrainingSettings
from napari_impa.errors import ConditionError, TrainingError
from napari_impa.watch import UNWATCHED, Watch
from napari_impa.work.tables.replicate_wells import asks_for_half, settled

if TYPE_CHECKING:
    from napari_impa.engine.model.model import IMPA

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
        Columns that name conditions, and the control's name. Where no column is given and no crops are kept, those
        that the source was stored with, or what its table suggests.
    settings
        Of the training.
    folder
        The run folder.
    segment, nuclei_channel
        How nuclei are found in whole fields, as `crop_source` takes it: a name, or a segmenter with its settings.
    kind
        Whether the images are whole fields or ready crops; guessed where None.
    start_from
        A model to go on from, or what `catalog.load_model` takes.
    cells
        Cells that were cut already, from layers or by a script.
    cache
        Where fetched models are; the user's cache folder where None.
    keep_crops
        Keep the cells that are cut, or were given, beside the run folder, from where it is resumed; else they are in
        memory only, and cut again to resume it.
    choice
        How the folder is read: its layout, which Z planes and times.
    channels
        Names for the channels of the images; those of the files where None.
    """

    source: Path
    label: tuple[str, ...]
    control: str | None
    settings: TrainingSettings
    folder: Path
    segment: str | Segmenter | None = None
    nuclei_channel: str | None = None
    kind: SourceKind | None = None
    start_from: IMPA | str | Path | None = None
    cells: Cells | None = None
    cache: Path | None = None
    keep_crops: bool = True
    choice: LayoutChoice = AS_FOUND
    channels: tuple[str, ...] | None = None

    @property
    def cells_path(self) -> Path:
        """Where cells that are cut for this training are kept: beside the run folder."""
        return self.folder.with_name(f"{self.folder.name}.cells")


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
        run.folder, _segmenter_of(source), source.get("nuclei_channel"), source.get("kind"),
        choice=LayoutChoice.of(source.get("choice", {})), channels=tuple(source.get("channels", ())) or None,
    )  # fmt: skip


def _segmenter_of(source: Mapping[str, Any]) -> Segmenter | None:
    """The segmenter that a run wrote down, with its settings."""
    name = source.get("segment")
    return None if name is None else segmenter(name, **source.get("segmenter_settings", {}))


def with_changes(plan: Plan, changes: Mapping[str, Any]) -> Plan:
    """Change settings of a run's plan, to resume it; steps or minutes given are in all, and the only ones that count.

    Raises
    ------
    TrainingError
        If one is to be another that must stay as it was, or the run has come to the end of this budget already.
    """
    budget = {"steps": None, "minutes": None} if {"steps", "minutes"} & set(changes) else {}
    changed = replace(plan, settings=replace(plan.settings, **{**budget, **changes}))
    old, new = plan.settings, changed.settings
    fixed = [name for name in changes if name not in MAY_CHANGE and getattr(new, name) != getattr(old, name)]
    if "hold_out" in fixed and asks_for_half(new.hold_out):
        fixed.remove("hold_out")  # which wells that are is known with the cells, and compared then
    if fixed:
        raise TrainingError(
            f"{plan.folder.name} goes on with the {', '.join(fixed)} that it was begun with; "
            f"only {', '.join(MAY_CHANGE[:-1])} and {MAY_CHANGE[-1]} may be new."
        )
    check_budget(changed)
    return changed


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


def settings_to_share(model: Path) -> dict[str, Any]:
    """Read the settings that a training shares with the model it goes on from."""
    from napari_impa.engine.training.fine_tuning import settings_of
    from napari_impa.work.catalog import load_model

    return settings_of(load_model(model))


def free_folder(source: Path) -> Path:
    """A run folder beside the source (or, where that cannot be written, at home) that does not exist yet."""
    parent = source.resolve().parent
    if not os.access(parent, os.W_OK):
        parent = Path.home() / "napari-impa"
    name = f"{source.resolve().stem if source.suffix == '.cells' else source.resolve().name}-run"
    candidates = (parent / (name if number == 1 else f"{name}-{number}") for number in range(1, 10_000))
    return next(path for path in candidates if not path.exists())


# ---- its cells ------------------------------------------------------------------------------------------------------


def cells_of(plan: Plan, *, reuse: bool = False, watch: Watch = UNWATCHED) -> Cells:
    """Read or cut the cells of a plan, labelled; those that are kept go into a `.cells` folder beside the run folder.

    Parameters
    ----------
    reuse
        Take those that lie beside the run folder already, as a run that is resumed does.

    Raises
    ------
    ImpaError
        As `crop_source`; a `ConditionError` before minutes of segmenting where all images are of one condition.
    """
    if plan.cells is not None:
        if not plan.keep_crops:
            return plan.cells
        if not (reuse and (plan.cells_path / "meta.json").is_file()):
            plan.cells.save(plan.cells_path, overwrite=True)
        return open_cells(plan.cells_path).labelled(plan.label, plan.control)
    source = open_source(plan.source, kind=plan.kind, channels=plan.channels, choice=plan.choice)
    unlabelled = not plan.label and source.kind != "cells" and plan.settings.task == "perturbation"
    if unlabelled and not guess_labels(source.table):
        condition_names(source.table, ())  # says what is missing before minutes of segmenting
    if not plan.keep_crops:
        return read_cells(
            source, label=plan.label or None, control=plan.control, size=plan.settings.size, segment=plan.segment,
            nuclei_channel=plan.nuclei_channel, watch=watch,
        )  # fmt: skip
    if len(set(condition_names(source.table, plan.label, plan.control))) < 2:
        raise ConditionError("All images are of one condition; training needs at least two.")
    path = plan.cells_path
    if source.kind == "cells":
        cells = source.stored_cells()
    elif reuse and (path / "meta.json").is_file():
        cells = open_cells(path)
    else:
        _require_ours(path, source)
        size = plan.settings.size if source.kind == "fields" else None
        cells = crop_source(
            source, path, size=size, segment=plan.segment, nuclei_channel=plan.nuclei_channel,
            label=plan.label, control=plan.control, overwrite=True, watch=watch,
        )  # fmt: skip
    return cells.labelled(plan.label, plan.control)


def _require_ours(path: Path, source: Source) -> None:
    """Check that cells which would be replaced were cut from the same source, and are not the user's own."""
    if (path / "meta.json").is_file() and open_cells(path).history.get("source") != source.name:
        raise TrainingError(f"{path} holds cells of something else, which would be lost; choose another run folder.")


def with_drawn_wells(plan: Plan, cells: Cells) -> tuple[Plan, str]:
    """Put the wells that are drawn in the place of `wells=half` (`tables.replicate_wells`), where that is held out.

    Returns
    -------
    The plan, and a sentence that names what was drawn; empty where nothing was.

    Raises
    ------
    ConditionError
        If wells are not known, or no condition has two.
    """
    asked = plan.settings
    if not asks_for_half(asked.hold_out):
        return plan, ""
    control = None if asked.task == "batch" else cells.control
    hold_out, drawn = settled(
        asked.hold_out, cells.table, cells.label, control, seed=asked.seed, where=asked.where
    )  # fmt: skip
    if drawn is None:
        return plan, ""
    return replace(plan, settings=replace(asked, hold_out=hold_out)), drawn.in_words()


# ---- errors of files ------------------------------------------------------------------------------------------------


@contextmanager
def files_in_words(plan: Plan) -> Iterator[None]:
    """Turn what the file system raises inside into a `TrainingError` that says what it means for this training."""
    try:
        yield
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
