"""What was found, to look at: a line about it, a table of conditions with pictures of each, and what is doubtful."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import pandas as pd
from qtpy.QtCore import QBuffer, QEvent, QIODevice, QPoint, QRect, Qt
from qtpy.QtGui import QHelpEvent, QPainter, QPaintEvent, QPixmap
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLabel,
    QSizePolicy,
    QTableWidget,
    QTableWidgetItem,
    QToolTip,
    QVBoxLayout,
    QWidget,
)

from napari_impa.analysis.pictures.composite import channel_colours
from napari_impa.cells.checks import Concern
from napari_impa.cells.source import Source
from napari_impa.viewer.kit.crop_strip import Colours, crop_strip, rgba_image
from napari_impa.viewer.kit.forms import section
from napari_impa.viewer.kit.texts import breakable, plain
from napari_impa.viewer.train.plate.reading_box import in_dock
from napari_impa.work.survey import Looked

LINE = 22
"""Height of a row's text in pixels."""

PICTURE = 50
"""Height of a row's pictures in pixels."""

SHOWN = 3
"""Warnings shown at once; the others fold away."""

_HIGHEST = 254  # of the table, in pixels; more rows scroll
_GAP = 2
_LARGE = 130  # side of a crop in the tooltip, in pixels
_COLUMNS = (
    ("condition", "What was done to the cells: the values of the label columns, joined."),
    ("{what}", "How many there are of the condition."),
    ("plates", "On how many plates the condition is; two or more tell it from what is peculiar to a plate."),
    ("held", "Held out: kept out of the training, to judge the model by."),
    ("train", "What the model learns from."),
)


class FoundPanel(QWidget):
    """One line, the table of conditions, and warnings beneath it."""

    def __init__(self) -> None:
        super().__init__()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        self.summary = QLabel()
        self.summary.setWordWrap(True)
        self.summary.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.table = ConditionsTable()
        self.warnings = WarningsList()
        for widget in (self.summary, self.table, self.warnings):
            layout.addWidget(widget)
        self.clear()

    def clear(self) -> None:
        """Show nothing."""
        self.summary.clear()
        self.table.clear_conditions()
        self.warnings.fill(())
        self.setVisible(False)

    def show_found(self, source: Source, table: pd.DataFrame) -> None:
        """Say what was found, with a table of `conditions_table`; pictures of conditions that stay are kept."""
        self.setVisible(True)
        self.summary.setText(breakable("\n".join((summary(source), *map(in_dock, source.notes)))))
        self.summary.setToolTip(plain(source.describe()))
        self.table.fill(table, source.kind)
        self.table.setVisible(len(table) > 0)

    def show_closer(self, looked: Looked) -> None:
        """Show the pictures that have come so far, and what is doubtful."""
        if looked.pictures:
            colours = channel_colours(looked.source.channels)
            self.table.set_pictures(
                dict(looked.pictures),
                "   ".join(f"{name}: {colour}" for name, colour in zip(looked.source.channels, colours, strict=True)),
            )
        self.warnings.fill(looked.checks)


def summary(source: Source) -> str:
    """Say in a line what a source holds: how many, channels, size, and pixel size."""
    one = {"fields": "whole field", "crops": "ready crop", "cells": "cell"}[source.kind]
    height, width = source.shape
    names = ", ".join(source.channels)
    size = "" if source.pixel_size is None else f" · {source.pixel_size:.3g} µm a pixel"
    masks = " · with masks" if source.has_masks else ""
    return f"{len(source):,} {one}{'s' * (len(source) != 1)} · {names} · {height}×{width} px{size}{masks}"


class ConditionsTable(QTableWidget):
    """Conditions, one a row: counts in a line of text, and a strip of crops under it; the control is marked."""

    def __init__(self) -> None:
        super().__init__(0, len(_COLUMNS))
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setShowGrid(False)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setWordWrap(False)
        self.setAccessibleName("Conditions found")
        self.verticalHeader().hide()
        header = self.horizontalHeader()
        header.setMinimumSectionSize(30)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self._pictures: dict[str, Colours] = {}
        self._strips: dict[str, QPixmap] = {}
        self._legend = ""
        self._names: list[str] = []

    def clear_conditions(self) -> None:
        """Show no condition and forget the pictures."""
        self.setRowCount(0)
        self._names = []
        self.set_pictures({}, "")

    def fill(self, table: pd.DataFrame, what: str) -> None:
        """Show a table of `conditions_table`; `what` names what is counted."""
        for column, (title, tip) in enumerate(_COLUMNS):
            item = QTableWidgetItem(title.format(what=what))
            item.setToolTip(plain(tip))
            self.setHorizontalHeaderItem(column, item)
        self._names = table["condition"].tolist()
        self.setRowCount(len(table))
        for row, found in enumerate(table.itertuples(index=False)):
            name = f"{found.condition or '(empty)'}{' (control)' if found.control else ''}"
            counts = (f"{found.count:,}", str(found.plates or "–"), f"{found.held:,}", f"{found.training:,}")
            for column, text in enumerate((name, *counts)):
                item = QTableWidgetItem(text)
                right = Qt.AlignmentFlag.AlignRight if column else Qt.AlignmentFlag.AlignLeft
                item.setTextAlignment(right | Qt.AlignmentFlag.AlignTop)
                if found.control:
                    font = item.font()
                    font.setBold(True)
                    item.setFont(font)
                self.setItem(row, column, item)
        self.setColumnHidden(2, not table["plates"].any())
        for column in (3, 4):
            self.setColumnHidden(column, not table["held"].any())
        self._fit()

    def set_pictures(self, pictures: dict[str, Colours], legend: str) -> None:
        """Show crops (n, S, S, 3) under the conditions that have some; `legend` says which colour is which channel."""
        self._pictures, self._legend = pictures, legend
        self._strips.clear()
        self._fit()

    def picture_at(self, point: QPoint) -> QRect:
        """Where the pictures under a point are, or an empty place where there are none."""
        row = self.rowAt(point.y())
        if row < 0 or self._names[row] not in self._pictures:
            return QRect()
        top = self.rowViewportPosition(row) + LINE
        area = QRect(4, top, self.viewport().width() - 8, PICTURE)
        return area if area.contains(point) else QRect()

    def _fit(self) -> None:
        """Rows with pictures are higher; the table is as high as its rows, up to a point."""
        height = LINE + PICTURE + 4 if self._pictures else LINE
        self.verticalHeader().setMinimumSectionSize(LINE)
        self.verticalHeader().setDefaultSectionSize(height)
        rows = self.rowCount() * height + self.horizontalHeader().sizeHint().height() + 4
        self.setFixedHeight(min(rows, _HIGHEST))
        self.viewport().update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the table, and over each row in sight its pictures."""
        super().paintEvent(event)
        if not self._pictures:
            return
        painter = QPainter(self.viewport())
        first = max(self.rowAt(0), 0)
        last = self.rowAt(self.viewport().height() - 1)
        for row in range(first, self.rowCount() if last < 0 else last + 1):
            strip = self._strip(self._names[row])
            if strip is not None:
                painter.drawPixmap(QPoint(4, self.rowViewportPosition(row) + LINE), strip)
        painter.end()

    def _strip(self, name: str) -> QPixmap | None:
        if name not in self._pictures:
            return None
        if name not in self._strips:
            ratio = self.devicePixelRatioF()
            strip = crop_strip(self._pictures[name], round(PICTURE * ratio), round(_GAP * ratio))
            pixmap = QPixmap.fromImage(rgba_image(strip))
            pixmap.setDevicePixelRatio(ratio)
            self._strips[name] = pixmap
        return self._strips[name]

    def viewportEvent(self, event: QEvent) -> bool:
        """Show the pictures large where the mouse rests on them, and names in full elsewhere."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            row, column = self.rowAt(event.pos().y()), self.columnAt(event.pos().x())
            area = self.picture_at(event.pos())
            if not area.isEmpty():
                QToolTip.showText(event.globalPos(), self.large(row), self, area)
                return True
            item = self.item(row, column) if row >= 0 else None
            if item is not None:
                heading = self.horizontalHeaderItem(column)
                text = item.text() if column == 0 else f"{item.text()} {heading.text()}"
                QToolTip.showText(event.globalPos(), text, self)
                return True
        return bool(super().viewportEvent(event))

    def large(self, row: int) -> str:
        """The pictures of a row, large, as the text of a tooltip."""
        strip = crop_strip(self._pictures[self._names[row]], _LARGE, 4, columns=3)
        buffer = QBuffer()
        buffer.open(QIODevice.OpenModeFlag.WriteOnly)
        rgba_image(strip).save(buffer, "PNG")
        picture = base64.b64encode(bytes(buffer.data())).decode()
        return f'<b>{self.item(row, 0).text()}</b><br><img src="data:image/png;base64,{picture}"><br>{self._legend}'


class WarningsList(QWidget):
    """What is doubtful, one sentence each; many fold away."""

    def __init__(self) -> None:
        super().__init__()
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(4)
        self.texts: tuple[str, ...] = ()

    def fill(self, concerns: Sequence[Concern]) -> None:
        """Show concerns, the gravest first."""
        texts = tuple(f"⚠ {in_dock(concern.message)}" for concern in concerns)
        if texts == self.texts:
            return
        self.texts = texts
        while self._layout.count():
            self._layout.takeAt(0).widget().deleteLater()
        shown = SHOWN if len(texts) > SHOWN + 1 else len(texts)
        for text in texts[:shown]:
            self._layout.addWidget(_wrapped(text))
        if len(texts) > shown:
            rest = QWidget()
            folded = QVBoxLayout(rest)
            folded.setContentsMargins(0, 0, 0, 0)
            folded.setSpacing(4)
            for text in texts[shown:]:
                folded.addWidget(_wrapped(text))
            self._layout.addWidget(section(f"{len(texts) - shown} more warnings", rest))
        self.setVisible(bool(texts))


def _wrapped(text: str) -> QLabel:
    label = QLabel(breakable(text))
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


__all__ = ["ConditionsTable", "FoundPanel", "WarningsList", "summary"]
