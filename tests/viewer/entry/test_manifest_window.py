"""What napari makes of the manifest in the real window: dropped files, menus, the context menu, the palette."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import napari_builtins
import numpy as np
import pytest
import tifffile
from napari.settings import get_settings
from npe2 import PluginManifest
from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDropEvent
from stub_plates import stub_plate, write_plates

import napari_impa
from napari_impa.cells.store import open_cells
from napari_impa.viewer.entry.activation import FOLDERS, OURS, PERTURB_LAYERS, add_context_entry, prefer_our_reader
from napari_impa.viewer.perturb.dock import PerturbDock
from napari_impa.viewer.plate.dock import PlateDock

MANIFEST = PluginManifest.from_file(Path(napari_impa.__file__).parent / "napari.yaml")


@pytest.fixture
def plugin(npe2pm: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Our plugin beside napari's own, as after installing it."""
    monkeypatch.setattr(get_settings().plugins, "extension2reader", {})
    npe2pm.register(PluginManifest.from_file(Path(napari_builtins.__file__).parent / "builtins.yaml"))
    npe2pm.register(MANIFEST)
    return npe2pm


def drop(viewer: Any, *paths: Path) -> None:
    """Drop files on the canvas."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    copy, no_key = Qt.DropAction.CopyAction, Qt.KeyboardModifier.NoModifier
    event = QDropEvent(QPointF(50, 50), copy, data, Qt.MouseButton.LeftButton, no_key)
    viewer.window._qt_viewer.dropEvent(event)


@pytest.mark.parametrize("command", MANIFEST.contributions.commands, ids=lambda command: command.id)
def test_every_command_can_be_called_and_has_a_title(command: Any) -> None:
    module, _, name = command.python_name.partition(":")
    assert callable(getattr(import_module(module), name))
    assert command.title[0].isupper()
    assert len(command.title) > 8


def test_cells_dropped_on_the_viewer_open_as_layers(
    make_napari_viewer: Callable[..., Any], plugin: Any, cells_path: Path
) -> None:
    viewer = make_napari_viewer()
    plugin.activate("napari-impa")
    drop(viewer, cells_path)
    assert [layer.name for layer in viewer.layers] == ["screen · tubulin", "screen · actin", "screen · DNA"]
    np.testing.assert_array_equal(viewer.layers[-1].data, open_cells(cells_path).pixels[:, 0])


def test_samples_that_are_drawn_open_from_the_menu(make_napari_viewer: Callable[..., Any], plugin: Any) -> None:
    viewer = make_napari_viewer()
    for sample in ("simulated_screen", "simulated_batches"):
        assert [layer.name for layer in viewer.open_sample("napari-impa", sample)] == ["tubulin", "actin", "DNA"]
        viewer.layers.clear()


def test_a_model_dropped_on_the_viewer_opens_the_dock_with_it(
    make_napari_viewer: Callable[..., Any], plugin: Any, model_path: Path, settle: Callable[..., None]
) -> None:
    viewer = make_napari_viewer()
    drop(viewer, model_path)
    dock = PerturbDock.open_in(viewer)
    settle(lambda: dock.session.loaded is not None and not dock.session.busy)
    assert dock.session.loaded.model.name == "small"
    assert len(viewer.layers) == 0
    drop(viewer, model_path)
    assert sum(isinstance(widget, PerturbDock) for widget in viewer.window.dock_widgets.values()) == 1


def test_the_users_own_choice_of_a_reader_stays(plugin: Any) -> None:
    get_settings().plugins.extension2reader = {OURS[0]: "napari"}
    prefer_our_reader()
    ours = {OURS[0]: "napari", OURS[1]: "napari-impa", FOLDERS: "napari-impa"}
    assert get_settings().plugins.extension2reader == ours
    get_settings().plugins.extension2reader = {FOLDERS: "napari"}
    prefer_our_reader()
    assert get_settings().plugins.extension2reader[FOLDERS] == "napari"


def test_nothing_of_ours_stays_in_the_preferences_when_the_plugin_is_disabled(plugin: Any) -> None:
    before = {"*.czi": "other", OURS[1]: "napari"}
    get_settings().plugins.extension2reader = dict(before)
    plugin.activate("napari-impa")
    assert get_settings().plugins.extension2reader[FOLDERS] == "napari-impa"
    plugin.disable("napari-impa")
    assert get_settings().plugins.extension2reader == before


@pytest.fixture
def no_question(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let napari's question who is to open a path fail."""
    asked = "napari._qt.dialogs.qt_reader_dialog.QtReaderDialog.get_user_choices"
    monkeypatch.setattr(asked, lambda self: pytest.fail("napari asked who opens it"))


@pytest.mark.usefixtures("no_question")
def test_folders_that_are_not_ours_are_opened_by_napari_without_asking(
    make_napari_viewer: Callable[..., Any], plugin: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "holiday"
    folder.mkdir()
    for number in range(3):
        tifffile.imwrite(folder / f"{number}.tif", np.full((6, 6), number, np.uint8))
    viewer = make_napari_viewer()
    plugin.activate("napari-impa")
    drop(viewer, folder)
    assert [layer.data.shape for layer in viewer.layers] == [(3, 6, 6)]
    assert not viewer.window.dock_widgets


@pytest.mark.usefixtures("no_question")
def test_a_plate_dropped_on_the_viewer_opens_its_dock(
    make_napari_viewer: Callable[..., Any], plugin: Any, tmp_path: Path, settle: Callable[..., None]
) -> None:
    plate = write_plates(tmp_path / "plate", "imagexpress", stub_plate("BR1", ["A01", "B02"], size=16))
    viewer = make_napari_viewer()
    plugin.activate("napari-impa")
    drop(viewer, plate)
    dock = PlateDock.open_in(viewer)
    settle(lambda: dock.row is not None and not dock._reading.busy)
    assert dock.well.values == ["A01", "B02"]
    assert len(viewer.layers) == 3


def test_where_another_plugin_reads_folders_napari_asks(plugin: Any) -> None:
    prefer_our_reader()
    assert get_settings().plugins.extension2reader[FOLDERS] == "napari-impa"
    other = {"command": "other.read", "accepts_directories": True, "filename_patterns": ["*.zarr"]}
    commands = [{"id": "other.read", "title": "Read zarr", "python_name": "other:read"}]
    plugin.register(PluginManifest(name="other", contributions={"commands": commands, "readers": [other]}))
    prefer_our_reader()
    assert FOLDERS not in get_settings().plugins.extension2reader


def test_menus_and_the_context_menu(make_napari_viewer: Callable[..., Any], plugin: Any) -> None:
    from napari._app_model import get_app_model

    viewer = make_napari_viewer()
    app = get_app_model()
    menus = {menu: [getattr(item, "command", None) for item in items] for menu, items in app.menus}
    for menu, command in (
        ("napari/layers/transform", "napari-impa.perturb"), ("napari/layers/visualize", "napari-impa.perturb"),
        ("napari/layers/visualize", "napari-impa.demo"), (app.menus.COMMAND_PALETTE_ID, "napari-impa.train"),
    ):  # fmt: skip
        assert command in [item.id for item in menus[menu] if item is not None], menu
    dispose = add_context_entry(app)
    items = [item for item in app.menus.get_menu("napari/layers/context") if hasattr(item, "command")]
    entry = next(item for item in items if item.command.id == PERTURB_LAYERS)
    assert entry.when.eval({"num_selected_image_layers": 1})
    assert not entry.when.eval({"num_selected_image_layers": 0})
    app.commands.execute_command(PERTURB_LAYERS)
    assert any(isinstance(widget, PerturbDock) for widget in viewer.window.dock_widgets.values())
    dispose()
