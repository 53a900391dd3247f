"""The rows that stand beside a prediction in every table of scores: one a file, listed here in the table's order.

Another row is one file with a `RowBeside`, and its line in the list.
"""

from __future__ import annotations

from napari_impa.analysis.beside.another_condition import ANOTHER
from napari_impa.analysis.beside.cells_seen import SEEN
from napari_impa.analysis.beside.control import CONTROL
from napari_impa.analysis.beside.copies import COPY
from napari_impa.analysis.beside.mean_effect import MEAN_EFFECT
from napari_impa.analysis.beside.predicted import PREDICTED
from napari_impa.analysis.beside.real_cells import REAL
from napari_impa.analysis.beside.row import RowBeside
from napari_impa.analysis.beside.split_half import HALF

ROWS: tuple[RowBeside, ...] = (PREDICTED, CONTROL, MEAN_EFFECT, ANOTHER, COPY, SEEN, REAL, HALF)
