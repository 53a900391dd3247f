"""The widget of one of the engine's settings, by what is offered for it, else by its type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from qtpy.QtWidgets import QCheckBox, QDoubleSpinBox, QSpinBox, QWidget

from napari_impa.engine.training.options import About
from napari_impa.viewer.kit.forms import Options
from napari_impa.viewer.train.description_box import DescriptionBox

if TYPE_CHECKING:
    pass


def setting_widget(kind: Any, default: Any, about: About) -> QWidget:
    """Make the widget of a setting: by what is offered, else by its type."""
    if about.offered == "descriptions":
        return DescriptionBox()
    if about.offered or about.choices:
        options = [(words, value) for value, words in about.choices] or [(about.automatic or str(default), default)]
        box = Options(options)
        box.choose(default)
        return box
    if kind is bool:
        tick = QCheckBox(about.label)
        tick.setChecked(default)
        return tick
    optional = type(None) in get_args(kind)
    number: QSpinBox | QDoubleSpinBox = QDoubleSpinBox() if float in (kind, *get_args(kind)) else QSpinBox()
    least = about.low - 1 if optional else about.low
    number.setRange(least if isinstance(number, QDoubleSpinBox) else int(least), type(number.maximum())(about.high))
    if isinstance(number, QDoubleSpinBox):
        number.setDecimals(0 if about.high > 1000 else 3)
    number.setSuffix(f" {about.unit}" if about.unit else "")
    number.setSpecialValueText(about.automatic)
    number.setKeyboardTracking(False)
    set_value(number, default)
    return number


def set_value(widget: Any, value: Any) -> None:
    """Show a value; None as the lowest number, which means that there is none."""
    if isinstance(widget, QCheckBox):
        widget.setChecked(value)
    else:
        widget.setValue(widget.minimum() if value is None else value)


def changed_signal(widget: Any) -> Any:
    """Return the signal that says that a widget's value has changed."""
    if isinstance(widget, DescriptionBox):
        return widget.changed
    if isinstance(widget, QCheckBox):
        return widget.toggled
    return widget.currentIndexChanged if isinstance(widget, Options) else widget.valueChanged
