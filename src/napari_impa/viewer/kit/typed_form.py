"""Rows of a form made from a dataclass: a field is a row, whose title, range, unit and help stand in its metadata.

    @dataclass(frozen=True)
    class Controls:
        rate: float = field(default=1.0, metadata={"title": "Turns", "low": 0, "high": 3, "step": 0.5, "unit": "/s"})

`help` becomes the tooltip, `automatic` is shown instead of the lowest number, and one of `choices` is chosen. All of
them may be left out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, get_type_hints

from magicgui.widgets import create_widget
from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QCheckBox, QDoubleSpinBox, QFormLayout, QLabel, QWidget
from superqt.utils import signals_blocked

from napari_impa.viewer.kit.texts import plain

_OPTIONS = {"title": "label", "help": "tooltip", "low": "min", "high": "max", "step": "step"}
"""What magicgui calls what stands in the metadata."""


class TypedForm(QObject):
    """Rows for the fields of a dataclass, at the end of a form.

    Parameters
    ----------
    form
        Where the rows are added.
    value
        What is shown at first: the dataclass, or one of its kind. All its fields have defaults.
    last
        Names of fields whose rows come behind the others.

    Signals
    -------
    changed
        A value is another one.
    """

    changed = Signal()

    def __init__(self, form: QFormLayout, value: Any, *, last: tuple[str, ...] = ()) -> None:
        super().__init__(form)
        value = value() if isinstance(value, type) else value
        self.kind: type[Any] = type(value)
        self._form = form
        kinds = self._kinds = get_type_hints(self.kind)
        fields = sorted(dataclasses.fields(self.kind), key=lambda one: one.name in last)
        self._widgets = {
            one.name: _widget(one.name, kinds[one.name], getattr(value, one.name), one.metadata) for one in fields
        }
        for name, widget in self._widgets.items():
            ticked = isinstance(widget.native, QCheckBox)  # which has its label beside the box
            label = QLabel("" if ticked else plain(widget.label))
            label.setToolTip(plain(widget.tooltip or ""))
            form.addRow(label, self.row(name))
            widget.changed.connect(self._on_changed)

    def offer(self, name: str, choices: Sequence[str]) -> None:
        """Let other values be chosen for a field with `choices`; the one chosen stays where it is among them."""
        widget = self._widgets[name]
        if tuple(widget.choices) != tuple(choices):
            before = widget.value
            with signals_blocked(self):
                widget.choices = choices
            if before in choices:
                with signals_blocked(self):
                    widget.value = before
            else:
                self._on_changed(None)

    @property
    def value(self) -> Any:
        """What is chosen, as the dataclass."""
        return self.kind(**{name: self._kinds[name](widget.value) for name, widget in self._widgets.items()})

    def show_value(self, value: Any) -> None:
        """Show other values of the same dataclass, quietly."""
        with signals_blocked(self):
            for name, widget in self._widgets.items():
                widget.value = getattr(value, name)

    def row(self, name: str) -> QWidget:
        """The Qt widget of a field."""
        widget: QWidget = self._widgets[name].native
        return widget

    def set_visible(self, visible: bool) -> None:
        """Show the rows, or hide them."""
        for name in self._widgets:
            self._form.setRowVisible(self.row(name), visible)

    def remove(self) -> None:
        """Take the rows away."""
        for name in self._widgets:
            self._form.removeRow(self.row(name))
        self._widgets = {}
        self.deleteLater()

    def _on_changed(self, _: Any) -> None:
        self.changed.emit()


def _widget(name: str, kind: Any, value: Any, about: Mapping[str, Any]) -> Any:
    """Make the magicgui widget of a field."""
    options = {of_magicgui: about[ours] for ours, of_magicgui in _OPTIONS.items() if ours in about}
    shown = float if kind is int else kind  # magicgui's box of whole numbers can show no unit
    if "choices" in about:
        options |= {"choices": tuple(about["choices"]), "widget_type": "ComboBox"}
    widget = create_widget(value=shown(value), annotation=shown, name=name, options=options)
    box = widget.native
    box.setObjectName(name)
    box.setAccessibleName(widget.label)
    if isinstance(box, QDoubleSpinBox):
        box.setDecimals(0 if kind is int or about.get("step", 0.01) >= 1 else 2)
        box.setKeyboardTracking(False)
        box.setSuffix(f" {about['unit']}" if about.get("unit") else "")
        box.setSpecialValueText(about.get("automatic", ""))
    return widget
