"""A dialog for several new compounds at once: a list of SMILES, or a file of them."""

from __future__ import annotations

from collections.abc import Collection

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QDialog, QDialogButtonBox, QFileDialog, QPlainTextEdit, QVBoxLayout, QWidget

from napari_impa.engine.describing.new_condition import Target
from napari_impa.errors import ImpaError
from napari_impa.viewer.kit.dialogs import open_dialog
from napari_impa.viewer.kit.forms import Wrapped
from napari_impa.viewer.kit.texts import plain
from napari_impa.work.exploring.compound_file import CompoundFile, listed_compounds, read_compounds

_FILES = "Compounds (*.csv *.tsv *.txt *.xlsx *.smi *.sdf *.sdf.gz);;All files (*)"


class CompoundList(QDialog):
    """Takes one compound a line, or a file. What cannot be read of lines is said, and the dialog stays open.

    Parameters
    ----------
    parent
        Over which it stands.
    known
        Names of the model's conditions, which may stand in a line instead of a SMILES.

    Signals
    -------
    listed
        Conditions by name and new compounds, and in words what of a file could not be read.
    """

    listed = Signal(tuple, str)

    def __init__(self, parent: QWidget, known: Collection[str]) -> None:
        super().__init__(parent)
        self.setWindowTitle("Several compounds")
        self._known = {name.casefold(): name for name in known}
        self.text = QPlainTextEdit()
        self.text.setPlaceholderText("CC(=O)Oc1ccccc1C(=O)O aspirin\nCCO ethanol")
        self.text.setTabChangesFocus(True)
        self.text.setAccessibleName("SMILES, one a line")
        self.said = Wrapped()
        self.said.hide()
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self.file = self.buttons.addButton("&File …", QDialogButtonBox.ButtonRole.ActionRole)
        self.file.setToolTip("CSV or Excel with a column smiles, SMI or SDF.")
        self.file.clicked.connect(self._ask_for_file)
        self.buttons.accepted.connect(self._take_lines)
        self.buttons.rejected.connect(self.reject)
        about = Wrapped()
        about.setText("One SMILES a line, with a name behind it if you like, or the name of a condition of the model.")
        layout = QVBoxLayout(self)
        for widget in (about, self.text, self.said, self.buttons):
            layout.addWidget(widget)
        self.resize(440, 320)

    def take_file(self, path: str) -> None:
        """Take the compounds of a file."""
        try:
            found = read_compounds(path)
        except ImpaError as error:
            self._say(str(error))
            return
        self.listed.emit(found.compounds, _unread(found))
        self.accept()

    def _take_lines(self) -> None:
        lines = [line.strip() for line in self.text.toPlainText().splitlines() if line.strip()]
        names = [self._known.get(line.casefold()) for line in lines]
        try:
            found = listed_compounds("\n".join(line for line, name in zip(lines, names, strict=True) if name is None))
        except ImpaError as error:
            self._say(str(error))
            return
        targets: tuple[Target, ...] = (*(name for name in names if name is not None), *found.compounds)
        if found.unread:
            self._say(_unread(found))
        elif targets:
            self.listed.emit(targets, "")
            self.accept()
        else:
            self._say("There is no compound yet; write a SMILES, or choose a file.")

    def _ask_for_file(self) -> None:
        dialog = QFileDialog(self, "A file of compounds", "", _FILES)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.filesSelected.connect(lambda chosen: self.take_file(chosen[0]))
        open_dialog(dialog)

    def _say(self, text: str) -> None:
        self.said.setText(plain(text))
        self.said.setVisible(bool(text))


def _unread(found: CompoundFile) -> str:
    if not found.unread:
        return ""
    more = f" (and {len(found.unread) - 1:,} more)" if len(found.unread) > 1 else ""
    return f"A compound cannot be read{more}: {found.unread[0].rstrip('.')}."
