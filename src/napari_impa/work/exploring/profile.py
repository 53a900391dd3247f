"""Profiles: what cells or wells measure, as pycytominer, AnnData and the like take them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.analysis.features import FEATURE_SPACES
from napari_impa.analysis.phenotypes.style_map import styles_of
from napari_impa.cells.beside import written_beside
from napari_impa.cells.store import Cells
from napari_impa.cells.tables import shortest
from napari_impa.cells.words import BATCH_LABEL, PLATE, SITE, WELL, guess_nuclei_channel
from napari_impa.engine.model.intensity import intensity_limits
from napari_impa.engine.model.model import IMPA
from napari_impa.errors import CellsError
from napari_impa.watch import UNWATCHED, Checked, Watch
from napari_impa.work.exploring.table_file import TABLE_FILES, check_table_file, of_one_kind

Per = Literal["cell", "well"]
"""What has a row of its own."""

PROFILE_FILES = {**TABLE_FILES, ".h5ad": "anndata"}
"""Endings of profiles, tables that pycytominer reads and AnnData's file, and what writes each."""

BLOCK = 512

METADATA = "Metadata_"
"""What pycytominer knows columns by that are no features."""


def write_profiles(
    out: str | Path, cells: Cells, *, model: IMPA | None = None, by: str = "measurements", per: Per = "cell",
    nuclei_channel: str | None = None, overwrite: bool = False, watch: Watch = UNWATCHED,
) -> Path:  # fmt: skip
    """Measure cells into a file: `Metadata_…` columns, then one column a measurement, by CellProfiler's names.

    Parameters
    ----------
    out
        `.csv`, `.parquet` (needs pyarrow) or `.h5ad` (needs anndata): there measurements are `X`, what is known of the
        cells is `obs`, and with a model the cells' own styles are `obsm["style"]`.
    model
        Whose intensity limits count, and whose channels the cells are put in order of; without one, limits are taken
        from the cells.
    by
        `measurements` (CellProfiler's) or `fast`.
    per
        A row a `cell`, or the median of a `well`, with how many cells it is of.
    nuclei_channel
        Name of the channel that shows nuclei; guessed where None.

    Raises
    ------
    CellsError
        If the file exists or cannot be written, or cells cannot be measured so.
    MissingDependencyError
        If the package is missing that writes such a file.
    ModelError
        If the cells do not fit the model.
    """
    path = checked_path(Path(out), overwrite=overwrite)
    space = next((one for one in FEATURE_SPACES if one.name == by and one.columns is not None), None)
    if space is None or space.columns is None:
        named = ", ".join(one.name for one in FEATURE_SPACES if one.columns is not None)
        raise CellsError(f"Profiles are of measurements with names: {named}, not {by!r}.")
    if per not in get_args(Per):
        raise CellsError(f"A row is a cell or a well, not {per!r}.")
    if not len(cells):
        raise CellsError("There are no cells to measure.")
    few = cells.take([0]) if model is None else model.fit(cells.take([0]))
    limits = intensity_limits(cells.pixels) if model is None else model.limits
    if nuclei_channel is not None and nuclei_channel not in few.channels:
        raise CellsError(f"There is no channel {nuclei_channel!r}; there are: {', '.join(few.channels)}.")
    guess = guess_nuclei_channel(few.channels) or 0
    nuclei = guess if nuclei_channel is None else few.channels.index(nuclei_channel)
    names = [one.name for one in space.columns(few.channels)]
    known = metadata_of(cells)
    if per == "well" and f"{METADATA}Well" not in known:
        raise CellsError("The cells name no wells; write a row a cell.")

    def blocks() -> Iterator[tuple[slice, NDArray[np.float32]]]:
        for start in range(0, len(cells), BLOCK):
            part = slice(start, min(start + BLOCK, len(cells)))
            some = cells.take(np.arange(part.start, part.stop))
            pixels = some.pixels if model is None else model.fit(some).pixels
            values = space.describe(np.asarray(pixels), limits, nuclei=nuclei, watch=Checked(watch))
            yield part, values.astype(np.float32)
            watch.report(part.stop, len(cells), "measuring cells")

    kind = path.suffix.lower()
    with written_beside(path) as partial:
        if per == "cell" and kind == ".csv":
            for part, values in blocks():
                table = pd.concat(
                    [known.iloc[part].reset_index(drop=True), pd.DataFrame(values, columns=names)], axis=1
                )
                table.to_csv(partial, mode="a" if part.start else "w", index=False, header=part.start == 0)
            return path
        whole = np.concatenate([values for _, values in blocks()])
        styles = None if model is None or kind != ".h5ad" else styles_of(model, cells, watch=Checked(watch))
        if per == "well":
            known, whole, styles = _of_wells(known, whole, styles)
        if kind == ".h5ad":
            _write_anndata(partial, known, whole, names, styles)
        else:
            table = pd.concat([known, pd.DataFrame(whole, columns=names)], axis=1)
            table.to_csv(partial, index=False) if kind == ".csv" else of_one_kind(table).to_parquet(
                partial, index=False
            )
    return path


def checked_path(path: Path, *, overwrite: bool) -> Path:
    """The path of a profile, `.csv` where nothing is said, as one that can be written; errors as `write_profiles`."""
    return check_table_file(path, overwrite=overwrite, files=PROFILE_FILES)


def metadata_of(cells: Cells) -> pd.DataFrame:
    """What is known of cells, as columns `Metadata_…`: `Metadata_Plate` and `Metadata_Well` by these names.

    `Metadata_condition` names what was done, `Metadata_is_control` whether that is nothing.
    """
    table = cells.table.rename(columns=str)
    called = {PLATE.find(table.columns): "Plate", WELL.find(table.columns): "Well", SITE.find(table.columns): "Site"}
    renamed = {}
    for column in table.columns:
        plain = column.removeprefix("Image_").removeprefix(METADATA)
        renamed[column] = METADATA + called.get(column, plain)
    out = table.rename(columns=renamed)
    out = out.loc[:, ~out.columns.duplicated()]
    if cells.label:
        out[f"{METADATA}condition"] = cells.conditions
        if cells.control is not None:
            out[f"{METADATA}is_control"] = cells.is_control
    return out


def _of_wells(
    known: pd.DataFrame, values: NDArray[np.float32], styles: NDArray[np.float32] | None
) -> tuple[pd.DataFrame, NDArray[np.float32], NDArray[np.float32] | None]:
    """Medians of each well, with what all of its cells have in common."""
    named = (f"{METADATA}Plate", f"{METADATA}Well", BATCH_LABEL.find(known.columns))
    keys = list(dict.fromkeys(one for one in named if one in known))
    rows, said = [], []
    for places in known.groupby([known[one].astype(str) for one in keys], sort=True).indices.values():
        same = known.iloc[places].nunique(dropna=False) <= 1
        said.append({**known.iloc[places[0]][same[same].index].to_dict(), f"{METADATA}Count_Cells": len(places)})
        rows.append(places)
    table = pd.DataFrame(said)
    middles = np.stack([_medians(values[places]) for places in rows])
    return table, middles, None if styles is None else np.stack([styles[places].mean(0) for places in rows])


def _medians(values: NDArray[np.float32]) -> NDArray[np.float32]:
    out = np.full(values.shape[1], np.nan, np.float32)
    some = np.isfinite(values).any(0)
    out[some] = np.nanmedian(values[:, some], axis=0)
    return out


def _write_anndata(
    path: Path, known: pd.DataFrame, values: NDArray[np.float32], names: list[str], styles: NDArray[np.float32] | None
) -> None:
    import anndata

    # a file of this kind is folders within folders: a name may have no slash
    obs = known.rename(columns=lambda name: name.removeprefix(METADATA).replace("/", "_"))
    obs = obs.set_index(known.index.astype(str))
    for column in obs:
        if not pd.api.types.is_numeric_dtype(obs[column]):
            obs[column] = obs[column].map(shortest).astype(object)
    more: dict[str, Any] = {} if styles is None else {"obsm": {"style": styles}}
    anndata.AnnData(values, obs=obs, var=pd.DataFrame(index=pd.Index(names)), **more).write_h5ad(path)
