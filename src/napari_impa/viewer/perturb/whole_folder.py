"""A whole folder turned from the dock: a plate is chosen, its cells are predicted beside, files come of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, QUrl, Signal
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QApplication, QCheckBox, QFormLayout, QLabel, QLineEdit, QPushButton, QWidget

from napari_impa.cells.choice import AS_FOUND, LayoutChoice
from napari_impa.cells.source import Source, open_source
from napari_impa.cells.tables import guess_control, guess_labels
from napari_impa.viewer.kit.dialogs import ask_for_folder, tool_button
from napari_impa.viewer.kit.forms import Options, Wrapped, below, beside, name_after
from napari_impa.viewer.kit.job_button import JobButton
from napari_impa.viewer.kit.jobs import Failure, Latest, as_job, notify
from napari_impa.viewer.kit.texts import breakable, breaks, joined, plain, rich
from napari_impa.viewer.plate.plate_box import PlateBox
from napari_impa.watch import Token

if TYPE_CHECKING:
    from napari_impa.cells.segmenters import Segmenter
    from napari_impa.viewer.library.models import Loaded
    from napari_impa.viewer.perturb.request import Request
    from napari_impa.work.predicting.folder import PredictedFolder, UnfinishedPrediction
    from napari_impa.work.predicting.plan import PredictionPlan

COPIED = "Copied."
RUN, STOP, GO_ON = "Run on the whole folder", "Stop", "Go on"
CELLS, TABLE, REPORT = "predicted.cells", "measurements.csv", "report"
"""What is written into the folder that is made."""

AsAsked = Callable[[], "tuple[Loaded, Request, Segmenter | None] | None"]
"""Gives the model, what cells are turned into, and what finds nuclei, as the dock's form has them."""


class RunningPrediction:
    """The watch of the work under way; it outlives the widgets, so that closing the viewer can end the work."""

    def __init__(self) -> None:
        self.token: Token | None = None

    def cancel(self) -> None:
        """End it; what is done is kept."""
        if self.token is not None:
            self.token.cancel()


class WholeFolder(QWidget):
    """Rows that choose a folder and where to, and one button: run, stop, go on.

    Parameters
    ----------
    running
        Where the work is held.
    as_asked
        What the form above says.

    Signals
    -------
    finished
        `PredictedFolder`.
    """

    finished = Signal(object)

    def __init__(self, running: RunningPrediction, as_asked: AsAsked) -> None:
        super().__init__()
        self._running, self._as_asked = running, as_asked
        self.source: Source | None = None
        self._left: UnfinishedPrediction | None = None
        self._looking = Latest(self)
        self._looking.succeeded.connect(self._on_looked)
        self._looking.failed.connect(self._on_failed)
        self._build()
        self._follow()

    def _build(self) -> None:
        form = self.form = QFormLayout(self)
        form.setContentsMargins(12, 0, 0, 0)
        form.setVerticalSpacing(6)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.folder = QLineEdit()
        self.folder.setPlaceholderText("a plate, a folder of images, or .cells")
        self.folder.editingFinished.connect(lambda: self.choose_folder(self.folder.text()))
        self.found = Wrapped()
        choose = tool_button("Choose …", lambda: ask_for_folder(self, "A plate", "", self.choose_folder))
        self._row("Folder", beside(self.folder, choose), "What the command line takes: a plate, images, or .cells.")
        form.addRow(self.found)
        self.plate = PlateBox()
        self.plate.chosen.connect(self._on_plate_map)
        self._row("Plate map", self.plate, "What is in the wells of the plate.")
        self.nuclei = Options(tip="How nuclei are found in the fields of the folder.")
        self._row("Nuclei", self.nuclei, self.nuclei.toolTip())
        self.turn = Options([("control cells", False), ("all cells", True)], tip="Which cells are turned.")
        self._row("Turn", self.turn, self.turn.toolTip())
        self.out = QLineEdit()
        self.out.textChanged.connect(self._look_for_unfinished)
        choose = tool_button("Choose …", lambda: ask_for_folder(self, "Save into", self.out.text(), self.out.setText))
        self._row("Save into", beside(self.out, choose), "A folder that is made: cells, and what is ticked below.")
        self.table, self.report = QCheckBox("table"), QCheckBox("report")
        self.table.setToolTip("A CSV: a row a cell before and after, with its place, what was done, and measurements.")
        self.report.setToolTip("How good the predictions are, beside real treated cells of this folder.")
        self.table.setChecked(True)
        self._row("Also", beside(self.table, self.report, stretch=False))
        self.run = JobButton(RUN, stop=STOP, tip="Cut all cells of the folder, turn them, and save what comes of it.")
        self.anew = QPushButton("Begin anew")
        self.anew.setToolTip("Throw away what is half done, and begin with what the form says now.")
        self.anew.clicked.connect(lambda: self.start(resume=False))
        self.copy = QPushButton("Copy the command")
        self.copy.setToolTip("The commands that write the same cells and table, to the bit, and a report of them.")
        self.copy.clicked.connect(self._copy)
        self.note = Wrapped()
        self.note.setTextInteractionFlags(Qt.TextInteractionFlag.TextBrowserInteraction)
        self.note.linkActivated.connect(lambda folder: QDesktopServices.openUrl(QUrl.fromLocalFile(folder)))
        form.addRow(below(self.run, beside(self.copy, self.anew), self.note))
        self.run.asked.connect(lambda: self.start(resume=self._left is not None))
        self.run.succeeded.connect(self._on_done)
        self.run.failed.connect(self._on_run_failed)
        self.run.stopped.connect(self._on_stopped)

    def _row(self, title: str, widget: QWidget, tip: str = "") -> None:
        name = QLabel(plain(title))
        name.setToolTip(plain(tip))
        name_after(title, widget)
        self.form.addRow(name, widget)

    # ---- the folder -------------------------------------------------------------------------------------------------

    def choose_folder(self, path: str | Path, choice: LayoutChoice = AS_FOUND) -> None:
        """List what is in a folder, in the background."""
        if not str(path).strip():
            return
        self.folder.setText(str(path))
        if self.source is None or self.source.path != Path(path) or self.source.choice != choice:
            self.found.setText("Reading what is in the folder …")
            self.found.show()
            self._looking.submit(as_job(_opened), Path(path), choice)

    def _on_plate_map(self, plate_map: str | None) -> None:
        self.choose_folder(self.folder.text(), LayoutChoice(plate_map=plate_map))

    def _on_looked(self, source: Source) -> None:
        self.source = source
        first, *more = source.describe().splitlines()
        self.found.setText(breakable(first + (" …" if more else "")))
        self.found.setToolTip(plain("\n".join([first, *more])))
        self.has_wells = self.plate.fill(source)
        asked = self._as_asked()
        label = list(guess_labels(source.table))
        if asked is not None and asked[0].model.label and set(asked[0].model.label) <= set(source.table.columns):
            label = list(asked[0].model.label)
        control = guess_control(source.table, label) if label else None
        if self.has_wells:
            self.plate.show_conditions(source, label, control)
        ways: list[tuple[str, bool]] = [("masks beside the images", False)] if source.has_masks else []
        self.nuclei.refill([*ways, ("found, as set above", True)])
        self.report.setChecked(control is not None)
        if not self.out.text():
            self.out.setText(str(source.path.parent / f"{source.name} predicted"))
        self._look_for_unfinished()

    def _look_for_unfinished(self, *_: Any) -> None:
        from napari_impa.work.predicting.folder import unfinished_prediction

        out = self.out.text().strip()
        self._left = unfinished_prediction(Path(out) / CELLS) if out else None
        if self._left is not None and not self.run.running:
            to = ", ".join(one if isinstance(one, str) else one.name for one in self._left.plan.to)
            name = Path(self._left.plan.source).name
            self._say(f"Half done there: {name} → {to}. <i>Go on</i> does the rest, as it was asked then.")
        self._follow()

    # ---- the work ---------------------------------------------------------------------------------------------------

    def plan(self) -> PredictionPlan | None:
        """What the form asks for; None while something is missing."""
        from napari_impa.work.predicting.plan import PredictionPlan

        asked, source = self._as_asked(), self.source
        if asked is None or source is None:
            return None
        loaded, request, find = asked
        return PredictionPlan(
            model=loaded.key, source=str(source.path), to=request.targets, strength=request.strength,
            variability=request.variability, seed=request.seed, choice=source.choice, all_cells=bool(self.turn.value),
            segment=find if source.kind == "fields" and self.nuclei.value else None,
        )  # fmt: skip

    def start(self, *, resume: bool) -> None:
        """Run in the background, or go on with what was asked when it was left."""
        left, folder = self._left, Path(self.out.text().strip())
        plan = left.plan if resume and left is not None else self.plan()
        if plan is None or not self.out.text().strip():
            self._say("Choose a folder first." if self.source is None else "Choose a model and what cells turn into.")
            return
        if resume and left is not None:
            table, report = left.table, left.report
        else:
            table = folder / TABLE if self.table.isChecked() else None
            report = folder / REPORT if self.report.isChecked() else None
        asked = self._as_asked()
        loaded = asked[0] if asked is not None and asked[0].key == plan.model else None
        self._say("")
        self.run.start(predict_whole, self._running, plan, folder / CELLS, loaded, table, report, resume)
        self._follow()

    def _on_done(self, made: PredictedFolder) -> None:
        self._left = None
        folder = made.cells.parent
        parts = [made.cells.name, *(one.name for one in (made.table, made.report) if one is not None)]
        saved = f"{made.turned:,} cells turned; saved {', '.join(parts)} in "
        no_report = f" No report: {made.without_report}" if made.without_report else ""
        text = rich('{}<a href="{}">{}</a>.{}', saved, folder, breaks(folder.name), no_report)
        self._say(joined("<br>", [text, *(rich("⚠ {}", line) for line in made.doubts)]))
        self._follow()
        self.finished.emit(made)

    def _on_stopped(self) -> None:
        self._look_for_unfinished()
        if self._left is None:
            self._say("Stopped; nothing was done yet.")

    def _on_run_failed(self, failure: Failure) -> None:
        self._look_for_unfinished()
        self._on_failed(failure)

    def _on_failed(self, failure: Failure) -> None:
        notify(failure)
        if not self.run.running and self.source is None:
            self.found.setText("")
        self._say(f"⚠ {failure.message}")

    def _copy(self) -> None:
        plan, folder = self.plan(), Path(self.out.text().strip())
        if plan is None:
            return
        table = folder / TABLE if self.table.isChecked() else None
        try:
            text = plan.commands(folder / CELLS, table, folder / REPORT if self.report.isChecked() else None)
        except Exception as error:
            self._on_failed(Failure.of(error))
            return
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(text)
        self._say(COPIED)

    def _say(self, text: str) -> None:
        self.note.setText(breakable(text))
        self.note.setVisible(bool(text))

    def _follow(self) -> None:
        """Show what can be done now."""
        if self.note.text() == COPIED:  # which was another command
            self._say("")
        known, left = self.source is not None, self._left is not None
        self.form.setRowVisible(self.plate, known and self.has_wells)
        self.form.setRowVisible(self.nuclei, self.source is not None and self.source.kind == "fields")
        for widget in (self.turn, self.out.parentWidget(), self.table.parentWidget()):
            if widget is not None:
                self.form.setRowVisible(widget, known)
        self.found.setVisible(bool(self.found.text()))
        self.copy.setVisible(known)
        self.anew.setVisible(left and known and not self.run.running)
        self.run.say(GO_ON if left else RUN)
        self.run.allow(known or left)

    has_wells = False

    def close_form(self) -> None:
        """End the work, of which what is done is kept."""
        self._looking.cancel()
        self._running.cancel()
        self.run.cancel()


def _opened(path: Path, choice: LayoutChoice) -> Source:
    import napari_impa.work.predicting.folder  # noqa: F401  # which takes a while the first time: not in the window

    return open_source(path, choice=choice)


def predict_whole(
    token: Token, running: RunningPrediction, plan: PredictionPlan, out: Path, loaded: Loaded | None,
    table: Path | None, report: Path | None, resume: bool,
) -> PredictedFolder:  # fmt: skip
    """Predict a whole folder as the command line does; errors as `predict_folder`."""
    from napari_impa.viewer.library.models import load
    from napari_impa.work.predicting.folder import predict_folder

    running.token = token
    model = (load(token, plan.model) if loaded is None else loaded).model
    opened = open_source(plan.source, kind="fields" if plan.segment else None, choice=plan.choice)
    return predict_folder(
        plan, out, model=model, opened=opened, table=table, report=report, resume=resume, watch=token,
    )  # fmt: skip
