"""Score predictions: always beside the untreated control, real cells, and what needs no network at all."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.analysis.attribution.mattered_cells import MatteredCells, mattered_cells
from napari_impa.analysis.beside import ROWS
from napari_impa.analysis.compared.comparison import WITH_INTERVAL, Compared
from napari_impa.analysis.compared.evaluated_cells import EvaluatedCells, EvaluatedCondition
from napari_impa.analysis.compared.extremes import ExtremeCells, extreme_cells
from napari_impa.analysis.compounds import unseen_similarities
from napari_impa.analysis.features import FEATURE_SPACES
from napari_impa.analysis.features.space import FeatureSpace, Measurement
from napari_impa.analysis.metrics import METRICS
from napari_impa.analysis.metrics.metric import Metric, Need
from napari_impa.analysis.metrics.support import outside_support
from napari_impa.analysis.selection import MOST, ScoredCells, select_cells
from napari_impa.analysis.verdict.finding import Verdict
from napari_impa.analysis.verdict.verdict import verdict_of
from napari_impa.cells.checks.of_cells import cells_concerns
from napari_impa.cells.store import Cells
from napari_impa.cells.words import MECHANISM, guess_nuclei_channel
from napari_impa.engine.model.card import Card
from napari_impa.engine.model.misfits import misfits
from napari_impa.engine.model.model import IMPA
from napari_impa.errors import ConditionError
from napari_impa.watch import UNWATCHED, Checked, Reported, Watch

logger = logging.getLogger("napari_impa")

DEFAULT_SPACES = ("measurements", "quick")
"""What cells are compared in where nothing else is asked for."""

SUPPORT_STRENGTHS = (0.0, 0.5, 1.0, 1.5)
"""Strengths at which it is looked at whether cells are like real ones."""

MOST_SUPPORTED = 60
"""Cells that are predicted at each strength."""

GROUPS = ("control", "predicted", "real")
"""Whose measurements are kept, to draw their distributions."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """All that is known of a model's predictions after they were held against real cells.

    Parameters
    ----------
    table
        Tidy: `condition`, `row` (one of `ROWS`), `cells`, `real`, then the metrics' columns; `attrs` says how it was
        made.
    measured
        Tidy: `condition`, `row`, `measurement`, `title`, `family`, `shift` (of real cells, in pooled standard
        deviations), `moves` (whether that counts), `moved` (of the row's cells), and `closed` of each that moves.
    values
        Of each condition the measurements (n, D) of `control`, `predicted` and `real` cells.
    measurements
        What those D are.
    support
        Tidy: `condition`, `strength`, `outside` (share of predicted cells that are like no real ones).
    extremes
        Of each condition the cells that came out best, middling and worst.
    families
        Tidy: `condition`, `row`, `family` (or `all`), `closed` with its interval `low` to `high`, and how many of its
        measurements truly move, `moving`.
    counts
        Tidy: `condition`, `turned` and `real` cells that are scored, on how many `plates` and in how many `wells` the
        real ones are; NaN where no column says it.
    channels, pixel_size
        Of the cells: their names; µm a pixel, None where it is not known.
    verdict
        What follows from it, in words.
    mattered
        Of each condition what mattered in its extreme cells and some more, or the sentence that says why that cannot be
        known; empty where it was not asked for.
    """

    table: pd.DataFrame
    measured: pd.DataFrame
    values: Mapping[str, Mapping[str, NDArray[np.float64]]]
    measurements: tuple[Measurement, ...]
    support: pd.DataFrame
    extremes: Mapping[str, ExtremeCells]
    families: pd.DataFrame
    counts: pd.DataFrame
    channels: tuple[str, ...]
    pixel_size: float | None
    verdict: Verdict
    mattered: Mapping[str, MatteredCells | str] = field(default_factory=dict)


def evaluate(
    model: IMPA,
    cells: Cells,
    *,
    where: Mapping[str, Any] | None = None,
    variability: float = 0.1,
    strength: float = 1.0,
    seed: int = 0,
    nuclei_channel: int | str | None = None,
    features: Sequence[str] = DEFAULT_SPACES,
    most: int = MOST,
    progress: Callable[[int, int], object] | None = None,
) -> pd.DataFrame:
    """Score predictions on real cells, condition by condition.

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
        Number or name of the channel that shows nuclei, which measurements start from and a batch model has to keep;
        guessed from the names, else the first.
    features
        Names of the feature spaces that cells are compared in, the first of them with named measurements: see
        `FEATURE_SPACES`.
    most
        Cells of a condition, and as many controls, above which a sample is taken.
    progress
        Called with parts of the work done, and parts in all.

    Returns
    -------
    pandas.DataFrame
        For each condition one row for the predicted cells and one for each that stands beside (`row`: `predicted`,
        `control`, `mean_effect`, `another`, `copy`, `seen`, `real`, `half`; `ROWS` says what each is for); `cells`
        judged and `real` cells they are held against; then the columns of all metrics that fit: `gap_closed` first.
        `attrs` says how it was made and what follows (`verdict`). For a batch model a condition is a batch, and
        `control` are the uncorrected cells of the other batches.

    Raises
    ------
    ConditionError
        If a column or value does not occur, there are too few controls or treated cells among those chosen, or a
        feature space is not known or cannot be used here.
    ModelError
        If the cells do not fit the model.
    """
    watch = UNWATCHED if progress is None else Reported(lambda done, of, what: progress(done, of))
    for line in (*misfits(model, cells), *(concern.message for concern in cells_concerns(cells))):
        logger.warning(line)
    return evaluation(
        model, cells, where=where, variability=variability, strength=strength, seed=seed,
        nuclei_channel=nuclei_channel, features=features, most=most, watch=watch,
    ).table  # fmt: skip


def evaluation(
    model: IMPA,
    cells: Cells,
    *,
    where: Mapping[str, Any] | None = None,
    variability: float = 0.1,
    strength: float = 1.0,
    seed: int = 0,
    nuclei_channel: int | str | None = None,
    features: Sequence[str] = DEFAULT_SPACES,
    most: int = MOST,
    mattered: bool = False,
    watch: Watch = UNWATCHED,
) -> Evaluation:
    """Score predictions on real cells, and keep all that a report shows.

    Parameters and errors are those of `evaluate`; with `mattered` it is also found what mattered in some predicted
    cells, which a batch model has no treated cells for.
    """
    spaces = feature_spaces(features)
    chosen = select_cells(model, cells, where, seed=seed, most=most)
    nuclei, guessed = _nuclei_channel(model, nuclei_channel)
    evaluated = EvaluatedCells(chosen, model.limits, seed, nuclei, spaces, Checked(watch), model.channels)
    mattered = mattered and model.task != "batch"
    parts, wells = len(ROWS) + 1 + mattered, True
    rows: list[dict[str, Any]] = []
    measured, families, counts, support, values, extremes = [], [], [], [], {}, {}
    explained: dict[str, MatteredCells | str] = {}
    for number, condition in enumerate(chosen.conditions):
        watch.check()
        of = EvaluatedCondition(model, condition, evaluated, strength=strength, variability=variability)
        for place, kind in enumerate(ROWS):
            watch.report(number * parts + place, len(chosen.conditions) * parts, f"{condition}: {kind.title}")
            if (row := kind.make(of)) is not None:
                rows.append(_scores(row))
                measured.append(_measured(row))
                families.append(_families(row))
                wells = wells and (row.row not in WITH_INTERVAL or row.gaps.drawn == "wells")
        watch.report(number * parts + len(ROWS), len(chosen.conditions) * parts, f"{condition}: strengths")
        support.append(_support(of))
        counts.append(_counts(of))
        values[condition] = {
            group: cells.features() for group, cells in zip(GROUPS, (of.control, of.predicted, of.real), strict=True)
        }
        extremes[condition] = extreme_cells(of)
        if mattered:
            watch.report(number * parts + parts - 1, len(chosen.conditions) * parts, f"{condition}: what mattered")
            explained[condition] = _mattered(of, extremes[condition])
        watch.report((number + 1) * parts, len(chosen.conditions) * parts, condition)
    table = pd.DataFrame(rows)
    drawn = "wells" if wells else "cells"
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
        "spaces": [space.name for space in spaces],
        "nuclei": model.channels[nuclei],
        "nuclei_guessed": guessed,
        "most": most,
        "drawn": drawn,
        "described": any(description.needs for description in model.descriptions),
        "unseen": list(model.unseen),
        "similarity": unseen_similarities(model),
        "citation": Card.parse(model.card or "").citation,
        "classifier": evaluated.classifier.how,
        "not_scored": [
            name
            for name in (*model.conditions, *model.unseen)
            if name not in chosen.conditions and name != chosen.control
        ],
        "not_measured": [sentence for metric in METRICS if (sentence := metric.missing())],
    }
    result = Evaluation(
        table, pd.concat(measured, ignore_index=True), values, evaluated.measurements,
        pd.concat(support, ignore_index=True), extremes, pd.concat(families, ignore_index=True), pd.DataFrame(counts),
        model.channels, chosen.cells.pixel_size, verdict_of(table, pd.concat(measured, ignore_index=True)),
        explained,
    )  # fmt: skip
    table.attrs["verdict"] = result.verdict.text
    return result


def feature_spaces(names: Sequence[str]) -> tuple[FeatureSpace, ...]:
    """Feature spaces by name.

    Raises
    ------
    ConditionError
        If one is not known, cannot be used here, or the first has no named measurements.
    """
    known = {space.name: space for space in FEATURE_SPACES}
    wanted = list(dict.fromkeys(names))
    for name in wanted:
        if name not in known:
            raise ConditionError(f"There is no feature space {name!r}; choose among: {', '.join(known)}.")
        if sentence := known[name].missing():
            raise ConditionError(sentence)
    if not wanted or known[wanted[0]].columns is None:
        wanted.insert(0, DEFAULT_SPACES[0])  # a network's features are never alone
    return tuple(known[name] for name in wanted)


def fitting_metrics(chosen: ScoredCells) -> list[Metric]:
    """Metrics of which these cells have all that they need, and this computer the libraries."""
    there: set[Need] = {"features", "pixels", "classifier", "nuclei"}
    there.add("batches" if chosen.control is None else "control")
    if len(set(chosen.plates)) > 1:
        there.add("plates")
    if MECHANISM.find(chosen.cells.table) is not None:
        there.add("mechanisms")
    if chosen.held_out:
        there.add("training")
    return [metric for metric in METRICS if metric.needs <= there and not metric.missing()]


def _scores(of: Compared) -> dict[str, Any]:
    """One row of the table."""
    row = {"condition": of.of.condition, "row": of.row, "cells": len(of.cells), "real": len(of.real)}
    for metric in fitting_metrics(of.of.evaluated.chosen):
        of.of.evaluated.watch.check()
        row |= metric.columns(of)
    return row


def _measured(of: Compared) -> pd.DataFrame:
    """What became of each measurement."""
    gaps = of.gaps
    return pd.DataFrame(
        {
            "condition": of.of.condition,
            "row": of.row,
            "measurement": [one.name for one in of.of.evaluated.measurements],
            "title": [one.title for one in of.of.evaluated.measurements],
            "family": [one.family for one in of.of.evaluated.measurements],
            "shift": gaps.shift,
            "moves": gaps.moves,
            "moved": gaps.predicted_shift,
            "closed": gaps.closed,
            "low": gaps.low,
            "high": gaps.high,
            "plain": gaps.plain,
        }
    )


def _families(of: Compared) -> pd.DataFrame:
    """How far each family came, and all together."""
    parts = {"all": of.gaps.overall, **of.gaps.families}
    return pd.DataFrame(
        [
            (of.of.condition, of.row, name, part.value, part.low, part.high, part.measurements)
            for name, part in parts.items()
        ],
        columns=["condition", "row", "family", "closed", "low", "high", "moving"],
    )


def _counts(of: EvaluatedCondition) -> dict[str, Any]:
    """How many cells of a condition are scored, and where the real ones were."""
    plates, wells = set(of.evaluated.chosen.plates[of.real.positions]), of.real.wells
    return {
        "condition": of.condition,
        "turned": len(of.control),
        "real": len(of.real),
        "plates": float("nan") if plates == {""} else len(plates),
        "wells": float("nan") if wells is None else len(set(wells)),
    }


def _mattered(of: EvaluatedCondition, extremes: ExtremeCells) -> MatteredCells | str:
    """What mattered, or why that cannot be known."""
    try:
        return mattered_cells(of, extremes.positions)
    except ConditionError as error:
        return str(error)


def _support(of: EvaluatedCondition) -> pd.DataFrame:
    """Share of predicted cells that are like no real ones, along strength."""
    real = of.evaluated.real(of.evaluated.chosen.judged())
    some = of.control.sample(MOST_SUPPORTED, 15)
    along = [of.predict(some, strength=strength).reduced() for strength in SUPPORT_STRENGTHS]
    outside = outside_support(real.reduced(), along, watch=of.evaluated.watch)
    return pd.DataFrame({"condition": of.condition, "strength": SUPPORT_STRENGTHS, "outside": outside})


def _nuclei_channel(model: IMPA, given: int | str | None) -> tuple[int, str]:
    """Number of the nuclear channel, and how it was guessed where it was not given."""
    if given is None:
        named = guess_nuclei_channel(model.channels)
        return (0, "guessed: the first, as no name says it") if named is None else (named, "guessed by its name")
    if isinstance(given, str) and given in model.channels:
        return model.channels.index(given), ""
    if not str(given).isdecimal() or int(given) >= len(model.channels):
        raise ConditionError(f"There is no channel {given!r}; the model's channels are: {', '.join(model.channels)}.")
    return int(given), ""
