"""What the Perturb dock keeps, from the real window to files and back into a fresh viewer."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from napari.components import ViewerModel
from napari.layers import Layer
from napari.utils import Colormap
from napari.utils.notifications import notification_manager
from PIL import Image
from qtpy.QtWidgets import QApplication, QFileDialog

from napari_impa.cells.store import open_cells
from napari_impa.cells.tiff import read_ome_tiff
from napari_impa.viewer.entry.reader import read, read_placed
from napari_impa.viewer.entry.samples import simulated_screen
from napari_impa.viewer.layers.sources import MADE_BY
from napari_impa.viewer.perturb import export
from napari_impa.viewer.perturb.dock import PerturbDock
from napari_impa.viewer.perturb.export import CELLS, COMMAND, FIELD, FIGURE, OME_TIFF, SCRIPT, TABLE, TIFF, Keep
from napari_impa.viewer.perturb.request import Request
from napari_impa.viewer.perturb.views import InPlace, SideBySide

Settle = Callable[..., None]
REQUEST = Request(("shrinkage", "mitotic arrest"), 1.5, 0.3, 4)


@pytest.fixture
def viewer() -> ViewerModel:
    """Layers without a window: what is kept does not need one."""
    viewer = ViewerModel()
    for data in simulated_screen(size=256):
        data[1]["translate"] = (12.5, -40.0)
        viewer.add_layer(Layer.create(*data))
    return viewer


@pytest.fixture
def session(viewer: ViewerModel, model_path: Path, settle: Settle, qtbot: Any) -> Iterator[Any]:
    dock = PerturbDock(viewer)  # type: ignore[arg-type]
    qtbot.addWidget(dock)
    dock.view.setCurrentIndex(dock.view.values.index(SideBySide))
    dock.use_model(model_path)
    settle(lambda: dock.session.result is not None and not dock.session.busy)
    dock.session.set_request(REQUEST)
    settle(lambda: dock.session.result.request == REQUEST and not dock.session.busy)
    yield dock.session
    dock.session.close()
    settle(lambda: not dock.session.busy)


@pytest.fixture
def keep(session: Any, qtbot: Any) -> Keep:
    keep = Keep()
    qtbot.addWidget(keep)
    keep.set_result(session.found, session.result, session.loaded)
    return keep


def save(keep: Keep, settle: Settle, kind: str, path: Path) -> list[Path]:
    paths: list[list[Path]] = []
    keep.saved.connect(paths.append)
    keep.save(kind, path)
    assert not keep.save_button.isEnabled()
    settle(lambda: paths)
    keep.saved.disconnect(paths.append)
    assert keep.save_button.isEnabled()
    assert all(one.exists() for one in paths[0])
    return paths[0]


def shown(viewer: Any, title: str) -> list[Any]:
    return [layer for layer in viewer.layers if layer.name.startswith(f"{title} · ")]


def assert_the_same(layers: list[Any], others: list[Any]) -> None:
    """The same pixels, in the same place, under the same name, made by the same model."""
    assert len(layers) == len(others) > 0
    for one, other in zip(layers, others, strict=True):
        assert one.name == other.name
        np.testing.assert_array_equal(np.asarray(one.data), np.asarray(other.data))
        np.testing.assert_array_equal(one.scale, other.scale)
        np.testing.assert_array_equal(one.translate, other.translate)
        np.testing.assert_array_equal(one.extent.world, other.extent.world)
        assert one.units == other.units
        assert one.axis_labels == other.axis_labels
        assert one.colormap.name == other.colormap.name
        assert one.contrast_limits == other.contrast_limits
        assert one.metadata.get(MADE_BY, {}).get("model_hash") == other.metadata.get(MADE_BY, {}).get("model_hash")


def test_nothing_to_keep_yet(qtbot: Any) -> None:
    keep = Keep()
    qtbot.addWidget(keep)
    assert not keep.save_button.isEnabled()
    assert not keep.copy_button.isEnabled()
    keep.save(CELLS, "nowhere")
    keep.copy(SCRIPT)
    assert keep.job is None


@pytest.mark.parametrize("kind", [CELLS, OME_TIFF])
def test_cells_open_in_a_fresh_viewer_as_they_were(
    viewer: ViewerModel, session: Any, keep: Keep, settle: Settle, tmp_path: Path, kind: str
) -> None:
    paths = save(keep, settle, kind, tmp_path / "exp")
    assert [path.name.partition(".")[0] for path in paths] == [
        "exp control",
        "exp shrinkage ×1",
        "exp mitotic arrest ×1",
    ]
    fresh = ViewerModel()
    for path in paths:
        for data in (read if kind == CELLS else read_placed)(str(path)):
            fresh.add_layer(Layer.create(*data))
    for number, title in enumerate(("control", "shrinkage ×1.5", "mitotic arrest ×1.5")):
        assert_the_same(shown(fresh, title), shown(viewer, title))
        expected = session.found.cells.pixels if number == 0 else session.result.pixels[number - 1]
        np.testing.assert_array_equal(fresh.layers[f"{title} · DNA"].data, expected[:, 0])
    about = fresh.layers["mitotic arrest ×1.5 · actin"].metadata[MADE_BY]
    assert (about["condition"], about["strength"], about["seed"]) == ("mitotic arrest", 1.5, 4)
    assert MADE_BY not in fresh.layers["control · actin"].metadata  # may be turned again


def test_field_opens_in_the_real_window_in_place(
    viewer: ViewerModel,
    session: Any,
    keep: Keep,
    settle: Settle,
    tmp_path: Path,
    make_napari_viewer: Callable[..., Any],
) -> None:  # fmt: skip
    paths = save(keep, settle, FIELD, tmp_path / "exp")
    session.set_view(InPlace)
    settle(lambda: not session.busy and shown(viewer, "mitotic arrest ×1.5"))
    fresh = make_napari_viewer()
    for data in read_placed([str(path) for path in paths]):
        fresh.add_layer(Layer.create(*data))
    assert_the_same(shown(fresh, "mitotic arrest ×1.5"), shown(viewer, "mitotic arrest ×1.5"))
    np.testing.assert_array_equal(fresh.layers["shrinkage ×1.5 · DNA"].extent.world, viewer.layers["DNA"].extent.world)


def test_tiff_table_and_figure(session: Any, keep: Keep, settle: Settle, tmp_path: Path) -> None:
    count = len(session.found.cells)
    for path in save(keep, settle, TIFF, tmp_path / "exp"):
        assert path.suffix == ".tif"
    (path,) = save(keep, settle, TABLE, tmp_path / "table.csv")
    table = pd.read_csv(path)
    assert table["condition"].value_counts().to_dict() == dict.fromkeys(
        ("control", "shrinkage ×1.5", "mitotic arrest ×1.5"), count
    )
    assert table["actin total intensity grey"].notna().all()  # measured, though *What changed* was never open
    assert table["cell"].tolist() == 3 * list(range(1, count + 1))
    assert {"cell", "field", "y", "x"} <= set(table.columns)
    keep.show_cell(2)
    for name in ("figure.png", "figure.svg"):
        (path,) = save(keep, settle, FIGURE, tmp_path / name)
    assert "mitotic arrest ×1.5" in path.read_text(encoding="utf-8")
    with Image.open(tmp_path / "figure.png") as picture:
        assert picture.size[0] > 300
    assert "show in folder" in keep.note.text()


def test_an_error_is_one_sentence_and_the_next_one_works(keep: Keep, settle: Settle, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    failures: list[Any] = []
    keep.failed.connect(failures.append)
    keep.save(TABLE, tmp_path / "file" / "table.csv")
    settle(lambda: failures)
    assert "cannot be written" in keep.note.text()
    assert any("cannot be written" in str(record.message) for record in notification_manager.records)
    save(keep, settle, TABLE, tmp_path / "table.csv")
    assert "⚠" not in keep.note.text()


def test_the_dialog_remembers_the_folder(keep: Keep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    history: list[str] = [str(tmp_path)]
    monkeypatch.setattr(export, "get_save_history", lambda: history)
    monkeypatch.setattr(export, "update_save_history", lambda path: history.insert(0, str(Path(path).parent)))

    def dialog(parent: Any, title: str, path: str, filters: str) -> tuple[str, str]:
        asked.append(path)
        return str(tmp_path / "below" / "name"), "SVG (*.svg)"

    monkeypatch.setattr(QFileDialog, "getSaveFileName", dialog)
    assert keep._ask(FIGURE, "", "PNG (*.png);;SVG (*.svg)") == tmp_path / "below" / "name.svg"
    assert keep._ask(CELLS, "", "") == tmp_path / "below" / "name"
    assert [Path(path).parent for path in asked] == [tmp_path, tmp_path / "below"]


def run(arguments: list[str], folder: Path) -> None:
    done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def assert_predicted(path: Path, expected: np.ndarray) -> None:
    """The same pixels; single ones may fall on the other side when a number is rounded."""
    found = open_cells(path).pixels
    difference = np.abs(found.astype(int) - np.concatenate(list(expected)).astype(int))
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.01


@pytest.mark.parametrize("kind", [SCRIPT, COMMAND])
def test_script_and_command_make_the_same_pixels(
    session: Any, keep: Keep, settle: Settle, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "start.cells"), ""))
    copied: list[str] = []
    keep.copied.connect(copied.append)
    keep.copy(kind)  # the layers have no file: the cells are saved, after asking where
    settle(lambda: copied)
    assert QApplication.clipboard().text() == copied[0]
    assert "starts from start.cells, saved for it" in keep.note.text()
    if kind == SCRIPT:
        assert "saved from napari" in copied[0]
        (tmp_path / "script.py").write_text(copied[0], encoding="utf-8")
        run([sys.executable, "script.py"], tmp_path)
    else:
        words = shlex.split(copied[0])
        assert words[0] == "napari-impa"
        run([sys.executable, "-m", "napari_impa", *words[1:]], tmp_path)
    (made,) = tmp_path.glob("shrinkage mitotic arrest*.cells")
    assert_predicted(made, session.result.pixels)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: pytest.fail("it was saved already"))
    keep.copy(kind)
    settle(lambda: len(copied) == 2)
    assert copied[1] == copied[0]


def test_a_script_starts_from_the_cells_that_the_layers_show(
    cells_path: Path, model_path: Path, settle: Settle, qtbot: Any
) -> None:
    viewer = ViewerModel()
    for data in read(str(cells_path)):
        viewer.add_layer(Layer.create(*data))
    dock = PerturbDock(viewer)  # type: ignore[arg-type]
    qtbot.addWidget(dock)
    dock.use_model(model_path)
    session = dock.session
    settle(lambda: session.result is not None and not session.busy)
    keep = Keep()
    qtbot.addWidget(keep)
    keep.set_result(session.found, session.result, session.loaded)
    copied: list[str] = []
    keep.copied.connect(copied.append)
    keep.copy(SCRIPT)
    settle(lambda: copied)
    assert str(cells_path) in copied[0]
    assert "saved" not in copied[0].partition("after")[0]


def test_real_treated_cells_are_kept_too(session: Any, keep: Keep, settle: Settle, tmp_path: Path) -> None:
    found = session.found
    real = SimpleNamespace(
        cells=found.cells, layers=found.layers, field=found.field, paste=found.paste, as_it_is=found.as_it_is,
        treated=lambda condition: found.cells.pixels[:2] if condition == "shrinkage" else None,
        treated_table=lambda condition: found.cells.table[:2],
    )  # fmt: skip
    keep.set_result(real, session.result, session.loaded)  # type: ignore[arg-type]
    paths = save(keep, settle, OME_TIFF, tmp_path / "exp")
    assert paths[-1].name == "exp real shrinkage.impa.ome.tif"
    np.testing.assert_array_equal(read_ome_tiff(paths[-1]).pixels, found.cells.pixels[:2])


def test_nothing_is_kept_alive(session: Any, keep: Keep) -> None:
    state = keep._state
    assert state
    keep.set_result(None, None, None)
    assert not state
    assert not keep.copy_button.isEnabled()


def test_nothing_is_replaced_without_being_asked(session: Any, keep: Keep, settle: Settle, tmp_path: Path) -> None:
    before = session.found.cells.take([0]).save(tmp_path / "start.cells")
    copied: list[str] = []
    keep.copied.connect(copied.append)
    keep.copy_from(SCRIPT, tmp_path / "start")
    settle(lambda: copied)
    assert len(open_cells(before)) == 1
    assert len(open_cells(tmp_path / "start 2.cells")) == len(session.found.cells)
    assert "start 2.cells" in copied[0]


def test_rotated_layers_and_colours_of_one_s_own_come_back(
    keep: Keep, session: Any, settle: Settle, tmp_path: Path
) -> None:
    angle = np.deg2rad(30)
    turned = np.array([[np.cos(angle), -np.sin(angle), 3], [np.sin(angle), np.cos(angle), -2], [0, 0, 1]])
    own = Colormap([[0, 0, 0, 1], [0.2, 0.4, 0.9, 1]], name="my own")
    layers = session.found.layers
    looks = tuple(replace(look, colormap=own) for look in layers.looks)
    found = replace(session.found, layers=replace(layers, place=replace(layers.place, affine=turned), looks=looks))
    keep.set_result(found, session.result, session.loaded)
    for path in save(keep, settle, OME_TIFF, tmp_path / "turned")[:1]:
        images = [Layer.create(*data) for data in read_placed(str(path))]
        assert len({image.colormap.name for image in images}) == 3
        np.testing.assert_allclose(images[0].colormap.colors, own.colors, atol=1e-3)
        np.testing.assert_allclose(images[0].affine.affine_matrix[-3:, -3:], turned, atol=1e-6)
