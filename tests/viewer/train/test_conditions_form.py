"""The rows of the Train dock that say which cells: what is looked at again when another choice is made."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from napari_impa.cells.simulated.screen import simulated_cells
from napari_impa.viewer.kit.forms import Page
from napari_impa.viewer.kit.jobs import Failure
from napari_impa.viewer.train.conditions_form import ConditionsForm
from napari_impa.work.survey import Looked, look
from napari_impa.work.tables.replicate_wells import half_of_wells

Settle = Callable[..., None]


@pytest.fixture
def page(qtbot: Any) -> Page:
    page = Page()
    qtbot.addWidget(page)
    page.resize(360, 700)
    page.show()
    return page


@pytest.fixture
def form(page: Page, cells_path: Path, settle: Settle) -> Any:
    form = ConditionsForm(page)
    form.fill(look(cells_path, "perturbation"))
    settle(lambda: not form.busy)
    yield form
    form.stop()  # the page is gone, and the form with it
    settle(lambda: not any(thread.name.startswith("napari-impa") for thread in threading.enumerate()))


def names(form: ConditionsForm) -> list[str]:
    table = form.panel.table
    return [table.item(row, 0).text() for row in range(table.rowCount())]


def test_table_is_there_at_once_and_pictures_follow(page: Page, cells_path: Path, settle: Settle) -> None:
    form = ConditionsForm(page)
    looks: list[Looked] = []
    form.looked_closer.connect(looks.append)
    form.fill(look(cells_path, "perturbation"))
    assert names(form) == ["DMSO (control)", "mitotic arrest", "shrinkage"]
    assert not form.panel.table._pictures
    settle(lambda: not form.busy)
    assert set(form.panel.table._pictures) == {"DMSO", "mitotic arrest", "shrinkage"}
    assert looks[-1].examples
    assert form.hold_out == {"plate": ("sim-D",)}
    assert form.panel.warnings.texts[0].startswith("⚠ 3 conditions have few cells to train on")


def test_another_choice_is_looked_at_and_the_one_before_left(form: ConditionsForm, settle: Settle) -> None:
    changes: list[bool] = []
    form.changed.connect(lambda: changes.append(True))
    form.control.setCurrentIndex(form.control.findText("shrinkage"))
    form.column.setCurrentIndex(0)  # nothing; the look before is cancelled
    assert names(form)[0] == "shrinkage (control)"
    assert form.panel.table.isColumnHidden(3)
    settle(lambda: not form.busy)
    assert any("Nothing is held out" in text for text in form.panel.warnings.texts)
    assert len(changes) == 2


def test_values_held_out_are_counted_as_they_are_ticked(form: ConditionsForm, settle: Settle) -> None:
    form.column.setCurrentIndex(form.column.findText("compound"))
    assert form.panel.table.isColumnHidden(3)
    item = form.held.item(form.held.count() - 1)
    item.setCheckState(item.checkState().__class__.Checked)
    assert form.hold_out == {"compound": ("shrinkage",)}
    assert form.panel.table.item(2, 4).text() == "0"
    settle(lambda: not form.busy)
    assert "All cells of shrinkage are held out" in form.panel.warnings.texts[0]


def test_without_a_label_there_are_no_conditions(form: ConditionsForm) -> None:
    for row in range(form.label.count()):
        form.label.item(row).setCheckState(form.label.item(row).checkState().__class__.Unchecked)
    assert form.label.ticked == ()
    assert names(form) == []
    (said,) = form.panel.warnings.texts
    assert said.startswith("⚠ No label column was chosen; choose one or more of: field, y, x")
    assert form.panel.table.isHidden()
    assert form.panel.summary.text().startswith("24 cells")


def test_batches_have_no_control(form: ConditionsForm, settle: Settle) -> None:
    form.task.setCurrentIndex(1)
    assert form.chosen_control is None
    assert names(form) == ["batch 1", "batch 2"]
    settle(lambda: not form.busy)
    assert set(form.panel.table._pictures) == {"batch 1", "batch 2"}


def test_files_that_go_away_are_told(page: Page, tmp_path: Path, settle: Settle) -> None:
    path = simulated_cells(4, size=32, conditions=("DMSO", "shrinkage")).save(tmp_path / "a.cells")
    form = ConditionsForm(page)
    failures: list[Failure] = []
    form.failed.connect(failures.append)
    looked = look(path, "perturbation")
    (path / "pixels.npy").unlink()
    form.fill(looked)
    settle(lambda: not form.busy)
    assert "pixels.npy" in failures[0].message
    assert names(form)[0] == "DMSO (control)"  # the table stays


def test_cleared_form_shows_nothing(form: ConditionsForm) -> None:
    form.clear()
    assert form.looked is None
    assert form.panel.isHidden()
    assert form.hold_out == {}


# ---- wells that are held out ----------------------------------------------------------------------------------------


@pytest.fixture
def wells(page: Page, settle: Settle, tmp_path: Path) -> Any:
    """The form over cells of three wells a condition, on each of two plates."""
    cells = simulated_cells(12, size=32, plates=2, conditions=("DMSO", "shrinkage"))
    number = cells.table.groupby(["plate", "compound"]).cumcount() % 3 + 1
    well = cells.table["compound"].map({"DMSO": "A", "shrinkage": "B"}) + "0" + number.astype(str)
    path = replace(cells, table=cells.table.assign(well=well)).save(tmp_path / "wells.cells")
    form = ConditionsForm(page)
    form.fill(look(path, "perturbation"))
    settle(lambda: not form.busy)
    yield form
    form.stop()
    settle(lambda: not any(thread.name.startswith("napari-impa") for thread in threading.enumerate()))


def test_plates_wells_or_half_of_the_wells_can_be_held_out(wells: ConditionsForm, settle: Settle) -> None:
    offered = [wells.column.itemText(row) for row in range(wells.column.count())]
    first = ["nothing", "plate", "batch", "well", "plate and well", "half of the replicate wells"]
    assert [name for name in offered if name in first] == offered[: len(set(first) & set(offered))]
    assert set(first) - {"batch"} <= set(offered)
    wells.column.setCurrentIndex(offered.index("plate"))
    assert wells.hold_out == {"plate": ("sim-B",)}  # the last one is proposed
    wells.column.setCurrentIndex(offered.index("well"))
    assert wells.hold_out == {}
    assert wells.held.count() == 6
    wells.column.setCurrentIndex(offered.index("half of the replicate wells"))
    assert wells.hold_out == {"wells": ("half",)}
    drawn = half_of_wells(wells.looked.source.table, ["compound"], "DMSO", 0)
    assert wells.held_out == {"plate+well": drawn.wells}
    assert wells.drawn.text() == drawn.in_words()
    assert not wells.drawn.isHidden()
    assert wells.held.isHidden()
    assert wells.panel.table.item(0, 3).text() == "6"
    wells.draw_by(4)
    other = half_of_wells(wells.looked.source.table, ["compound"], "DMSO", 4)
    assert wells.held_out == {"plate+well": other.wells} != {"plate+well": drawn.wells}
    wells.column.setCurrentIndex(0)
    assert wells.drawn.isHidden()
    assert wells.held_out == {}


def test_the_wells_of_another_run_are_taken_as_they_were_drawn(wells: ConditionsForm) -> None:
    before = {"plate+well": ("sim-A A01", "sim-B B02")}
    wells.draw_by(9)
    wells.take(["compound"], "DMSO", before)
    assert wells.column.currentText() == "plate and well"
    assert wells.hold_out == wells.held_out == before
    wells.take(["compound"], "DMSO", {"wells": ("half",)})  # as when the folder is looked at again
    assert wells.hold_out == {"wells": ("half",)}
