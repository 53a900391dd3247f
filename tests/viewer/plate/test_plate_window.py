"""The Plate dock in the real window: any field of a plate, read when it is chosen, as layers that keep their look."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import Qt
from stub_plates import CHANNELS, stub_plate, value, write_large_plate, write_plates

from napari_impa.cells.layouts import LayoutChoice
from napari_impa.cells.simulated.plate import write_simulated_plate
from napari_impa.cells.source import open_source
from napari_impa.cells.wells import Well
from napari_impa.errors import SourceError
from napari_impa.viewer.entry.reader import NOTHING, get_plate_reader, open_plate
from napari_impa.viewer.plate import places
from napari_impa.viewer.plate.dock import PlateDock
from napari_impa.viewer.plate.places import plate_choice, read_plate

WELLS = ["A01", "B02", "C03"]


@pytest.fixture
def plates(tmp_path: Path) -> Path:
    """Two plates of three wells with two sites, and what is in the wells."""
    plates = (stub_plate("BR1", WELLS, size=16), stub_plate("BR2", WELLS, plate=2, size=16))
    folder = write_plates(tmp_path / "plates", "imagexpress", *plates)
    pd.DataFrame({"well": WELLS, "compound": ["DMSO", "taxol", "taxol"]}).to_csv(folder / "map.csv", index=False)
    return folder


@pytest.fixture
def opened(make_napari_viewer: Callable[..., Any], settle: Callable[..., None], plates: Path) -> tuple[Any, PlateDock]:
    """A window with the dock, which shows the first field."""
    viewer = make_napari_viewer()
    dock = PlateDock.open_in(viewer)
    dock.open_plate(plates)
    settle(lambda: dock.row is not None and not dock._reading.busy)
    return viewer, dock


def shown(viewer: Any) -> list[int]:
    """What the pixels of the layers are, the first channel first."""
    return [int(layer.data[0, 0]) for layer in viewer.layers][::-1]


def values(well: str, site: int, plate: int = 1) -> list[int]:
    return [value(Well.parse(well), site, 1, 1, channel, plate) for channel in (1, 2, 3)]


def test_the_first_field_is_shown_with_what_is_known_of_it(opened: tuple[Any, PlateDock]) -> None:
    viewer, dock = opened
    assert [layer.name for layer in viewer.layers] == list(CHANNELS[::-1])
    assert shown(viewer) == values("A01", 1)
    layer = viewer.layers[0]
    assert tuple(layer.scale) == (0.65, 0.65)
    assert str(layer.units[0]) == "micrometer"
    known = {key: layer.metadata[key] for key in ("plate", "well", "site", "compound", "channels")}
    assert known == {"plate": "BR1", "well": "A01", "site": 1, "compound": "DMSO", "channels": CHANNELS}
    assert dock.plate.values == ["BR1", "BR2"]
    assert dock.well.values == WELLS
    assert "2 plates, 6 wells" in dock.summary.text()
    assert dock.told.text() == "compound: DMSO"


def test_another_well_site_and_plate_are_shown_in_the_same_layers(
    opened: tuple[Any, PlateDock], settle: Callable[..., None], qtbot: Any
) -> None:
    viewer, dock = opened
    layers = list(viewer.layers)
    layers[0].contrast_limits = (1, 99)
    dock.well.setCurrentIndex(1)
    settle(lambda: shown(viewer) == values("B02", 1))
    dock.site.setCurrentIndex(1)
    settle(lambda: shown(viewer) == values("B02", 2))
    dock.well.setCurrentIndex(2)  # the same site of the next well
    settle(lambda: shown(viewer) == values("C03", 2))
    dock.plate.setCurrentIndex(1)  # the same well of the other plate
    settle(lambda: shown(viewer) == values("C03", 2, plate=2))
    assert list(viewer.layers) == layers
    assert tuple(layers[0].contrast_limits) == (1, 99)
    assert layers[0].metadata["well"] == "C03"
    assert layers[0].metadata["plate"] == "BR2"
    assert dock.status.said == "BR2 C03 site 2: DNA, actin, tubulin"
    point = dock.grid.centre_of("A01").toPoint()
    qtbot.mouseClick(dock.grid, Qt.MouseButton.LeftButton, pos=point)
    settle(lambda: shown(viewer) == values("A01", 2, plate=2))


def test_a_layer_that_was_removed_stays_away_and_all_removed_come_again(
    opened: tuple[Any, PlateDock], settle: Callable[..., None]
) -> None:
    viewer, dock = opened
    viewer.layers.remove(viewer.layers["actin"])
    dock.choose_well("B02")
    settle(lambda: dock.row == 2)
    assert [layer.name for layer in viewer.layers] == ["tubulin", "DNA"]
    viewer.layers.clear()
    dock.choose_well("C03")
    settle(lambda: len(viewer.layers) == 3)
    assert shown(viewer) == values("C03", 1)


def test_a_file_that_cannot_be_read_is_a_sentence(
    opened: tuple[Any, PlateDock], settle: Callable[..., None], plates: Path
) -> None:
    viewer, dock = opened
    bad = plates / "BR1" / "TimePoint_1" / "BR1_B02_s1_w2.TIF"
    bad.write_bytes(bad.read_bytes()[:40])
    dock.choose_well("B02")
    settle(lambda: "cannot be read" in dock.status.said)
    assert bad.name in dock.status.said
    assert shown(viewer) == values("A01", 1)
    dock.choose_well("C03")
    settle(lambda: shown(viewer) == values("C03", 1))


def test_a_second_plate_takes_the_place_of_the_first(
    opened: tuple[Any, PlateDock], settle: Callable[..., None], tmp_path: Path, stepped_aside_for: list[Any]
) -> None:
    viewer, dock = opened
    other = write_plates(tmp_path / "other", "ome-zarr", stub_plate("P", ["D04"], channels=("ER", "RNA")))
    dock.open_plate(other / "P.zarr")
    settle(lambda: [layer.name for layer in viewer.layers] == ["RNA", "ER"])
    assert not dock.page.form.isRowVisible(dock.plate)
    assert viewer.layers[0].metadata["well"] == "D04"
    assert stepped_aside_for[-1] == list(viewer.layers)  # which a view with the canvas for itself steps aside for


def test_a_folder_of_images_without_wells_is_chosen_by_field(
    make_napari_viewer: Callable[..., Any], settle: Callable[..., None], tmp_path: Path
) -> None:
    import tifffile

    for name in ("DMSO", "taxol"):
        (tmp_path / "images" / name).mkdir(parents=True)
        tifffile.imwrite(tmp_path / "images" / name / "a.tif", np.full((12, 12), len(name), np.uint8))
    viewer = make_napari_viewer()
    dock = PlateDock.open_in(viewer)
    dock.open_plate(tmp_path / "images")
    settle(lambda: dock.row == 0)
    assert not dock.page.form.isRowVisible(dock.well.parentWidget())
    assert dock.site.count() == 2
    dock.site.setCurrentIndex(1)
    settle(lambda: dock.row == 1)
    assert viewer.layers[0].metadata["condition"] == "taxol"
    assert viewer.layers[0].data[0, 0] == 5


def test_the_reader_takes_plates_and_no_other_folder(
    make_napari_viewer: Callable[..., Any], settle: Callable[..., None], plates: Path, tmp_path: Path
) -> None:
    assert get_plate_reader(str(tmp_path)) is not None
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "a.pdf").touch()
    assert get_plate_reader(str(tmp_path / "papers")) is None
    assert get_plate_reader([str(plates), str(plates)]) is None
    viewer = make_napari_viewer()
    assert open_plate(str(plates)) == NOTHING
    dock = PlateDock.open_in(viewer)
    settle(lambda: len(viewer.layers) == 3)
    assert dock.row == 0


def test_without_a_window_the_reader_gives_the_first_field(plates: Path) -> None:
    layers = open_plate(str(plates))
    assert [options["name"] for _, options, _ in layers] == list(CHANNELS[::-1])
    assert layers[-1][0][0, 0] == values("A01", 1)[0]


def test_folders_of_plain_images_are_no_plates(tmp_path: Path) -> None:
    import tifffile

    tifffile.imwrite(tmp_path / "holiday.tif", np.zeros((4, 4), np.uint8))
    assert plate_choice(tmp_path) is None
    assert plate_choice(tmp_path / "holiday.tif") is None
    shutil.rmtree(tmp_path)
    assert plate_choice(tmp_path) is None


def test_a_huge_folder_is_not_walked_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(40):
        (tmp_path / f"{number:02d}").mkdir()
        for name in ("a.txt", "b.txt", "c.txt"):
            (tmp_path / f"{number:02d}" / name).touch()
    opened: list[str] = []
    walk = os.walk
    monkeypatch.setattr(os, "walk", lambda *a, **k: (opened.append(found[0]) or found for found in walk(*a, **k)))
    monkeypatch.setattr(places, "MOST_NAMES", 30)
    assert plate_choice(tmp_path) is None
    assert len(opened) < 12


def test_a_plate_of_very_many_files_is_one_by_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plates: Path
) -> None:
    assert plate_choice(plates) == LayoutChoice(layout="imagexpress")
    monkeypatch.setattr(places, "MOST_NAMES", 10)
    assert plate_choice(plates) == LayoutChoice()  # the layout is found when all files are


def test_cells_are_no_fields(cells_path: Path) -> None:
    with pytest.raises(SourceError, match="holds cells that were cut already"):
        read_plate(cells_path)


def test_closing_the_dock_ends_its_jobs(opened: tuple[Any, PlateDock], settle: Callable[..., None]) -> None:
    viewer, dock = opened
    dock.choose_well("B02")
    viewer.window.remove_dock_widget(dock.parentWidget())
    settle(lambda: not dock._reading.busy)
    assert shown(viewer) == values("A01", 1)


@pytest.mark.slow
def test_a_whole_plate_is_open_in_three_seconds(
    make_napari_viewer: Callable[..., Any], settle: Callable[..., None], tmp_path: Path
) -> None:
    plate = write_large_plate(tmp_path)
    viewer = make_napari_viewer()
    dock = PlateDock.open_in(viewer)
    dock.open_plate(tmp_path / "small")  # what is imported and drawn once is not counted
    settle(lambda: len(viewer.layers) == 5 and not dock._reading.busy)
    started = time.process_time()
    open_source(plate)
    listing = time.process_time() - started  # 1.7 s where nothing else runs; `test_large_plate` limits it
    started = time.process_time()
    read = get_plate_reader(str(plate))
    assert read is not None
    read(str(plate))
    settle(lambda: dock.fields.source.path == plate and dock.row == 0 and not dock._reading.busy)
    taken = time.process_time() - started
    assert taken < max(3, 2.5 * listing), (taken, listing)
    assert dock.well.count() == 384
    assert dock.site.count() == 9
    started = time.process_time()
    dock.choose_well("P24")
    settle(lambda: viewer.layers[0].metadata["well"] == "P24")
    assert time.process_time() - started < 0.5


def test_the_perturb_dock_goes_along(
    make_napari_viewer: Callable[..., Any], settle: Callable[..., None], tmp_path: Path, model_path: Path
) -> None:
    """Channels are those of the plate, and the cells are found anew when another field is shown."""
    from napari_impa.viewer.perturb.dock import PerturbDock

    folder = write_simulated_plate(tmp_path / "plate", "imagexpress", wells=2, size=192)
    viewer = make_napari_viewer()
    dock = PlateDock.open_in(viewer)
    dock.open_plate(folder)
    settle(lambda: len(viewer.layers) == 3)
    perturb = PerturbDock.open_in(viewer)
    perturb.use_model(model_path)
    settle(lambda: perturb.session.found is not None and not perturb.session.busy)
    assert [box.value.layer.name for box in perturb.cells.channels] == ["DNA", "actin", "tubulin"]
    before = perturb.session.found
    dock.well.setCurrentIndex(1)
    settle(lambda: perturb.session.found is not before and not perturb.session.busy)
    assert len(perturb.session.found.cells) > 0
