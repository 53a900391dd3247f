"""Mechanism of action: whether a profile's nearest one, of another compound, acts in the same way."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from napari_impa.analysis.compared.comparison import Compared
from napari_impa.analysis.metrics.metric import Metric, PrintedPart, in_percent
from napari_impa.analysis.statistics.profiles import profiles_of
from napari_impa.cells.words import MECHANISM, TREATMENT
from napari_impa.errors import CellsError


class MechanismAccuracy(NamedTuple):
    """Share of profiles whose nearest one acts alike, how many that rests on, and what guessing would have."""

    accuracy: float
    profiles: int
    by_chance: float


def mechanism_accuracy(
    profiles: NDArray[np.float64],
    compounds: ArrayLike,
    mechanisms: ArrayLike,
    among: tuple[NDArray[np.float64], ArrayLike, ArrayLike] | None = None,
) -> MechanismAccuracy:
    """Accuracy of mechanism by the nearest profile of not the same compound (Ljosa et al., J. Biomol. Screen. 2013).

    Parameters
    ----------
    profiles
        (N, D) on one scale, less that of the control, of predicted or of real cells; compared by cosine.
    compounds, mechanisms
        (N,) of each profile; empty or missing where a mechanism is not known.
    among
        Profiles, compounds and mechanisms to look in: real ones, for predicted `profiles`; without, `profiles`
        themselves.

    Returns
    -------
    Only profiles count for which there is one of another compound with the same mechanism, which could be found; NaN
    where there is none. Guessing draws any profile of another compound.

    Raises
    ------
    CellsError
        If the arrays do not fit each other, or a feature is not finite.
    """
    from sklearn.metrics import pairwise_distances

    here, compound, mechanism = _checked(profiles, compounds, mechanisms)
    there, other, acts = (here, compound, mechanism) if among is None else _checked(*among)
    if here.shape[1] != there.shape[1]:
        raise CellsError(f"Profiles need the same features to be compared, not shapes {here.shape}, {there.shape}.")
    others = (compound[:, None] != other) & (acts != "")
    right = others & (mechanism[:, None] == acts)
    counts = right.any(1) & (mechanism != "")
    if not counts.any():
        return MechanismAccuracy(float("nan"), 0, float("nan"))
    others, right = others[counts], right[counts]
    distances = np.where(others, pairwise_distances(here[counts], there, metric="cosine"), np.inf)
    hits = right[np.arange(len(right)), distances.argmin(1)]
    return MechanismAccuracy(float(hits.mean()), len(hits), float((right.sum(1) / others.sum(1)).mean()))


def _checked(
    profiles: NDArray[np.float64], compounds: ArrayLike, mechanisms: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.str_], NDArray[np.str_]]:
    profiles = np.asarray(profiles, np.float64)
    names = [
        pd.Series(np.asarray(column, object)).fillna("").astype(str).to_numpy(str) for column in (compounds, mechanisms)
    ]
    if profiles.ndim != 2 or any(len(column) != len(profiles) for column in names):
        raise CellsError("Each profile needs its compound and its mechanism, or an empty one.")
    if not np.isfinite(profiles).all():
        raise CellsError("Some features are not finite numbers; check the cells for NaN.")
    return profiles, names[0], names[1]


def _columns(of: Compared) -> dict[str, float]:
    """Nearest real profiles of other compounds, of all conditions that are scored."""
    evaluated = of.of.evaluated
    chosen, table, middle = evaluated.chosen, evaluated.chosen.cells.table, of.control.reduced().mean(0)
    column = MECHANISM.find(table)
    if column is None or min(len(of.cells), len(of.real)) < 2:
        return {}
    of_compound = TREATMENT.find(table) or chosen.cells.label[0]
    profiles, about = [], []
    for name in chosen.conditions:
        cells = of.real if name == of.of.condition else evaluated.real(chosen.real(name))
        found = profiles_of(cells.reduced() - middle, cells.wells, seed=evaluated.seed)
        first = table.iloc[chosen.rows[cells.positions[0]]]
        profiles.append(found)
        about += [(name, first[of_compound], first[column])] * len(found)
    names, compounds, mechanisms = zip(*about, strict=True)
    here = names.index(of.of.condition)
    own = profiles_of(of.cells.reduced() - middle, of.cells.wells, seed=evaluated.seed)
    asked = [compounds[here]] * len(own), [mechanisms[here]] * len(own)
    accuracy = mechanism_accuracy(own, *asked, (np.concatenate(profiles), compounds, mechanisms))
    return {"mechanism": accuracy.accuracy, "mechanism_chance": accuracy.by_chance}


def _part(table: pd.DataFrame) -> PrintedPart:
    text = (
        "Mechanism: share of profiles whose nearest real one, of another compound, acts in the same way;\n"
        "by guessing as said beside."
    )
    return PrintedPart(text, {"mechanism": "mechanism", "mechanism_chance": "by guessing"}, in_percent)


MECHANISM_FOUND = Metric(
    name="mechanism",
    title="Mechanism of action",
    headline="mechanism",
    better="higher",
    needs=frozenset({"features", "mechanisms"}),
    columns=_columns,
    part=_part,
    source="Ljosa et al., J. Biomol. Screen. 2013.",
)
