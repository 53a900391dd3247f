"""Cells that another program has found: tables with a row a cell, its centre and what was measured of it."""

from __future__ import annotations

from napari_impa.cells.centres.cell_table import CellTable, read_cell_table

__all__ = ["CellTable", "read_cell_table"]
