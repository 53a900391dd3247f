"""What labels and tooltips of the docks say where a name looks like rich text: that name, letter by letter."""

from __future__ import annotations

from typing import Any

import pytest
from napari.components import ViewerModel
from shown_texts import HOSTILE, shown

from napari_impa.cells.plate_maps.picture import PictureWell, PlatePicture
from napari_impa.cells.wells import Well
from napari_impa.viewer.kit.jobs import Failure
from napari_impa.viewer.perturb import whole_folder
from napari_impa.viewer.perturb.whole_folder import RunningPrediction, WholeFolder
from napari_impa.viewer.plate.plate_box import PlateBox
from napari_impa.viewer.train.watch_page import WatchPage
from napari_impa.work.training_outcome import TrainingStart

pytestmark = pytest.mark.usefixtures("qapp")
every_name = pytest.mark.parametrize("name", HOSTILE)


@every_name
def test_why_a_whole_folder_failed(name: str, monkeypatch: pytest.MonkeyPatch, qtbot: Any) -> None:
    monkeypatch.setattr(whole_folder, "notify", lambda failure: None)
    whole = WholeFolder(RunningPrediction(), lambda: None)
    qtbot.addWidget(whole)
    whole._on_failed(Failure(f"{name} is no folder", ""))
    assert shown(whole.note.text()) == f"⚠ {name} is no folder"


@every_name
def test_what_is_trained_on_and_why_it_went_back(name: str, qtbot: Any) -> None:
    page = WatchPage(ViewerModel())
    qtbot.addWidget(page)
    page.started(TrainingStart(7, ("DNA",), None, name, 0, f"Kept in {name}."))
    page._go_back(f"{name} ran away.")
    assert shown(page.about.text()) == f"7 cells · {name}\nKept in {name}.\n⚠ {name} ran away."


@every_name
@pytest.mark.parametrize("control", [True, False])
def test_the_legend_of_a_plate(name: str, control: bool, qtbot: Any) -> None:
    box = PlateBox()
    qtbot.addWidget(box)
    box._pictures = (PlatePicture("", 8, 12, (PictureWell(Well(0, 0), name, control, 1),)),)
    box._show_plate()
    assert shown(box.legend.text()) == (f"◎ {name} (control)" if control else f"● {name}")
