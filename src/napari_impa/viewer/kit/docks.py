"""What all docks share: opened once in a viewer, a status line, and knowing when the dock or the viewer is closed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar, Self

from qtpy.QtCore import QEvent, Qt, QTimer
from qtpy.QtWidgets import QApplication, QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_impa.viewer.kit.forms import below
from napari_impa.viewer.kit.tab_order import put_in_reading_order
from napari_impa.viewer.kit.texts import breakable

if TYPE_CHECKING:
    import napari


class Dock(QWidget):
    """A dock that tells when it is closed; its parts stand in `layout()`, one under the other.

    A closed dock is deleted with all its parts and what their signals hold. PySide6 holds lambdas and partials for as
    long as their sender lives, unseen by Python's collector: connect signals of what is no part of the dock, its
    session and its jobs, to methods or other signals.

    A dock's class takes the viewer as `napari_viewer`, and is named in napari.yaml, under the same title.

    Parameters
    ----------
    on_close
        Called when the dock alone is closed; the viewer goes on.
    on_viewer_closed
        Called when the viewer or the application goes away; the dock's own widgets are gone by then, so it must not be
        a method of the dock.
    """

    title: ClassVar[str]
    """What stands in the dock's title bar and in napari's menus."""

    def __init__(self, *, on_close: Callable[[], None], on_viewer_closed: Callable[[], None]) -> None:
        super().__init__()
        self._on_close, self._docked = on_close, False
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 0)
        column.setSpacing(0)
        self.status = StatusLine()
        self._followed = [on_viewer_closed]
        followed = self._followed  # not the dock itself, which would be held

        def leave(*_: object) -> None:
            for abandon in followed:
                abandon()
            _follow_no_more(followed)

        self.destroyed.connect(leave)
        if (app := QApplication.instance()) is not None:
            app.aboutToQuit.connect(on_viewer_closed)

    def _build_foot(self) -> None:
        """Put the status line below the form, where it is seen however far that is scrolled."""
        foot = below(self.status)
        foot.layout().setContentsMargins(8, 6, 8, 6)
        self.layout().addWidget(foot)

    def event(self, event: QEvent) -> bool:
        """Notice when the dock widget around the form is closed: it then has no parent any more."""
        if event.type() == QEvent.Type.ParentChange:
            if self.parent() is not None:
                self._docked = True
            elif self._docked:
                self._docked = False
                _follow_no_more(self._followed)  # at once: Python's collector frees a dock without telling `destroyed`
                self._on_close()
                self.deleteLater()
        return bool(super().event(event))

    def focusNextPrevChild(self, forward: bool) -> bool:
        """Go to what is read next, or was read before, as the dock stands now."""
        put_in_reading_order(self)
        return bool(super().focusNextPrevChild(forward))

    @classmethod
    def open_in(cls, viewer: napari.viewer.Viewer) -> Self:
        """Return the viewer's dock of this kind, brought to the front, or opened where there is none."""
        for widget in viewer.window.dock_widgets.values():
            if isinstance(widget, cls):
                outer = widget.parentWidget()
                if outer is not None:  # it may lie behind another tab
                    outer.show()
                    outer.raise_()
                return widget
        dock = cls(napari_viewer=viewer)  # type: ignore[call-arg]
        viewer.window.add_dock_widget(dock, name=cls.title, area="right", tabify=True)
        return dock


def _follow_no_more(followed: list[Callable[[], None]]) -> None:
    """Let the application forget what it was to call at its end, which would hold a dock's session for good."""
    app = QApplication.instance()
    for abandon in followed if app is not None else ():
        with suppress(TypeError, RuntimeError):  # the application is going, too
            app.aboutToQuit.disconnect(abandon)
    followed.clear()


class StatusLine(QLabel):
    """One line of text that wraps; a busy text appears only where the work takes long enough to be noticed."""

    def __init__(self) -> None:
        super().__init__()
        self.setWordWrap(True)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.MinimumExpanding)
        self.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        self._text = ""
        self._busy = ""
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(300)
        self._timer.timeout.connect(self._show)

    def say(self, text: str) -> None:
        """Show a text until the next one."""
        self._text = text
        self._show()

    def warn(self, text: str) -> None:
        """Show what went wrong."""
        self.say(f"⚠ {text}")

    @property
    def said(self) -> str:
        """What was said last."""
        return self._text

    def busy(self, text: str) -> None:
        """Show what is being done, a little later; an empty text brings the last one back."""
        self._busy = text
        if text:
            self._timer.start()
        else:
            self._timer.stop()
            self._show()

    def rest(self) -> None:
        """Say no more that something is done: the last text comes back."""
        self.busy("")

    def _show(self) -> None:
        self.setText(breakable(self._busy or self._text))
