"""The Explore dock in the real window: a map linked with the field both ways, a ranking, what did this, a screen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from napari.layers import Layer

from napari_impa.viewer.entry.samples import simulated_screen
from napari_impa.viewer.explore.dock import FOLDER, ExploreDock
from napari_impa.viewer.explore.map_plot import CHOSEN, PALETTE, coded
from napari_impa.viewer.layers.chosen_cells import ChosenCells, tell_chosen
from napari_impa.viewer.layers.sources import MADE_BY

Settle = Callable[..., None]


@pytest.fixture
def dock(make_napari_viewer: Any, model_path: Path, settle: Settle, monkeypatch: pytest.MonkeyPatch) -> ExploreDock:
    """With a small model of random weights."""
    from napari_impa.viewer.explore import dock as module
    from napari_impa.viewer.library.models import Choice

    monkeypatch.setattr(module, "choices", lambda token: [Choice("small", str(model_path))])
    opened = ExploreDock.open_in(make_napari_viewer())
    settle(lambda: opened.session.loaded is not None)
    return opened


def explored(dock: ExploreDock, settle: Settle) -> None:
    dock.explore.button.click()
    settle(lambda: dock.session.map is not None and not dock.explore.running)


def test_a_folder_is_explored_ranked_and_asked(
    dock: ExploreDock, cells_path: Path, settle: Settle, tmp_path: Path, stepped_aside_for: list[Any]
) -> None:
    assert not dock.explore.button.isEnabled()
    dock.source.setCurrentIndex(dock.source.values.index(FOLDER))
    dock.folder.setText(str(cells_path))
    explored(dock, settle)
    session = dock.session
    assert session.map.cells.shape == (24, 2)
    assert session.map.conditions.shape == (5, 2)
    assert dock.map.colour.value == "condition"
    for name in ("mitotic arrest", "shrinkage", "DMSO"):
        assert name in dock.map.legend.text().replace("\u00a0", " ")

    dock.ranking.rank.button.click()
    settle(lambda: not dock.ranking.rank.running)
    assert dock.ranking.table.rowCount() == 5
    dock.ranking.table.save_as(tmp_path / "r.csv")
    assert list(pd.read_csv(tmp_path / "r.csv")["rank"]) == [1, 2, 3, 4, 5]

    assert not dock.causes.button.button.isEnabled()  # nothing is chosen
    dock.map.plot.lassoed.emit(np.flatnonzero(session.explored.cells.conditions == "shrinkage"))
    assert dock.map.told.text() == "8 cells chosen."
    dock.causes.button.button.click()
    settle(lambda: not dock.causes.button.running)
    assert dock.causes.table.table["probability"].sum() == pytest.approx(1)
    assert "calibrated on" in dock.causes.told.text()

    before = len(dock.viewer.layers)
    dock.map.crops.click()
    assert [len(layer.data) for layer in dock.viewer.layers[before:]] == [8, 8, 8]
    assert stepped_aside_for == [list(dock.viewer.layers[before:])]
    assert all(MADE_BY in layer.metadata for layer in dock.viewer.layers[before:])
    assert not dock.screen.run.button.isEnabled()
    dock.screen.out.setText(str(tmp_path / "s.csv"))
    dock.screen.like.choose("shrinkage")
    dock.screen.run.button.click()
    settle(lambda: not dock.screen.run.running)
    assert pd.read_csv(tmp_path / "s.csv")["likeness"].is_monotonic_decreasing


def test_the_map_and_the_field_light_each_other_up(dock: ExploreDock, settle: Settle, other_dock: Any) -> None:
    for data in simulated_screen(size=256):
        dock.viewer.add_layer(Layer.create(*data))
    settle(lambda: dock.explore.button.isEnabled())
    explored(dock, settle)
    points, session = dock.session.points, dock.session
    assert not any("simulated" in line for line in session.explored.doubts)  # as these cells are, too
    assert len(points.all.data) == len(session.explored.cells)
    dock.map.plot.lassoed.emit(np.array([0, 2]))
    np.testing.assert_array_equal(points.chosen.data, points.all.data[[0, 2]])
    assert {str(one) for one in points.chosen.face_color[:, 0]} == {str(int(CHOSEN[1:3], 16) / 255)}
    points.all.selected_data = {1, 3}
    assert list(session.chosen) == [1, 3]
    np.testing.assert_allclose(np.column_stack(dock.map.plot._chosen.getData()), session.map.cells[[1, 3]], rtol=1e-6)
    dock.map.plot.lassoed.emit(np.array([0, 2]))
    assert list(other_dock.told[-1].rows_in(session.explored.found)) == [0, 2]
    tell_chosen(ChosenCells.of(session.explored.found, np.array([1, 3])), other_dock)
    assert list(session.chosen) == [1, 3]
    np.testing.assert_array_equal(points.chosen.data, points.all.data[[1, 3]])
    table = session.explored.cells.table
    np.testing.assert_array_equal(points.all.data[:, -2:], table[["y", "x"]])
    dock.viewer.window.remove_dock_widget(dock.parent())
    assert points.all not in dock.viewer.layers


def test_a_lasso_takes_what_lies_inside(dock: ExploreDock) -> None:
    plot, seen = dock.map.plot, []
    plot.show_cells(np.array([[0.0, 0], [1, 1], [5, 5]]), np.zeros((0, 2)), (), ("a", "b"))
    plot.lassoed.connect(seen.append)
    plot._box.drawn.emit(np.array([[-1.0, -1], [2, -1], [2, 2], [-1, 2]]))
    assert [list(rows) for rows in seen] == [[0, 1]]


def test_columns_are_coloured_by_name_or_on_a_scale() -> None:
    codes, colours, legend = coded(["b", "a", "b", "c"])
    assert [colours[code] for code in codes] == [PALETTE[1], PALETTE[0], PALETTE[1], PALETTE[2]]
    assert [text for text, _ in legend] == ["a", "b", "c"]
    codes, colours, legend = coded([*np.linspace(0, 10, 99), np.nan])
    assert codes[0] == 0
    assert (np.diff(codes[:99]) >= 0).all()
    assert colours[codes[-1]] == "#808080"
    many = [str(number) for number in range(20) for _ in range(20 - number)]
    codes, colours, legend = coded(many)
    assert legend[-1] == ("others", PALETTE[-1])
    assert legend[0][0] == "0"
