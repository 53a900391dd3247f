"""Score predictions: always beside the untreated control, with other real treated cells as the yardstick."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from napari_impa.analysis.evaluated_cells import EvaluatedCells, EvaluatedCondition
from napari_impa.analysis.metrics import METRICS
from napari_impa.analysis.metrics.metric import Metric, Need
from napari_impa.analysis.selection import ScoredCells, select_cells
from napari_impa.cells.store import Cells
from napari_impa.cells.words import guess_nuclei_channel
from napari_impa.engine.model.model import IMPA
from napari_impa.errors import ConditionError
from napari_impa.watch import UNWATCHED, Reported, Watch


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
    watch = UNWATCHED if progress is None else Reported(lambda done, of, what: progress(done, of))
    chosen = select_cells(model, cells, where, seed=seed)
    nuclei = _nuclei_channel(model, nuclei_channel)
    real = EvaluatedCells(chosen, model.limits, seed, nuclei, watch)
    table = score_conditions(model, real, strength=strength, variability=variability, watch=watch)
    table.attrs = {
        "model": model.name,
        "model_hash": model.hash,
        "task": model.task,
        "control": chosen.control,
        "where": chosen.where,
        "held_out": chosen.held_out,
        "strength": strength,
        "variability": variability,
        "seed": seed,
        "features": real.features.shape[1],
        "nuclei": model.channels[nuclei],
        "classifier": real.classifier.how,
        "not_scored": [
            name
            for name in (*model.conditions, *model.unseen)
            if name not in chosen.conditions and name != chosen.control
        ],
    }
    return table


def score_conditions(
    model: IMPA,
    cells: EvaluatedCells,
    *,
    strength: float = 1.0,
    variability: float = 0.1,
    watch: Watch = UNWATCHED,
) -> pd.DataFrame:
    """Predict each condition that is scored, and return a row of it with the columns of all metrics that fit."""
    chosen, metrics, table = cells.chosen, fitting_metrics(cells.chosen), []
    for number, condition in enumerate(chosen.conditions):
        watch.check()
        sources = chosen.take(chosen.sources(condition))
        predicted = model.predict(sources, condition, strength=strength, variability=variability, seed=cells.seed)
        of = EvaluatedCondition(condition, cells, predicted)
        row: dict[str, Any] = {"condition": condition, "cells": len(of.sources), "real": len(of.real)}
        for metric in metrics:
            row |= metric.columns(of)
        table.append(row)
        watch.report(number + 1, len(chosen.conditions), condition)
    return pd.DataFrame(table)


def fitting_metrics(chosen: ScoredCells) -> list[Metric]:
    """Metrics of which these cells have all that they need."""
    there: set[Need] = {"features", "pixels", "classifier", "nuclei"}
    there.add("batches" if chosen.control is None else "control")
    if len(set(chosen.plates)) > 1:
        there.add("plates")
    return [metric for metric in METRICS if metric.needs <= there]


def _nuclei_channel(model: IMPA, given: int | str | None) -> int:
    """Number of the nuclear channel: given, or guessed from the names, else the first."""
    if given is None:
        return guess_nuclei_channel(model.channels) or 0
    if isinstance(given, str) and given in model.channels:
        return model.channels.index(given)
    if not str(given).isdecimal() or int(given) >= len(model.channels):
        raise ConditionError(f"There is no channel {given!r}; the model's channels are: {', '.join(model.channels)}.")
    return int(given)
