"""What is doubtful about cells before a training: each concern one sentence, the gravest first."""

from napari_impa.cells.checks.concern import KINDS, Concern, damaged_concerns, listed, ranked
from napari_impa.cells.checks.pixels import pixel_concerns
from napari_impa.cells.checks.table import FEW_CELLS, few_cells, plate_column, table_concerns

__all__ = [
    "FEW_CELLS", "KINDS", "Concern", "damaged_concerns", "few_cells", "listed", "pixel_concerns", "plate_column",
    "ranked", "table_concerns",
]  # fmt: skip
