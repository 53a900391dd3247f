from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_impa.cells.simulated.screen import simulated_cells, write_simulated_screen
from napari_impa.cells.store import open_cells
from napari_impa.cells.tables import condition_names
from napari_impa.errors import SourceError
from napari_impa.watch import CancelledError, Token
from napari_impa.work.survey import LARGEST, Looked, finished, look, look_closer, shrunk
from napari_impa.work.tables.conditions_table import (
    conditions_table,
    default_hold_out,
    held_rows,
    label_columns,
    values_of,
)
from napari_impa.work.training_plan import free_folder

TABLE = pd.DataFrame(
    {
        "compound": ["DMSO", "DMSO", "DMSO", "taxol", "taxol", "taxol"],
        "dose": [0.0, 0.0, 0.0, 1.0, 1.0, 5.0],
        "plate": ["p1", "p2", "p3", "p1", "p2", "p3"],
        "site": range(6),
    }
)


def test_conditions_are_counted_controls_first() -> None:
    found = conditions_table(TABLE, ("compound", "dose"), "DMSO")
    assert found["condition"].tolist() == ["DMSO", "taxol 1", "taxol 5"]
    assert found["count"].tolist() == [3, 2, 1]
    assert found["plates"].tolist() == [3, 2, 1]
    assert found["control"].tolist() == [True, False, False]


def test_an_empty_label_is_no_condition() -> None:
    row = {"compound": "", "dose": np.nan, "plate": "p4", "site": 6}
    table = pd.concat([TABLE, pd.DataFrame([row])], ignore_index=True)
    pd.testing.assert_frame_equal(
        conditions_table(table, ("compound", "dose"), "DMSO"), conditions_table(TABLE, ("compound", "dose"), "DMSO")
    )
    assert default_hold_out(table, ("compound",), "DMSO") == default_hold_out(TABLE, ("compound",), "DMSO")
    assert default_hold_out(TABLE, ("compound",), "DMSO")[0] == "plate"


def test_no_plates_are_no_plates() -> None:
    found = conditions_table(TABLE.drop(columns="plate"), ("compound",), None)
    assert found["plates"].tolist() == [0, 0]
    assert not found["control"].any()


def test_last_plate_is_held_out_if_nothing_is_lost_by_it() -> None:
    assert default_hold_out(TABLE, ("compound",), "DMSO") == ("plate", ("p3",))
    assert default_hold_out(TABLE, ("compound", "dose"), "DMSO") == ("", ())  # taxol 5 is on plate p3 only
    assert default_hold_out(TABLE[TABLE.plate != "p3"], ("compound",), "DMSO") == ("", ())
    assert default_hold_out(TABLE, ("plate",), None) == ("", ())


@pytest.mark.parametrize("name", ["Plate", "Metadata_Plate", "Image_Metadata_Plate_DAPI", "Week"])
def test_a_plate_is_counted_and_held_out_whatever_its_column_is_called(name: str) -> None:
    table = TABLE.rename(columns={"plate": name})
    assert conditions_table(table, ("compound", "dose"), "DMSO")["plates"].tolist() == [3, 2, 1]
    assert default_hold_out(table, ("compound",), "DMSO") == (name, ("p3",))


def test_columns_that_can_be_labels() -> None:
    many = pd.concat([TABLE] * 4, ignore_index=True).assign(y=1, name=[f"cell {i}" for i in range(24)], same="x")
    assert label_columns(many) == ("compound", "dose", "plate", "site")
    assert label_columns(TABLE.iloc[[0, 3]], ["compound"]) == ("compound", "dose", "site")
    assert values_of(TABLE, "dose") == ["0", "1", "5"]


def test_run_folder_is_new_and_beside_the_source(tmp_path: Path) -> None:
    source = tmp_path / "plate.cells"
    assert free_folder(source) == tmp_path / "plate-run"
    (tmp_path / "plate-run").mkdir()
    assert free_folder(source) == tmp_path / "plate-run-2"
    assert free_folder(tmp_path / "v1.2 images").name == "v1.2 images-run"


def test_look_guesses_labels_and_control(cells_path: Path, tmp_path: Path) -> None:
    looked = look(cells_path, "perturbation")
    assert (looked.labels, looked.control, looked.source.kind) == (("compound",), "DMSO", "cells")
    assert {"compound", "plate", "batch"} <= set(looked.columns)
    assert look(cells_path, "batch").labels == ("batch",)
    with pytest.raises(SourceError):
        look(tmp_path, "perturbation")


def test_held_out_rows_are_counted() -> None:
    found = conditions_table(TABLE, ("compound",), "DMSO", {"plate": ["p3"]})
    assert found["held"].tolist() == [1, 1]
    assert found["training"].tolist() == [2, 2]
    assert held_rows(TABLE, {"dose": ["1"], "plate": ["p1"]}).tolist() == [True, False, False, True, True, False]


def test_doses_stand_in_order() -> None:
    table = pd.DataFrame({"compound": ["taxol"] * 3 + ["DMSO"], "dose": [15.0, 5.0, 0.5, 0.0]})
    names = conditions_table(table, ("compound", "dose"), "DMSO")["condition"].tolist()
    assert names == ["DMSO", "taxol 0.5", "taxol 5", "taxol 15"]


def as_reported(parts: Generator[Looked, None, Looked], reports: list[Looked]) -> Looked:
    """Keep what comes before the end."""
    while True:
        try:
            reports.append(next(parts))
        except StopIteration as end:
            return end.value


def test_looking_closer_reports_the_table_first_then_pictures(cells_path: Path) -> None:
    looked = look(cells_path, "perturbation")
    reports: list[Looked] = []
    closer = as_reported(look_closer(looked, looked.labels, "DMSO", {"plate": ["sim-D"]}), reports)
    assert not reports[0].examples
    assert [concern.kind for concern in reports[0].checks] == ["few"]
    assert set(closer.examples) == {"DMSO", "shrinkage", "mitotic arrest"}
    assert all(pixels.shape == (6, 3, 48, 48) for pixels in closer.examples.values())
    assert closer.limits is not None
    assert closer.limits.shape == (3, 2)
    assert closer.checks == reports[0].checks
    assert not looked.examples  # what was looked at first stays as it was


def test_examples_are_of_their_condition(cells_path: Path) -> None:
    looked = look(cells_path, "perturbation")
    assert looked.cells is None  # a folder's are read from it
    closer = finished(look_closer(looked, looked.labels, "DMSO", {}))
    names = condition_names(looked.source.table, looked.labels, "DMSO")
    for name, pixels in closer.examples.items():
        own = np.asarray(open_cells(cells_path).pixels)[names == name]
        assert all((own == crop).all(axis=(1, 2, 3)).any() for crop in pixels)


def test_whole_fields_are_looked_into(tmp_path: Path) -> None:
    conditions = ("DMSO", "shrinkage")
    screen = write_simulated_screen(tmp_path / "screen", size=256, batches=1, conditions=conditions, masks=True)
    looked = look(screen, "perturbation", "fields")
    closer = finished(look_closer(looked, looked.labels, looked.control, {}))
    assert set(closer.examples) == set(conditions)
    assert [concern.kind for concern in closer.checks] == ["few", "nothing held out"]
    assert "2 conditions have few cells to train on (" in closer.checks[0].message
    assert " about " in closer.checks[0].message


def test_swapped_channels_are_found(tmp_path: Path) -> None:
    cells = simulated_cells(40, size=48, conditions=("DMSO", "shrinkage"))
    mask = (cells.table["plate"] == "sim-C").to_numpy()
    pixels = np.array(cells.pixels)
    pixels[mask] = pixels[mask][:, [1, 0, 2]]
    path = replace(cells, pixels=pixels).save(tmp_path / "swapped.cells")
    looked = look(path, "perturbation")
    checks = finished(look_closer(looked, looked.labels, "DMSO", {})).checks
    assert checks[0].kind == "swapped"
    assert "sim-C, the channels DNA and actin look exchanged" in checks[0].message


def test_looking_closer_can_be_left(cells_path: Path) -> None:
    looked = look(cells_path, "perturbation")
    token = Token()
    parts = look_closer(looked, looked.labels, "DMSO", {}, watch=token)
    assert next(parts).checks  # what the table says
    token.cancel()
    with pytest.raises(CancelledError):
        next(parts)


def test_looking_is_quick(shared: Path) -> None:
    started = time.monotonic()
    looked = look(shared / "data" / "bbbc021_cycloheximide", "perturbation")
    column, values = default_hold_out(looked.source.table, looked.labels, looked.control)
    conditions_table(looked.source.table, looked.labels, looked.control, {column: values})
    assert time.monotonic() - started < 1
    closer = finished(look_closer(looked, looked.labels, looked.control, {column: values}))
    assert time.monotonic() - started < 10
    assert closer.checks == ()
    assert [len(pixels) for pixels in closer.examples.values()] == [6] * 4


def test_pictures_are_no_larger_than_they_are_shown() -> None:
    crops = np.zeros((2, 600, 600, 3), np.uint8)
    assert shrunk(crops, LARGEST).shape == (2, 200, 200, 3)
    assert shrunk(crops[:, :48, :48], LARGEST).shape == (2, 48, 48, 3)
