"""A new compound by its SMILES: the structure as it was read, and the training compounds that are most like it."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING

from qtpy.QtCore import QByteArray, QEvent, Qt, QTimer, Signal
from qtpy.QtSvgWidgets import QSvgWidget
from qtpy.QtWidgets import QDoubleSpinBox, QLabel, QLineEdit, QVBoxLayout, QWidget
from superqt import QElidingLabel
from superqt.utils import signals_blocked

from napari_impa.viewer.kit.dialogs import tool_button
from napari_impa.viewer.kit.forms import Options, beside
from napari_impa.viewer.kit.jobs import Failure, Latest
from napari_impa.viewer.kit.texts import joined, plain, rich
from napari_impa.viewer.perturb.dock_memory import CompoundText
from napari_impa.watch import Token

if TYPE_CHECKING:
    import pandas as pd

    from napari_impa.analysis.compounds import Compound
    from napari_impa.engine.describing.new_condition import NewCondition
    from napari_impa.engine.model.model import IMPA

INSTALL = 'Reading a SMILES needs RDKit: pip install "napari-impa[chem]"'
NEAREST = 3
DRAWING = (300, 110)
PAUSE = 250
"""Milliseconds without typing after which a SMILES is read."""

LONGEST_NAME = 28


@dataclass(frozen=True, eq=False)
class Reading:
    """What was made of a text: the compound, drawn for light and dark, and the training compounds nearest to it."""

    compound: Compound
    drawings: tuple[str, str]
    nearest: pd.DataFrame
    near: float


def read(token: Token, model: IMPA, text: str, modality: str) -> Reading:
    """Read a SMILES, draw it and look for its like among the training compounds."""
    from napari_impa.analysis import compounds

    compound = compounds.read_compound(text)
    token.check()
    light, dark = (
        compounds.draw_compound(compound.smiles, dark=dark, width=DRAWING[0], height=DRAWING[1])
        for dark in (False, True)
    )
    token.check()
    nearest = compounds.nearest_compounds(model, compound.smiles, NEAREST, modality=modality)
    return Reading(compound, (light, dark), nearest, compounds.NEAR)


class CompoundBox(QWidget):
    """A line for a SMILES, hidden where the model's conditions are not described by fingerprints.

    What cannot be read is said beneath, and the compound before stays.

    Signals
    -------
    changed
        There is another new compound, or none any more; see `target`.
    several
        A list of compounds is wanted.
    """

    changed = Signal()
    several = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._model: weakref.ref[IMPA] | None = None
        self._reading: Reading | None = None
        self.text = QLineEdit()
        self.text.setClearButtonEnabled(True)
        self.more = tool_button("…", self.several.emit, "Several compounds at once: a SMILES a line, or a file.")
        self.more.setAccessibleName("Several compounds")
        self.dose = QDoubleSpinBox()
        self.dose.setRange(0, 1e6)
        self.dose.setDecimals(3)
        self.dose.setStepType(QDoubleSpinBox.StepType.AdaptiveDecimalStepType)
        self.modality = Options(tip="The kind of perturbation that the compound is of.")
        self.said = QLabel()
        self.said.setWordWrap(True)
        self.drawing = QSvgWidget()
        self.drawing.setFixedHeight(DRAWING[1])
        self.drawing.renderer().setAspectRatioMode(Qt.AspectRatioMode.KeepAspectRatio)
        self.canonical = QElidingLabel()
        self.canonical.setElideMode(Qt.TextElideMode.ElideMiddle)
        self.canonical.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.nearest = QLabel()
        self.nearest.setWordWrap(True)
        self._dose_row = beside(QLabel("at the dose"), self.dose)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        line = beside(self.text, self.more)
        for widget in (
            line, self._dose_row, self.modality, self.said, self.drawing, self.canonical, self.nearest,
        ):  # fmt: skip
            layout.addWidget(widget)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PAUSE)
        self._timer.timeout.connect(self._read)
        self._jobs = Latest(self)
        self._jobs.succeeded.connect(self._on_read)
        self._jobs.failed.connect(self._on_unreadable)
        self.text.textChanged.connect(lambda _: self._timer.start())
        self.text.returnPressed.connect(self._read)
        self.dose.valueChanged.connect(self._on_dose)
        self.modality.currentIndexChanged.connect(self._on_modality)
        self.set_model(None)

    @property
    def target(self) -> NewCondition | None:
        """The compound read last, at the dose chosen; None where there is none."""
        from napari_impa.engine.describing.new_condition import NewCondition

        if self._reading is None:
            return None
        compound = self._reading.compound
        name = compound.name or compound.canonical
        name = name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
        return self.as_chosen(NewCondition(name, compound.smiles))

    def as_chosen(self, compound: NewCondition) -> NewCondition:
        """A compound at the dose that is chosen, where the model takes one and it has none, and of the chosen kind."""
        takes_dose = self._dose_row.isVisibleTo(self)
        modality = self.modality.value if self.modality.count() > 1 else None
        if not takes_dose or compound.dose is not None:
            return replace(compound, dose=compound.dose if takes_dose else None, modality=modality)
        dose = self.dose.value()
        return replace(compound, name=f"{compound.name} {dose:g}", dose=dose, modality=modality)

    @property
    def typed(self) -> CompoundText:
        """What stands in the box, to be typed again another time."""
        return CompoundText(self.text.text(), self.dose.value(), self.modality.value)

    def type_again(self, typed: CompoundText) -> None:
        """Read again what stood in a box before; nothing where the model takes no compounds."""
        if typed.text and self.text.isEnabled() and self.modality.count():
            self.modality.choose(typed.modality) or self.modality.setCurrentIndex(0)
            self._offer_doses()
            if typed.dose:
                with signals_blocked(self.dose):
                    self.dose.setValue(typed.dose)
            with signals_blocked(self.text):
                self.text.setText(typed.text)
            self._read()

    def set_model(self, model: IMPA | None) -> None:
        """Forget the compound, and take those of another model; the model itself is not kept alive."""
        self._timer.stop()
        self._jobs.cancel()
        self._model = None if model is None else weakref.ref(model)
        self._reading = None
        kinds = () if model is None else model.descriptions
        modalities = [one.modality for one in kinds if one.needs == "smiles"]
        with signals_blocked(self.text):
            self.text.clear()
        self.modality.refill([(f"as {name}", name) for name in modalities])
        self.modality.setVisible(len(modalities) > 1)
        self._offer_doses()
        self._show()
        self.setVisible(bool(modalities))
        able = find_spec("rdkit") is not None
        self.text.setEnabled(able)
        self.more.setEnabled(able)
        self.text.setPlaceholderText("or a compound's SMILES")
        self.text.setToolTip(
            "The structure of a compound that the model was not trained on; a name may stand behind it."
        )
        self._say("" if able or not modalities else INSTALL)

    # ---- reading ----------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        self._timer.stop()
        model, text = self._model() if self._model is not None else None, self.text.text().strip()
        if model is None or not text:
            self._jobs.cancel()
            had, self._reading = self._reading is not None, None
            self._show()
            self._say("")
            if had:
                self.changed.emit()
            return
        self._jobs.submit(read, model, text, self.modality.value)

    def _on_read(self, reading: Reading) -> None:
        self._reading = reading
        self._show()
        nearest = reading.nearest
        if len(nearest) and nearest["similarity"][0] >= reading.near:
            self._say("")
        else:
            self._say(
                "⚠ No training compound is like it (Tanimoto similarity below "
                f"{reading.near:g}); what is predicted may be wrong."
            )
        self.changed.emit()

    def _on_unreadable(self, failure: Failure) -> None:
        self._say(f"⚠ {failure.message}")

    def _on_dose(self) -> None:
        if self._reading is not None:
            self.changed.emit()

    def _on_modality(self) -> None:
        self._offer_doses()
        self._read()

    def _offer_doses(self) -> None:
        """Start at the middle one of the doses of the training."""
        model = self._model() if self._model is not None else None
        doses = []
        if model is not None and any(
            one.dose is not None and one.modality == self.modality.value for one in model.descriptions
        ):
            from napari_impa.analysis.compounds import training_doses

            doses = list(training_doses(model, self.modality.value))
        self._dose_row.setVisible(bool(doses))
        if doses:
            with signals_blocked(self.dose):
                self.dose.setValue(doses[len(doses) // 2])
            self.dose.setToolTip(f"In the unit of the training, whose doses go from {doses[0]:g} to {doses[-1]:g}.")

    # ---- showing ----------------------------------------------------------------------------------------------------

    def changeEvent(self, event: QEvent) -> None:
        """Draw in the colours of another theme."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.StyleChange, QEvent.Type.PaletteChange):
            self._draw()

    def _say(self, text: str) -> None:
        self.said.setText(plain(text))
        self.said.setVisible(bool(text))

    def _show(self) -> None:
        reading = self._reading
        for widget in (self.drawing, self.canonical, self.nearest):
            widget.setVisible(reading is not None)
        if reading is None:
            return
        self._draw()
        self.canonical.setText(plain(reading.compound.canonical))
        self.canonical.setToolTip(plain(f"As it was read: {reading.compound.canonical}"))
        lines = []
        for row in reading.nearest.itertuples():
            several = f" ({row.conditions} conditions)" if row.conditions > 1 else ""
            line = f"<tr><td>{row.similarity:.2f}&nbsp;</td><td>{{}}</td></tr>"
            lines.append(rich(line, f"{row.condition}{several}"))
        self.nearest.setText(rich("Nearest in training (Tanimoto):<table>{}</table>", joined("", lines)))

    def _draw(self) -> None:
        if self._reading is not None:
            dark = self.text.palette().text().color().lightness() > 127
            self.drawing.load(QByteArray(self._reading.drawings[dark].encode()))
            self.drawing.renderer().setAspectRatioMode(Qt.AspectRatioMode.KeepAspectRatio)
