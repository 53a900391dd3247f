"""Workbooks of spreadsheet programs: Excel's and OpenDocument's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.cells.sheets.sheet import Sheet, SheetFormat, trimmed
from napari_impa.errors import MissingDependencyError, SourceError, brief

ENDINGS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")

Range = tuple[int, int, int, int]

_ROW = re.compile(r"A?[A-Z]", re.ASCII)


def _read(path: Path) -> list[Sheet]:
    try:
        from python_calamine import CalamineError
    except ImportError as error:
        raise MissingDependencyError(
            f'{path.name} is a workbook, which python-calamine reads: pip install "napari-impa[tables]"; '
            "or save the sheet as CSV."
        ) from error
    try:
        with pd.ExcelFile(path, engine="calamine") as book:
            frames = pd.read_excel(
                book, sheet_name=None, header=None, dtype=object, keep_default_na=False, na_values=[]
            )
            merged = {name: _merged(book.book.get_sheet_by_name(name)) for name in frames}
    except (CalamineError, OSError, ValueError) as error:
        raise SourceError(f"{path} cannot be read as a workbook ({brief(error)}); save it again, or as CSV.") from error
    sheets = []
    for name, frame in frames.items():
        sheet = Sheet.of(str(name), _spread(frame.to_numpy(object), merged[name]))
        sheets.append(Sheet(sheet.name, trimmed(sheet.texts), sheet.dates, sheet.cut_short))
    return sheets


def _merged(sheet: Any) -> list[Range]:
    """First and last row and column of the merged cells; empty where the kind of file does not say."""
    return [(*first, *last) for first, last in getattr(sheet, "merged_cell_ranges", None) or ()]


def _spread(cells: NDArray[np.object_], merged: list[Range]) -> NDArray[np.object_]:
    """What merged cells say, in each of them: down a column, and along a row of a plate; a title stays one cell."""
    cells = cells.copy()
    for top, left, bottom, right in merged:
        for row in range(top, min(bottom + 1, len(cells))):
            in_grid = any(_ROW.fullmatch(str(text).strip()) for text in cells[row, :left])
            cells[row, left : (right if in_grid else left) + 1] = cells[top, left]
    return cells


WORKBOOK = SheetFormat("workbook", ENDINGS, _read)
