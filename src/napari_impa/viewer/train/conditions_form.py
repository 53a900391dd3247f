"""The Train dock's fields of which cells: task, labels, control and hold out, over a table of conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qtpy.QtCore import QObject, QSize, Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QLabel, QListWidget, QListWidgetItem
from superqt.utils import signals_blocked

from napari_impa.cells.checks import Concern
from napari_impa.cells.segmenters import Segmenter
from napari_impa.cells.tables import condition_names, shortest
from napari_impa.errors import ImpaError
from napari_impa.viewer.kit.forms import Options, Page
from napari_impa.viewer.kit.jobs import Failure, Latest, as_job
from napari_impa.viewer.kit.texts import breakable, plain
from napari_impa.viewer.train.found_panel import FoundPanel
from napari_impa.work.survey import Looked, guess, look_closer
from napari_impa.work.tables.conditions_table import (
    conditions_table,
    default_hold_out,
    label_columns,
    proposed_values,
    values_of,
)
from napari_impa.work.tables.replicate_wells import ASKED, HALF_OF_WELLS, asks_for_half, settled, ways_to_hold_out

TASKS = (("turn control into treated cells", "perturbation"), ("correct between batches", "batch"))

_ROW = 20  # pixels


class CheckList(QListWidget):
    """A short list of names to tick."""

    changed = Signal()

    def __init__(self, *, tip: str, rows: int = 3) -> None:
        super().__init__()
        self.setToolTip(plain(tip))
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self._rows = rows
        self.itemChanged.connect(lambda _: self.changed.emit())

    def fill(self, names: Sequence[str], ticked: Sequence[str]) -> None:
        """Offer names, the ticked ones first, quietly."""
        with signals_blocked(self):
            self.clear()
            for name in sorted(names, key=lambda name: name not in ticked):
                item = QListWidgetItem(name, self)
                item.setCheckState(Qt.CheckState.Checked if name in ticked else Qt.CheckState.Unchecked)
                item.setSizeHint(QSize(0, _ROW))
        self.setFixedHeight(_ROW * max(1, min(self._rows, len(names))) + 8)

    @property
    def ticked(self) -> tuple[str, ...]:
        """The names ticked, from the top."""
        items = (self.item(row) for row in range(self.count()))
        return tuple(item.text() for item in items if item.checkState() == Qt.CheckState.Checked)


class ConditionsForm(QObject):
    """Task, labels, control and hold out of what was found, as rows of a dock under a picture of it.

    Each choice is looked at more closely in the background: example crops of the conditions, and what is doubtful.

    Signals
    -------
    changed
        Another choice was made, or something else was found.
    looked_closer
        `Looked` with its examples and concerns.
    failed
        `Failure` of looking closer.

    Attributes
    ----------
    held_out
        `hold_out` with the wells that are drawn in the place of half of the replicate wells.
    """

    changed = Signal()
    looked_closer = Signal(object)
    failed = Signal(object)

    def __init__(self, page: Page) -> None:
        super().__init__(page)
        self.looked: Looked | None = None
        self._resting = self._unseen = False
        self._segment: Segmenter | None = None
        self._nuclei: str | None = None
        self._seed = 0
        self.held_out: dict[str, tuple[str, ...]] = {}
        self._closer = Latest(self)
        self._closer.reported.connect(self._on_closer)
        self._closer.succeeded.connect(self._on_closer)
        self._closer.failed.connect(self._on_failed)
        self.panel = FoundPanel()
        self.task = Options(TASKS, tip="Turn control cells into treated ones, or move cells between batches.")
        self.label = CheckList(tip="Columns whose values, joined, name the condition of a cell.")
        self.control = Options(tip="The untreated control: cells of it are what the model learns to turn.")
        self.column = Options(
            tip="Cells kept out of the training, to judge the model by: hold out by plate, never by cell."
        )
        self.held = CheckList(tip="Values of that column whose cells the training never sees.")
        self.drawn = QLabel()
        self.drawn.setWordWrap(True)
        page.form.addRow(self.panel)
        page.row("Task", self.task, tip=self.task.toolTip())
        page.row("Label", self.label, tip=self.label.toolTip())
        self._control_name = page.row("Control", self.control, tip=self.control.toolTip())
        page.row("Hold out", self.column, tip=self.column.toolTip())
        self._held_name = page.row("", self.held)
        self._drawn_name = page.row("", self.drawn)
        self.task.currentIndexChanged.connect(self._guess_again)
        self.label.changed.connect(self._on_label)
        self.control.currentIndexChanged.connect(self._count)
        self.column.currentIndexChanged.connect(self._on_column)
        self.held.changed.connect(self._count)
        page.destroyed.connect(self._closer.cancel)
        self.label.fill([], [])
        self._show_held(False)
        self._show_drawn("")

    def fill(self, looked: Looked) -> None:
        """Take what was found, with the labels that were guessed."""
        self.looked = looked
        self.panel.clear()
        self.label.fill(looked.columns, looked.labels)
        self._on_label(control=looked.control)

    def find_nuclei_by(self, segment: Segmenter | None, nuclei_channel: str | None) -> None:
        """Take another way to find nuclei in whole fields, and look again."""
        if (segment, nuclei_channel) == (self._segment, self._nuclei):
            return
        self._segment, self._nuclei = segment, nuclei_channel
        if self.looked is not None and self.looked.source.kind == "fields":
            self._look_closer()

    def draw_by(self, seed: int) -> None:
        """Take another seed, by which half of the replicate wells is drawn."""
        before, self._seed = self._seed, seed
        if seed != before and self.column.value == HALF_OF_WELLS:
            self._count()

    def take(self, label: Sequence[str], control: str | None, hold_out: Mapping[str, Sequence[str]]) -> None:
        """Choose what another training was given, as far as it is here; of several columns held out, the first."""
        assert self.looked is not None
        table = self.looked.source.table
        ticked = [name for name in label if name in table.columns]
        if ticked:
            self.label.fill(label_columns(table, ticked), ticked)
        with signals_blocked(self):  # counted once, below
            self._on_label(control=control)
            column = next((name for name in hold_out if name in self.column.values), "")
            if asks_for_half(hold_out) and HALF_OF_WELLS in self.column.values:
                column = HALF_OF_WELLS
            self.column.choose(column)
            self._offer_values([shortest(value) for value in hold_out.get(column, ())])
        self._count()

    def stop(self) -> None:
        """Stop looking closer."""
        self._closer.cancel()

    def rest(self) -> None:
        """Look no closer until `go_on`, as a training needs the computer."""
        self._unseen = self._unseen or self._closer.busy
        self._resting = True
        self._closer.cancel()

    def go_on(self) -> None:
        """Look at what was left meanwhile."""
        self._resting = False
        if self._unseen and self.looked is not None:
            self._look_closer()

    def clear(self) -> None:
        """Forget what was found."""
        self._closer.cancel()
        self._unseen = False
        self.looked = None
        self.panel.clear()
        self.label.fill([], [])
        self.control.refill([])
        self.column.refill([])
        self.held_out = {}
        self._show_held(False)
        self._show_drawn("")

    @property
    def busy(self) -> bool:
        """Whether what was found is still being looked at."""
        return self._closer.busy

    @property
    def hold_out(self) -> dict[str, tuple[str, ...]]:
        """Columns and values held out, as `TrainingSettings` takes them."""
        if self.column.value == HALF_OF_WELLS:
            return dict(ASKED)
        return {self.column.value: self.held.ticked} if self.column.value and self.held.ticked else {}

    @property
    def chosen_control(self) -> str | None:
        """The control's name; none in batch correction."""
        return None if self.task.value == "batch" else self.control.value

    def _guess_again(self) -> None:
        if self.looked is None:
            return
        table = self.looked.source.table
        labels, control = guess(table, self.task.value)
        self.label.fill(label_columns(table, labels), labels)
        self._on_label(control=control)

    def _on_label(self, *, control: str | None = None) -> None:
        assert self.looked is not None
        table, label = self.looked.source.table, self.label.ticked
        batch = self.task.value == "batch"
        for widget in (self._control_name, self.control):
            widget.setVisible(not batch)
        if not label:
            self.control.refill([])
            self._count()
            return
        before = control if control is not None else self.control.value
        names = sorted({name for column in label for name in values_of(table, column)})
        self.control.refill([(name, name) for name in names])
        self.control.choose(before if before in names else guess(table, self.task.value)[1])
        column, values = default_hold_out(table, label, self.chosen_control)
        self.column.refill([("nothing", ""), *ways_to_hold_out(table, label, self.chosen_control)])
        self.column.choose(column)
        self._offer_values(values)
        self._count()

    def _on_column(self) -> None:
        self._offer_values(() if self.looked is None else proposed_values(self.looked.source.table, self.column.value))
        self._count()

    def _offer_values(self, ticked: Sequence[str]) -> None:
        column = self.column.value
        self._show_held(bool(column) and column != HALF_OF_WELLS)
        if column and column != HALF_OF_WELLS and self.looked is not None:
            self.held.fill(values_of(self.looked.source.table, column), ticked)

    def _show_held(self, shown: bool) -> None:
        self.held.setVisible(shown)
        self._held_name.setVisible(shown)

    def _show_drawn(self, text: str) -> None:
        self.drawn.setText(breakable(text))
        for widget in (self.drawn, self._drawn_name):
            widget.setVisible(bool(text))

    def _count(self) -> None:
        """Count the conditions of the present choice at once, then look at them more closely."""
        if self.looked is None:
            return
        source = self.looked.source
        try:
            condition_names(source.table.iloc[:0], self.label.ticked)
            self.held_out, drawn = settled(
                self.hold_out, source.table, self.label.ticked, self.chosen_control, seed=self._seed
            )
            self._show_drawn("" if drawn is None else drawn.in_words())
            table = conditions_table(source.table, self.label.ticked, self.chosen_control, self.held_out)
        except ImpaError as error:  # no label is ticked: there are no conditions
            self._closer.cancel()
            self.held_out = {}
            self._show_drawn("")
            self.panel.show_found(source, conditions_table(source.table.iloc[:0].assign(_=""), ("_",), None))
            self.panel.warnings.fill((Concern("unlabelled", str(error)),))
        else:
            self.panel.show_found(source, table)
            self._look_closer()
        self.changed.emit()

    def _look_closer(self) -> None:
        assert self.looked is not None
        self._unseen = self._resting
        if self._resting or not self.label.ticked:  # which is said already
            return
        self._closer.submit(
            as_job(look_closer), self.looked, self.label.ticked, self.chosen_control, self.held_out, self._segment,
            self._nuclei,
        )  # fmt: skip

    def _on_closer(self, looked: Looked) -> None:
        self.panel.show_closer(looked)
        self.looked_closer.emit(looked)

    def _on_failed(self, failure: Failure) -> None:
        self.failed.emit(failure)
