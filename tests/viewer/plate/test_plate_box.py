"""The plate picture of the Train dock: a click on a well shows its cells, or says why there are none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor

from napari_impa.cells.layouts import LayoutChoice
from napari_impa.cells.simulated.plate import write_simulated_plate
from napari_impa.viewer.plate.grid import colours_of
from napari_impa.viewer.plate.plate_box import PlateBox
from napari_impa.work.survey import Looked, look

Settle = Callable[..., None]
MAP = "well,compound\nA1,DMSO\nA2,taxol\nA3,DMSO\nB1,taxol\nB2,taxol\n"
"""Of a plate whose wells A01, A02, A03 and B01 to B03 have images, but for A03, whose files are gone."""


@pytest.fixture(scope="module")
def looked(tmp_path_factory: pytest.TempPathFactory) -> Looked:
    folder = write_simulated_plate(tmp_path_factory.mktemp("box") / "plate", "imagexpress", wells=6, size=160)
    for file in folder.rglob("*_A03_*"):
        file.unlink()
    (folder / "plate_map.csv").write_text(MAP)
    return look(folder, "perturbation", choice=LayoutChoice(plate_map=str(folder / "plate_map.csv")))


@pytest.fixture
def box(qtbot: Any, looked: Looked) -> Any:
    box = PlateBox()
    qtbot.addWidget(box)
    box.resize(270, 500)
    box.show()
    assert box.fill(looked.source)
    held = (looked.source.table["well"] == "A02").to_numpy()
    box.show_conditions(looked.source, ["compound"], "DMSO", held, looked)
    yield box
    box.stop()


@pytest.fixture
def click(box: PlateBox, qtbot: Any, settle: Settle) -> Callable[[str], str]:
    def clicked(well: str) -> str:
        qtbot.mouseClick(box.view, Qt.MouseButton.LeftButton, pos=box.view.centre_of(well).toPoint())
        settle(lambda: not box._reading.busy)
        return box.well.text.text()

    return clicked


def test_nothing_is_shown_before_a_click(box: PlateBox) -> None:
    assert box.well.isHidden()


def test_cells_of_the_well_that_is_clicked_are_seen(box: PlateBox, click: Callable[[str], str]) -> None:
    text = click("A02")
    assert text.endswith("<b>A02</b> · taxol · held out · 1 whole field") or "A02</b> · taxol · held out · 1" in text
    pixmap = box.well.cells.pixmap()
    assert pixmap.width() == 3 * 72 + 2 * 2
    assert pixmap.width() <= box.width()
    image = pixmap.toImage()
    assert len({image.pixel(x, 40) for x in range(0, 80, 4)}) > 5  # a cell, no plain ground
    click("A01")
    assert "A01</b> · DMSO, control · 1 whole field" in box.well.text.text()
    assert box.well.cells.pixmap().toImage() != image


def test_wells_without_images_say_so(box: PlateBox, click: Callable[[str], str]) -> None:
    click("A01")
    assert click("A03") == "A03 has no images in this folder, though the plate map says DMSO."
    assert box.well.cells.isHidden()
    assert "nothing says what is in it" in click("B03")
    assert box.well.cells.isVisible()


def test_a_well_of_which_nothing_is_known_says_so(box: PlateBox, click: Callable[[str], str], looked: Looked) -> None:
    left = looked.source.table["well"] != "B03"
    table = looked.source.table[left]
    assert len(table) == 4
    box._pictures = tuple(
        type(one)(one.plate, one.rows, one.columns, tuple(w for w in one.wells if w.well.name != "B03"))
        for one in box._pictures
    )
    box._show_plate()
    assert click("B03") == "B03 has no images in this folder, and the plate map says nothing of it."


def test_an_image_that_cannot_be_read_is_named(tmp_path: Path, qtbot: Any, settle: Settle) -> None:
    folder = write_simulated_plate(tmp_path / "plate", "imagexpress", wells=6, size=96)
    looked = look(folder, "perturbation")
    bad = sorted(folder.rglob("*_A01_*"))[0]
    bad.write_bytes(bad.read_bytes()[:60])
    box = PlateBox()
    qtbot.addWidget(box)
    box.fill(looked.source)
    box.show_conditions(looked.source, looked.labels, looked.control, looked=looked)
    box.look_at("A01")
    settle(lambda: not box._reading.busy)
    assert bad.name in box.well.text.text().replace("\u200b", "")


def test_held_out_wells_have_a_dot(box: PlateBox) -> None:
    image, colour = box.view.grab().toImage(), colours_of(["taxol"])["taxol"].rgb()
    assert QColor(image.pixel(box.view.centre_of("B01").toPoint())) == QColor(colour)
    assert QColor(image.pixel(box.view.centre_of("A02").toPoint())) != QColor(colour)
    assert "dot: held out" in box.legend.text()


def test_the_contrast_is_that_of_the_conditions(box: PlateBox, click: Callable[[str], str]) -> None:
    click("A01")
    own = box.well.cells.pixmap().toImage()
    box.take_limits(np.array([[0.0, 60000.0]] * 3))
    click("A01")
    assert box.well.cells.pixmap().toImage() != own


def test_a_map_of_a_long_name_makes_no_dock_wider(qtbot: Any, looked: Looked) -> None:
    """What stands right of it would be cut off; cells of a well are no wider than the row either."""
    box = PlateBox()
    qtbot.addWidget(box)
    box.fill(looked.source)
    box.show()
    box.used.setText("CompoundsOfTheSecondScreenInTheirFinalLayout.xlsx")
    box.layout().activate()
    assert box.minimumSizeHint().width() < 240
