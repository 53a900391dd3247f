"""The list of trainings: how far each came and how good it is, and what can be done with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, QUrl, Signal
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QGridLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_impa.viewer.kit.dialogs import open_dialog
from napari_impa.viewer.kit.job_button import JobButton
from napari_impa.viewer.kit.jobs import Failure, Latest, as_job
from napari_impa.viewer.kit.texts import breakable, plain
from napari_impa.viewer.library.models import recent, remember
from napari_impa.watch import Token

if TYPE_CHECKING:
    from napari_impa.engine.training.run_folder.summaries import RunSummary
    from napari_impa.work.describing import DescribedModel

COLUMNS = ("run", "gap\nclosed", "steps", "state", "date")
NAME, GAP, STEPS, STATE, CHANGED = range(5)
TIPS = (
    "Name of the run folder.",
    "How much of the way from the control to real cells, which it never saw, the best model goes, on average:\n"
    "0 is no better than leaving the cells as they are, 1 is as real cells.",
    "Steps done.",
    "How the training stands.",
    "When it was trained last.",
)
WIDEST = {GAP: "closed ", STEPS: "000,000", STATE: "complete", CHANGED: "00 Mmm"}
"""What the columns beside the name make room for; the name gets the rest of a dock's width."""

EARLIER = "Scored by an earlier measure, which says nothing of the gap closed; it will be known when it is resumed."

_ROW, _MARGIN = 22, 10  # pixels


def find_runs(token: Token, folder: Path | None) -> list[RunSummary]:
    """Summarise the runs in a folder and those trained lately elsewhere, the latest first; weights are not read."""
    from napari_impa.engine.training.run_folder.summaries import latest_first, runs_in, summary

    found = [] if folder is None else runs_in(folder, depth=1)
    token.check()
    known = {one.folder.resolve() for one in found}
    lately = [path.parent if path.suffix == ".impa" else path for path in recent()]
    elsewhere = [path for path in lately if (path / "config.json").is_file() and path.resolve() not in known]
    return latest_first([*found, *map(summary, dict.fromkeys(elsewhere))])


def open_in_system(path: Path) -> bool:
    """Show a folder in the file manager, a page in the browser; False if the system has none."""
    return bool(QDesktopServices.openUrl(QUrl.fromLocalFile(str(path))))


class _Item(QTableWidgetItem):
    """A cell of the table that sorts by a number where it has one; what has none comes last."""

    def __init__(self, text: str, order: Any, *, right: bool = False) -> None:
        super().__init__(text)
        self.order = order
        if right:
            self.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)

    def __lt__(self, other: QTableWidgetItem) -> bool:
        return bool(self.order < other.order) if isinstance(other, _Item) else NotImplemented


class RunsList(QWidget):
    """Runs of a folder and those trained lately, with buttons for the one chosen.

    Signals
    -------
    resume_asked, use_asked, open_asked, again_asked, go_on_from_asked
        With the run folder: go on training it; use its model in Perturb; show it in the file manager (which happens by
        itself); train once more with its settings; train something from its model.
    failed
        `Failure` of looking for runs, of a report, or of describing a model.
    """

    resume_asked = Signal(object)
    use_asked = Signal(object)
    open_asked = Signal(object)
    again_asked = Signal(object)
    go_on_from_asked = Signal(object)
    failed = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.runs: dict[Path, RunSummary] = {}
        self.folder: Path | None = None
        self._steering_allowed = True
        self._finding = Latest(self)
        self._finding.succeeded.connect(self._fill)
        self._finding.failed.connect(self._on_failed)
        self._build()
        self._choose()

    def _build(self) -> None:
        self.table = table = QTableWidget(0, len(COLUMNS))
        table.setHorizontalHeaderLabels(list(COLUMNS))
        for column, tip in enumerate(TIPS):
            table.horizontalHeaderItem(column).setToolTip(plain(tip))
        highest_first = int(Qt.SortOrder.DescendingOrder.value)
        table.horizontalHeaderItem(GAP).setData(Qt.ItemDataRole.InitialSortOrderRole, highest_first)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        table.setWordWrap(False)
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(_ROW)
        header = table.horizontalHeader()
        header.setMinimumSectionSize(20)
        for column, text in WIDEST.items():
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
            header.resizeSection(column, table.fontMetrics().horizontalAdvance(text) + _MARGIN)
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        table.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        table.setMinimumHeight(6 * _ROW)
        table.setSortingEnabled(True)
        table.sortByColumn(CHANGED, Qt.SortOrder.DescendingOrder)
        table.itemSelectionChanged.connect(self._choose)
        table.itemDoubleClicked.connect(self._on_double_click)
        self.about = QLabel()
        self.about.setWordWrap(True)
        self.about.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.use = self._button("Use in Perturb", self.use_asked, "Open the Perturb dock with the model of this run.")
        self.resume = self._button("Resume", self.resume_asked, "Go on training this run where it stopped.")
        self.again = self._button(
            "Train again …",
            self.again_asked,
            "Fill the form with the settings of this run, to change some and train anew.",
        )
        self.go_on_from = self._button(
            "Go on from model …",
            self.go_on_from_asked,
            "Train on other cells or conditions, starting with the weights of this run's model.",
        )
        self.open = self._button("Open folder", self.open_asked, "Show the run folder in the file manager.")
        self.refresh_button = QPushButton("Refresh")
        self.refresh_button.setToolTip("Look for runs again.")
        self.refresh_button.clicked.connect(self.refresh)
        self.open_asked.connect(open_in_system)
        self.report = JobButton(
            "Report",
            stop="Stop the report",
            tip="Score the model of this run on its held-out cells, which takes minutes, and show what came out in the "
            "browser; it is kept in the run folder.",
        )
        self.report.asked.connect(self._start_report)
        self.report.succeeded.connect(self._on_report)
        self.report.failed.connect(self._on_failed)
        self.report.stopped.connect(lambda: self.about.setText("The report was stopped; nothing was written."))
        self.describe = JobButton(
            "Describe …",
            stop="Stop describing",
            tip="Let the model of this run take new compounds or genes, without training it: by a table with a row a "
            "condition, its name first, then SMILES or numbers. A new model is written beside the run.",
        )
        self.describe.asked.connect(self._choose_table)
        self.describe.succeeded.connect(self._on_described)
        self.describe.failed.connect(self._on_failed)
        buttons = QGridLayout()
        buttons.setSpacing(4)
        placed = (self.use, self.resume, self.again, self.go_on_from, self.open, self.refresh_button)
        for number, button in enumerate(placed):
            buttons.addWidget(button, number // 2, number % 2)
        buttons.addWidget(self.report, 3, 0)
        buttons.addWidget(self.describe, 3, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(table, 1)
        layout.addWidget(self.about)
        layout.addLayout(buttons)

    def _button(self, text: str, asked: Signal, tip: str) -> QPushButton:
        button = QPushButton(text)
        button.setToolTip(plain(tip))
        button.clicked.connect(lambda: self.chosen is not None and asked.emit(self.chosen.folder))
        return button

    # ---- what is listed ---------------------------------------------------------------------------------------------

    @property
    def chosen(self) -> RunSummary | None:
        """The run of the row chosen."""
        rows = self.table.selectionModel().selectedRows() if self.table.selectionModel() else []
        item = self.table.item(rows[0].row(), NAME) if rows else None
        return None if item is None else self.runs.get(item.data(Qt.ItemDataRole.UserRole))

    def choose(self, folder: Path) -> bool:
        """Choose the run of a folder; False where it is not listed."""
        for row in range(self.table.rowCount()):
            if self.table.item(row, NAME).data(Qt.ItemDataRole.UserRole) == folder:
                self.table.selectRow(row)
                return True
        return False

    def is_complete(self, folder: Path) -> bool:
        """Whether a run came to the end of its steps or minutes, as far as was seen."""
        return folder in self.runs and self.runs[folder].state == "complete"

    def show_folder(self, folder: Path | None) -> None:
        """List the runs in another folder, and those trained lately."""
        self.folder = folder
        self.refresh()

    def refresh(self) -> None:
        """Look for runs again, in the background."""
        self._finding.submit(find_runs, self.folder)

    def allow_training(self, allowed: bool) -> None:
        """Whether a training may be started now; none may while one is going on."""
        self._steering_allowed = allowed
        self._choose()

    def close_jobs(self) -> None:
        """Drop what is done in the background, as the dock closes."""
        self._finding.cancel()
        self.report.cancel()
        self.describe.cancel()

    def _fill(self, found: list[RunSummary]) -> None:
        before = self.chosen
        self.runs = {one.folder: one for one in found}
        table = self.table
        table.setSortingEnabled(False)
        table.setRowCount(len(found))
        for row, one in enumerate(found):
            for column, item in enumerate(_items(one)):
                item.setToolTip(plain(_tip(one)))
                table.setItem(row, column, item)
            table.item(row, NAME).setData(Qt.ItemDataRole.UserRole, one.folder)
        table.setSortingEnabled(True)
        if before is None or not self.choose(before.folder):
            table.clearSelection()
        self._choose()

    def _on_failed(self, failure: Failure) -> None:
        self.about.setText(breakable(f"⚠ {failure.message}"))
        self.failed.emit(failure)

    def _start_report(self) -> None:
        from napari_impa.work.run_report import report_of_run

        if self.chosen is not None:
            self.about.setText(breakable(f"{self.chosen.name} is scored …"))
            self.report.start(as_job(report_of_run), self.chosen.folder)

    def _on_report(self, page: Path) -> None:
        shown = open_in_system(page)
        self.about.setText(breakable(f"The report is {page}{'' if shown else '; open it in a browser'}."))

    def _choose_table(self) -> None:
        dialog = QFileDialog(self, "Choose a table that describes the conditions", "", "Tables (*.csv *.tsv *.txt)")
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(lambda path: self.describe_by(Path(path)))
        open_dialog(dialog)

    def describe_by(self, table: Path) -> None:
        """Describe the model of the run chosen by a table, in the background."""
        from napari_impa.work.describing import describe_beside

        if self.chosen is not None:
            self.about.setText(breakable(f"{self.chosen.name} is described by {table.name} …"))
            self.describe.start(as_job(describe_beside), self.chosen.folder, table)

    def _on_described(self, written: tuple[Path, DescribedModel]) -> None:
        path, found = written
        remember(path)
        self.about.setText(breakable("\n".join([*found.lines, f"Saved {path}; the Perturb dock lists it."])))

    def _on_double_click(self, *_: object) -> None:
        self.use.click()

    def _choose(self) -> None:
        one, train = self.chosen, self._steering_allowed
        if one is None:
            self.about.setText(
                "Choose a run." if self.runs else "No run was found here; those trained here are listed."
            )
        else:
            self.about.setText(breakable(_about(one)))
        usable = one is not None and one.has_model and one.state != "damaged"
        self.use.setEnabled(usable)
        self.resume.setEnabled(one is not None and one.can_resume and train)
        self.again.setEnabled(one is not None and one.state != "damaged" and train)
        self.go_on_from.setEnabled(usable and train)
        self.open.setEnabled(one is not None)
        self.report.allow(usable)
        self.describe.allow(one is not None and usable and one.task == "perturbation")


def _items(one: RunSummary) -> tuple[_Item, ...]:
    damaged = one.state == "damaged"
    gap = one.gap_closed
    return (
        _Item(f"⚠ {one.name}" if damaged else one.name, one.name.casefold()),
        _Item("–" if gap is None else f"{gap:.2f}", float("-inf") if gap is None else gap, right=True),
        _Item("–" if damaged else _steps(one.steps), float(one.steps), right=True),
        _Item("new" if one.state == "never started" else one.state, one.state),
        _Item(f"{one.date:%d %b}", one.date.timestamp(), right=True),
    )


def _steps(count: int) -> str:
    return f"{count:,}" if count < 1_000_000 else f"{count / 1e6:.1f} M"


def _about(one: RunSummary) -> str:
    """Two or three lines on the run chosen."""
    if one.state == "damaged":
        return f"⚠ {one.name} is damaged: {one.problem}"
    what = f"{len(one.conditions)} {'batches' if one.task == 'batch' else 'conditions'}" if one.conditions else one.task
    lines = [f"{one.name}: {one.describe()}", f"{what} · {one.size} px · {one.preset} · {one.device}"]
    return "\n".join([*lines, _gap_in_words(one)]).rstrip()


def _gap_in_words(one: RunSummary) -> str:
    """What the number of the gap closed says, or why there is none."""
    if one.of_earlier_measure:
        return EARLIER
    if one.gap_closed is None:
        return ""
    real = "" if one.gap_floor is None else f"; other real cells: {one.gap_floor:.2f}"
    return f"Gap closed {one.gap_closed:.2f} (0: the cells left as they are, 1: as real cells{real})"


def _tip(one: RunSummary) -> str:
    """Everything on a run, for a tooltip."""
    lines = [str(one.folder), f"{one.date:%Y-%m-%d %H:%M} · {one.describe()}"]
    if one.state != "damaged":
        lines += [text] if (text := _gap_in_words(one)) else []
        names = ", ".join(one.conditions[:12]) + (" …" if len(one.conditions) > 12 else "")
        lines += [f"{one.task}: {names}"] if names else []
        lines.append(f"{', '.join(one.channels) or 'no model yet'} · {one.size} px · {one.preset} · {one.device}")
        lines += [f"Went on from the model {one.start_from!r}"] if one.start_from else []
    return "\n".join(lines)
