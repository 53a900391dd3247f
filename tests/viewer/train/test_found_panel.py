from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import QPoint

from napari_impa.cells.checks import Concern
from napari_impa.viewer.train.found_panel import LINE, SHOWN, FoundPanel, summary
from napari_impa.work.survey import Looked, finished, look, look_closer
from napari_impa.work.tables.conditions_table import conditions_table


@pytest.fixture(scope="module")
def looked(cells_path: Path) -> Looked:
    first = look(cells_path, "perturbation")
    return finished(look_closer(first, first.labels, "DMSO", {"plate": ["sim-D"]}))


@pytest.fixture
def panel(qtbot: Any, looked: Looked) -> FoundPanel:
    panel = FoundPanel()
    qtbot.addWidget(panel)
    panel.resize(340, 500)
    panel.show_found(looked.source, counted(looked))
    panel.show()
    return panel


def counted(looked: Looked) -> pd.DataFrame:
    return conditions_table(looked.source.table, looked.labels, "DMSO", {"plate": ["sim-D"]})


def texts(panel: FoundPanel, row: int) -> list[str]:
    return [panel.table.item(row, column).text() for column in range(5)]


def test_conditions_stand_in_a_table(panel: FoundPanel, looked: Looked) -> None:
    assert panel.summary.text() == "24 cells · DNA, actin, tubulin · 48×48 px · 0.65 µm a pixel"
    assert texts(panel, 0) == ["DMSO (control)", "8", "4", "2", "6"]
    assert panel.table.item(0, 0).font().bold()
    assert not panel.table.item(1, 0).font().bold()
    assert panel.table.horizontalHeaderItem(1).text() == "cells"
    assert summary(looked.source) == panel.summary.text()


def test_columns_that_say_nothing_are_hidden(panel: FoundPanel, looked: Looked) -> None:
    table = counted(looked)
    panel.show_found(looked.source, table.assign(held=0))
    assert panel.table.isColumnHidden(3)
    assert panel.table.isColumnHidden(4)
    panel.show_found(looked.source, table.assign(plates=0))
    assert panel.table.isColumnHidden(2)
    assert not panel.table.isColumnHidden(3)


def test_pictures_are_drawn_in_their_row_alone(panel: FoundPanel, looked: Looked, qtbot: Any) -> None:
    bare = panel.table.rowHeight(0)
    assert bare == LINE
    panel.show_closer(looked)
    assert panel.table.rowHeight(0) > 2 * bare
    image = panel.table.viewport().grab().toImage()
    lit = [image.pixelColor(x, LINE + 25).getRgb()[:3] for x in range(8, 290, 4)]
    assert len(set(lit)) > 20
    assert panel.table.picture_at(QPoint(50, LINE + 25)).contains(50, LINE + 25)
    assert panel.table.picture_at(QPoint(50, LINE - 5)).isEmpty()
    assert "<img src=" in panel.table.large(0)
    assert "DNA: blue" in panel.table.large(0)


def test_pictures_of_another_condition_are_not_kept(panel: FoundPanel, looked: Looked) -> None:
    panel.show_closer(looked)
    panel.clear()
    assert panel.table.rowCount() == 0
    assert not panel.isVisible()
    panel.show_found(looked.source, counted(looked))
    assert panel.table.rowHeight(0) == LINE


def test_newer_pictures_take_the_place_of_older_ones(panel: FoundPanel, looked: Looked) -> None:
    panel.show_closer(looked)
    before = panel.table.viewport().grab().toImage()
    swapped = {name: pixels[..., [1, 0, 2]] for name, pixels in looked.pictures.items()}
    panel.show_closer(replace(looked, pictures=swapped))
    assert panel.table.viewport().grab().toImage() != before


def test_warnings_fold_away_where_they_are_many(panel: FoundPanel, looked: Looked) -> None:
    panel.warnings.fill([Concern("few", "Only 12 cells of a.")])
    assert panel.warnings.texts == ("⚠ Only 12 cells of a.",)
    assert panel.warnings.layout().count() == 1
    panel.warnings.fill([Concern("few", f"Doubt {number}.") for number in range(7)])
    assert panel.warnings.layout().count() == SHOWN + 1
    folded = panel.warnings.layout().itemAt(SHOWN).widget()
    assert f"{7 - SHOWN} more warnings" in folded.text()
    panel.warnings.fill([])
    assert not panel.warnings.isVisible()


def test_hundreds_of_conditions_stay_fast(panel: FoundPanel, looked: Looked) -> None:
    names = [f"compound {number}" for number in range(400)]
    table = pd.DataFrame({"condition": names, "count": 10, "plates": 2, "control": False, "held": 2, "training": 8})
    crop = next(iter(looked.pictures.values()))
    many = Looked(looked.source, looked.columns, looked.labels, None, pictures=dict.fromkeys(names, crop))
    started = time.monotonic()
    panel.show_found(looked.source, table)
    panel.show_closer(many)
    panel.table.viewport().grab()
    assert time.monotonic() - started < 2
    assert panel.table.height() < 400
    started = time.monotonic()
    for row in range(0, 400, 10):
        panel.table.scrollToItem(panel.table.item(row, 0))
        panel.table.viewport().grab()
    assert time.monotonic() - started < 3
    assert len(panel.table._strips) < 400  # only what was seen was drawn


def test_one_contrast_for_all(looked: Looked) -> None:
    assert looked.limits is not None
    assert np.all(looked.limits[:, 1] > looked.limits[:, 0])
