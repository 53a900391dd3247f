"""A viewer without a window, and the form in which cells are chosen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from napari.components import ViewerModel

from napari_impa.cells.segmenters import Nuclei
from napari_impa.cells.simulated.screen import CHANNELS
from napari_impa.viewer.layers.cells_form import CellsForm

SIZE = 48


@pytest.fixture
def viewer(qapp: Any) -> ViewerModel:
    return ViewerModel()


@pytest.fixture
def form(viewer: Any, qtbot: Any) -> Iterator[CellsForm]:
    form = CellsForm(viewer)
    qtbot.addWidget(form)
    form.set_segmenters([Nuclei])
    form.set_model(CHANNELS, SIZE)
    yield form
    form.close_form()
