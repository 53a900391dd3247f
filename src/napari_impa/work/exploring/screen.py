"""A screen: many conditions and compounds by what they would do to the cells of a source, in bounded memory.

Each cell is encoded once for some dozens of conditions, rendered under all of them and measured; what is kept of it are
sums. What is half done lies in a hidden folder beside the table, `.NAME.unfinished`, and is gone on with.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import BadZipFile

import numpy as np
import pandas as pd
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from napari_impa.analysis.phenotypes.control_scale import FEWEST_CONTROLS, WHAT_CHANGED, ControlScale
from napari_impa.analysis.phenotypes.real_effects import evenly, measured
from napari_impa.analysis.phenotypes.real_support import RealSupport
from napari_impa.analysis.phenotypes.shifts import ShiftSums
from napari_impa.cells.beside import written_beside
from napari_impa.cells.store import Cells
from napari_impa.engine.describing.new_condition import Target, name_of
from napari_impa.engine.model.model import IMPA
from napari_impa.engine.model.prediction import predict_blocks
from napari_impa.errors import CellsError, ConditionError
from napari_impa.watch import UNWATCHED, Checked, Watch
from napari_impa.work.exploring.screen_table import screen_table
from napari_impa.work.exploring.table_file import check_table_file, write_table_file
from napari_impa.work.predicting.predict_into import rows_to_turn

AT_A_TIME = 32
"""Conditions that a cell is encoded once for; what is done is kept after each so many."""

CELLS = 1000
"""Cells that are asked at most, evenly spread over all controls."""

TWICE = 64
"""Cells that are drawn twice, to tell how far the noise alone moves them."""

SCALED_BY, SUPPORTED_BY = 500, 1000
"""Cells that the scale is learned of, and real ones that predicted cells are looked for among."""


@dataclass(frozen=True, kw_only=True)
class ScreenPlan:
    """What is asked.

    Parameters
    ----------
    targets
        Names of conditions and new ones, no name twice.
    wanted
        A condition whose real cells in the source are the wanted phenotype; None: rank by the size of the effect.
    by
        What cells are measured by, one of `MEASURED_BY`.
    most
        Cells at most.
    strength, variability, seed
        As `IMPA.predict` takes them.
    batch_size
        Cells at a time.
    """

    targets: tuple[Target, ...]
    wanted: str | None = None
    by: str = WHAT_CHANGED
    most: int = CELLS
    strength: float = 1.0
    variability: float = 0.1
    seed: int = 0
    batch_size: int | None = None

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        targets = [one if isinstance(one, str) else one.to_json() for one in self.targets]
        return {**{f.name: getattr(self, f.name) for f in fields(self)}, "targets": targets}


def screen(
    plan: ScreenPlan, out: str | Path, *, model: IMPA, cells: Cells, overwrite: bool = False, resume: bool = False,
    watch: Watch = UNWATCHED, say: Callable[[str], object] = lambda line: None,
) -> pd.DataFrame:  # fmt: skip
    """Rank conditions by what they would do to cells, into a table.

    Parameters
    ----------
    out
        The table, CSV or parquet by its ending; `screen_table` says what its columns are.
    model, cells
        That predicts, and what it turns: the controls where they are known, else all.
    overwrite
        Replace the table where it exists.
    resume
        Go on with what was left of the same; the table is the same as if it had not been left.
    say
        Is told in a line what was found.

    Raises
    ------
    CellsError
        If the table exists or cannot be written, there are too few cells, or another process is at it.
    ConditionError, ModelError, OutOfMemoryError
        As `IMPA.predict`, or if no cell of the source is of the wanted phenotype.
    """
    out = check_table_file(Path(out), overwrite=overwrite)
    names = [name_of(target) for target in plan.targets]
    if not names or len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ConditionError(f"{twice[0]!r} is asked for twice." if twice else "There is nothing to screen.")
    for target in plan.targets:
        model.embedding(target)
    if plan.wanted is not None:
        there = int(((cells.conditions == plan.wanted) & ~cells.is_control).sum()) if cells.label else 0
        if there < FEWEST_CONTROLS:
            raise ConditionError(
                f"The source has {there} treated cells of the wanted phenotype {plan.wanted!r}, fewer than the "
                f"{FEWEST_CONTROLS} that are needed; choose another one."
            )
    rows = evenly(rows_to_turn(model, cells), plan.most)
    say(f"{len(rows):,} cells under {len(names):,} conditions.")
    folder = out.with_name(f".{out.stem}.unfinished")
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "lock", thread_local=False)
    try:
        lock.acquire(timeout=1)
    except Timeout:
        raise CellsError(f"Another process is screening into {out} now; wait for it.") from None
    try:
        kept = _begin(folder, plan, model, cells, rows, resume=resume)
        if kept:
            done = min(kept * AT_A_TIME, len(names))
            say(f"{done:,} condition{'s were' if done != 1 else ' was'} done before.")
        scale = ControlScale.of(model, model.fit(cells.take(evenly(rows, SCALED_BY))), plan.by, watch=Checked(watch))
        whole = _summed(plan, model, cells, rows, scale, folder, watch)
        table = screen_table(
            plan.targets, whole.shifts(), scale, model, cells, wanted=plan.wanted, watch=Checked(watch)
        )
        write_table_file(out, table)
        lock.release()
        shutil.rmtree(folder, ignore_errors=True)
    except BaseException:
        lock.release()
        if not any(folder.glob("[0-9]*.npz")):
            shutil.rmtree(folder, ignore_errors=True)
        raise
    return table


def ranking(plan: ScreenPlan, *, model: IMPA, cells: Cells, watch: Watch = UNWATCHED) -> pd.DataFrame:
    """The table of a screen that is soon done, of which nothing is kept; errors as `screen`."""
    with TemporaryDirectory(prefix="impa-ranking-") as folder:
        return screen(plan, Path(folder) / "ranking.csv", model=model, cells=cells, watch=watch)


def _begin(folder: Path, plan: ScreenPlan, model: IMPA, cells: Cells, rows: NDArray[np.intp], *, resume: bool) -> int:
    """Look whether what was left is of the same, else drop it; how many parts of it there are."""
    digest = hashlib.sha256(np.ascontiguousarray(rows).tobytes())
    for start in range(0, len(rows), 256):
        digest.update(np.ascontiguousarray(cells.take(rows[start : start + 256]).pixels).tobytes())
    said = condition_key(cells)
    asked = json.loads(json.dumps({"plan": plan.to_json(), "model": model.hash, "cells": digest.hexdigest(), **said}))
    try:
        left = json.loads((folder / "asked.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        left = None
    parts = list(folder.glob("[0-9]*.npz"))
    if resume and left is not None and left != asked and parts:
        raise CellsError(
            "What was left unfinished is of other cells, another model or other settings; choose another name, or "
            "begin anew."
        )
    if not resume or left != asked:
        for part in parts:
            part.unlink()
        parts = []
        with written_beside(folder / "asked.json") as partial:
            partial.write_text(json.dumps(asked), encoding="utf-8")
    return len(parts)


def condition_key(cells: Cells) -> dict[str, Any]:
    """What the cells' labels are, as far as a screen depends on them."""
    counts = cells.counts() if cells.label else {}
    return {"control": cells.control, "conditions": {str(name): int(counts[name]) for name in counts.keys()}}  # noqa: SIM118


def _summed(
    plan: ScreenPlan, model: IMPA, cells: Cells, rows: NDArray[np.intp], scale: ControlScale, folder: Path, watch: Watch
) -> ShiftSums:
    """The sums of all conditions, of which those in the folder were made before."""
    before = measured(model, scale, cells, rows, watch=Checked(watch))
    support: RealSupport | None = None
    made: list[dict[str, NDArray[np.float64]]] = []
    starts = range(0, len(plan.targets), AT_A_TIME)
    total = len(plan.targets) * len(rows)
    for start in starts:
        path = folder / f"{start:08d}.npz"
        part = plan.targets[start : start + AT_A_TIME]
        if not path.exists():
            if support is None:
                real = evenly(np.arange(len(cells)), SUPPORTED_BY)
                support = RealSupport(measured(model, scale, cells, real, watch=Checked(watch)))
            sums = ShiftSums.zeros(len(part), len(scale.names))
            _add_part(sums, plan, part, model, cells, rows, before, scale, support,
                      _Counted(watch, start * len(rows), total, len(part)))  # fmt: skip
            with written_beside(path) as partial:
                np.savez(partial, **asdict(sums))
        try:
            with path.open("rb") as file, np.load(file) as stored:
                made.append({name: stored[name] for name in stored.files})
        except (BadZipFile, ValueError, EOFError) as error:
            raise CellsError(f"{path} is damaged; remove it, and resume.") from error
    return ShiftSums(**{name: np.concatenate([one[name] for one in made]) for name in made[0]})


def _add_part(
    sums: ShiftSums, plan: ScreenPlan, part: tuple[Target, ...], model: IMPA, cells: Cells, rows: NDArray[np.intp],
    before: NDArray[np.float64], scale: ControlScale, support: RealSupport, watch: Watch,
) -> None:  # fmt: skip
    """Turn the cells into some conditions, and add what becomes of them to the sums."""
    how: dict[str, Any] = {
        "strength": plan.strength, "variability": plan.variability, "batch_size": plan.batch_size,
    }  # fmt: skip
    twice = min(TWICE, len(rows)) if plan.variability > 0 else 0
    again: Iterator[tuple[slice, list[NDArray[Any]]]] = iter(())
    if twice:
        again = predict_blocks(model, cells, part, rows=rows[:twice], seed=plan.seed + 1, watch=Checked(watch), **how)
    second: list[list[NDArray[np.float64]]] = [[] for _ in part]
    for _, images in again:
        for number, pixels in enumerate(images):
            second[number].append(scale(pixels, watch=Checked(watch)))
    drawn = [np.concatenate(one) if one else np.zeros((0, before.shape[1])) for one in second]
    for place, images in predict_blocks(model, cells, part, rows=rows, seed=plan.seed, watch=watch, **how):
        for number, pixels in enumerate(images):
            watch.check()
            after = scale(pixels)
            sums.add(number, before[place], after, np.arange(place.start, place.stop))
            sums.add_support(number, support.outside(after))
            both = after[: max(0, twice - place.start)]
            sums.add_second_draw(number, both, drawn[number][place.start : place.start + len(both)])


class _Counted(Watch):
    """Watches some conditions as a part of all: counts a cell under a condition as one."""

    def __init__(self, whole: Watch, before: int, of: int, conditions: int) -> None:
        self._whole, self._before, self._of, self._conditions = whole, before, of, conditions
        self.check = whole.check  # type: ignore[method-assign]

    def report(self, done: int, of: int, what: str = "") -> None:
        """Report how many cells were turned."""
        self._whole.report(self._before + done * self._conditions, self._of, "cells turned")
