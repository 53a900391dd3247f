"""A table of cells with their centres: CSV, parquet (CytoTable), or CellProfiler's SQLite; where each cell is from."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from napari_impa.cells.sheets.typed_table import read_table
from napari_impa.cells.wells import is_well, well_name
from napari_impa.cells.words import PLATE, SITE, WELL, Word, plain_name
from napari_impa.errors import MissingDependencyError, SourceError, brief

_PREFIXES = ("", "nuclei_", "cells_", "cytoplasm_", "object_")
_ENDINGS_X = ("location_center_x", "areashape_center_x")
_X = Word((
    *(before + ending for ending in _ENDINGS_X for before in _PREFIXES), "x", "center_x", "centre_x", "centroid_x",
    "x_center", "x_centre", "x_centroid", "centroid_1", "x_px", "pos_x",
))  # fmt: skip
_Y = Word(tuple("centroid_0" if name == "centroid_1" else re.sub(r"x(?=$|_)", "y", name) for name in _X.names))
_NUMBER = Word(("objectnumber", "nuclei_objectnumber", "number_object_number", "nuclei_number_object_number", "label"))
_IMAGE = Word(("imagenumber", "image_number"))
_TABLE = Word(("tablenumber", "table_number"))
_FILE = re.compile(r"(?:Metadata_)?(?:Image_)?FileName_.+|file|file_?name|image_?file|image_?name", re.IGNORECASE)
_TECHNICAL = re.compile(
    r"(?:Metadata_)?(?:Image_)?(?:PathName|URL|Frame|Series|MD5Digest|Height|Width|Scaling)_.+", re.IGNORECASE
)
_OBJECTS = ("nuclei", "nucleus", "object", "cells")
_SQLITE = (".sqlite", ".sqlite3", ".db")


@dataclass(frozen=True, eq=False)
class CellTable:
    """Cells and the images that they are from.

    Parameters
    ----------
    name
        Of the table's file.
    cells
        N rows: `y`, `x` (pixels from the image's upper left one, whose middle is 0, 0), `label` (0 where the table
        numbers none), and what else it says of each cell.
    files
        N sets of the names of each cell's image files, in lower case; None where the table names none.
    plates, wells, sites
        N texts; None where the table has no such column.
    without_centre
        Rows that were left out for want of numbers.
    """

    name: str
    cells: pd.DataFrame
    files: pd.DataFrame | None
    plates: pd.Series | None
    wells: pd.Series | None
    sites: pd.Series | None
    without_centre: int = 0


def read_cell_table(path: str | Path) -> CellTable:
    """Read a table of cells with their centres.

    Raises
    ------
    SourceError
        If it cannot be read, has no centres, or does not say from which image each cell is.
    MissingDependencyError
        If it is a parquet table and pyarrow is not installed.
    """
    path = Path(path)
    if not path.is_file():
        raise SourceError(f"There is no table of cells {path}.")
    suffix = path.suffix.lower()
    table = _of_database(path) if suffix in _SQLITE else _of_parquet(path) if suffix == ".parquet" else read_table(path)
    x, y = _X.find(table), _Y.find(table)
    if x is None or y is None:
        titles = ", ".join(map(str, table.columns[:8]))
        raise SourceError(
            f"{path} has no centres of cells: it needs columns x and y, or Location_Center_X and _Y, in pixels; its "
            f"columns begin with: {titles}."
        )
    if not _says_images(table) and (image := _IMAGE.find(table)) is not None:
        table = _with_images(path, table, image)
    if not _says_images(table):
        raise SourceError(
            f"{path} does not say from which image each cell is; it needs a column of files (FileName_…, file), or of "
            "wells and sites."
        )
    places = table[[y, x]].apply(pd.to_numeric, errors="coerce").to_numpy(float)
    good = np.isfinite(places).all(axis=1)
    table, places = table[good].reset_index(drop=True), places[good]
    return _cell_table(path, table, np.floor(places + 0.5).astype(int), {x, y}, int((~good).sum()))


def _cell_table(path: Path, table: pd.DataFrame, places: np.ndarray, used: set[str], without: int) -> CellTable:
    number = _NUMBER.find(table)
    files = [str(name) for name in table.columns if _FILE.fullmatch(str(name))]
    plate, well, site = (word.find(table) for word in (PLATE, WELL, SITE))
    site = None if site in files else site
    used |= {*files, *(name for name in (number, plate, well, site) if name is not None)}
    used |= {str(name) for name in table.columns if _TECHNICAL.fullmatch(str(name))}
    own = {str(name): table[name] for name in table.columns if name not in used and str(name) not in ("y", "x")}
    labels = np.zeros(len(table), int) if number is None else _whole(table[number])
    cells = pd.DataFrame({"y": places[:, 0], "x": places[:, 1], "label": labels, **own})
    return CellTable(
        path.name, cells, table[files].map(_base_name) if files else None, _texts(table, plate), _texts(table, well),
        _texts(table, site), without,
    )  # fmt: skip


def _whole(column: pd.Series) -> np.ndarray:
    numbers = pd.to_numeric(column, errors="coerce")
    return np.zeros(len(column), int) if numbers.isna().any() else numbers.to_numpy(int)


def _base_name(value: object) -> str:
    return str(value).replace("\\", "/").rpartition("/")[2].casefold()


def _texts(table: pd.DataFrame, name: str | None) -> pd.Series | None:
    from napari_impa.cells.tables import shortest

    if name is None:
        return None
    texts = table[name].map(shortest)
    return texts.map(lambda text: well_name(text) if is_well(text) else text) if WELL.fits(name) else texts


def _says_images(table: pd.DataFrame) -> bool:
    return any(_FILE.fullmatch(str(name)) for name in table.columns) or WELL.find(table) is not None


def _with_images(path: Path, table: pd.DataFrame, image: str) -> pd.DataFrame:
    """Add what `Image.csv` beside the table says of each image."""
    beside = next((file for file in sorted(path.parent.iterdir()) if file.name.lower().endswith("image.csv")), None)
    if beside is None or beside == path:
        return table
    images = read_table(beside)
    number = _IMAGE.find(images)
    return table if number is None else _joined(table, images, [(image, number)])


def _joined(table: pd.DataFrame, images: pd.DataFrame, keys: list[tuple[str, str]]) -> pd.DataFrame:
    """Cells with the columns of their images that say which these are."""
    told = [name for name in images.columns if _tells_image(str(name))]
    own, theirs = ([pair[side] for pair in keys] for side in (0, 1))
    wanted = images[[*theirs, *(name for name in told if name not in theirs and name not in table.columns)]]
    joined = table.merge(wanted.drop_duplicates(theirs), how="left", left_on=own, right_on=theirs)
    return joined.drop(columns=[name for name in theirs if name not in own])


def _tells_image(name: str) -> bool:
    return bool(_FILE.fullmatch(name)) or any(word.fits(name) for word in (PLATE, WELL, SITE))


def _of_parquet(path: Path) -> pd.DataFrame:
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            f"{path.name} is a parquet table, which pyarrow reads: pip install pyarrow; or save it as CSV."
        ) from error
    try:
        return pd.read_parquet(path, engine="pyarrow")
    except (OSError, ValueError) as error:  # pyarrow's errors are both
        raise SourceError(f"{path} cannot be read as a parquet table ({brief(error)}); write it again.") from error


def _of_database(path: Path) -> pd.DataFrame:
    """The table of nuclei of CellProfiler's database, with what its table of images says."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            rows = database.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
            names = [str(name) for (name,) in rows]
            objects = [name for word in _OBJECTS for name in names if plain_name(name).endswith(word)]
            images = [name for name in names if plain_name(name).endswith("image")]
            if not objects:
                known = ", ".join(names) or "none"
                raise SourceError(f"{path} has no table of nuclei or cells; its tables are: {known}.")
            table = _read(database, objects[0])
            if not images:
                return table
            of_images = _read(database, images[0])
    except sqlite3.Error as error:
        raise SourceError(f"{path} cannot be read as a database ({error}); write it again.") from error
    keys = [(word.find(table), word.find(of_images)) for word in (_TABLE, _IMAGE)]
    whole = [(own, theirs) for own, theirs in keys if own is not None and theirs is not None]
    return _joined(table, of_images, whole) if whole else table


def _read(database: sqlite3.Connection, name: str) -> pd.DataFrame:
    quoted = name.replace('"', '""')
    return pd.read_sql_query(f'SELECT * FROM "{quoted}"', database)
