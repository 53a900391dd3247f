"""Whether our score agrees with the truth, which simulated cells have: `python -m benchmarks.truth [MODEL …]`.

Models of the simulated screen, good and bad: the bundled one at several strengths, blended with other cells, blurred,
asked for another condition, the mean effect, cells left as they are, and any given. For each the gap closed, over cells
of which no model knows what becomes, beside the error to what each very cell truly becomes (`analysis.counterfactual`).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter
from scipy.stats import spearmanr

from benchmarks.faulty_models import Answer, Answering, average, identity
from napari_impa.analysis.beside.predicted import PREDICTED
from napari_impa.analysis.compared.evaluated_cells import EvaluatedCells, EvaluatedCondition
from napari_impa.analysis.counterfactual import compare
from napari_impa.analysis.evaluation import feature_spaces
from napari_impa.analysis.metrics.gap import GAP
from napari_impa.analysis.selection import select_cells
from napari_impa.cells.simulated.screen import simulated_cells, true_counterfactual
from napari_impa.cells.store import Cells
from napari_impa.cells.words import guess_nuclei_channel
from napari_impa.engine.model.model import IMPA
from napari_impa.work.catalog import load_model

SEED = 20261126
"""Of the cells; that of no training."""


def models_of(model: IMPA, seen: Cells) -> dict[str, Any]:
    """Made of one trained model: each knows something else wrong."""
    names = [name for name in model.conditions if name != model.control]

    def at(strength: float) -> Answer:
        return lambda cells, to: model.predict(cells, to, strength=strength, seed=0).pixels

    def changed(change: Callable[[np.ndarray], np.ndarray]) -> Answer:
        return lambda cells, to: change(model.predict(cells, to, seed=0).pixels.astype(float))

    answers = {f"strength {strength:g}": at(strength) for strength in (0.25, 0.5, 0.75, 1.0, 1.5)}
    answers |= {
        "identity": identity(model, seen),
        "mean effect": average(model, seen),
        "another condition": lambda cells, to: model.predict(cells, names[names.index(to) - 1], seed=0).pixels,
        "blurred": changed(lambda pixels: gaussian_filter(pixels, (0, 0, 2, 2))),
        "twice as bright": changed(lambda pixels: pixels * 2),
    }
    return {name: Answering(model, answer) for name, answer in answers.items()}


def main(arguments: list[str] | None = None) -> None:
    """Print a row a model, and Spearman's correlation of gap closed and counterfactual error."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.truth", description=__doc__.split("\n")[0])
    parser.add_argument("models", nargs="*", type=Path, help="further models of the simulated screen")
    parser.add_argument("--cells", type=int, default=60, help="cells of a condition, on four plates")
    parser.add_argument("--features", nargs="+", default=["measurements"])
    given = parser.parse_args(arguments)
    model = load_model("simulated-screen")
    cells = simulated_cells(given.cells, size=model.size, seed=SEED)
    models = models_of(model, cells) | {path.name: load_model(path) for path in given.models}
    chosen = select_cells(model, cells, {"plate": sorted(set(cells.table["plate"]))[-2:]})
    nuclei = guess_nuclei_channel(model.channels) or 0
    evaluated = EvaluatedCells(chosen, model.limits, 0, nuclei, feature_spaces(given.features))
    rows = []
    for name, one in models.items():
        gaps, errors = [], []
        for condition in chosen.conditions:
            of = EvaluatedCondition(one, condition, evaluated, strength=1.0, variability=0.1)
            compared = PREDICTED.make(of)
            assert compared is not None
            gaps.append(GAP.columns(compared)["gap_closed"])
            sources = chosen.take(of.control.positions)
            true = true_counterfactual(sources, condition).pixels
            errors.append(np.nanmedian(compare(sources.pixels, of.predicted.pixels, true, model.limits).error))
        rows.append({"model": name, "gap closed": np.mean(gaps), "error to the truth": np.mean(errors)})
        print({key: value if isinstance(value, str) else round(float(value), 3) for key, value in rows[-1].items()},
              flush=True)  # fmt: skip
    table = pd.DataFrame(rows)
    agreement = -spearmanr(table["gap closed"], table["error to the truth"]).statistic
    print(f"Spearman of gap closed with the counterfactual error, {len(table)} models: {agreement:.2f}")


if __name__ == "__main__":
    main()
