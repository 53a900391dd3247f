"""How near predictions come to the true counterfactual of each cell, which only simulated cells have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_impa.analysis.ratio import ratio_or_nan
from napari_impa.cells.simulated.drawing import BATCHES
from napari_impa.cells.simulated.screen import true_counterfactual
from napari_impa.cells.store import Cells
from napari_impa.engine.describing.new_condition import Target, name_of
from napari_impa.engine.model.intensity import LEVELS
from napari_impa.engine.model.model import IMPA
from napari_impa.errors import CellsError

BLUR = 1.0
"""Standard deviation in pixels of the Gaussian that cells are smoothed with before they are compared."""


class Phenotype(NamedTuple):
    """What cells truly become: a simulated condition at a strength."""

    condition: str
    strength: float = 1.0


class Nearness(NamedTuple):
    """What `compare` finds, (n,) each.

    Parameters
    ----------
    correlation
        Pearson's correlation of the predicted with the true change over all pixels and channels; NaN where either is
        the same everywhere.
    error
        Root mean square difference of predicted and true over that of untransformed and true: 0 would be perfect, 1 is
        no better than leaving the cell as it is. NaN where the truth is the cell as it is.
    absolute_error
        The same of mean absolute differences, in which faint errors all over a cell weigh more.
    """

    correlation: NDArray[np.float64]
    error: NDArray[np.float64]
    absolute_error: NDArray[np.float64]


def compare(
    before: NDArray[Any],
    predicted: NDArray[Any],
    true: NDArray[Any],
    limits: NDArray[np.float64],
    *,
    blur: float = BLUR,
) -> Nearness:
    """Compare predicted with true cells, both against the untransformed ones.

    Parameters
    ----------
    before, predicted, true
        (n, C, S, S) the same cells untransformed, predicted and as they truly become, in the camera's units.
    limits
        (C, 2) lower and upper intensity of each channel, so that all channels weigh alike.
    blur
        Standard deviation in pixels of the Gaussian that all three are smoothed with; 0 for none.

    Raises
    ------
    CellsError
        If the shapes differ.
    """
    if not before.shape == predicted.shape == true.shape or before.ndim != 4:
        raise CellsError(
            "Counterfactuals are compared in crops of one shape, "
            f"not {before.shape}, {predicted.shape} and {true.shape}."
        )
    span = (limits[:, 1] - limits[:, 0])[:, None, None] / LEVELS
    start, one, other = (
        ndi.gaussian_filter(np.asarray(part, np.float64) / span, (0, 0, blur, blur)).reshape(len(part), -1)
        for part in (before, predicted, true)
    )
    change, wanted = one - start, other - start
    change_, wanted_ = (part - part.mean(1, keepdims=True) for part in (change, wanted))
    scale = np.sqrt((change_**2).sum(1) * (wanted_**2).sum(1))
    return Nearness(
        ratio_or_nan((change_ * wanted_).sum(1), scale),
        np.sqrt(ratio_or_nan(((one - other) ** 2).mean(1), (wanted**2).mean(1))),
        ratio_or_nan(np.abs(one - other).mean(1), np.abs(wanted).mean(1)),
    )


def score_counterfactuals(
    model: IMPA,
    cells: Cells,
    truth: Mapping[Target, Phenotype] | None = None,
    *,
    strength: float = 1.0,
    variability: float = 0.1,
    seed: int = 0,
) -> pd.DataFrame:
    """Score predictions of simulated cells by what these very cells truly become.

    The truth holds the camera's noise, the same as the cell's own; what a model makes of noise counts against it. Some
    simulated cells hardly respond to any condition, which no model can see in them.

    Parameters
    ----------
    model, cells
        The model, and simulated controls; for a batch model, cells of which each is turned into the other batch.
    truth
        What to turn the cells into, and what they truly become then; None for the model's conditions (or batches)
        under their own names.
    strength, variability, seed
        As for `IMPA.predict`.

    Returns
    -------
    pandas.DataFrame
        One row a condition: `condition`, `cells`, and medians over cells of `correlation`, `error` and
        `absolute_error`, see `Nearness`.

    Raises
    ------
    ConditionError
        If the cells are no simulated ones, or there is no such condition.
    CellsError
        If there are no cells.
    ModelError
        If the cells do not fit the model.
    """
    cells = model.fit(cells)
    if truth is None:
        truth = {name: Phenotype(name) for name in model.conditions}
    rows = []
    for target, phenotype in truth.items():
        if model.task == "batch":
            before = cells.take((cells.table["batch"] != phenotype.condition).to_numpy())
            true = true_counterfactual(before, batch=list(BATCHES).index(phenotype.condition))
        else:
            before = cells
            true = true_counterfactual(before, phenotype.condition, strength=phenotype.strength)
        if not len(before):
            raise CellsError(f"There are no cells to turn into {name_of(target)}; give some of the other batch.")
        after = model.predict(before, target, strength=strength, variability=variability, seed=seed)
        near = compare(before.pixels, after.pixels, true.pixels, model.limits)
        medians = {name: float(np.nanmedian(values)) for name, values in near._asdict().items()}
        rows.append({"condition": name_of(target), "cells": len(before), **medians})
    return pd.DataFrame(rows)


def format_counterfactuals(table: pd.DataFrame) -> str:
    """Write the table of `score_counterfactuals` for a terminal, with its median row."""
    width = max(len("condition"), *map(len, table["condition"])) if len(table) else 9
    lines = [f"  {'condition':<{width}}  {'cells':>5}  {'correlation':>11}  {'error':>5}  {'absolute':>8}"]
    lines += [
        f"  {row.condition:<{width}}  {row.cells:>5}  {row.correlation:>11.2f}  {row.error:>5.2f}"
        f"  {row.absolute_error:>8.2f}"
        for row in table.itertuples()
    ]
    middle = table[["correlation", "error", "absolute_error"]].median()
    shown = f"{middle['correlation']:>11.2f}  {middle['error']:>5.2f}  {middle['absolute_error']:>8.2f}"
    lines.append(f"  {'median':<{width}}  {'':>5}  {shown}")
    return "\n".join(lines)
