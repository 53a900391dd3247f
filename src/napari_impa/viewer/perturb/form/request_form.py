"""The rows that say what cells are turned into: conditions or a compound, how strongly, how varied, and a seed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Qt, Signal
from qtpy.QtWidgets import QSpinBox, QWidget
from superqt import QLabeledDoubleSlider

from napari_impa.viewer.kit.texts import plain
from napari_impa.viewer.perturb.form.targets_form import TurnInto
from napari_impa.viewer.perturb.request import Request

if TYPE_CHECKING:
    from napari_impa.viewer.kit.forms import Page
    from napari_impa.viewer.library.models import Loaded


class RequestForm(QObject):
    """Rows of a page, of which a `Request` is made.

    Signals
    -------
    changed
        `request` is another one.
    """

    changed = Signal()

    def __init__(self, page: Page) -> None:
        super().__init__(page)
        self.turn_into = TurnInto()
        self._title = page.row("Turn into", self.turn_into)
        self.strength = _slider(2.0, 1.0, "0 is the cell as it is, 1 the condition; beyond 1 it is exaggerated.")
        page.row("Strength", self.strength, tip=self.strength.toolTip())
        self.variability = _slider(1.0, 0.1, "How much the predicted cells vary by chance; 0 gives the mean cell.")
        page.row("Variability", self.variability, tip=self.variability.toolTip())
        self.seed = QSpinBox()
        self.seed.setRange(0, 9999)
        self.seed.setToolTip("Another seed draws another cell of the same condition.")
        page.row("Seed", self.seed, tip=self.seed.toolTip())
        self.turn_into.changed.connect(self.changed)
        for widget in (self.strength, self.variability, self.seed):
            widget.valueChanged.connect(self._on_value)

    @property
    def values(self) -> tuple[float, float, int]:
        """Strength, variability and seed."""
        return round(self.strength.value(), 2), round(self.variability.value(), 2), self.seed.value()

    @property
    def request(self) -> Request | None:
        """What is asked for; None where there is no model."""
        targets = self.turn_into.targets
        return Request(targets, *self.values) if targets else None

    def show_values(self, strength: float, variability: float, seed: int) -> None:
        """Set what does not depend on the model."""
        self.strength.setValue(strength)
        self.variability.setValue(variability)
        self.seed.setValue(seed)

    def set_model(self, loaded: Loaded | None) -> None:
        """Offer the conditions of a model."""
        self.turn_into.set_model(loaded)
        self._title.setText(plain(self.turn_into.label))

    def _on_value(self, *_: Any) -> None:
        self.changed.emit()


def _slider(most: float, value: float, tip: str) -> QLabeledDoubleSlider:
    slider = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
    slider.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # Tab goes to its two parts, to move one and type into the other
    for part in slider.findChildren(QWidget):
        if part.focusPolicy() == Qt.FocusPolicy.ClickFocus:
            part.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    slider.setRange(0.0, most)
    slider.setDecimals(2)
    slider.setSingleStep(0.05)
    slider.setValue(value)
    slider.setToolTip(plain(tip))
    return slider
