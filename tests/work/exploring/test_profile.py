"""Profiles hold what was measured of each cell, under columns that pycytominer knows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pytest

from napari_impa.analysis.features import FAST
from napari_impa.analysis.phenotypes.style_map import styles_of
from napari_impa.cells.store import Cells, open_cells
from napari_impa.cli import main
from napari_impa.engine.model.model import IMPA
from napari_impa.errors import CellsError, MissingDependencyError
from napari_impa.work.exploring import profile as module
from napari_impa.work.exploring.profile import write_profiles


@pytest.fixture(scope="module")
def cells(cells_path: Path) -> Cells:
    return open_cells(cells_path)


def test_a_row_a_cell(model: IMPA, cells: Cells, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 10)
    table = pd.read_csv(write_profiles(tmp_path / "p.csv", cells, model=model, by="fast"))
    known = [name for name in table if name.startswith("Metadata_")]
    assert {"Metadata_Plate", "Metadata_Well", "Metadata_Site", "Metadata_condition", "Metadata_compound"} <= set(known)
    assert list(table["Metadata_condition"]) == list(cells.conditions)
    values = table[[name for name in table if name not in known]]
    assert list(values) == [one.name for one in FAST.columns(model.channels)]
    np.testing.assert_allclose(values, FAST.describe(np.asarray(cells.pixels), model.limits), rtol=1e-5, atol=1e-6)


def test_a_row_a_well(model: IMPA, cells: Cells, tmp_path: Path) -> None:
    whole = pd.read_csv(write_profiles(tmp_path / "cells.csv", cells, model=model, by="fast"))
    table = pd.read_csv(write_profiles(tmp_path / "wells.csv", cells, model=model, by="fast", per="well"))
    assert len(table) == 12
    assert table["Metadata_Count_Cells"].sum() == len(cells)
    assert "Metadata_y" not in table  # which cells of a well do not have in common
    name = "Cells_AreaShape_Area" if "Cells_AreaShape_Area" in table else table.columns[-1]
    middles = whole.groupby(["Metadata_Plate", "Metadata_Well"])[name].median()
    np.testing.assert_allclose(table.set_index(["Metadata_Plate", "Metadata_Well"])[name], middles, rtol=1e-5)
    with pytest.raises(CellsError, match="no wells"):
        write_profiles(
            tmp_path / "x.csv", Cells(cells.pixels, cells.table[["field"]], cells.channels), per="well", by="fast"
        )


def test_files_of_packages_that_are_missing_are_refused_before_anything_is_measured(
    cells: Cells, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "anndata", None)
    with pytest.raises(MissingDependencyError, match="pip install anndata"):
        write_profiles(tmp_path / "p.h5ad", cells)
    with pytest.raises(CellsError, match=r"not as \.txt"):
        write_profiles(tmp_path / "p.txt", cells)
    assert not list(tmp_path.iterdir())


def test_anndata_holds_the_styles(model: IMPA, cells: Cells, tmp_path: Path) -> None:
    anndata = pytest.importorskip("anndata")
    found = anndata.read_h5ad(write_profiles(tmp_path / "p.h5ad", cells, model=model, by="fast"))
    assert found.shape == (len(cells), len(FAST.columns(model.channels)))
    np.testing.assert_allclose(found.obsm["style"], styles_of(model, cells), rtol=1e-5)
    assert list(found.obs["condition"]) == list(cells.conditions)


def test_parquet_is_the_same_table(model: IMPA, cells: Cells, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    one, other = (write_profiles(tmp_path / f"p{end}", cells, model=model, by="fast") for end in (".csv", ".parquet"))
    pd.testing.assert_frame_equal(pd.read_csv(one), pd.read_parquet(other), check_dtype=False, rtol=1e-5)


@pytest.mark.parametrize("end", [".parquet", ".h5ad", ".PARQUET", ".H5AD"])
@pytest.mark.parametrize("per", ["cell", "well"])
def test_whatever_is_known_of_cells_is_written(
    end: str, per: Literal["cell", "well"], cells: Cells, tmp_path: Path
) -> None:
    """Columns of texts and numbers, of nothing, and of names that a file of folders takes for paths."""
    few = cells.take(np.arange(6))
    odd = {"mixed": ["a", 1, 2.5, None, True, "1"], "nothing": [None] * 6, "dose µM/l": range(6), "seen": [True] * 6}
    few = replace(few, table=few.table.assign(**odd))
    pytest.importorskip("pyarrow" if end.lower() == ".parquet" else "anndata")
    path = write_profiles(tmp_path / f"p{end}", few, by="fast", nuclei_channel="DNA", per=per)
    if end.lower() == ".parquet":
        found = pd.read_parquet(path)
        if per == "cell":
            assert found["Metadata_mixed"].fillna("-").tolist() == ["a", "1", "2.5", "-", "True", "1"]
            assert found["Metadata_dose µM/l"].tolist() == list(range(6))
        assert len(found) == (6 if per == "cell" else len(few.table[["plate", "well"]].drop_duplicates()))
    else:
        import anndata

        read = anndata.read_h5ad(path)
        if per == "cell":
            assert read.obs["mixed"].astype(object).fillna("").tolist() == ["a", "1", "2.5", "", "True", "1"]
            assert read.obs["dose µM_l"].tolist() == list(range(6))
        assert read.obs["condition"].notna().all()


def test_the_command_line_writes_profiles(cells_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.csv"
    main.main(["profile", str(cells_path), "--out", str(out), "--features", "fast", "--nuclei-channel", "DNA"])
    assert len(pd.read_csv(out)) == len(open_cells(cells_path))
    assert list(tmp_path.iterdir()) == [out]
