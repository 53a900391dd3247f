"""Tab goes through a dock as one reads it, line by line, and past nothing that can be set."""

from __future__ import annotations

from typing import Any

import pytest
from qtpy.QtCore import QCoreApplication, QPoint, QRect
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QComboBox,
    QFormLayout,
    QLineEdit,
    QPushButton,
    QTabWidget,
    QWidget,
)
from superqt import QCollapsible

from napari_impa.viewer.explore.dock import ExploreDock
from napari_impa.viewer.kit.docks import Dock
from napari_impa.viewer.kit.forms import below, beside
from napari_impa.viewer.kit.tab_order import tab_stops
from napari_impa.viewer.perturb.dock import PerturbDock
from napari_impa.viewer.plate.dock import PlateDock
from napari_impa.viewer.train.dock import TrainDock


@pytest.mark.parametrize("kind", [PerturbDock, TrainDock, ExploreDock, PlateDock])
def test_tab_goes_through_a_dock_as_it_is_read(make_napari_viewer: Any, settle: Any, qtbot: Any, kind: Any) -> None:
    dock = kind(make_napari_viewer())
    qtbot.addWidget(dock)
    settle(lambda: not any(getattr(dock, name).busy for name in ("_preparing", "_listing") if hasattr(dock, name)))
    settle(lambda: not getattr(getattr(dock, "session", None), "busy", False))
    dock.resize(420, 2600)
    dock.show()
    tabs = dock.findChild(QTabWidget)
    for page in range(1 if tabs is None else tabs.count()):
        if tabs is not None:
            tabs.setCurrentIndex(page)
        for section in dock.findChildren(QCollapsible):
            section.expand(animate=False)
        for _ in range(3):
            QCoreApplication.processEvents()
        dock.focusNextPrevChild(True)
        stops = tab_stops(dock)
        assert stops
        places = [QRect(stop.mapTo(dock, QPoint(0, 0)), stop.size()) for stop in stops]
        wrong = [
            (stops[after], stops[before])
            for after in range(len(stops))
            for before in range(after)
            if is_read_before(places[after], places[before])
        ]
        assert wrong == []
        assert [one for one in inputs(dock) if one not in stops and one.focusProxy() is None] == []
    letters = [key for button in dock.findChildren(QAbstractButton) if (key := mnemonic(button.text()))]
    assert len(letters) == len(set(letters))


def is_read_before(one: QRect, other: QRect) -> bool:
    """Whether one stands above another, or left of it in the same line."""
    if one.bottom() < other.top() or other.bottom() < one.top():
        return one.bottom() < other.top()
    return one.right() < other.left()


def mnemonic(text: str) -> str:
    """The key that presses a button together with Alt, where its text has one."""
    return QKeySequence.mnemonic(text).toString()


def inputs(dock: Dock) -> list[QWidget]:
    """What can be set in a dock, as it stands."""
    kinds = (QComboBox, QAbstractSpinBox, QLineEdit)
    return [one for one in dock.findChildren(QWidget) if isinstance(one, kinds) and one.isVisibleTo(dock)]


def test_what_comes_late_is_gone_to_in_its_place(qtbot: Any) -> None:
    form = QFormLayout()
    dock = Dock(on_close=list, on_viewer_closed=list)
    dock.layout().addLayout(form)
    window = below(QLineEdit(), dock)
    qtbot.addWidget(window)
    boxes = {name: QLineEdit() for name in ["last", "first", "middle"]}
    form.addRow(boxes["last"])
    form.insertRow(0, boxes["first"])
    form.insertRow(1, beside(boxes["middle"], button := QPushButton("…")))
    window.show()
    QCoreApplication.processEvents()
    assert tab_stops(dock) == [boxes["last"], boxes["first"], boxes["middle"], button]  # as they were made
    dock.focusNextPrevChild(True)
    assert tab_stops(dock) == [boxes["first"], boxes["middle"], button, boxes["last"]]
