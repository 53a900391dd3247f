"""The gallery as the first view of the dock: what it shows, and what a click, the wheel and a slider do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer

from napari_impa.analysis.pictures.gallery_layout import HEAD, LEFT
from napari_impa.analysis.pictures.gallery_order import AS_FOUND, MOST_CHANGED, change_vectors
from napari_impa.viewer.entry.reader import read
from napari_impa.viewer.entry.samples import simulated_screen
from napari_impa.viewer.layers.chosen_cells import ChosenCells, tell_chosen
from napari_impa.viewer.layers.sources import MADE_BY
from napari_impa.viewer.perturb.dock import PerturbDock
from napari_impa.viewer.perturb.views import VIEWS
from napari_impa.viewer.perturb.views.gallery import GalleryControls, GalleryView

Settle = Callable[..., None]


@pytest.fixture
def viewer() -> ViewerModel:
    """Layers without a window."""
    viewer = ViewerModel()
    for data in simulated_screen(size=256):
        viewer.add_layer(Layer.create(*data))
    return viewer


@pytest.fixture
def dock(viewer: ViewerModel, model_path: Path, settle: Settle, qtbot: Any) -> Iterator[PerturbDock]:
    with opened(viewer, model_path, settle, qtbot) as dock:
        yield dock


@contextmanager
def opened(viewer: ViewerModel, model_path: Path, settle: Settle, qtbot: Any) -> Iterator[PerturbDock]:
    dock = PerturbDock(viewer)  # type: ignore[arg-type]
    qtbot.addWidget(dock)
    dock.use_model(model_path)
    settle(lambda: dock.session.result is not None and not dock.session.busy)
    yield dock
    dock.session.close()
    settle(lambda: not dock.session.busy)


def steer(dock: PerturbDock, **values: Any) -> None:
    form = dock.view_controls[GalleryControls]
    form.show_value(GalleryControls(**values))
    form.changed.emit()


def middle_of(view: GalleryView, row: int) -> tuple[int, int]:
    """A pixel of the picture at which a cell is seen."""
    gallery, layout = view.gallery, view.gallery.layout
    line, column = divmod(int(np.flatnonzero(gallery.order == row)[0]), layout.columns)
    y = HEAD + line * (layout.height + 10) - gallery.offset + layout.side // 2
    return y, LEFT + column * (layout.width + 10) + layout.side // 2


def test_it_is_the_first_view_and_one_layer_as_large_as_the_canvas(
    viewer: ViewerModel, dock: PerturbDock, settle: Settle
) -> None:
    assert VIEWS[0] is dock.view.value is GalleryView
    view, result = dock.session.view, dock.session.result
    made = [layer for layer in viewer.layers if layer.visible]
    assert made == [view.layer]
    assert made[0].name == f"gallery · {result.request.title()}"
    assert made[0].metadata[MADE_BY]["condition"] == result.request.name()
    assert made[0].data.shape == (*viewer.canvas.size, 3)
    assert viewer.scene.camera.zoom * made[0].scale[0] == pytest.approx(1)  # a pixel is a pixel
    assert np.array_equal(view.gallery.rows[1].pixels, result.pixels[0])
    vectors = change_vectors(dock.session.found.cells.pixels, result.pixels[0], view.gallery.limits)
    change = np.linalg.norm(vectors, axis=1)[view.gallery.order]
    assert (np.diff(change) <= 0).all()
    settle(lambda: np.array_equal(made[0].data, view.gallery.draw()))  # what comes fast is drawn together


def test_a_click_enlarges_a_cell_and_another_goes_back(viewer: ViewerModel, dock: PerturbDock, settle: Settle) -> None:
    view = dock.session.view
    row = int(view.gallery.order[2])
    view.click(*middle_of(view, row))
    assert view.enlarged == dock.session.cell == dock.cells.overview._cell == dock.changes._row == row
    settle(lambda: not np.array_equal(view.layer.data, view.gallery.draw()))
    view.click(300, 300)
    assert view.enlarged is None
    settle(lambda: np.array_equal(view.layer.data, view.gallery.draw()))
    dock.cells.overview.cell_clicked.emit(int(view.gallery.order[-1]))
    assert view.gallery.chosen == view.gallery.order[-1]
    assert view.gallery.chosen in view.gallery.in_sight()


def test_chosen_cells_light_up_here_and_in_other_docks(dock: PerturbDock, other_dock: Any) -> None:
    view, session = dock.session.view, dock.session
    first, second, third = (int(row) for row in view.gallery.order[:3])
    for row in (first, second):
        view.click(*middle_of(view, row), several=True)
    assert view.enlarged is None
    assert view.gallery.lit == {first, second} == set(other_dock.told[-1].rows_in(session.found))
    view.click(*middle_of(view, first), several=True)
    assert view.gallery.lit == {second}
    view.click(*middle_of(view, second))  # is one of them
    view.back()
    assert view.gallery.lit == {second}
    view.click(*middle_of(view, third))
    assert view.gallery.lit == {third} == set(session.chosen)

    fewer = session.found.taking(np.arange(len(session.found.cells)) != 0)
    tell_chosen(ChosenCells.of(fewer, np.array([0, len(fewer.cells) - 1])), other_dock)
    assert view.gallery.lit == {1, len(session.found.cells) - 1}
    of_others = ChosenCells(frozenset({"other"}), other_dock.told[-1].at)
    assert not len(of_others.rows_in(session.found))


def test_shift_and_a_click_leave_a_cell_out_until_it_is_undone(dock: PerturbDock, settle: Settle) -> None:
    view, found = dock.session.view, dock.session.found
    row = int(view.gallery.order[1])
    view.click(*middle_of(view, row), with_shift=True)
    settle(lambda: dock.session.result is not None and not dock.session.busy)
    assert len(dock.session.found.cells) == len(found.cells) - 1
    assert found.rows[row] not in dock.session.found.rows
    view = dock.session.view
    (undo,) = (act for key, act in view.layer.keymap.items() if str(key) in ("Ctrl+Z", "Ctrl-Z"))
    undo(view.layer)
    settle(lambda: dock.session.result is not None and not dock.session.busy)
    assert np.array_equal(dock.session.found.rows, found.rows)


def test_the_order_stays_while_a_slider_moves_and_follows_the_choice(dock: PerturbDock, settle: Settle) -> None:
    view = dock.session.view
    order = view.gallery.order.copy()
    dock.strength.setValue(0.3)
    settle(lambda: not dock.session.busy)
    assert np.array_equal(view.gallery.order, order)
    assert np.array_equal(view.gallery.rows[1].pixels, dock.session.result.pixels[0])
    steer(dock, order=AS_FOUND, columns=3)
    assert view.gallery.order.tolist() == sorted(order)
    assert view.gallery.layout.columns == 3
    steer(dock, order="nucleus area")
    settle(lambda: dock.changes.changes is not None)
    changes = dock.changes.changes
    rise = (changes.predicted - changes.control)[view.gallery.order, 0]
    rise = rise[np.isfinite(rise)]
    assert len(rise)
    assert (np.diff(rise) <= 0).all()
    steer(dock, order=MOST_CHANGED)
    assert len(view.gallery.order) == len(order)


def test_rows_stand_on_their_own_contrast_where_asked_and_with_other_predictions(
    dock: PerturbDock, settle: Settle
) -> None:
    view = dock.session.view
    steer(dock, own_contrast=True)
    view.gallery.draw()
    before = view.gallery._limits(1).copy()
    assert np.array_equal(view.gallery._limits(0), view.gallery.limits)
    assert not np.array_equal(before, view.gallery.limits)
    dock.strength.setValue(0.3)
    settle(lambda: not dock.session.busy)
    view.gallery.draw()
    assert not np.array_equal(view.gallery._limits(1), before)
    steer(dock, own_contrast=False)
    assert np.array_equal(view.gallery._limits(1), view.gallery.limits)


def test_the_wheel_scrolls_and_what_is_in_sight_is_predicted_first(dock: PerturbDock, settle: Settle) -> None:
    view = dock.session.view
    steer(dock, columns=1)
    event = SimpleNamespace(modifiers=(), delta=(0, -5), handled=False)
    view._on_wheel(None, event)
    assert event.handled  # so that napari does not zoom
    assert view.gallery.offset == 450
    assert view.rows_first() == tuple(view.gallery.in_sight())
    seen: list[int] = []
    dock.session._predicting.reported.connect(lambda block: seen.extend(range(block.rows.start, block.rows.stop)))
    first = view.rows_first()
    dock.strength.setValue(0.6)
    settle(lambda: not dock.session.busy)
    assert tuple(seen[: len(first)]) == first
    assert sorted(seen) == list(range(len(dock.session.found.cells)))


def test_several_conditions_and_real_cells_are_lines_of_each_cell(
    cells_path: Path, model_path: Path, settle: Settle, qtbot: Any
) -> None:
    viewer = ViewerModel()
    for data in read(str(cells_path)):
        viewer.add_layer(Layer.create(*data))
    with opened(viewer, model_path, settle, qtbot) as dock:
        dock.turn_into.choose("shrinkage", "actin inhibitor")
        settle(lambda: not dock.session.busy and len(dock.session.result.pixels) == 2)
        rows = dock.session.view.gallery.rows
        assert [row.title for row in rows] == [
            dock.session.found.as_it_is,
            "shrinkage",
            "real shrinkage",
            "actin inhibitor",
        ]
        assert np.array_equal(rows[3].pixels, dock.session.result.pixels[1])
        view, count = dock.session.view, len(dock.session.found.cells)
        view.click(*middle_of(view, int(view.gallery.order[0])), with_shift=True)  # crops, which have no field
        settle(lambda: dock.session.result is not None and not dock.session.busy)
        assert len(dock.session.found.cells) == count - 1
