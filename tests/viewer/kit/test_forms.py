"""Forms: what the wheel does over them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication, QLabel, QSpinBox, QWidget
from superqt import QLabeledDoubleSlider

from napari_impa.viewer.kit.forms import Options, Page
from napari_impa.viewer.kit.live_plot import LivePlot

Settle = Callable[..., None]


def turn(widget: QWidget) -> bool:
    """Turn the wheel one notch down over a widget; whether it takes it."""
    at = QPointF(widget.rect().center())
    event = QWheelEvent(
        at, QPointF(widget.mapToGlobal(at.toPoint())), QPoint(0, 0), QPoint(0, -120), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(widget, event)
    return bool(event.isAccepted())


@pytest.fixture
def page(qtbot: Any) -> Page:
    page = Page()
    for number in range(60):
        page.form.addRow(QLabel(str(number)))
    qtbot.addWidget(page)
    page.resize(300, 200)
    page.show()
    return page


def spin() -> QWidget:
    box = QSpinBox()
    box.setRange(0, 9999)
    box.setValue(500)
    return box


def slider() -> QWidget:
    box = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
    box.setRange(0, 2)
    box.setValue(1)
    return box


def value_of(box: Any) -> float:
    return float(box.currentIndex() if isinstance(box, Options) else box.value())


@pytest.mark.parametrize("make", [lambda: Options([(str(n), n) for n in range(9)]), spin, slider])
def test_the_wheel_scrolls_the_form_and_changes_only_what_has_the_focus(
    page: Page, settle: Settle, monkeypatch: pytest.MonkeyPatch, make: Callable[[], Any]
) -> None:
    box = make()
    page.form.insertRow(1, box)  # a row that has come later
    page.form.insertRow(2, Options([("a", 1)]))
    bar = page.verticalScrollBar()
    settle(lambda: box.isVisible() and bar.maximum() > 500)
    page.setFocus()
    before = value_of(box)
    turned = getattr(box, "_slider", box)  # what a labelled slider holds
    for _ in range(2):  # the first would give it the focus
        turn(turned)
    assert value_of(box) == before
    assert bar.value() > 0
    scrolled = bar.value()
    monkeypatch.setattr(turned, "hasFocus", lambda: True)
    turn(turned)
    assert value_of(box) != before
    assert bar.value() == scrolled


def test_the_wheel_over_a_plot_scrolls_the_form(page: Page, settle: Settle) -> None:
    plot = LivePlot("loss", "dark")
    page.form.insertRow(0, plot)
    settle(lambda: plot.isVisible() and page.verticalScrollBar().maximum() > 500)
    assert not turn(plot.viewport())  # it goes on to the form below
