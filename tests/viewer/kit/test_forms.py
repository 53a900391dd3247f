"""Forms: what the wheel does over them, what is brought into sight, names that are too long."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QPalette, QWheelEvent
from qtpy.QtWidgets import QApplication, QLabel, QScrollBar, QSpinBox, QStylePainter, QWidget
from superqt import QLabeledDoubleSlider

from napari_impa.viewer.kit.forms import Options, Page, Wrapped, section
from napari_impa.viewer.kit.live_plot import LivePlot
from napari_impa.viewer.perturb.whole_folder import RunningPrediction, WholeFolder
from napari_impa.viewer.train.conditions_form import CheckList

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


def test_what_is_opened_is_scrolled_into_sight_also_while_it_grows(page: Page, settle: Settle) -> None:
    content = QLabel("what it says")
    content.setFixedHeight(20)
    page.form.insertRow(20, part := section("More", content))
    bar = page.verticalScrollBar()
    settle(lambda: bar.maximum() > 500)
    bar.setValue(part.y() + part.height() - page.viewport().height())

    def seen() -> bool:
        corner = content.mapTo(page.viewport(), content.rect().bottomLeft())
        return bool(page.viewport().rect().contains(corner)) and part.mapTo(page.viewport(), QPoint(0, 0)).y() >= 0

    part.expand()
    settle(seen)
    content.setFixedHeight(120)
    settle(lambda: content.height() == 120 and seen())
    bar.triggerAction(QScrollBar.SliderAction.SliderToMinimum)  # somebody scrolls
    content.setFixedHeight(140)
    settle(lambda: content.height() == 140)
    assert bar.value() == 0


def test_a_name_wider_than_its_box_leaves_out_its_end(qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    box = Options([("a name that is far too long for a box of this width", 1)])
    qtbot.addWidget(box)
    box.resize(120, 24)
    drawn = []

    class Painter(QStylePainter):
        def drawControl(self, element: Any, option: Any) -> None:
            drawn.append(option.currentText)

    monkeypatch.setattr("napari_impa.viewer.kit.forms.QStylePainter", Painter)
    box.grab()
    assert drawn[0].startswith("a name")
    assert drawn[0].endswith("…")
    assert box.fontMetrics().horizontalAdvance(drawn[0]) < 120


def test_links_have_the_colour_of_the_text_in_any_theme(qtbot: Any) -> None:
    label = Wrapped()
    qtbot.addWidget(label)
    for colour in ("#f0f1f2", "#3b3a39"):
        label.setStyleSheet(f"color: {colour}")
        label.ensurePolished()
        assert label.palette().color(QPalette.ColorRole.Link).name() == colour


def test_boxes_have_the_accessible_name_of_their_row(qtbot: Any) -> None:
    page, box, spin_box, named = Page(), Options([("a", 1)]), QSpinBox(), QSpinBox()
    qtbot.addWidget(page)
    named.setAccessibleName("its own")
    page.row("DNA ←", box, named)
    page.row("Seed", spin_box)
    page.row("Label", ticks := CheckList(tip=""))
    assert ticks.accessibleName() == "Label"
    assert [one.accessibleName() for one in (box, named, spin_box)] == ["DNA", "its own", "Seed"]
    screen = WholeFolder(RunningPrediction(), lambda: None)
    qtbot.addWidget(screen)
    assert all(one.accessibleName() for one in (screen.folder, screen.out, screen.nuclei))


def test_a_section_s_title_has_no_icon_before_it(qtbot: Any) -> None:
    folded = section("More", QLabel("inside"))
    qtbot.addWidget(folded)
    assert folded.toggleButton().iconSize().isEmpty()
    assert folded.toggleButton().text() == "▸ More"
    folded.toggleButton().click()
    assert folded.isExpanded()
