"""Whether a nucleus is found at the centre of the cells at all, without which most measurements are of the others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.analysis.compared.comparison import Compared
from napari_impa.analysis.features.families.under_mask import NUCLEI
from napari_impa.analysis.features.space import Measurement
from napari_impa.analysis.metrics.metric import Metric, PrintedPart, in_percent


def share_with_nucleus(features: NDArray[np.float64], measurements: Sequence[Measurement]) -> float:
    """Share of cells of which any measurement of the nucleus is known.

    Parameters
    ----------
    features
        (N, D), NaN where a measurement could not be taken.
    measurements
        What those D are.

    Returns
    -------
    0 … 1; NaN where there are no cells, or nothing is measured of nuclei.
    """
    of_nuclei = [measurement.name.startswith(f"{NUCLEI.name}_") for measurement in measurements]
    if not len(features) or not any(of_nuclei):
        return float("nan")
    return float(np.isfinite(features[:, of_nuclei]).any(1).mean())


def _columns(of: Compared) -> dict[str, float]:
    share = share_with_nucleus(of.cells.features(), of.of.evaluated.measurements)
    return {"with_nucleus": share} if np.isfinite(share) else {}


def _part(table: pd.DataFrame) -> PrintedPart:
    text = (
        f"With nucleus: share of cells with a nucleus ({table.attrs['nuclei']}) at their centre; of the others nothing "
        "is measured of nuclei."
    )
    return PrintedPart(text, {"with_nucleus": "with nucleus"}, in_percent)


NUCLEI_FOUND = Metric(
    name="nuclei",
    title="Cells with a nucleus",
    headline="with_nucleus",
    better="higher",
    needs=frozenset({"features", "nuclei"}),
    columns=_columns,
    part=_part,
    source="Otsu's threshold and watershed, as `central_nucleus_mask`.",
)
