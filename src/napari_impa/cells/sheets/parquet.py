"""Parquet tables, where pyarrow is installed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from napari_impa.cells.sheets.sheet import Sheet, SheetFormat
from napari_impa.errors import MissingDependencyError, SourceError, brief

ENDINGS = (".parquet",)


def _read(path: Path) -> list[Sheet]:
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            f"{path.name} is a parquet table, which pyarrow reads: pip install pyarrow; or save it as CSV."
        ) from error
    try:
        frame = pd.read_parquet(path, engine="pyarrow")
    except (OSError, ValueError) as error:  # pyarrow's errors are both
        raise SourceError(f"{path} cannot be read as a parquet table ({brief(error)}); write it again.") from error
    if not all(name is None for name in frame.index.names):
        frame = frame.reset_index()
    body = Sheet.of(path.stem, frame.to_numpy(object))
    head = np.array([[str(name).strip() for name in frame.columns]], object)
    return [Sheet(path.stem, np.concatenate([head, body.texts]) if head.size else body.texts)]


PARQUET = SheetFormat("parquet", ENDINGS, _read)
