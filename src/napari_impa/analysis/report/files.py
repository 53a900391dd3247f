"""The files of a report: the page, and its numbers as JSON and CSV beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack
from math import isfinite
from pathlib import Path
from typing import Any

import pandas as pd

from napari_impa.analysis.attribution.mattered_cells import MatteredCells
from napari_impa.analysis.evaluation import Evaluation
from napari_impa.analysis.report.composition import mattered_part, report_contents
from napari_impa.analysis.report.contents import MatteredPart
from napari_impa.analysis.report.page import report_page
from napari_impa.cells.beside import written_beside
from napari_impa.errors import CellsError
from napari_impa.watch import UNWATCHED, Watch


def write_report(evaluation: Evaluation, folder: str | Path, *, watch: Watch = UNWATCHED) -> Path:
    """Write the report of an evaluation into a folder, in which other files stay.

    `report.html` is all that a reader needs; `report.json` has the same numbers, `scores.csv` the table of `evaluate`
    and `measurements.csv` what became of each measurement.

    Parameters
    ----------
    evaluation
        Of `evaluation`.
    folder
        Where to; a report that stands there is replaced when the new one is complete.
    watch
        Asked before every condition whether to go on.

    Returns
    -------
    Path of `report.html`.

    Raises
    ------
    CellsError
        If a file cannot be written.
    """
    page = report_page(report_contents(evaluation), watch=watch)
    files = {
        "report.html": page,
        "report.json": as_json(evaluation),
        "scores.csv": evaluation.table.to_csv(index=False),
        "measurements.csv": evaluation.measured.to_csv(index=False),
    }
    return write_together(folder, files, watch=watch)


def as_json(evaluation: Evaluation) -> str:
    """Write settings, verdict and numbers of an evaluation as JSON; what there is no number of is null."""
    verdict = evaluation.verdict
    parts = {
        "settings": _finite(evaluation.table.attrs),
        "verdict": {"first": verdict.first, "text": verdict.text, "findings": [vars(one) for one in verdict.findings]},
        "scores": _records(evaluation.table),
        "families": _records(evaluation.families),
        "support": _records(evaluation.support),
        "mattered": {condition: _summed(mattered) for condition, mattered in evaluation.mattered.items()},
    }
    return json.dumps(parts, indent=1, default=str, allow_nan=False)


def _summed(mattered: MatteredCells | str) -> Any:
    """What mattered in a condition, in numbers; or the sentence that says why it is not known."""
    part = mattered_part(mattered)
    if not isinstance(part, MatteredPart):
        return part
    return _finite({**vars(part), "sizes": part.sizes.tolist(), "changes": part.changes.tolist()})


def _finite(value: Any) -> Any:
    """The same without numbers that are none, which JSON does not know."""
    if isinstance(value, Mapping):
        return {str(key): _finite(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = json.loads(table.to_json(orient="records"))
    return records


def write_together(folder: str | Path, files: Mapping[str, str], *, watch: Watch = UNWATCHED) -> Path:
    """Write texts as UTF-8 into a folder, which is made where it is missing; other files in it stay.

    Parameters
    ----------
    folder
        Where to.
    files
        Texts by name; the first takes its name last, so that it is there when all others are.
    watch
        Asked before each whether to go on; until the last is written none has its name.

    Returns
    -------
    Path of the first.

    Raises
    ------
    CellsError
        If they cannot be written.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise CellsError(f"{folder} is a file; choose a folder for the report.")
    with ExitStack() as together:
        for name, text in files.items():
            watch.check()
            partial = together.enter_context(written_beside(folder / name))
            partial.write_bytes(text.encode("utf-8", "replace"))
        watch.check()
    return folder / next(iter(files))
