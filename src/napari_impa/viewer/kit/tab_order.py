"""In which order Tab goes through a dock: as it is read, also where rows came later than what stands below them."""

from __future__ import annotations

from itertools import pairwise

from qtpy.QtCore import QPoint, QRect, Qt
from qtpy.QtWidgets import QWidget


def tab_stops(part: QWidget) -> list[QWidget]:
    """What Tab stops at in a part of a window, one after the other."""
    stops: list[QWidget] = []
    widget = part.nextInFocusChain()
    while widget is not None and widget is not part:
        if part.isAncestorOf(widget) and _is_stop(widget, part):
            stops.append(widget)
        widget = widget.nextInFocusChain()
    return stops


def put_in_reading_order(part: QWidget) -> None:
    """Let Tab go line by line and from left to right; Qt takes widgets in the order in which they were made."""
    stops = tab_stops(part)
    ordered = reading_order({stop: QRect(stop.mapTo(part, QPoint(0, 0)), stop.size()) for stop in stops})
    if ordered != stops:
        for before, after in pairwise(ordered):
            QWidget.setTabOrder(before, after)


def reading_order(places: dict[QWidget, QRect]) -> list[QWidget]:
    """Widgets line by line; one is in a line where its middle is as high as the line's first one."""
    lines: list[list[QWidget]] = []
    for widget in sorted(places, key=lambda one: places[one].center().y()):
        first = places[lines[-1][0]] if lines else None
        if first is not None and first.top() <= places[widget].center().y() <= first.bottom():
            lines[-1].append(widget)
        else:
            lines.append([widget])
    return [widget for line in lines for widget in sorted(line, key=lambda one: places[one].x())]


def _is_stop(widget: QWidget, part: QWidget) -> bool:
    by_tab = Qt.FocusPolicy.TabFocus.value & widget.focusPolicy().value
    return bool(by_tab) and widget.isVisibleTo(part) and widget.focusProxy() is None
