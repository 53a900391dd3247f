"""How good predictions are: one metric a file, listed here in the order of the table's columns.

Another metric is one file with a `Metric`, and its line in the list.
"""

from __future__ import annotations

from napari_impa.analysis.metrics.coverage import COVERAGE
from napari_impa.analysis.metrics.frechet import DISTANCE
from napari_impa.analysis.metrics.gap import GAP
from napari_impa.analysis.metrics.identity import IDENTITY
from napari_impa.analysis.metrics.kernel import KERNEL
from napari_impa.analysis.metrics.mechanism import MECHANISM_FOUND
from napari_impa.analysis.metrics.memory import MEMORY
from napari_impa.analysis.metrics.metric import Metric
from napari_impa.analysis.metrics.nuclei_found import NUCLEI_FOUND
from napari_impa.analysis.metrics.of_batches.correction import CORRECTION
from napari_impa.analysis.metrics.of_batches.mixing import MIXING
from napari_impa.analysis.metrics.replicates import REPLICATES
from napari_impa.analysis.metrics.support import SUPPORT
from napari_impa.analysis.metrics.taken_for_condition import TAKEN_FOR_CONDITION
from napari_impa.analysis.metrics.taken_for_treated import TAKEN_FOR_TREATED
from napari_impa.analysis.metrics.told_apart import TOLD_APART

METRICS: tuple[Metric, ...] = (
    GAP,
    TOLD_APART,
    TAKEN_FOR_TREATED,
    TAKEN_FOR_CONDITION,
    DISTANCE,
    KERNEL,
    COVERAGE,
    SUPPORT,
    NUCLEI_FOUND,
    IDENTITY,
    MEMORY,
    REPLICATES,
    MECHANISM_FOUND,
    CORRECTION,
    MIXING,
)

__all__ = ["METRICS", "Metric"]
