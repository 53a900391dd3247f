"""The page of the map: what it is of, how it is coloured, and the cells that a lasso has chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from napari_impa.viewer.explore.explored_cells import MEASUREMENTS, STYLES, ExploredCells
from napari_impa.viewer.explore.map_plot import MapPlot, coded
from napari_impa.viewer.kit.forms import Options, Wrapped, beside
from napari_impa.viewer.kit.texts import joined, rich, unbroken

if TYPE_CHECKING:
    from napari_impa.analysis.phenotypes.style_map import CellMap
    from napari_impa.viewer.explore.session import ExploreSession


class MapPage(QWidget):
    """A map over `ExploreSession`.

    Signals
    -------
    crops_wanted
        The chosen cells are to be shown as crops.
    """

    crops_wanted = Signal()

    def __init__(self, session: ExploreSession, theme: str) -> None:
        super().__init__()
        self.session = session
        self.of = Options([("styles", STYLES), ("measurements", MEASUREMENTS)])
        self.of.setToolTip("Styles: what the model sees of a cell's looks, with its conditions; or what was measured.")
        self.by = Options([("PCA", "PCA")], tip="How it is laid out. UMAP is there where umap-learn is installed.")
        self.colour = Options(tip="What cells are coloured by: a column of their table, or a measurement.")
        self.plot = MapPlot(theme)
        self.legend = Wrapped()
        self.told = QLabel("Drag a line around cells to choose them.")
        self.told.setWordWrap(True)
        self.crops = QPushButton("Show as crops")
        self.crops.setToolTip("The chosen cells as a stack, in new layers.")
        self.crops.setEnabled(False)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 6, 0, 0)
        column.setSpacing(4)
        column.addWidget(beside(QLabel("Map of"), self.of, self.by, stretch=False))
        column.addWidget(beside(self.colour))
        column.addWidget(self.plot, 1)
        column.addWidget(self.legend)
        column.addWidget(beside(self.told, self.crops))
        self.of.setAccessibleName("Map of")
        self.by.setAccessibleName("Layout of the map")
        self.colour.setAccessibleName("Coloured by")
        for widget in (self.of, self.by):
            widget.currentIndexChanged.connect(self._ask)
        self.colour.currentIndexChanged.connect(self._paint)
        self.crops.clicked.connect(self.crops_wanted)
        self.plot.lassoed.connect(session.choose)
        session.cells_changed.connect(self._on_cells)
        session.map_changed.connect(self._on_map)
        session.chosen_changed.connect(self._on_chosen)

    def offer(self, ways: tuple[str, ...]) -> None:
        """Offer ways to lay out a map."""
        self.by.refill([(way, way) for way in ways])

    def _ask(self, *_: Any) -> None:
        self.session.lay_out(self.of.value, self.by.value)

    def _on_cells(self, explored: ExploredCells | None) -> None:
        nothing = np.zeros((0, 2))
        self.plot.show_cells(nothing, nothing, (), ("", ""))
        self.legend.setText("")
        self._on_chosen(self.session.chosen)
        if explored is None:
            return
        self.colour.refill([(f"coloured by {name}", name) for name in explored.columns])
        self._ask()

    def _on_map(self, found: CellMap) -> None:
        explored = self.session.explored
        if explored is None:
            return
        from napari_impa.engine.describing.new_condition import name_of

        self.plot.show_cells(found.cells, found.conditions, [name_of(one) for one in explored.targets], found.axes)
        self._paint()
        self._on_chosen(self.session.chosen)

    def _paint(self, *_: Any) -> None:
        explored, name = self.session.explored, self.colour.value
        if explored is None or self.session.map is None or name not in explored.columns:
            return
        codes, colours, legend = coded(explored.columns[name])
        self.plot.colour(codes, colours)
        sign = '<span style="color:{}">●</span>\u00a0{}'
        self.legend.setText(joined(" ", [rich(sign, colour, unbroken(text)) for text, colour in legend]))

    def _on_chosen(self, rows: Any) -> None:
        self.plot.choose(rows)
        self.crops.setEnabled(len(rows) > 0)
        count = len(rows)
        self.told.setText(
            f"{count:,} cell{'s' * (count != 1)} chosen." if count else "Drag a line around cells to choose them."
        )
