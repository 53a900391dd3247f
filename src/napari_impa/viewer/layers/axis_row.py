"""A row of a form that says which step of an axis is meant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QSpinBox, QWidget
from superqt.utils import signals_blocked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Layer


class AxisRow(QWidget):
    """Which step of an axis is meant, or all of them."""

    changed = Signal(int)

    def __init__(self, layer: Layer, axis: int, count: int, step: Sequence[int]) -> None:
        super().__init__()
        self.layer, self.axis, self.count = layer, axis, count
        self.spin = QSpinBox()
        self.spin.setRange(0, count - 1)
        self.spin.setSuffix(f" of 0…{count - 1}")
        self.spin.setKeyboardTracking(False)
        self.spin.setToolTip("The step that cells are taken from; the viewer's slider does not change it.")
        self.all = QCheckBox("all")
        self.all.setToolTip("Find the cells of every step.")
        at = axis - layer.ndim  # the viewer's axes are counted from the last
        self.spin.setValue(min(max(int(step[at]), 0), count - 1) if -at <= len(step) else 0)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.spin, 1)
        layout.addWidget(self.all)
        self.spin.valueChanged.connect(self._on_changed)
        self.all.toggled.connect(self._on_changed)

    @property
    def value(self) -> int | None:
        """The step, or None for all."""
        return None if self.all.isChecked() else self.spin.value()

    def untick(self) -> None:
        """Go back to one step, quietly."""
        with signals_blocked(self):
            self.all.setChecked(False)

    def _on_changed(self, *_: Any) -> None:
        self.spin.setEnabled(not self.all.isChecked())
        self.changed.emit(self.axis)
