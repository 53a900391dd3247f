"""Parts of forms: a page of labelled rows that scrolls, lists of objects to choose from, rows and folded sections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeGuard

from qtpy.QtCore import QCoreApplication, QEvent, QObject, QPoint, QSize, Qt, QTimer
from qtpy.QtGui import QIcon, QPaintEvent, QPalette, QPixmap, QResizeEvent
from qtpy.QtWidgets import (
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QScrollArea,
    QScrollBar,
    QStyle,
    QStyleOptionComboBox,
    QStylePainter,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible
from superqt.utils import signals_blocked

from napari_impa.viewer.kit.texts import plain

WIDTH = 360
"""Preferred width of a dock in pixels; at 1280×800 the picture keeps most of the window."""


_TURNED = (QComboBox, QAbstractSpinBox, QAbstractSlider)
"""What the wheel would change."""

_NAMED = (QComboBox, QAbstractSpinBox, QAbstractSlider, QLineEdit, QListWidget)
"""What says nothing of itself."""


ROOM_IN_BOX = 10
"""Pixels of a combo box in which the style draws no text."""


class Page(QScrollArea):
    """A form that scrolls up and down where the window is low; the wheel changes no box that has no focus."""

    def __init__(self) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)  # Tab goes to what it holds, and it follows
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.body = QWidget()
        self.form = QFormLayout(self.body)
        self.form.setContentsMargins(8, 6, 8, 6)
        self.form.setVerticalSpacing(6)
        self.form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.setWidget(self.body)
        self._guard()
        self._opened: QWidget | None = None
        self.verticalScrollBar().rangeChanged.connect(self._follow_opened)
        self.verticalScrollBar().actionTriggered.connect(self._let_go)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Let the wheel pass by boxes without focus; look for new ones where rows have come."""
        if event is not None and watched is not None:
            if event.type() == QEvent.Type.Wheel and _is_turned(watched) and not watched.hasFocus():
                return bool(QCoreApplication.sendEvent(self.verticalScrollBar(), event))
            if event.type() == QEvent.Type.LayoutRequest and isinstance(watched, QWidget):
                self._guard()
        return bool(super().eventFilter(watched, event))

    def _guard(self) -> None:
        for kind in _TURNED:
            for box in self.body.findChildren(kind):
                if _is_turned(box):
                    if box.focusPolicy() == Qt.FocusPolicy.WheelFocus:  # or else the wheel itself would give it focus
                        box.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
                    box.installEventFilter(self)

    def bring_up(self, part: QWidget) -> None:
        """Scroll down so far that a part of the form is seen, also while it grows, until somebody scrolls."""
        self._opened = part
        part.destroyed.connect(self._let_go)
        self._follow_opened()

    def _follow_opened(self, *_: Any) -> None:
        part, bar = self._opened, self.verticalScrollBar()
        if part is not None:
            top = part.mapTo(self.body, QPoint(0, 0)).y()
            bar.setValue(max(bar.value(), min(top, top + part.height() - self.viewport().height())))

    def _let_go(self, *_: Any) -> None:
        self._opened = None

    def sizeHint(self) -> QSize:
        """Wide enough for the form."""
        return QSize(max(WIDTH, self.minimumSizeHint().width()), self.body.sizeHint().height() + 4)

    def minimumSizeHint(self) -> QSize:
        """Never narrower than the form, which scrolls up and down only."""
        return QSize(self.body.minimumSizeHint().width() + self.verticalScrollBar().sizeHint().width(), 100)

    def row(self, label: str, *widgets: QWidget, tip: str = "") -> QLabel:
        """Add a labelled row; the first widget takes the room there is."""
        name = QLabel(plain(label))
        for widget in (name, *widgets):
            if tip and not widget.toolTip():
                widget.setToolTip(plain(tip))
        name_after(label, *widgets)
        self.form.addRow(name, widgets[0] if len(widgets) == 1 else beside(*widgets))
        return name


def name_after(label: str, *widgets: QWidget) -> None:
    """Give a row's boxes the accessible name that its label is, where they have none; screen readers say it."""
    for widget in widgets:
        for box in (widget, *widget.findChildren(QWidget)):  # PySide6 takes no tuple of classes
            if isinstance(box, _NAMED) and not box.accessibleName():
                box.setAccessibleName(label.removesuffix(" ←"))


def _is_turned(widget: QObject) -> TypeGuard[QWidget]:
    """Whether the wheel would change a value; scroll bars are what it is for."""
    return isinstance(widget, _TURNED) and not isinstance(widget, QScrollBar)


def beside(*widgets: QWidget, stretch: bool = True) -> QWidget:
    """Widgets in a row, the first of which takes the room there is, or else the end of the row."""
    box = QWidget()
    layout = QHBoxLayout(box)
    layout.setContentsMargins(0, 0, 0, 0)
    for number, widget in enumerate(widgets):
        layout.addWidget(widget, stretch=int(stretch and number == 0))
    if not stretch:
        layout.addStretch(1)
    return box


def section(title: str, content: QWidget) -> QCollapsible:
    """A part of a form that is shut at first; its content is hidden then, and as high as it likes when open."""
    blank = QPixmap(1, 1)  # superqt's icons would keep the first theme, and PySide6's QIcon() is none to it
    blank.fill(Qt.GlobalColor.transparent)
    folded = QCollapsible(f"▸ {title}", expandedIcon=QIcon(blank), collapsedIcon=QIcon(blank))
    folded.toggleButton().setIconSize(QSize(0, 0))
    folded.setDuration(0)
    folded.layout().setContentsMargins(0, 0, 0, 0)
    folded.toggleButton().setStyleSheet("text-align: left; border: none; background: transparent; padding: 2px 0px;")
    highest = content.maximumHeight()
    folded.setContent(content)
    content.hide()

    def follow(is_open: bool) -> None:
        folded.setText(f"{'▾' if is_open else '▸'} {title}")
        content.setMaximumHeight(highest)  # which it has set
        content.setVisible(is_open)

    def bring_up() -> None:
        """Scroll the form so far that what was opened is seen, its title at the top at the most."""
        page: QWidget | None = folded
        while page is not None and not isinstance(page, Page):
            page = page.parentWidget()
        if page is not None:
            page.bring_up(folded)

    folded.toggled.connect(follow)
    later = QTimer(folded)  # when the form knows how high it is now
    later.setSingleShot(True)
    later.timeout.connect(bring_up)
    folded.toggled.connect(lambda is_open: later.start() if is_open else later.stop())
    return folded


def below(*widgets: QWidget) -> QWidget:
    """Widgets one under the other."""
    box = QWidget()
    layout = QVBoxLayout(box)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(3)
    for widget in widgets:
        layout.addWidget(widget)
    return box


class Wrapped(QLabel):
    """A text of several lines that is never cut off, as a plain label in a folded section would be."""

    def __init__(self) -> None:
        super().__init__()
        self.setWordWrap(True)

    def changeEvent(self, event: QEvent) -> None:
        """Write links in the colour of the text, which the theme makes one that can be read; they are underlined."""
        super().changeEvent(event)
        palette = self.palette()
        text, link = QPalette.ColorRole.WindowText, QPalette.ColorRole.Link
        if palette.color(link) != palette.color(text):
            palette.setColor(link, palette.color(text))
            self.setPalette(palette)

    def setText(self, text: str) -> None:
        """Show another text."""
        super().setText(plain(text))
        self.setMinimumHeight(max(0, self.heightForWidth(self.width())))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Take the height that the width asks for."""
        super().resizeEvent(event)
        self.setMinimumHeight(max(0, self.heightForWidth(self.width())))


class Options(QComboBox):
    """A combo box of Python objects, which may be narrower than its longest item; programs change it quietly."""

    def __init__(self, options: Sequence[tuple[str, Any]] = (), *, tip: str = "") -> None:
        super().__init__()
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)
        self.setToolTip(plain(tip))
        self.values: list[Any] = []
        self.refill(options)

    @property
    def value(self) -> Any:
        """The object chosen, or None."""
        index = self.currentIndex()
        return self.values[index] if 0 <= index < len(self.values) else None

    def choose(self, value: Any) -> bool:
        """Choose an object quietly; False, and nothing chosen, where it is not offered."""
        with signals_blocked(self):
            self.setCurrentIndex(self.values.index(value) if value in self.values else -1)
        return value in self.values

    def refill(self, options: Sequence[tuple[str, Any]]) -> None:
        """Offer other objects quietly; what was chosen stays so where it is still offered, else the first is chosen."""
        before = self.value
        with signals_blocked(self):
            self.clear()
            self.values = [value for _, value in options]
            self.addItems([text for text, _ in options])
        if before is not None and before in self.values:
            self.choose(before)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the item chosen, whose end is left out where it is wider than the box."""
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        kind = QStyle.ComplexControl.CC_ComboBox
        part = QStyle.SubControl.SC_ComboBoxEditField
        room = self.style().subControlRect(kind, option, part, self).width() - ROOM_IN_BOX
        option.currentText = self.fontMetrics().elidedText(option.currentText, Qt.TextElideMode.ElideRight, room)
        painter = QStylePainter(self)
        painter.drawComplexControl(kind, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)

    def add(self, text: str, value: Any) -> None:
        """Offer one more object quietly."""
        with signals_blocked(self):
            self.values.append(value)
            self.addItem(text)
