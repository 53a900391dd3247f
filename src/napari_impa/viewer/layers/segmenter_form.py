"""The settings of a segmenter as rows of a form, and the one place that remembers how each was set last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QFormLayout

from napari_impa.viewer.kit.typed_form import TypedForm

if TYPE_CHECKING:
    from napari_impa.cells.segmenters import Segmenter


class SegmenterMemory(QObject):
    """How each kind of segmenter was set last, in whichever dock.

    Signals
    -------
    changed
        A segmenter, as it is set now.
    """

    changed = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[type[Segmenter], Segmenter] = {}

    def recall(self, kind: type[Segmenter]) -> Segmenter:
        """Return a segmenter as it was set last, with its defaults where it was not."""
        return self._known.get(kind) or kind()

    def remember(self, segmenter: Segmenter) -> None:
        """Keep a segmenter as it is set now."""
        if self.recall(type(segmenter)) != segmenter:
            self._known[type(segmenter)] = segmenter
            self.changed.emit(segmenter)

    def forget(self) -> None:
        """Go back to the defaults of all."""
        self._known.clear()


MEMORY = SegmenterMemory()
"""What was tuned in one dock is there in the others."""


class SegmenterForm(QObject):
    """Rows for the settings of one segmenter at a time, at the end of a form; all such forms show the same settings.

    Signals
    -------
    changed
        A setting of the segmenter is another one, here or in another form.
    """

    changed = Signal()

    def __init__(self, form: QFormLayout) -> None:
        super().__init__(form)
        self._form = form
        self._rows: TypedForm | None = None
        MEMORY.changed.connect(self._follow)

    @property
    def kind(self) -> type[Segmenter] | None:
        """The kind of segmenter whose settings are shown."""
        return None if self._rows is None else self._rows.kind

    @property
    def segmenter(self) -> Segmenter | None:
        """The segmenter, as it is set."""
        return None if self.kind is None else MEMORY.recall(self.kind)

    @property
    def rows(self) -> TypedForm | None:
        """The rows of its settings."""
        return self._rows

    def show_kind(self, kind: type[Segmenter] | None) -> None:
        """Show the settings of another kind of segmenter, as they were set last; None shows nothing."""
        if kind is self.kind:
            return
        if self._rows is not None:
            self._rows.remove()
        self._rows = None
        if kind is not None:
            self._rows = TypedForm(self._form, MEMORY.recall(kind), last=("minimum_area",))
            self._rows.changed.connect(self._on_changed)

    def _on_changed(self) -> None:
        if self._rows is not None:
            MEMORY.remember(self._rows.value)

    def _follow(self, segmenter: Segmenter) -> None:
        if self._rows is not None and type(segmenter) is self.kind:
            self._rows.show_value(segmenter)
            self.changed.emit()
