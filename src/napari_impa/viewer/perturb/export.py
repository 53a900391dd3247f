"""Keeping a prediction: cells, field, table and figure as files, and the script or command that makes it again."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from napari.utils.history import get_save_history, update_save_history
from qtpy.QtCore import Qt, QUrl, Signal
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QApplication, QFileDialog, QLabel, QMenu, QPushButton, QVBoxLayout, QWidget

from napari_impa.cells.beside import free
from napari_impa.viewer.kit.forms import beside
from napari_impa.viewer.kit.jobs import Failure, Job, notify
from napari_impa.viewer.kit.texts import plain
from napari_impa.viewer.layers.found_cells import Found
from napari_impa.viewer.layers.sources import Look
from napari_impa.viewer.perturb.kept_files import FIELD, FIGURE, TABLE, find_recipe, save_start, write

if TYPE_CHECKING:
    from napari_impa.viewer.library.models import Loaded
    from napari_impa.viewer.perturb.request import Predicted
    from napari_impa.work.reproduce import Reproduction

CELLS, TIFF, OME_TIFF = "cells", "tiff", "ome-tiff"
SCRIPT, COMMAND = "script", "command"

_SAVE = {
    CELLS: ("Cells (.cells) …", "", "Control, predicted and real cells; opens here again in the same place."),
    TIFF: ("Cells for ImageJ (TIFF) …", "", "Hyperstacks: a time point a cell, with channels and pixel size."),
    OME_TIFF: ("Cells as OME-TIFF …", "", "A time point a cell, channels named; opens here in the same place."),
    FIELD: ("Field with predicted cells (OME-TIFF) …", "", "The field as it would look; opens here in the same place."),
    TABLE: ("Table (CSV) …", "CSV tables (*.csv)", "A row a cell: where it was cut, its condition, its features."),
    FIGURE: ("Figure (PNG, SVG) …", "PNG (*.png);;SVG (*.svg)", "Some cells under each other, with a scale bar."),
}
_COPY = {
    SCRIPT: ("Python script", "A script that makes these predicted cells again."),
    COMMAND: ("Command", "The napari-impa command that makes these predicted cells again."),
}


class Keep(QWidget):
    """Two buttons, Save and Copy, and a note of what was written.

    Signals
    -------
    saved
        Paths written, list[Path].
    copied
        The text in the clipboard.
    failed
        `Failure`, of which the user has been told.
    """

    saved = Signal(object)
    copied = Signal(str)
    failed = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.save_button, self.copy_button = QPushButton("Save"), QPushButton("Copy")
        self.save_button.setToolTip("Save cells, field, table or a figure.")
        self.copy_button.setToolTip("Copy the script or the command that makes the same cells.")
        self.save_actions = self._menu(self.save_button, {key: _SAVE[key][::2] for key in _SAVE}, self.ask_and_save)
        self.copy_actions = self._menu(self.copy_button, _COPY, self.copy)
        self.note = QLabel()
        self.note.setWordWrap(True)
        self.note.setTextInteractionFlags(Qt.TextInteractionFlag.TextBrowserInteraction)
        self.note.linkActivated.connect(_show_in_folder)
        self.note.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(beside(self.save_button, self.copy_button, stretch=False))
        layout.addWidget(self.note)
        self.job: Job | None = None
        self.looks_now: Callable[[], tuple[Look, ...] | None] = lambda: None
        # All that is kept alive; let go of with the widget, whoever still holds its Python side.
        self._state: dict[str, Any] = {}
        self.destroyed.connect(self._state.clear)
        self._enable()

    def _menu(self, button: QPushButton, texts: Mapping[str, Any], act: Callable[[str], object]) -> dict[str, Any]:
        menu = QMenu(button)
        menu.setToolTipsVisible(True)
        actions = {}
        for key, (text, tip) in texts.items():
            actions[key] = menu.addAction(text, lambda key=key: act(key))
            actions[key].setToolTip(plain(tip))
        button.setMenu(menu)
        return actions

    # ---- what there is to keep --------------------------------------------------------------------------------------

    def set_result(self, found: Found | None, predicted: Predicted | None, loaded: Loaded | None) -> None:
        """Take the newest prediction; None takes it away."""
        if found is None or predicted is None or loaded is None:
            self._state.clear()
        else:
            if self._state.get("found") is not found:
                self._state.clear()
            self._state.pop("features", None)  # of the prediction before
            if self._state.get("predicted") is not predicted and self.job is None:
                self.note.hide()  # what it says was done with another
            self._state.update(found=found, predicted=predicted, loaded=loaded)
        self._enable()

    def set_features(self, features: Mapping[str, pd.DataFrame] | None) -> None:
        """Take measured features for the table: by the title of a part (`control`, …) a row a cell; None for none."""
        known = self._state.get("features", {}) if features else {}
        self._state["features"] = {**known, **(features or {})}

    def show_cell(self, row: int) -> None:
        """Say which cell is in sight; a figure begins with it."""
        self._state["row"] = row

    def _enable(self) -> None:
        there = "predicted" in self._state
        for button in (self.save_button, self.copy_button):
            button.setEnabled(there and self.job is None)
        self.save_actions[FIELD].setEnabled(there and self._state["found"].field is not None)

    # ---- saving -----------------------------------------------------------------------------------------------------

    def ask_and_save(self, kind: str) -> None:
        """Ask for a name, and save under it."""
        shown = self._state["predicted"]
        path = self._ask(kind, _SAVE[kind][0].removesuffix(" …"), _SAVE[kind][1])
        if path is not None and self._state.get("predicted") is not shown:  # the dialog lets the window go on
            self._say("⚠ The prediction changed meanwhile; look at it, and save again.")
        elif path is not None:
            self.save(kind, path)

    def save(self, kind: str, path: str | Path) -> None:
        """Save `cells`, `tiff`, `ome-tiff`, `field`, `table` or `figure` in the background."""
        state = self._state
        if "predicted" in state and self.job is None:
            # plain values: what is shown goes on to change while these are written
            found, looks = state["found"], self.looks_now()
            if looks is not None:
                found = replace(found, layers=replace(found.layers, looks=looks))
            work = (found, state["predicted"], state["loaded"], state.get("features", {}))
            self._run(write, self._on_saved, kind, Path(path), state.get("row", 0), *work)

    def _on_saved(self, paths: list[Path]) -> None:
        names = ", ".join(path.name for path in paths)
        self._say(f'Saved {names} · <a href="{paths[0].parent}">show in folder</a>')
        self.saved.emit(paths)

    def _ask(self, kind: str, title: str, filters: str) -> Path | None:
        folder = next(iter(get_save_history()), "")
        suggested = "_".join(self._state["found"].layers.names[0].split("/")) if kind in (TABLE, FIGURE) else "cells"
        path, chosen = QFileDialog.getSaveFileName(self, title, str(Path(folder) / suggested), filters)
        if not path:
            return None
        update_save_history(path)
        endings = re.findall(r"\*([.\w]+)", filters)
        if endings and not path.lower().endswith(tuple(endings)):  # the dialog asked about another name
            return free(path + (re.findall(r"\*([.\w]+)", chosen) or endings)[0])
        return Path(path)

    # ---- copying ----------------------------------------------------------------------------------------------------

    def copy(self, kind: str) -> None:
        """Put the equivalent `script` or `command` into the clipboard.

        It starts from the `.cells` folder that the layers show; where they show none, the cells are saved first.
        """
        if "predicted" in self._state and self.job is None:
            self._state["copying"] = kind
            saved = self._state.get("saved")
            self._run(find_recipe, self._on_recipe, *self._work(), saved)

    def _work(self) -> tuple[Any, ...]:
        return self._state["found"], self._state["predicted"], self._state["loaded"]

    def _on_recipe(self, recipe: Reproduction | None) -> None:
        if "copying" not in self._state:
            return
        if recipe is None:
            kind = self._state["copying"]
            path = self._ask(CELLS, "Save the cells that the script starts from", "Cells (*.cells)")
            if path is not None:
                self.copy_from(kind, path)
            return
        self._copy(recipe)

    def copy_from(self, kind: str, path: str | Path) -> None:
        """Save the cells that are turned at `path` (`.cells`), and copy the script or command that starts there."""
        if "predicted" in self._state and self.job is None:
            self._state["copying"] = kind
            self._run(save_start, self._on_start_saved, Path(path), *self._work())

    def _on_start_saved(self, recipe: Reproduction) -> None:
        if "copying" in self._state:
            self._state["saved"] = recipe.source
            self._copy(recipe)

    def _copy(self, recipe: Reproduction) -> None:
        from napari_impa.work.reproduce import command, script

        kind = self._state["copying"]
        try:
            text = command(recipe) if kind == COMMAND else script(recipe)
        except Exception as error:
            self._on_failed(Failure.of(error))
            return
        QApplication.clipboard().setText(text)
        start = f" · starts from {recipe.source.name}, saved for it" if recipe.saved else ""
        self._say(f"Copied the {_COPY[kind][0][0].lower() if kind == COMMAND else 'P'}{_COPY[kind][0][1:]}{start}")
        self.copied.emit(text)

    # ---- jobs -------------------------------------------------------------------------------------------------------

    def _run(self, function: Callable[..., Any], done: Callable[[Any], None], *args: Any) -> None:
        self.job = Job(function, *args)
        self.job.reported.connect(self._say)
        self.job.succeeded.connect(self._end)
        self.job.succeeded.connect(done)
        self.job.failed.connect(self._end)
        self.job.failed.connect(self._on_failed)
        self._enable()
        self.job.start()

    def _end(self, _: Any) -> None:
        self.job = None
        self._enable()

    def _on_failed(self, failure: Failure) -> None:
        self._say(f"⚠ {failure.message}")
        notify(failure)
        self.failed.emit(failure)

    def _say(self, text: str) -> None:
        self.note.setText(plain(text))
        self.note.show()


def _show_in_folder(folder: str) -> None:
    QDesktopServices.openUrl(QUrl.fromLocalFile(folder))
