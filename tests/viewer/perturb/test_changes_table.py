"""The table of what changed, as it is read."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt

import napari_impa.viewer.perturb.changes_table as module
from napari_impa.analysis.changes import UNDER_THRESHOLD, Changes, changes, features_table
from napari_impa.analysis.distributions import measure_spread, most_moved
from napari_impa.cells.simulated.screen import CONTROL, simulated_cells, true_counterfactual
from napari_impa.cells.store import Cells
from napari_impa.viewer.perturb.changes_table import MISSING, ChangesTable, _text

Settle = Callable[..., None]


@pytest.fixture(scope="module")
def cells() -> Cells:
    return simulated_cells(3, size=48, conditions=(CONTROL, "shrinkage"))


@pytest.fixture(scope="module")
def control(cells: Cells) -> Cells:
    return cells.controls()


@pytest.fixture(scope="module")
def shrunk(control: Cells) -> Cells:
    return true_counterfactual(control, "shrinkage")


@pytest.fixture
def table(qtbot: Any) -> ChangesTable:
    widget = ChangesTable()
    qtbot.addWidget(widget)
    widget.resize(340, 500)
    widget.show()
    return widget


def read(table: ChangesTable) -> dict[str, list[str]]:
    """First column → the others, of all rows that hold numbers, channels before features."""
    found, channel = {}, ""
    for row in range(table.table.rowCount()):
        texts = [table.table.item(row, column) for column in range(table.table.columnCount())]
        if texts[1] is None:
            channel = f"{texts[0].text()} "
        else:
            found[channel + texts[0].text()] = [item.text() for item in texts[1:]]
    return found


def test_one_cell_and_all_cells(
    table: ChangesTable, cells: Cells, control: Cells, shrunk: Cells, settle: Settle
) -> None:
    expected = changes(control, shrunk, cells.treated("shrinkage"))
    heard: list[Changes] = []
    table.measured.connect(heard.append)
    table.set_result(control, {"shrinkage": shrunk.pixels}, lambda name: cells.treated(name).pixels)
    settle(lambda: not table.busy)
    assert table.caption.text() == f"cell 1 of {len(control)}"
    shown = read(table)
    assert len(shown) == len(expected.columns)
    assert shown["nucleus µm²"][0] == _text("control", expected.control[0, 0])
    assert shown["actin nucleus / ring"][1] == _text("predicted", expected.predicted[0, 10])
    table.set_cell(2)
    assert read(table)["nucleus µm²"][1] == _text("predicted", expected.predicted[2, 0])
    assert table.caption.text().startswith("cell 3 of")
    table.all_cells.click()
    summary = expected.summary()
    assert read(table)["nucleus µm²"] == [
        _text(name, summary[name][0]) for name in ("control", "predicted", "change_percent", "effect", "treated")
    ]
    assert "real: of" in table.caption.text()
    np.testing.assert_array_equal(heard[0].predicted, expected.predicted)
    np.testing.assert_array_equal(features_table(heard[0])["index"], control.table["label"])


def test_a_measure_is_drawn_and_said(
    table: ChangesTable, cells: Cells, control: Cells, shrunk: Cells, settle: Settle
) -> None:
    assert not table.spread.isVisibleTo(table)
    real = cells.treated("shrinkage").pixels
    table.set_result(control, {"shrinkage": shrunk.pixels}, lambda name: real if name == "shrinkage" else None)
    settle(lambda: table.changes is not None)
    assert table.measure.value == most_moved(table.changes)
    row = next(row for row in range(table.table.rowCount()) if table.table.item(row, 0).text() == "nucleus µm²")
    table.table.cellClicked.emit(row, 2)
    assert table.measure.currentText() == "nucleus area"
    assert table.sentence.text() == measure_spread(table.changes, 0).sentence()
    assert "nucleus area falls" in table.sentence.text()
    points = table.spread._points.data
    assert len(points) == 2 * len(control) + len(real)
    np.testing.assert_allclose(np.sort(points["x"])[[0, -1]], _ends(table.changes), rtol=0.05)
    heading = next(row for row in range(table.table.rowCount()) if table._numbers[row] is None)
    table.table.cellClicked.emit(heading, 0)  # of a channel, which is no measure
    assert table.measure.currentText() == "nucleus area"
    table.set_result(control, {"same": control.pixels})
    assert table.spread.isVisibleTo(table)  # the one before, while cells are measured
    assert table.sentence.text() == "Measuring …"
    settle(lambda: table.changes is not None)
    assert table.measure.currentText() == "nucleus area"  # which was chosen
    assert table.sentence.text() == "nucleus area changes in no cell."
    table.set_result(None)
    assert not table.spread.isVisibleTo(table)


def _ends(changes: Changes) -> list[float]:
    values = np.concatenate([changes.control[:, 0], changes.predicted[:, 0], changes.treated[:, 0]])
    return [float(np.nanmin(values)), float(np.nanmax(values))]


def test_a_click_on_a_point_goes_to_its_cell(
    table: ChangesTable, control: Cells, shrunk: Cells, settle: Settle, qtbot: Any
) -> None:
    table.set_result(control, {"shrinkage": shrunk.pixels})
    settle(lambda: table.changes is not None)
    heard: list[int] = []
    table.cell_clicked.connect(heard.append)
    qtbot.waitExposed(table)
    place = table.spread.place_of(2).toPoint()
    qtbot.mouseClick(table.spread.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert heard == [2]
    qtbot.mouseClick(table.spread.viewport(), Qt.MouseButton.LeftButton, pos=place + QPoint(0, 300))
    assert heard == [2]
    table.set_cell(2)
    assert set(table.spread._chosen.data["x"]) == set(table.spread._at[table.spread._rows == 2, 0])
    assert len(table.spread._chosen.data) == 2  # before and after


def test_several_conditions(table: ChangesTable, control: Cells, shrunk: Cells, settle: Settle) -> None:
    table.set_result(control, {"same": control.pixels, "shrinkage": shrunk.pixels})
    settle(lambda: not table.busy)
    assert table.target.isVisibleTo(table)
    assert read(table)["nucleus µm²"][2] == "+0 %"
    table.target.setCurrentIndex(1)
    settle(lambda: not table.busy)
    assert read(table)["nucleus µm²"][2].startswith("−")


def test_out_of_sight_nothing_is_measured(table: ChangesTable, control: Cells, shrunk: Cells, settle: Settle) -> None:
    table.hide()
    table.set_result(control, {"shrinkage": shrunk.pixels})
    assert not table.busy
    table.show()
    settle(lambda: table.changes is not None)
    assert read(table)


def test_the_newest_wins(
    table: ChangesTable, control: Cells, shrunk: Cells, settle: Settle, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, real = threading.Event(), module.MeasuredCells.all

    def slow(self: Any, token: Any, name: str, pixels: Any) -> Changes:
        gate.wait(10)
        return real(self, token, name, pixels)

    monkeypatch.setattr(module.MeasuredCells, "all", slow)
    table.set_result(control, {"same": control.pixels})
    settle(lambda: table._one is not None)  # the cell in sight does not wait for the others
    assert read(table)["nucleus µm²"][2] == "+0 %"
    table.set_result(control, {"shrinkage": shrunk.pixels})
    gate.set()
    settle(lambda: not table.busy)
    assert np.array_equal(table.changes.predicted, changes(control, shrunk).predicted, equal_nan=True)


def test_what_cannot_be_measured_is_a_dash(table: ChangesTable, control: Cells, settle: Settle) -> None:
    table.set_result(control, {"dead": np.zeros_like(control.pixels)})
    settle(lambda: not table.busy)
    assert read(table)["nucleus µm²"][1:] == [MISSING, MISSING]
    table.all_cells.click()
    assert read(table)["nucleus µm²"][1:] == [MISSING] * 3


def test_an_area_under_the_threshold_is_a_dash_with_its_reason(
    table: ChangesTable, control: Cells, settle: Settle
) -> None:
    table.set_result(control, {"dim": control.pixels // 8})
    settle(lambda: not table.busy)
    for button in (table.this_cell, table.all_cells):
        button.click()
        assert read(table)["actin area µm²"][2] == MISSING
    tips = {table.table.item(row, 3).toolTip() for row in range(table.table.rowCount()) if table.table.item(row, 3)}
    assert UNDER_THRESHOLD in tips


def test_an_error_is_told(table: ChangesTable, control: Cells, settle: Settle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "measure", measure_nothing)
    table.set_result(control, {"x": control.pixels})
    settle(lambda: "⚠" in table.caption.text())


def measure_nothing(*args: Any) -> None:
    raise RuntimeError("no")


def test_nothing_is_kept_when_the_cells_go(table: ChangesTable, control: Cells, settle: Settle) -> None:
    cells = control.take(np.arange(3))
    table.set_result(cells, {"same": cells.pixels.copy()})
    settle(lambda: not table.busy)
    kept = weakref.ref(cells)
    del cells
    table.set_result(None)
    gc.collect()
    assert kept() is None
    assert table.caption.text() == "Nothing is predicted yet."
    assert not table.table.isVisibleTo(table)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("control", 0.12345, "0.123"),
        ("control", 1234.5, "1,234"),
        ("control", 1297491.5, "1.3 M"),
        ("control", 12345.0, "12.3 k"),
        ("predicted", -5.0, "−5"),
        ("predicted", np.nan, MISSING),
        ("change_percent", -68.24, "−68 %"),
        ("change_percent", 421.0, "+421 %"),
        ("effect", 0.5, "+0.50"),
    ],
)
def test_numbers_are_short(name: str, value: float, text: str) -> None:
    assert _text(name, value) == text
