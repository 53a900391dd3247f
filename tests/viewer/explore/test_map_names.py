"""Names of conditions on the map, and long texts in a narrow table."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from napari_impa.viewer.explore.map_plot import MapPlot
from napari_impa.viewer.explore.ranking_page import SHOWN
from napari_impa.viewer.explore.result_table import LONG, ResultTable

Settle = Callable[..., None]


def test_names_do_not_overlap(qtbot: Any, settle: Settle) -> None:
    plot = MapPlot("dark")
    qtbot.addWidget(plot)
    plot.resize(360, 300)
    plot.show()
    settle(lambda: plot._box.width() > 100)
    cells = np.random.default_rng(0).normal(size=(200, 2))
    conditions = np.array([[0.0, 0.0], [0.02, 0.03], [-0.03, 0.02], [1.0, 1.0]])
    names = ["mitotic arrest", "shrinkage", "nuclear translocation", "actin inhibitor"]
    plot.show_cells(cells, conditions, names, ("a", "b"))
    settle(lambda: all(item.isVisible() for item in plot._names))
    rects = [item.mapRectToScene(item.boundingRect()).adjusted(1, 1, -1, -1) for item in plot._names]
    assert not any(one.intersects(other) for one, other in combinations(rects, 2))
    edge = plot._box.mapRectToScene(plot._box.rect()).adjusted(-2, -2, 2, 2)
    assert all(edge.contains(rect) for rect in rects)
    crowd = np.zeros((60, 2))
    plot.show_cells(cells, crowd, [f"condition {n}" for n in range(60)], ("a", "b"))
    assert 0 < sum(item.isVisible() for item in plot._names) < 60  # for the others there is no room


def test_a_long_text_leaves_the_numbers_in_sight(qtbot: Any) -> None:
    said = "actin nuclear to ring +5.2, tubulin nuclear to ring +4.1, DNA mean intensity +3.3"
    table = pd.DataFrame({"condition": ["a", "b"], "effect": [2.0, 1.0], "moved_most": [said, ""], "real_effect": 1.5})
    widget = ResultTable(SHOWN, {})
    qtbot.addWidget(widget)
    widget.resize(360, 200)
    widget.show_table(table)
    heads = [widget.horizontalHeaderItem(column).text() for column in range(widget.columnCount())]
    assert heads == ["condition", "effect", "real", "moves most"]
    assert sum(widget.columnWidth(column) for column in range(3)) < 300
    assert widget.said_of("a", "moved_most") == said
    assert widget.said_of("c", "moved_most") == ""
    swapped = ResultTable({"condition": "condition", "moved_most": "moves most", "effect": "effect"}, {})
    qtbot.addWidget(swapped)
    swapped.show_table(table)
    assert swapped.columnWidth(1) == LONG
