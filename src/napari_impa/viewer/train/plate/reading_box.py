"""How the folder is read, where it is not left to its files: layout, what folders are, Z planes, illumination, …"""

from __future__ import annotations

import re
from dataclasses import replace

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFormLayout, QLineEdit, QWidget

from napari_impa.cells.choice import ILLUMINATIONS
from napari_impa.cells.layouts import LAYOUTS, LayoutChoice
from napari_impa.cells.wells import PLATE_FORMATS
from napari_impa.viewer.kit.forms import Options
from napari_impa.viewer.kit.texts import plain

TITLE = "How the folder is read"

_NUMBERS = range(1, 21)  # of Z planes and times
_CORRECTED = dict(
    zip(ILLUMINATIONS, ("as it is", "by the table's functions", "by the microscope's", "estimated"), strict=True)
)
_ROWS = {
    "layout": (
        "Layout", (("found by itself", None), *((layout.title, layout.name) for layout in LAYOUTS)),
        "Whose files they are, where two layouts fit.",
    ),
    "folders": (
        "Folders are", (("found by itself", None), ("plates", "plates"), ("conditions", "conditions")),
        "What the folders of images stand for.",
    ),
    "z": (
        "Z planes", (("maximum", "max"), ("the sharpest", "sharpest"), *((f"plane {n}", n) for n in _NUMBERS)),
        "Which plane is taken where a site has several.",
    ),
    "time": (
        "Times", (("the first", "first"), ("all", "all"), *((f"time {n}", n) for n in _NUMBERS)),
        "Which time is taken where a site has several; all makes each a field of its own.",
    ),
    "wells": (
        "Wells", (("found by itself", None), *((f"{wells} wells", wells) for wells in PLATE_FORMATS)),
        "How many wells the plate has, where files only number them.",
    ),
    "illumination": (
        "Illumination", tuple((title, name) for name, title in _CORRECTED.items()),
        "What fields are divided by, so that corners are as bright as the middle.",
    ),
}  # fmt: skip

_IN_DOCK = (
    (re.compile(r"\(--plate-map FILE on the command line\)"), "(Plate map, Choose …)"),
    (re.compile(r"(?:with )?--plate-map FILE"), "by Plate map, Choose …"),
    (re.compile(r" ?\(--layout [\w-]+\)"), ""),
    (re.compile(r"with --folders conditions"), f"by Folders are: conditions ({TITLE})"),
    (re.compile(r"with --wells"), f"by Wells ({TITLE})"),
    (
        re.compile(r"say what the plate is called \(--plate NAME\)"),
        f"write its name into Plate name ({TITLE})",
    ),
)
"""What sentences say of the command line, and where it stands in the dock."""


def in_dock(text: str) -> str:
    """Name the dock's rows where a sentence names options of the command line."""
    for option, row in _IN_DOCK:
        text = option.sub(row, text)
    return text.replace("; choose one of them.", f"; choose one by Layout ({TITLE}).")


class ReadingBox(QWidget):
    """A row for each choice; everything is left to the files at first.

    Signals
    -------
    changed
        Another choice was made.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._plate: str | None = None
        self.plate = QLineEdit()
        self.plate.setPlaceholderText("as its folder is called")
        tip = "What the plate is called, where its folder is called otherwise than the plate map calls it."
        self.plate.setToolTip(plain(tip))
        self.plate.editingFinished.connect(self._on_plate)
        self.rows: dict[str, Options] = {}
        for name, (title, options, tip) in _ROWS.items():
            row = self.rows[name] = Options(options, tip=tip)
            row.setMinimumHeight(row.sizeHint().height())  # else they are squeezed when the section is opened
            form.addRow(title, row)
            row.currentIndexChanged.connect(lambda _: self.changed.emit())
        self.plate.setMinimumHeight(self.plate.sizeHint().height())
        form.addRow("Plate name", self.plate)

    def chosen(self, choice: LayoutChoice) -> LayoutChoice:
        """The choice with what is chosen here in it; the rest, such as the plate map, stays."""
        return replace(choice, plate=self._plate, **{name: row.value for name, row in self.rows.items()})

    def show_choice(self, choice: LayoutChoice) -> None:
        """Show a choice quietly."""
        self._plate = choice.plate
        self.plate.setText(choice.plate or "")
        for name, row in self.rows.items():
            value = getattr(choice, name)
            if not row.choose(value):  # a number beyond those that are offered
                row.add(str(value), value)
                row.choose(value)

    def _on_plate(self) -> None:
        name = self.plate.text().strip() or None
        if name != self._plate:
            self._plate = name
            self.changed.emit()
