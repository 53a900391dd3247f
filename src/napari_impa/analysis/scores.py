"""Score predictions: always beside the untreated control, with other real treated cells as the yardstick."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.analysis.features.quick import deep_features
from napari_impa.analysis.metrics.classifier import ConditionClassifier
from napari_impa.analysis.metrics.frechet import frechet_distance
from napari_impa.analysis.metrics.nucleus_kept import nucleus_kept
from napari_impa.analysis.selection import FEWEST, Selection, select_cells
from napari_impa.cells.segmentation import guess_nuclei_channel
from napari_impa.cells.store import Cells
from napari_impa.engine.model.model import IMPA
from napari_impa.errors import ConditionError

__all__ = ["ConditionClassifier", "evaluate", "format_table", "frechet_distance"]

DRAWS = 5
"""Samples of equally many cells that a distance is averaged over."""

FOLDS = 5
"""Parts of a cross-validation where there are no plates to leave out."""

NUCLEI = 300
"""Most nuclei compared, before and after, of a batch."""

KINDS = ("predicted", "control", "real")

Features = NDArray[np.float64]


def evaluate(
    model: IMPA,
    cells: Cells,
    *,
    where: Mapping[str, Any] | None = None,
    variability: float = 0.1,
    strength: float = 1.0,
    seed: int = 0,
    nuclei_channel: int | str | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> pd.DataFrame:
    """Score predictions on real cells, condition by condition.

    Fréchet distances to real treated cells are taken in `deep_features` between equally many cells: of predicted
    cells, of the same cells left as they are, and of other real treated cells. A `ConditionClassifier`, trained on
    real cells that are not scored, or else cross-validated by plate, says what each kind is taken for.

    Parameters
    ----------
    model, cells
        The model and real cells, controls among them.
    where
        Columns and values of the cells to score; by default those that the training held out, else all.
    variability, strength
        As for `IMPA.predict`.
    seed
        Of the predictions' noise and of every sample drawn.
    nuclei_channel
        Number or name of the channel that shows nuclei, which a batch model has to keep; guessed from the names, else
        the first.
    progress
        Called with conditions done and conditions in all.

    Returns
    -------
    pandas.DataFrame
        One row a condition: `condition`; `cells` turned into it; `real` cells of it; `compared`, cells on either side
        of each distance; `distance_predicted`, `distance_control`, `distance_real`; `ratio`, predicted over control,
        and its floor `ratio_real`, real over control (real: cells of the condition that are not scored, else those of
        other plates, else a random half); `treated_…`, the fraction taken for treated (not of a batch model), and
        `right_…`, the fraction taken for this very condition, of `…predicted`, `…control` and `…real` cells. `attrs`
        says how it was made. For a batch model a condition is a batch, and control are the uncorrected cells of the
        other batches; then `origin_control` and `origin_predicted` are the fractions taken for the batch that they came
        from, and `kept_area` and `kept_place` how their nuclei correlate in rank before and after, see `nucleus_kept`.

    Raises
    ------
    ConditionError
        If a column or value does not occur, or there are too few controls or treated cells among those chosen.
    ModelError
        If the cells do not fit the model.
    """
    chosen = select_cells(model, cells, where, seed=seed)
    features = _described(chosen.cells.pixels, chosen.rows, model.limits)
    judge = _Judge(chosen, features, seed)
    table, nuclei = [], _nuclei_channel(model, nuclei_channel)
    for number, condition in enumerate(chosen.conditions):
        sources, real = chosen.sources(condition), chosen.real(condition)
        predicted = model.predict(
            chosen.take(sources), condition, strength=strength, variability=variability, seed=seed
        )
        kinds = {
            "predicted": (deep_features(predicted.pixels, model.limits), sources),
            "control": (features[sources], sources),
            "real": (features[real], real),
        }
        one, other = _two_sets(chosen, condition, np.random.default_rng([seed, 2]))
        pairs = {kind: (kinds[kind][0], features[real]) for kind in KINDS} | {"real": (features[one], features[other])}
        compared = min(len(side) for pair in pairs.values() for side in pair)
        distances = {kind: _distance(*pair, compared, seed) for kind, pair in pairs.items()}
        row: dict[str, Any] = {"condition": condition, "cells": len(sources), "real": len(real), "compared": compared}
        row |= {f"distance_{kind}": distances[kind] for kind in KINDS}
        row["ratio"] = distances["predicted"] / distances["control"]
        row["ratio_real"] = distances["real"] / distances["control"]
        if chosen.control is not None:
            row |= {f"treated_{kind}": judge.treated(*kinds[kind]).mean() for kind in KINDS}
        row |= {f"right_{kind}": (judge.conditions(*kinds[kind]) == condition).mean() for kind in KINDS}
        if chosen.control is None:
            row |= {
                f"origin_{kind}": (judge.conditions(*kinds[kind]) == chosen.names[sources]).mean()
                for kind in ("control", "predicted")
            }
            some = slice(None, None, -(-len(sources) // NUCLEI))
            before = chosen.take(sources[some]).pixels[:, nuclei]
            row |= {f"kept_{k}": v for k, v in nucleus_kept(before, predicted.pixels[some, nuclei]).items()}
        table.append(row)
        if progress is not None:
            progress(number + 1, len(chosen.conditions))
    result = pd.DataFrame(table)
    result.attrs = {
        "model": model.name,
        "model_hash": model.hash,
        "task": model.task,
        "control": chosen.control,
        "where": chosen.where,
        "held_out": chosen.held_out,
        "strength": strength,
        "variability": variability,
        "seed": seed,
        "features": features.shape[1],
        "nuclei": model.channels[nuclei],
        "classifier": judge.how,
        "not_scored": [
            name
            for name in (*model.conditions, *model.unseen)
            if name not in chosen.conditions and name != chosen.control
        ],
    }
    return result


def _nuclei_channel(model: IMPA, given: int | str | None) -> int:
    """Number of the nuclear channel: given, or guessed from the names, else the first."""
    if given is None:
        return guess_nuclei_channel(model.channels) or 0
    if isinstance(given, str) and given in model.channels:
        return model.channels.index(given)
    if not str(given).isdecimal() or int(given) >= len(model.channels):
        raise ConditionError(f"There is no channel {given!r}; the model's channels are: {', '.join(model.channels)}.")
    return int(given)


class _Judge:
    """Classifiers such that no real cell is judged by one that was trained on it, or, where possible, on its plate."""

    def __init__(self, chosen: Selection, features: Features, seed: int) -> None:
        classes = [*chosen.conditions] if chosen.control is None else [chosen.control, *chosen.conditions]
        rest = {name: len(chosen.real(name, scored=False)) for name in classes}
        self.fold = np.where(chosen.scored, 0, -1)
        if min(rest.values()) >= FEWEST:
            self.how = "trained on the real cells that are not scored"
        elif all(len(set(chosen.plates[chosen.real(name)])) > 1 for name in classes):
            self.fold[chosen.scored] = np.unique(chosen.plates[chosen.scored].astype(str), return_inverse=True)[1]
            self.how = "trained on the real cells of the other plates"
        else:
            rng = np.random.default_rng([seed, 3])
            for name in classes:
                rows = chosen.real(name)
                self.fold[rows] = rng.permutation(np.arange(len(rows)) % FOLDS)
            self.how = "trained on other real cells of the same plates; it may know the plate rather than the condition"
        used = np.isin(chosen.names, classes)
        self.classifiers = [
            ConditionClassifier.fit(
                features[used & (self.fold != fold)], chosen.names[used & (self.fold != fold)], chosen.control
            )
            for fold in range(self.fold.max() + 1)
        ]

    def conditions(self, features: Features, rows: NDArray[np.intp]) -> NDArray[np.object_]:
        """Condition that cells are taken for; `rows` are those cells, or what they were made of."""
        out = np.empty(len(rows), object)
        for fold, classifier in enumerate(self.classifiers):
            if (mask := self.fold[rows] == fold).any():
                out[mask] = classifier.conditions(features[mask])
        return out

    def treated(self, features: Features, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Whether cells are taken for treated."""
        out = np.zeros(len(rows), bool)
        for fold, classifier in enumerate(self.classifiers):
            if (mask := self.fold[rows] == fold).any():
                out[mask] = classifier.is_treated(features[mask])
        return out


def _described(pixels: NDArray[Any], rows: NDArray[np.intp], limits: NDArray[np.float64]) -> Features:
    """Features of the cells at `rows`, read block by block."""
    return np.concatenate([deep_features(pixels[rows[i : i + 512]], limits) for i in range(0, len(rows), 512)])


def _two_sets(chosen: Selection, condition: str, rng: np.random.Generator) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Two sets of real cells of a condition: scored and not, or the largest plate and the others, or random halves."""
    real, rest = chosen.real(condition), chosen.real(condition, scored=False)
    if len(rest) >= FEWEST:
        return real, rest
    plates = pd.Series(chosen.plates[real])
    largest = np.asarray(plates == plates.value_counts().index[0])
    if np.sum(~largest) >= FEWEST:
        return real[largest], real[~largest]
    real = rng.permutation(real)
    return real[: len(real) // 2], real[len(real) // 2 :]


def _distance(a: Features, b: Features, count: int, seed: int) -> float:
    """Fréchet distance between `count` cells of either side, averaged over draws that depend on nothing but `seed`."""
    draws = []
    for draw in range(DRAWS):
        rng = np.random.default_rng([seed, 4, draw])
        draws.append(frechet_distance(a[rng.permutation(len(a))[:count]], b[rng.permutation(len(b))[:count]]))
    return float(np.mean(draws))


# ---- for the terminal -------------------------------------------------------------------------------------------


def format_table(table: pd.DataFrame) -> str:
    """Write the table of `evaluate` for a terminal, with a sentence on how to read each part."""
    made = table.attrs
    of_batches = made["task"] == "batch"
    what, control = ("batch", "uncorrected") if of_batches else ("condition", "control")
    heads = {"predicted": "predicted", "control": control, "real": "real"}
    seen = (
        "cells that the training held out."
        if made["held_out"]
        else "the training may have seen some of these cells, which flatters it."
    )
    lines = [
        f"{made['model']}, {made['where'] or 'all cells'}: {seen}",
        "",
        f"Fréchet distance to real cells of the {what}; lower is better. Ratio: predicted to {control}, 1 is no better",
        f"than leaving the cells as they are. Floor: real to {control}, what a repeat of the experiment scores (other",
        f"real cells of the {what}, of other plates if there are any; above 1, plates differ more than conditions).",
        _aligned(
            table,
            {"condition": what, "cells": "cells", "compared": "compared"}
            | {f"distance_{kind}": head for kind, head in heads.items()}
            | {"ratio": "ratio", "ratio_real": "floor"},
            lambda value: f"{value:.2f}",
        ),
    ]
    parts = {"right": f"Taken for this very {what}"}
    if not of_batches:
        parts = {"treated": "Taken for treated, whatever the condition"} | parts
    for part, title in parts.items():
        lines += [
            "",
            f"{title}; predicted cells should come near the real, far from the {control} ones.",
            _aligned(
                table,
                {"condition": what} | {f"{part}_{kind}": head for kind, head in heads.items()},
                lambda value: f"{100 * value:.1f} %",
            ),
        ]
    if of_batches:
        chance = 100 / (len(table) + len(made["not_scored"]))
        lines += [
            "",
            f"Still taken for the batch that they came from, before and after (chance is {chance:.0f} %), and what has",
            f"to stay: the nucleus's area and place ({made['nuclei']}), rank correlation before to after.",
            _aligned(
                table,
                {"condition": "corrected to", "origin_control": "before", "origin_predicted": "after"}
                | {"kept_area": "area", "kept_place": "place"},
                lambda value: f"{value:.3f}",
            ),
        ]
    lines += ["", f"The classifier was {made['classifier']}."]
    if made["not_scored"]:
        lines += [f"Not scored (fewer than {FEWEST} real cells among these): {', '.join(made['not_scored'])}."]
    return "\n".join(lines)


def _aligned(table: pd.DataFrame, heads: Mapping[str, str], write: Callable[[float], str]) -> str:
    """Columns under their heads, the first to the left, the others to the right."""
    columns: list[Sequence[str]] = []
    for key, head in heads.items():
        texts = [head, *(write(value) if isinstance(value, float) else str(value) for value in table[key])]
        width = max(map(len, texts))
        columns.append([f"{text:<{width}}" if key == "condition" else f"{text:>{max(width, 9)}}" for text in texts])
    return "\n".join("  " + "  ".join(line) for line in zip(*columns, strict=True))
