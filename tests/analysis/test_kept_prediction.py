from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image

from napari_impa.analysis.kept_prediction import (
    VIEW,
    KeptCells,
    KeptPrediction,
    figure,
    save_fields,
    save_figure,
    save_parts,
    save_table,
    table_of,
)
from napari_impa.cells.store import Cells, open_cells
from napari_impa.cells.tiff import read_ome_tiff
from napari_impa.errors import CellsError
from napari_impa.watch import Reported

CHANNELS = ("DNA", "actin")


def some_cells(count: int = 3, add: int = 0) -> Cells:
    pixels = (np.arange(count * 2 * 64).reshape(count, 2, 8, 8) % 251 + add).astype(np.uint16)
    table = pd.DataFrame({"y": np.arange(count) * 10, "x": 5, "field": "A01", "plate": "P1"})
    return Cells(pixels, table, CHANNELS, 0.65, history={"layers": list(CHANNELS)})


@pytest.fixture
def kept() -> KeptPrediction:
    made_by = {"model": "m", "condition": "a/b 1", "strength": 1.5}
    parts = (
        KeptCells("control", "control", some_cells()),
        KeptCells("a/b 1 ×1.5", "a/b 1", some_cells(add=7), made_by, pd.DataFrame({"area": [1.0, 2.0, 3.0]})),
        KeptCells("real a/b 1", "a/b 1", some_cells(5, add=9)),
    )
    field = np.random.default_rng(0).integers(0, 200, (2, 30, 20)).astype(np.uint16)
    place = {"scale": [0.65, 0.65], "translate": [10.0, -3.5], "units": ["micrometer", "micrometer"]}
    looks = [{"colormap": name, "contrast_limits": [1.0, 200.0], "gamma": 0.9} for name in ("blue", "red")]
    return KeptPrediction(parts, {"a/b 1 ×1.5": field}, place, looks)


def test_cells_come_back_with_place_look_and_maker(kept, tmp_path) -> None:
    told = []
    paths = save_parts(kept, tmp_path / "new" / "exp.cells", "cells", watch=Reported(lambda *said: told.append(said)))
    assert [path.name for path in paths] == ["exp control.cells", "exp a_b 1 ×1.5.cells", "exp real a_b 1.cells"]
    assert told == [(1, 3, "saving"), (2, 3, "saving"), (3, 3, "saving")]
    for path, part in zip(paths, kept.parts, strict=True):
        back = open_cells(path)
        np.testing.assert_array_equal(back.pixels, part.cells.pixels)
        assert back.history[VIEW] == {**kept.view(part), "axis": "cell"}
        assert back.history["layers"] == list(CHANNELS)
    assert kept.view(kept.parts[1])["made_by"]["strength"] == 1.5


@pytest.mark.parametrize(("kind", "suffix"), [("tiff", ".tif"), ("ome-tiff", ".impa.ome.tif"), ("cells", ".cells")])
def test_nothing_is_overwritten(kept, tmp_path, kind, suffix) -> None:
    first = save_parts(kept, tmp_path / "exp", kind)
    second = save_parts(kept, tmp_path / f"exp{suffix}", kind)
    assert first[0].name == f"exp control{suffix}"
    assert second[0].name == f"exp 2 control{suffix}"
    assert all(path.exists() for path in first + second)


def test_tiff_opens_in_imagej_and_ome(kept, tmp_path) -> None:
    for part, path in zip(kept.parts, save_parts(kept, tmp_path / "exp", "tiff"), strict=True):
        np.testing.assert_array_equal(tifffile.imread(path), part.cells.pixels)
    for part, path in zip(kept.parts, save_parts(kept, tmp_path / "exp", "ome-tiff"), strict=True):
        np.testing.assert_array_equal(read_ome_tiff(path).pixels, part.cells.pixels)
        assert read_ome_tiff(path).about["title"] == part.title


def test_field_in_place(kept, tmp_path) -> None:
    (path,) = save_fields(kept, tmp_path / "exp")
    back = read_ome_tiff(path)
    np.testing.assert_array_equal(back.pixels, kept.fields["a/b 1 ×1.5"])
    assert back.about["translate"] == [10.0, -3.5]
    with pytest.raises(CellsError, match="no field"):
        save_fields(KeptPrediction(kept.parts), tmp_path / "exp")


def test_table_has_a_row_a_cell_and_part(kept, tmp_path) -> None:
    table = pd.read_csv(save_table(kept, tmp_path / "table"))
    assert list(table.columns[:5]) == ["cell", "condition", "field", "y", "x"]
    assert table["condition"].value_counts().to_dict() == {"control": 3, "a/b 1 ×1.5": 3, "real a/b 1": 5}
    assert table.loc[table["condition"] == "a/b 1 ×1.5", "area"].tolist() == [1.0, 2.0, 3.0]
    assert table["area"].isna().sum() == 8
    assert set(table["plate"]) == set(table_of(kept)["plate"]) == {"P1"}


def test_figure_shows_the_same_cells_under_each_other(kept, tmp_path) -> None:
    drawn = figure(kept, first=99, count=2)
    assert [text for _, _, text, _ in drawn.words[:3]] == ["control", "a/b 1 ×1.5", "real a/b 1"]
    assert drawn.bar is not None
    np.testing.assert_array_equal(drawn.draw(), figure(kept, first=1, count=2).draw())  # the last two of three
    assert (drawn.draw() != figure(kept, first=0, count=2).draw()).any()
    np.testing.assert_array_equal(Image.open(save_figure(kept, tmp_path / "f.png", first=99, count=2)), drawn.draw())
    svg = save_figure(kept, tmp_path / "f.svg").read_text(encoding="utf-8")
    assert "real a/b 1" in svg
    assert "µm" in svg


def test_everything_of_a_view_can_be_written_as_json(kept) -> None:
    view = kept.view(kept.parts[1])
    assert json.loads(json.dumps(view)) == view


def test_places_in_the_table_are_those_in_the_whole_image(kept) -> None:
    origin = {"origin": [100, 200]}
    parts = [
        replace(part, cells=replace(part.cells, history=origin if number == 0 else {"cells": origin}))
        for number, part in enumerate(kept.parts[:2])
    ]
    table = table_of(replace(kept, parts=tuple(parts)))
    assert table["y"].tolist() == [100, 110, 120] * 2
    assert table["x"].tolist() == [205] * 6
    assert kept.parts[0].cells.table["y"].tolist() == [0, 10, 20]


def test_parts_of_one_name_have_files_of_their_own(kept, tmp_path) -> None:
    cis, trans, control = (replace(kept.parts[1], title=title) for title in ("C/C=C/C", "C\\C=C\\C", "Control"))
    paths = save_parts(replace(kept, parts=(kept.parts[0], cis, trans, control)), tmp_path / "x", "ome-tiff")
    assert len({path.name.casefold() for path in paths}) == 4
    np.testing.assert_array_equal(read_ome_tiff(paths[0]).pixels, kept.parts[0].cells.pixels)
