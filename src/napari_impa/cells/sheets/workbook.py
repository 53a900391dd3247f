"""Workbooks of spreadsheet programs: Excel's and OpenDocument's."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from napari_impa.cells.sheets.sheet import Sheet, SheetFormat, trimmed
from napari_impa.errors import MissingDependencyError, SourceError

ENDINGS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")


def _read(path: Path) -> list[Sheet]:
    try:
        from python_calamine import CalamineError
    except ImportError as error:
        raise MissingDependencyError(
            f'{path.name} is a workbook, which python-calamine reads: pip install "napari-impa[tables]"; '
            "or save the sheet as CSV."
        ) from error
    try:
        frames = pd.read_excel(
            path, sheet_name=None, header=None, dtype=object, engine="calamine", keep_default_na=False, na_values=[]
        )
    except (CalamineError, OSError, ValueError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise SourceError(f"{path} cannot be read as a workbook ({reason}); save it again, or as CSV.") from error
    sheets = []
    for name, frame in frames.items():
        sheet = Sheet.of(str(name), frame.to_numpy(object))
        sheets.append(Sheet(sheet.name, trimmed(sheet.texts), sheet.dates, sheet.cut_short))
    return sheets


WORKBOOK = SheetFormat("workbook", ENDINGS, _read)
