"""Prediction into a folder: the cells of a source that fit a model, what they are turned into, and writing them."""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_impa.cells.beside import hidden_beside, remove_rests
from napari_impa.cells.folder import read_cells
from napari_impa.cells.parts import CellsBlock, Share, write_cells
from napari_impa.cells.segmenters import Segmenter
from napari_impa.cells.source import Source, SourceKind, open_source
from napari_impa.cells.store import Cells, CellsWriter, shortest
from napari_impa.engine.describing.new_condition import NewCondition, Target, as_list, name_of, read_new_conditions
from napari_impa.engine.device import one_thread
from napari_impa.engine.model.model import IMPA
from napari_impa.engine.model.prediction import TURNED_INTO, predict_blocks
from napari_impa.errors import ConditionError
from napari_impa.watch import UNWATCHED, Watch
from napari_impa.work.predicting.predicted_elsewhere import predict_elsewhere
from napari_impa.workers import ALONE, Workers


def cells_for(
    model: IMPA, source: str | Path | Source, *, segment: str | Segmenter | None = None, watch: Watch = UNWATCHED
) -> Cells:
    """Read a source's cells with the model's crop side and, where the source has its label columns, its labels.

    Parameters
    ----------
    segment
        How nuclei of whole fields are found, as `crop_source` takes it; it makes every image a whole field.

    Raises
    ------
    SourceError, CellsError, ConditionError
        As `read_cells`.
    """
    kind: SourceKind | None = "fields" if segment else None
    opened = source if isinstance(source, Source) else open_source(source, kind=kind)
    label, control = labelling_of(model, opened)
    return read_cells(
        opened if kind in (None, opened.kind) else opened.path, size=model.size, segment=segment, label=label,
        control=control, kind=kind, choice=opened.choice, unlabelled="keep", watch=watch,
    )  # fmt: skip


def labelling_of(model: IMPA, opened: Source) -> tuple[list[str] | None, str | None]:
    """Label columns and control of the model where the source has those columns; else they are guessed (None)."""
    labelled = bool(model.label) and set(model.label) <= set(opened.table.columns)
    return (list(model.label), model.control) if labelled else (None, None)


def targets_of(
    model: IMPA,
    to: Sequence[str] = (),
    *,
    smiles: str | None = None,
    dose: float | None = None,
    new: str | Path | None = None,
) -> list[Target]:
    """Gather what cells are to be turned into, each checked.

    Parameters
    ----------
    to
        Names of conditions that the model knows; where it knows one and nothing is given, it is that.
    smiles, dose
        A new compound, and its dose where the model was trained with doses.
    new
        CSV table of new conditions, as `read_new_conditions` takes it.

    Raises
    ------
    ConditionError
        If there is nothing, or something that the model does not know.
    """
    targets: list[Target] = [*to]
    if smiles is not None:
        targets.append(NewCondition(smiles if dose is None else f"{smiles} {shortest(dose)}", smiles=smiles, dose=dose))
    elif dose is not None:
        raise ConditionError("--dose is the dose of a new compound; give its SMILES too.")
    if new is not None:
        targets += read_new_conditions(new, model.descriptions)
    if not targets:
        known = [name for name in (*model.conditions, *model.unseen) if name != model.control]
        targets = list(known) if len(known) == 1 else []
    if not targets:
        raise ConditionError("Nothing to turn cells into; give --to, --smiles or --new.")
    for target in targets:
        model.embedding(target)
    return targets


def rows_to_turn(model: IMPA, cells: Cells, *, all_cells: bool = False) -> NDArray[np.intp]:
    """Number the cells that are turned: the controls of a model of perturbations, where they are known; else all."""
    if model.task == "perturbation" and not all_cells and cells.control is not None:
        return np.flatnonzero(cells.is_control)
    return np.arange(len(cells))


def predict_into(
    out: str | Path,
    model: IMPA,
    cells: Cells,
    to: Target | Sequence[Target],
    *,
    strength: float = 1.0,
    variability: float = 0.1,
    seed: int = 0,
    all_cells: bool = False,
    batch_size: int | None = None,
    overwrite: bool = False,
    keep: Mapping[str, Any] | None = None,
    share: Share | None = None,
    workers: Workers = ALONE,
    watch: Watch = UNWATCHED,
) -> Path:
    """Turn cells into each condition, batch by batch into a `.cells` folder: more of them than memory holds.

        model = impa.load_model("runs/chx")
        predict_into("after.cells", model, cells_for(model, "plate/"), "cycloheximide 50")

    Parameters
    ----------
    out
        The `.cells` folder to make.
    model, cells
        Of any number; cells in a file are read batch by batch too.
    to
        Names of conditions or new ones (`targets_of`); each cell comes once for each, in this order.
    strength, variability, seed
        As `IMPA.predict` takes them.
    all_cells
        Turn treated cells too, not the controls alone.
    batch_size
        Cells at a time.
    overwrite
        Replace `out` where it exists.
    keep
        What the cells are known again by, JSON-able: what is predicted then stays, hidden beside `out`, where the work
        is left, fails or is killed, and the next prediction of the same goes on from there. Not of shared work.
    share
        Which part this process does, where several write one folder together; None: all.
    workers
        Who predicts, some cells at a time each, where the model is on the CPU; on a GPU it is this process alone. The
        cells are the same to the bit, for which a process takes one CPU thread.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    CellsError
        If the folder exists or cannot be written.
    ConditionError, ModelError, OutOfMemoryError
        As `IMPA.predict`.
    """
    targets = as_list(to)
    names = [name_of(target) for target in targets]
    rows, like = rows_to_turn(model, cells, all_cells=all_cells), model.fit(cells.take([]))
    history = model.prediction_history(cells, targets, strength=strength, variability=variability, seed=seed)
    writer = CellsWriter(
        out, like.channels, like.size, like.pixels.dtype, pixel_size=cells.pixel_size, label=cells.label,
        control=cells.control, history=history, overwrite=overwrite,
        keep=None if keep is None or (share or Share()).count > 1 else {**keep, "batch_size": batch_size},
    )  # fmt: skip
    how: dict[str, Any] = {
        "strength": strength, "variability": variability, "seed": seed, "batch_size": batch_size, "rows": rows,
        "begin": writer.so_far.get("rows", 0), "watch": watch,
    }  # fmt: skip
    with ExitStack() as last:
        if workers.are_others and model.device.type == "cpu" and (share or Share()).count == 1:
            writer.check()
            writer.path.parent.mkdir(parents=True, exist_ok=True)
            remove_rests(writer.path.parent, f".*.partial.{glob.escape(writer.path.stem)}.impa")
            file = model.save(hidden_beside(writer.path.with_suffix(".impa")), compact=True)
            last.callback(file.unlink, missing_ok=True)
            blocks = predict_elsewhere(model, file, cells, targets, workers, **how)
        else:
            if model.device.type == "cpu":
                last.enter_context(one_thread())
            blocks = predict_blocks(model, cells, targets, share=share, **how)
        turned = (
            CellsBlock(
                pixels,
                cells.table.iloc[rows[part]].assign(**{TURNED_INTO: name}),
                {"rows": part.stop} if number == len(names) else None,
            )
            for part, images in blocks
            for number, (name, pixels) in enumerate(zip(names, images, strict=True), 1)
        )
        write_cells(writer, turned, share)
    return writer.path
