"""Closing while a training runs: ask once, then leave it within a second, so that the run can be resumed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtWidgets import QDockWidget, QMessageBox, QPushButton, QWidget

from napari_impa.viewer.train.session import STOPPING, TrainingSession

if TYPE_CHECKING:
    import napari

KEEP, CLOSE = "Keep training", "Stop and close"
CLOSE_BUTTON = "QTitleBarCloseButton"
"""Name that napari gives the button in a dock's title that closes it for good; the other one only hides it."""


def ask_to_close(parent: QWidget, step: int) -> bool:
    """Ask whether to close in spite of a training; True to stop it and close."""
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle("A training is going on")
    box.setText(f"Training is at step {step:,}. Close and stop?" if step else "A training is starting. Close and stop?")
    box.setInformativeText("The run can be resumed.")
    box.addButton(KEEP, QMessageBox.ButtonRole.RejectRole)
    close = box.addButton(CLOSE, QMessageBox.ButtonRole.AcceptRole)
    box.setDefaultButton(box.buttons()[0])
    box.exec()
    accepted = box.clickedButton() is close
    box.deleteLater()
    return accepted


class CloseGuard(QObject):
    """Ask before the viewer's window, or the dock of a training, is closed while the training goes on.

    The window asks for a click on its close button, for napari's commands *Close Window* and *Exit*, and where the
    whole application is quit.  What a script closes (`viewer.close()`) is closed without a question.  Hiding the dock
    is no closing: the training goes on.  napari's own questions are asked too; only when the window really goes is the
    training left.

    Parameters
    ----------
    viewer
        Whose window is guarded.
    dock
        The widget in a dock of that window.
    session
        Its training.
    """

    def __init__(self, viewer: napari.viewer.Viewer, dock: QWidget, session: TrainingSession) -> None:
        window = viewer.window._qt_window
        super().__init__(window)  # and by nothing else is the window held: it must be freed when it is closed
        self._dock: QWidget | None = dock
        self._session = session
        self._watched: QDockWidget | None = None
        self._agreed = False
        window.installEventFilter(self)
        window._qt_viewer.installEventFilter(self)
        dock.destroyed.connect(self._forget_dock)
        session.state_changed.connect(self._watch_title)

    def remove(self) -> None:
        """Guard no longer, as the dock was closed."""
        window = self.parent()
        if window is not None:
            window.removeEventFilter(self)
            window._qt_viewer.removeEventFilter(self)
        self._session.state_changed.disconnect(self._watch_title)
        self._dock = None
        self.deleteLater()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Look at what closes the window, hides it, or presses the dock's close button."""
        kind = event.type()
        if kind == QEvent.Type.Close and watched is self.parent()._qt_viewer:  # closed by a script, before the window
            self._session.abandon()
        elif kind == QEvent.Type.Close and watched is self.parent():
            if self._asks and not self._may_close():
                event.ignore()
                return True
            self._agreed = True
            self._soon(self._after_close)
        elif kind == QEvent.Type.Hide and self._agreed and watched is self.parent():
            self._session.abandon()
        elif kind == QEvent.Type.MouseButtonPress and watched.objectName() == CLOSE_BUTTON and self._asks:
            self._soon(self._close_dock)
            return True
        return bool(super().eventFilter(watched, event))

    @property
    def _asks(self) -> bool:
        """Whether there is something to lose, and someone to ask: a script closes the canvas before the window."""
        session = self._session
        if not session.busy or session.state == STOPPING or self._agreed:
            return False
        return not self.parent()._qt_viewer.isHidden()

    def _may_close(self) -> bool:
        return ask_to_close(self.parent(), self._session.step)

    def _after_close(self) -> None:
        """Ask again next time, where napari's own question kept the window open."""
        if self.parent().isVisible():
            self._agreed = False

    # ---- the dock ---------------------------------------------------------------------------------------------------

    def _holder(self) -> QDockWidget | None:
        parent = None if self._dock is None else self._dock.parent()
        return parent if isinstance(parent, QDockWidget) else None

    def _watch_title(self, *_: object) -> None:
        """Watch the title's close button, which napari makes anew where the dock is moved or floats."""
        holder = self._holder()
        if holder is None:
            return
        if holder is not self._watched:
            self._watched = holder
            for moved in (holder.dockLocationChanged, holder.topLevelChanged):
                moved.connect(lambda *_: self._soon(self._watch_title))
        for button in self._watched.findChildren(QPushButton, CLOSE_BUTTON):
            button.installEventFilter(self)

    def _close_dock(self) -> None:
        holder = self._holder()
        if holder is not None and (not self._asks or self._may_close()):
            self._session.stop()
            holder.destroyOnClose()

    def _soon(self, act: Callable[[], object]) -> None:
        """Call something when this event is over, unless the window is gone by then."""
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.timeout.connect(act)
        timer.timeout.connect(timer.deleteLater)
        timer.start(0)

    def _forget_dock(self, *_: object) -> None:
        self._dock = None
