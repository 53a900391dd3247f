"""How conditions are described: by their names, by fingerprints, or by a table of numbers; once for each kind."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QFormLayout, QWidget

from napari_impa.viewer.kit.forms import Options

LEARNED = ("their names", "learned")
FINGERPRINTS = (("structure (bits)", "bit"), ("structure (counts)", "count"))
TABLE = "a table …"
_CHOOSE = object()

TIP = (
    "What the model is told of a condition.\n"
    "Names: it learns each condition from its cells, and knows no other.\n"
    "Structure: Morgan fingerprints of the SMILES, so that new compounds can be asked for (needs RDKit);\n"
    "bits say which substructures occur, counts how often.\n"
    "Table: a CSV file with a row a condition, its name first, then numbers."
)


class KindBox(Options):
    """One of the ways; choosing the table asks for its file."""

    def __init__(self) -> None:
        super().__init__(tip=TIP)
        self._before: Any = LEARNED[1]
        self._fingerprints, self._path = False, ""
        self.currentIndexChanged.connect(self._on_chosen)
        self.offer(fingerprints=False)

    def offer(self, *, fingerprints: bool) -> None:
        """Offer fingerprints, or not; a table always."""
        self._fingerprints = fingerprints
        self._fill()
        if self.value is None or self.value is _CHOOSE:
            self.choose(LEARNED[1])
        self._before = self.value

    def take(self, kind: str) -> None:
        """Choose a kind or the path of a table, quietly."""
        if kind not in ("learned", "bit", "count"):
            self._path = kind
            self._fill()
        self._before = kind if self.choose(kind) else LEARNED[1]
        self.choose(self._before)

    def _fill(self) -> None:
        kinds: list[tuple[str, Any]] = [LEARNED, *(FINGERPRINTS if self._fingerprints else ())]
        if self._path:
            kinds.append((f"table: {Path(self._path).name}", self._path))
        self.refill([*kinds, (TABLE, _CHOOSE)])

    def _on_chosen(self) -> None:
        if self.value is not _CHOOSE:
            self._before = self.value
            return
        folder = str(Path(self._path).parent) if self._path else ""
        tables = "Tables (*.csv *.tsv *.txt);;All files (*)"
        path, _ = QFileDialog.getOpenFileName(self, "Choose a table of conditions", folder, tables)
        self.take(path or self._before)


class DescriptionBox(QWidget):
    """A `KindBox`, or one for each kind of perturbation; `value` is as `TrainingSettings.description`."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._layout = QFormLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setVerticalSpacing(3)
        self._fingerprints = False
        self.boxes: dict[str, KindBox] = {}
        self.setToolTip(TIP)
        self.split(())

    @property
    def value(self) -> str | dict[str, str]:
        """One kind for all, or the kind of each modality where they differ."""
        kinds = {name: str(box.value) for name, box in self.boxes.items()}
        return next(iter(kinds.values())) if len(set(kinds.values())) == 1 else kinds

    def offer(self, *, has_smiles: bool) -> None:
        """Offer fingerprints where there are SMILES and RDKit can read them."""
        self._fingerprints = has_smiles and importlib.util.find_spec("rdkit") is not None
        for box in self.boxes.values():
            box.offer(fingerprints=self._fingerprints)

    def split(self, modalities: Sequence[str]) -> None:
        """Ask once for each kind of perturbation, or once where there are none."""
        names = tuple(modalities) or ("",)
        if names == tuple(self.boxes):
            return
        while self._layout.rowCount():
            self._layout.removeRow(0)
        self.boxes = {}
        for name in names:
            box = self.boxes[name] = KindBox()
            box.offer(fingerprints=self._fingerprints)
            box.currentIndexChanged.connect(lambda _: self.changed.emit())
            if name:
                self._layout.addRow(name, box)
            else:
                self._layout.addRow(box)

    def take(self, description: str | Mapping[str, str]) -> None:
        """Choose what a training was told, quietly."""
        for name, box in self.boxes.items():
            box.take(description if isinstance(description, str) else description.get(name, "learned"))
