"""How conditions are described: by their names, by fingerprints, or by a table of numbers; once for each kind."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QFormLayout, QWidget

from napari_impa.engine.describing import BY_FILE, DESCRIPTIONS, kind_asked
from napari_impa.engine.describing.description import Description
from napari_impa.viewer.kit.forms import Options

DEFAULT = DESCRIPTIONS[0].kind

TIP = "\n".join(["What the model is told of a condition.", *(kind.tip for kind in DESCRIPTIONS)])


class KindBox(Options):
    """One of the ways; choosing one that needs a file asks for it."""

    def __init__(self) -> None:
        super().__init__(tip=TIP)
        self._before: Any = DEFAULT
        self._has_smiles, self._path = False, ""
        self.currentIndexChanged.connect(self._on_chosen)
        self.offer(has_smiles=False)

    def offer(self, *, has_smiles: bool) -> None:
        """Offer the kinds that need SMILES, or not; the others always."""
        self._has_smiles = has_smiles
        self._fill()
        if self.value is None or self.value in BY_FILE:
            self.choose(DEFAULT)
        self._before = self.value

    def take(self, kind: str) -> None:
        """Choose a kind or the path of a file, quietly."""
        if kind_asked(kind) in BY_FILE:
            self._path = kind
            self._fill()
        self._before = kind if self.choose(kind) else DEFAULT
        self.choose(self._before)

    def _fill(self) -> None:
        kinds: list[tuple[str, Any]] = [
            (kind.label, kind.kind)
            for kind in DESCRIPTIONS
            if kind not in BY_FILE and (self._has_smiles or kind.needs != "smiles") and _is_able(kind)
        ]
        chosen = kind_asked(self._path)
        if chosen is not None:
            kinds.append((f"{chosen.label.removeprefix('a ')}: {Path(self._path).name}", self._path))
        self.refill([*kinds, *((f"{kind.label} …", kind) for kind in BY_FILE if _is_able(kind))])

    def _on_chosen(self) -> None:
        kind = self.value
        if kind not in BY_FILE:
            self._before = kind
            return
        folder = str(Path(self._path).parent) if self._path else ""
        files = f"{kind.files} ({' '.join(f'*{ending}' for ending in kind.endings)});;All files (*)"
        path, _ = QFileDialog.getOpenFileName(self, "Choose a table of conditions", folder, files)
        self.take(path or self._before)


def _is_able(kind: type[Description]) -> bool:
    """Whether the package that a kind needs is installed."""
    return not kind.package or importlib.util.find_spec(kind.package) is not None


class DescriptionBox(QWidget):
    """A `KindBox`, or one for each kind of perturbation; `value` is as `TrainingSettings.description`."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._layout = QFormLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setVerticalSpacing(3)
        self._has_smiles = False
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
        self._has_smiles = has_smiles
        for box in self.boxes.values():
            box.offer(has_smiles=has_smiles)

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
            box.offer(has_smiles=self._has_smiles)
            box.currentIndexChanged.connect(lambda _: self.changed.emit())
            if name:
                self._layout.addRow(name, box)
            else:
                self._layout.addRow(box)

    def take(self, description: str | Mapping[str, str]) -> None:
        """Choose what a training was told, quietly."""
        for name, box in self.boxes.items():
            box.take(description if isinstance(description, str) else description.get(name, DEFAULT))
