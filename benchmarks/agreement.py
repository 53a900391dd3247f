"""Whether our scores agree with judges that know nothing of them: `python -m benchmarks.agreement JUDGE SOURCE RUN …`.

    python -m benchmarks.agreement judge/ bbbc021_cycloheximide runs/a runs/b … --label compound dose_um --control DMSO

JUDGE is a folder whose `judge.py` has a `Judge` with `control` (its untreated cells) and `row(pixels, dose)`, which
gives `ratio` and `closed`. Beside the runs' last models stand one that leaves cells as they are and one that moves them
by the mean effect. Prints a row a model and Spearman's rank correlations.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from benchmarks.faulty_models import Answering, average, identity, training_cells
from napari_impa.analysis.beside.predicted import PREDICTED
from napari_impa.analysis.compared.evaluated_cells import EvaluatedCells, EvaluatedCondition
from napari_impa.analysis.evaluation import DEFAULT_SPACES, feature_spaces
from napari_impa.analysis.held_out import HeldOutScore
from napari_impa.analysis.metrics.frechet import DISTANCE
from napari_impa.analysis.metrics.gap import GAP
from napari_impa.analysis.selection import select_cells
from napari_impa.cells.folder import read_cells
from napari_impa.cells.store import Cells
from napari_impa.cells.words import guess_nuclei_channel
from napari_impa.work.catalog import load_model


def main(arguments: list[str] | None = None) -> None:
    """Score every model by ours and by the judge."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.agreement", description=__doc__.split("\n")[0])
    parser.add_argument("judge", type=Path)
    parser.add_argument("source", type=Path)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--label", nargs="+", required=True)
    parser.add_argument("--control", required=True)
    parser.add_argument("--doses", nargs="+", type=int, default=[15, 50])
    parser.add_argument("--features", nargs="+", default=list(DEFAULT_SPACES))
    parser.add_argument("--most", type=int, default=500)
    parser.add_argument("--judged", type=Path, help="CSV of judge.py; models that are in it are not judged again")
    parser.add_argument("--csv", type=Path)
    given = parser.parse_args(arguments)
    known = pd.DataFrame(columns=["model", "dose"]) if given.judged is None else pd.read_csv(given.judged)
    judge: Any = None
    models: dict[str, Any] = {run.name.removesuffix(".impa"): _model(run) for run in given.runs}
    first = next(iter(models.values()))
    cells = read_cells(given.source, label=given.label, control=given.control, size=first.size)
    seen = training_cells(first, cells)
    models |= {"identity": Answering(first, identity(first, seen))}
    models |= {"mean effect": Answering(first, average(first, seen))}
    score, rows = HeldOutScore(first, cells), []
    # What `evaluate` computes; the real cells are measured once for all models.
    chosen = select_cells(first, cells, most=given.most)
    nuclei = guess_nuclei_channel(first.channels) or 0
    evaluated = EvaluatedCells(chosen, first.limits, 0, nuclei, feature_spaces(given.features))
    for name, model in models.items():
        before = time.monotonic()
        trained = score(model)
        seconds = time.monotonic() - before
        names = {dose: next(one for one in model.conditions if _dose(one) == dose) for dose in given.doses}
        judged = known[(known["model"] == name) & known["dose"].isin(given.doses)].to_dict("records")
        if not judged:
            judge = judge or _judge(given.judge)
            judged = [_judged(judge, model, names[dose], dose) for dose in given.doses]
        ours = [_scored(evaluated, model, condition) for condition in names.values()]
        rows.append({
            "model": name,
            "training score": float(np.mean(list(trained.values()))),
            "gap closed": float(np.mean([row["gap_closed"] for row in ours])),
            "ratio (quick)": float(np.mean([row["ratio_quick"] for row in ours])),
            "judge: closed": float(np.mean([row["closed"] for row in judged])),
            "judge: ratio": float(np.mean([row["ratio"] for row in judged])),
            "seconds a training score": seconds,
        })  # fmt: skip
        print(rows[-1], flush=True)
    result = pd.DataFrame(rows)
    print(result.round(3).to_string(index=False))
    for mine in ("training score", "gap closed", "ratio (quick)"):
        for judges, sign in (("judge: closed", 1), ("judge: ratio", -1)):
            sign = -sign if mine.startswith("ratio") else sign
            print(f"Spearman of {mine} with {judges}: {sign * spearmanr(result[mine], result[judges]).statistic:.2f}")
    if given.csv:
        result.to_csv(given.csv, index=False)


def _scored(evaluated: EvaluatedCells, model: Any, condition: str) -> dict[str, float]:
    of = PREDICTED.make(EvaluatedCondition(model, condition, evaluated, strength=1.0, variability=0.1))
    assert of is not None
    return GAP.columns(of) | DISTANCE.columns(of)


def _judge(folder: Path) -> Any:
    sys.path.insert(0, str(folder))
    from judge import Judge

    return Judge()


def _model(path: Path) -> Any:
    last = path / "last.impa"
    return load_model(last if last.is_file() else path)


def _dose(condition: str) -> float:
    try:
        return float(condition.split()[-1])
    except ValueError:
        return float("nan")


def _judged(judge: Any, model: Any, condition: str, dose: int) -> dict[str, float]:
    about = pd.DataFrame(index=range(len(judge.control)))
    pixels = model.predict(Cells(judge.control, about, model.channels), condition, seed=0).pixels
    row: dict[str, float] = judge.row(pixels, dose)
    return row


if __name__ == "__main__":
    main()
