"""The Train dock's rows of the model a training goes on from and of the folder that keeps it, with notes on both."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QObject, QTimer, Signal
from qtpy.QtWidgets import QFileDialog, QLabel, QLineEdit, QWidget

from napari_impa.viewer.kit.dialogs import ask_for_folder, open_dialog, tool_button
from napari_impa.viewer.kit.forms import Options, Page
from napari_impa.viewer.kit.texts import breakable
from napari_impa.work.training_plan import free_folder

NEW_NETWORKS = ("new networks", None)


class RunForm(QObject):
    """What a training starts from, and its run folder.

    Signals
    -------
    changed
        Another run folder was chosen.
    model_chosen
        Path of a model to go on from.
    """

    changed = Signal()
    model_chosen = Signal(object)

    def __init__(self, page: Page) -> None:
        super().__init__(page)
        self._page = page
        self._named_after: Path | None = None
        self._notes = {"settings": "", "run": ""}
        tip = "Train new networks, or go on from a trained model with the weights that fit these cells."
        self.start_from = Options([NEW_NETWORKS], tip=tip)
        self.start_from.currentIndexChanged.connect(self._on_start_from)
        self.choose_model = tool_button("⋯", self._choose_model, "Choose a model file (.impa) to go on from.")
        page.row("Start from", self.start_from, self.choose_model, tip=tip)
        self.folder = QLineEdit()
        self.folder.textChanged.connect(self._on_folder)
        self.choose_folder = tool_button("⋯", self._choose_folder, "Choose another run folder.")
        tip = "Model, history and checkpoints are kept in this folder; one that holds a run is resumed."
        page.row("Run folder", self.folder, self.choose_folder, tip=tip)
        self.note = QLabel()
        self.note.setWordWrap(True)
        page.form.addRow(self.note)

    @property
    def path(self) -> Path | None:
        """Where the run is kept; None while none is chosen."""
        return Path(self.folder.text()).expanduser() if self.folder.text().strip() else None

    @property
    def resumes(self) -> bool:
        """Whether a start goes on with the run that the folder holds."""
        return self.path is not None and (self.path / "config.json").is_file()

    def choose_free_folder(self, source: Path) -> None:
        """Choose a run folder that does not exist yet, beside the source."""
        self._named_after = source
        self.folder.setText(str(free_folder(source)))

    def follow(self, source: Path) -> None:
        """Choose a free folder for another source; beside the same one the user may have chosen another."""
        if source != self._named_after:
            self.choose_free_folder(source)

    def go_on_from(self, model: Path, title: str | None = None) -> None:
        """Choose a model to go on from."""
        self.start_from.refill([NEW_NETWORKS, (title or model.stem, model)])
        self.start_from.choose(model)
        self._on_start_from()
        self.bring_into_sight(self.start_from)

    def begin_anew(self) -> None:
        """Start from new networks, in a folder of its own."""
        self.start_from.refill([NEW_NETWORKS])
        self._named_after = None

    def say(self, about: str, text: str, *, more: str = "") -> None:
        """Say something of `settings` or of the `run`, or `more` of what was said."""
        self._notes[about] = f"{self._notes[about]} {more}" if more else text
        self.note.setText(breakable("\n".join(filter(None, self._notes.values()))))
        self.note.setVisible(bool(self.note.text()))

    def bring_into_sight(self, widget: QWidget) -> None:
        """Scroll to a widget when the form has been laid out anew."""
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.timeout.connect(lambda: self._page.ensureWidgetVisible(widget))
        timer.timeout.connect(timer.deleteLater)
        timer.start(0)

    def _on_start_from(self) -> None:
        if self.start_from.value is not None:
            self.model_chosen.emit(self.start_from.value)

    def _on_folder(self) -> None:
        text = "This folder holds a run: Resume goes on with it, by its own settings and on its own cells."
        self.say("run", text if self.resumes else "")
        self.changed.emit()

    def _choose_folder(self) -> None:
        start = "" if self.path is None else str(self.path.parent)
        ask_for_folder(self._page, "Choose a run folder", start, self.folder.setText)

    def _choose_model(self) -> None:
        dialog = QFileDialog(self._page, "Choose a model to go on from", "", "Models (*.impa)")
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(lambda path: self.go_on_from(Path(path)))
        open_dialog(dialog)
