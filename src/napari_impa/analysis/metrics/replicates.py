"""Replicates: whether profiles of predicted cells find real profiles of their condition among all others."""

from __future__ import annotations

from importlib.util import find_spec
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from napari_impa.analysis.compared.comparison import Compared
from napari_impa.analysis.metrics.metric import Metric, PrintedPart, with_two_digits, words_of
from napari_impa.analysis.statistics.profiles import profiles_of
from napari_impa.errors import CellsError, MissingDependencyError

DRAWS = 10_000
"""Random rankings that a p-value is taken from."""

INSTALL = 'Replicates are compared by copairs; install it with pip install "napari-impa[evaluate]".'


class Retrieval(NamedTuple):
    """How well a condition's predicted profiles find its real ones.

    Parameters
    ----------
    average_precision
        Mean over the profiles: 1 if all real profiles of the condition come first.
    by_chance
        What random rankings would have, on average.
    p
        Share of random rankings that do as well.
    profiles
        Predicted profiles that it rests on.
    """

    average_precision: float
    by_chance: float
    p: float
    profiles: int


def replicate_retrieval(
    predicted: NDArray[np.float64],
    predicted_conditions: ArrayLike,
    real: NDArray[np.float64],
    real_conditions: ArrayLike,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> dict[str, Retrieval]:
    """Mean average precision with which predicted profiles find real ones of their condition, by cosine similarity.

    Each predicted profile ranks all real profiles, those of its condition to be found among those of other conditions
    and of controls (mean average precision: Kalinin et al., Nat. Commun. 2025, by their package `copairs`).

    Parameters
    ----------
    predicted, real
        (N, D) and (M, D) profiles on one scale, less that of the control: 0 is as the control; see `Reduction`
        and `profiles_of`.
    predicted_conditions, real_conditions
        (N,) and (M,) their conditions; the control's name for real profiles of controls.
    draws, seed
        Random rankings for p-values, and their seed; with 0 there are no p-values.

    Returns
    -------
    For each condition predicted. NaN where no real profile is of the condition, or none is of another.

    Raises
    ------
    CellsError
        If profiles differ in features, conditions are not given for each, or a feature is not finite.
    MissingDependencyError
        If copairs is not installed.
    """
    try:
        from copairs.map import average_precision, mean_average_precision
        from copairs.map.normalization import expected_ap
        from copairs.matching import UnpairedException
    except ImportError as error:
        raise MissingDependencyError(INSTALL) from error

    asked, there = np.asarray(predicted_conditions).astype(str), np.asarray(real_conditions).astype(str)
    features = _joined(predicted, asked, real, there)
    table = pd.DataFrame(
        {"condition": np.concatenate([asked, there]), "kind": ["predicted"] * len(asked) + ["real"] * len(there)}
    )
    nan = float("nan")
    found = {name: Retrieval(nan, nan, nan, int((asked == name).sum())) for name in dict.fromkeys(asked)}
    pairs = {"pos_sameby": ["condition"], "pos_diffby": ["kind"], "neg_sameby": [], "neg_diffby": ["condition", "kind"]}
    try:
        scores = average_precision(table, features, **pairs, progress_bar=False)
    except UnpairedException:
        return found
    scores = scores[
        (scores.kind == "predicted") & (scores.n_pos_pairs > 0) & (scores.n_total_pairs > scores.n_pos_pairs)
    ]
    if scores.empty:
        return found
    p: dict[str, float] = {}
    if draws:
        means = mean_average_precision(scores, ["condition"], draws, 0.05, seed, progress_bar=False)
        p = dict(zip(means.condition, means.p_value.astype(float), strict=True))
    for name, own in scores.groupby("condition"):
        chance = [expected_ap(int(n), int(of - n)) for n, of in zip(own.n_pos_pairs, own.n_total_pairs, strict=True)]
        precision = float(own.average_precision.mean())
        found[str(name)] = Retrieval(precision, float(np.mean(chance)), p.get(str(name), nan), len(own))
    return found


def _joined(
    predicted: NDArray[np.float64], asked: NDArray[np.str_], real: NDArray[np.float64], there: NDArray[np.str_]
) -> NDArray[np.float64]:
    predicted, real = np.asarray(predicted, np.float64), np.asarray(real, np.float64)
    if predicted.ndim != 2 or real.ndim != 2 or predicted.shape[1] != real.shape[1]:
        raise CellsError(f"Profiles need the same features to be compared, not shapes {predicted.shape}, {real.shape}.")
    if (len(predicted), len(real)) != (len(asked), len(there)):
        raise CellsError("Each profile needs its condition.")
    features = np.concatenate([predicted, real])
    if not np.isfinite(features).all():
        raise CellsError("Some features are not finite numbers; check the cells for NaN.")
    return features


ROWS_OF_PROFILES = ("predicted", "control", "mean_effect", "another", "copy", "real")
"""Rows whose profiles are not made of the very cells that they are to find."""


def _columns(of: Compared) -> dict[str, float]:
    """Profiles of the cells, by well or in groups, among those of the real cells of all conditions that are scored."""
    if of.row not in ROWS_OF_PROFILES or min(len(of.cells), len(of.real)) < 2:
        return {}
    evaluated, seed = of.of.evaluated, of.of.evaluated.seed
    chosen, middle = evaluated.chosen, of.control.reduced().mean(0)
    profiles, names = [], []
    for name in dict.fromkeys([*chosen.conditions, *([] if chosen.control is None else [chosen.control])]):
        cells = of.real if name == of.of.condition else evaluated.real(chosen.real(name))
        found = profiles_of(cells.reduced() - middle, cells.wells, seed=seed)
        profiles.append(found)
        names += [name] * len(found)
    own = profiles_of(of.cells.reduced() - middle, of.cells.wells, seed=seed)
    retrieval = replicate_retrieval(
        own, [of.of.condition] * len(own), np.concatenate(profiles), names,
        draws=DRAWS if of.row == "predicted" else 0, seed=seed,
    )[of.of.condition]  # fmt: skip
    return {
        "replicates": retrieval.average_precision,
        "replicates_chance": retrieval.by_chance,
        "replicates_p": retrieval.p,
    }


def _part(table: pd.DataFrame) -> PrintedPart:
    what, _ = words_of(table)
    text = (
        f"Replicates: mean average precision with which profiles of wells, or of groups of cells, find real ones of\n"
        f"the {what} among those of all others: 1 if these come first; by chance as said beside."
    )
    return PrintedPart(text, {"replicates": "replicates", "replicates_chance": "by chance"}, with_two_digits)


def _missing() -> str:
    return "" if find_spec("copairs") else INSTALL


REPLICATES = Metric(
    name="replicates",
    title="Replicates found",
    headline="replicates",
    better="higher",
    needs=frozenset({"features"}),
    columns=_columns,
    part=_part,
    source="Kalinin et al., Nat. Commun. 2025; copairs.",
    missing=_missing,
)
