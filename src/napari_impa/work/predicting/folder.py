"""From a whole folder to predicted cells, their table and a report, in bounded memory; what is left is gone on with.

What is half done lies in one hidden folder beside the cells to be, `.NAME.unfinished`: what was asked, the cells that
were cut, those that were predicted. All of it takes its place at the end.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from napari_impa.cells.beside import replacing, take_place, taken_back
from napari_impa.cells.blocks import workers_for
from napari_impa.cells.folder import crop_source
from napari_impa.cells.parts import Share
from napari_impa.cells.source import Source, SourceKind, open_source
from napari_impa.cells.store import Cells, open_cells, shortest
from napari_impa.engine.model.model import IMPA
from napari_impa.errors import CellsError, ConditionError
from napari_impa.watch import UNWATCHED, Watch
from napari_impa.work.doubts import doubts
from napari_impa.work.predicting.measured_table import write_measured_table
from napari_impa.work.predicting.plan import PredictionPlan
from napari_impa.work.predicting.predict_into import labelling_of, predict_into, rows_to_turn
from napari_impa.workers import Workers, cores

_ASKED, _CUT, _PREDICTED, _TABLE = "asked.json", "cut.cells", "predicted.cells", "measurements.csv"

FEW_CELLS = 1000
"""Predicted cells that one process has made before others would have started."""


@dataclass(frozen=True)
class PredictedFolder:
    """What was written.

    Parameters
    ----------
    cells, table, report
        Where it is; None what was not asked for or, of the report, could not be.
    turned
        Cells that were turned into each condition.
    without_report
        Why there is no report that was asked for.
    doubts
        What is doubtful about the cells, also in what they are unlike those that the model learned from.
    """

    cells: Path
    table: Path | None
    report: Path | None
    turned: int
    without_report: str = ""
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True)
class UnfinishedPrediction:
    """What was asked of a prediction that was left."""

    plan: PredictionPlan
    table: Path | None
    report: Path | None


def unfinished_prediction(out: str | Path) -> UnfinishedPrediction | None:
    """What was left unfinished of the cells to be at a path; None where nothing was, or it cannot be gone on with."""
    try:
        asked = json.loads((_folder(_cells_path(out)) / _ASKED).read_text(encoding="utf-8"))
        table, report = (None if asked[name] is None else Path(asked[name]) for name in ("table", "report"))
        return UnfinishedPrediction(PredictionPlan.of(asked["plan"]), table, report)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, CellsError, ConditionError):
        return None


def predict_folder(
    plan: PredictionPlan,
    out: str | Path,
    *,
    model: IMPA,
    opened: Source | None = None,
    table: Path | None = None,
    report: Path | None = None,
    overwrite: bool = False,
    resume: bool = False,
    share: Share | None = None,
    workers: Workers | None = None,
    watch: Watch = UNWATCHED,
    say: Callable[[str], object] = lambda line: None,
) -> PredictedFolder:
    """Cut the cells of a source, turn them, and write what comes of it.

    Parameters
    ----------
    plan
        What is asked.
    out
        The `.cells` folder to make.
    model
        That of the plan, on the device that predicts.
    opened
        The plan's source, where it was opened before.
    table
        A CSV of all cells before and after, with measurements (`write_measured_table`).
    report
        Folder of the report that `evaluate` writes of the same cells, where they hold what can be evaluated.
    overwrite
        Replace what is at `out`.
    resume
        Go on with what was left of the same plan; where there is nothing, or without it, begin anew.
    share
        Which part this process does, where several write one folder together.
    workers
        Who cuts the cells of whole fields, predicts, where the model is on the CPU, and measures; the same to the bit
        whoever does. None: a process a core, where there is enough to do.
    say
        Is told in a line what was found.

    Raises
    ------
    SourceError, ConditionError, ModelError, WorkersError
        As `crop_source` and `predict_into`.
    CellsError
        If `out` exists, what was left is of another plan, or another process is at it.
    """
    out, share = _cells_path(out), share or Share()
    kind: SourceKind | None = "fields" if plan.segment else None
    opened = opened or open_source(plan.source, kind=kind, channels=plan.channels, choice=plan.choice)
    if taken_back(out).exists() and not (overwrite and (out / "meta.json").is_file()):
        raise CellsError(f"{out} exists already; choose another name or remove it first.")
    asked: dict[str, Any] = json.loads(json.dumps({
        "plan": plan.to_json(), "model_hash": model.hash, "images": opened.fingerprint,
        "table": table and str(table), "report": report and str(report),
    }))  # fmt: skip
    folder = _folder(out)
    if share.rank == 0:
        _begin(folder, asked, resume=resume)
    share.wait()
    lock = FileLock(folder / "lock", thread_local=False)
    try:
        if share.rank == 0:
            _take(lock, out)
        cells = _cut(model, opened, folder, plan, share, workers or workers_for(opened), watch)
        rows = rows_to_turn(model, cells, all_cells=plan.all_cells)
        if model.task == "perturbation" and not plan.all_cells and cells.control is not None:
            say(f"{len(rows):,} of {len(cells):,} cells are controls ({shortest(cells.control)}).")
        others = workers or Workers(cores() if len(rows) * len(plan.to) >= FEW_CELLS else 1)
        doubtful = doubts(cells, model, rows)
        for line in doubtful:
            say(f"Warning: {line}")
        predicted = folder / _PREDICTED
        if not predicted.exists():
            predict_into(
                predicted, model, cells, plan.to, strength=plan.strength, variability=plan.variability, seed=plan.seed,
                all_cells=plan.all_cells, batch_size=plan.batch_size, keep={"images": opened.fingerprint}, share=share,
                workers=others, watch=watch,
            )  # fmt: skip
        share.wait()
        without = ""
        if share.rank == 0:
            if table is not None and not (folder / _TABLE).exists():
                turned = open_cells(predicted)
                write_measured_table(folder / _TABLE, model, cells, rows, turned, workers=others, watch=watch)
            if report is not None:
                without = _report(plan, model, cells, report, watch)
            del cells  # which a system may hold as open files
            _put(predicted, out)
            if table is not None:
                _put(folder / _TABLE, table)
            lock.release()
            shutil.rmtree(folder, ignore_errors=True)
        share.wait()
    except BaseException:
        lock.release()
        if share.rank == 0 and not any(folder.glob("*.cells")) and not any(folder.glob(".*.unfinished")):
            shutil.rmtree(folder, ignore_errors=True)
        raise
    return PredictedFolder(out, table, None if without else report, len(rows), without, doubtful)


def _cells_path(out: str | Path) -> Path:
    out = Path(out)
    return out if out.suffix == ".cells" else out.with_name(out.name + ".cells")


def _folder(out: Path) -> Path:
    return out.with_name(f".{out.stem}.unfinished")


def _begin(folder: Path, asked: dict[str, Any], *, resume: bool) -> None:
    """Make the folder of what is unfinished, or look whether it is of the same plan."""
    try:
        left = json.loads((folder / _ASKED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        left = None
    if resume and left is not None and (other := _other(left, asked)):
        raise CellsError(
            f"What was left unfinished of {folder.name[1:].removesuffix('.unfinished')}.cells is of other settings "
            f"({', '.join(other)}); give the same again, or begin anew."
        )
    try:
        if left is None or not resume:
            if folder.exists():
                lock = FileLock(folder / "lock", thread_local=False)
                _take(lock, folder)
                lock.release()
                shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True, exist_ok=True)
        if left != asked:
            with replacing(folder / _ASKED) as partial:
                partial.write_text(json.dumps(asked, indent=1), encoding="utf-8")
    except OSError as error:
        raise CellsError(f"{folder} cannot be written ({error.strerror or error}); choose another folder.") from error


def _other(left: dict[str, Any], asked: dict[str, Any]) -> list[str]:
    """What of the settings that cells depend on is another; the model and the images may lie elsewhere now."""
    words = {"model_hash": "the model's weights", "images": "the images"}
    plan, before = asked["plan"], left.get("plan", {})
    other = [name for name in plan if name not in ("model", "source") and plan[name] != before.get(name)]
    return other + [said for name, said in words.items() if asked[name] != left.get(name)]


def _take(lock: FileLock, out: Path) -> None:
    try:
        lock.acquire(timeout=1)
    except Timeout:
        raise CellsError(
            f"Another process is predicting into {out} now; wait for it, or choose another name."
        ) from None
    except (OSError, NotImplementedError):
        return


def _cut(
    model: IMPA, opened: Source, folder: Path, plan: PredictionPlan, share: Share, workers: Workers, watch: Watch
) -> Cells:
    """The cells of the source as `cells_for` gives them, on disk."""
    label, control = labelling_of(model, opened)
    if opened.kind == "cells" and opened.shape[0] == model.size:
        from napari_impa.cells.folder import read_cells

        return read_cells(opened, label=label, control=control)
    if not (folder / _CUT).exists():
        crop_source(
            opened, folder / _CUT, size=model.size, segment=plan.segment, nuclei_channel=plan.nuclei_channel,
            label=label, control=control, unlabelled="keep", keep=True, share=share, workers=workers, watch=watch,
        )  # fmt: skip
    return open_cells(folder / _CUT)


def _report(plan: PredictionPlan, model: IMPA, cells: Cells, report: Path, watch: Watch) -> str:
    """Write what `evaluate --report` writes; in words why not, where there is nothing to evaluate."""
    from napari_impa.analysis.evaluation import evaluation
    from napari_impa.analysis.report.files import write_report

    try:
        scored = evaluation(
            model, cells, strength=plan.strength, variability=plan.variability, seed=plan.seed, mattered=True,
            watch=watch,
        )  # fmt: skip
    except ConditionError as error:
        return str(error)
    write_report(scored, report, watch=watch)
    return ""


def _put(made: Path, path: Path) -> None:
    """Let something that is whole take its place; what stood there before stays where that fails."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if made.is_dir():
            take_place(made, path)
        else:
            made.replace(path)
    except OSError as error:
        raise CellsError(f"{path} cannot be written ({error.strerror or error}); mend that and go on.") from error
