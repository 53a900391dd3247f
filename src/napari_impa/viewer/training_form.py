"""The Train dock's fields: which cells (labels, control, hold out), and how to train (the engine's settings)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QDoubleSpinBox,
    QFormLayout,
    QHeaderView,
    QListWidget,
    QListWidgetItem,
    QSpinBox,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)
from superqt import QCollapsible
from superqt.utils import signals_blocked

from napari_impa.errors import ImpaError
from napari_impa.viewer.docks import Dock, Options, beside
from napari_impa.viewer.training_job import (
    PLATES,
    Engine,
    Looked,
    conditions_table,
    default_hold_out,
    guess,
    label_columns,
    values_of,
)

TASKS = (("turn control into treated cells", "perturbation"), ("correct between batches", "batch"))


_ROW = 20  # pixels


class CheckList(QListWidget):
    """A short list of names to tick."""

    changed = Signal()

    def __init__(self, *, tip: str, rows: int = 3) -> None:
        super().__init__()
        self.setToolTip(tip)
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


class ConditionsTable(QTableWidget):
    """Conditions with counts and plates; the control is marked."""

    def __init__(self) -> None:
        super().__init__(0, 3)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(_ROW)
        self.setMinimumHeight(90)
        self.setMaximumHeight(150)
        self.setToolTip("What the folder holds under the labels chosen; the control comes first.")

    def fill(self, table: Any, what: str) -> None:
        """Show a table of `conditions_table`; `what` names what is counted."""
        self.setHorizontalHeaderLabels(["condition", what, "plates"])
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.setRowCount(len(table))
        for row, found in enumerate(table.itertuples(index=False)):
            name = f"{found.condition or '(empty)'}{' (control)' if found.control else ''}"
            for column, text in enumerate((name, f"{found.count:,}", str(found.plates or "–"))):
                item = QTableWidgetItem(text)
                if column:
                    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.setItem(row, column, item)


class CellsForm:
    """Task, labels, control and hold out of what a folder holds, as rows of a dock."""

    def __init__(self, dock: Dock) -> None:
        self.looked: Looked | None = None
        self.task = Options(TASKS, tip="Turn control cells into treated ones, or move cells between batches.")
        self.label = CheckList(tip="Columns whose values, joined, name the condition of a cell.")
        self.control = Options(tip="The untreated control: cells of it are what the model learns to turn.")
        self.column = Options(tip="Cells kept out of the training, to judge the model by: by which column.")
        self.held = CheckList(tip="Values of that column whose cells the training never sees.")
        self.table = ConditionsTable()
        dock.form.addRow(self.table)
        dock.row("Task", self.task, tip=self.task.toolTip())
        dock.row("Label", self.label, tip=self.label.toolTip())
        self._control_name = dock.row("Control", self.control, tip=self.control.toolTip())
        dock.row("Hold out", self.column, tip=self.column.toolTip())
        self._held_name = dock.row("", self.held)
        self.task.currentIndexChanged.connect(self._guess_again)
        self.label.changed.connect(self._on_label)
        self.control.currentIndexChanged.connect(self._count)
        self.column.currentIndexChanged.connect(lambda _: self._offer_values(()))
        self._show_held(False)

    def fill(self, looked: Looked) -> None:
        """Take what a folder holds, with the labels that were guessed."""
        self.looked = looked
        self.label.fill(looked.columns, looked.labels)
        self._on_label(control=looked.control)

    @property
    def hold_out(self) -> dict[str, tuple[str, ...]]:
        """Columns and values held out, as `TrainingSettings` takes them."""
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
            self.table.setRowCount(0)
            return
        before = control if control is not None else self.control.value
        names = sorted({name for column in label for name in values_of(table, column)})
        self.control.refill([(name, name) for name in names])
        self.control.choose(before if before in names else guess(table, self.task.value)[1])
        columns = [name for name in label_columns(table) if name not in label or batch]
        columns.sort(key=lambda name: PLATES.index(name) if name in PLATES else len(PLATES))
        column, values = default_hold_out(table, label, self.chosen_control)
        self.column.refill([("nothing", ""), *((name, name) for name in columns)])
        self.column.choose(column)
        self._offer_values(values)
        self._count()

    def _offer_values(self, ticked: Sequence[str]) -> None:
        column = self.column.value
        self._show_held(bool(column))
        if column and self.looked is not None:
            self.held.fill(values_of(self.looked.source.table, column), ticked)

    def _show_held(self, shown: bool) -> None:
        self.held.setVisible(shown)
        self._held_name.setVisible(shown)

    def _count(self) -> None:
        if self.looked is None:
            return
        try:
            table = conditions_table(self.looked.source.table, self.label.ticked, self.chosen_control)
        except ImpaError:
            return
        self.table.fill(table, self.looked.source.kind)


class SettingsForm:
    """The engine's settings, as rows of a dock; what is seldom changed is folded away."""

    def __init__(self, dock: Dock) -> None:
        self.preset, self.size = Options(), Options()
        self.amount, self.unit = QDoubleSpinBox(), Options([("minutes", "minutes"), ("steps", "steps")])
        self.device, self.recipe = Options(), Options()
        self.batch_size, self.seed = QSpinBox(), QSpinBox()
        self.segment, self.nuclei = Options(), Options()
        self.preset_name = dock.row("Preset", self.preset)
        self.size_name = dock.row("Crop side", self.size)
        self.amount.setDecimals(0)
        self.amount.setRange(1, 1_000_000)
        self.amount.setValue(30)
        self.amount.setToolTip("When the training ends; it can be stopped and resumed at any time.")
        self.unit.setToolTip(self.amount.toolTip())
        self.unit.currentIndexChanged.connect(self._on_unit)
        dock.row("Train for", beside(self.amount, self.unit), tip=self.amount.toolTip())
        self.more = QCollapsible("More settings")
        self.more.setDuration(0)
        self.more.layout().setContentsMargins(0, 0, 0, 0)
        self.more.setContentsMargins(0, 0, 0, 0)
        body = QWidget()
        self._more = QFormLayout(body)
        self._more.setContentsMargins(0, 0, 0, 0)
        self._more.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.batch_size.setRange(1, 512)
        self.seed.setRange(0, 9999)
        for text, widget in (
            ("Device", self.device), ("Recipe", self.recipe), ("Batch size", self.batch_size), ("Seed", self.seed),
            ("Nuclei by", self.segment), ("Nuclei in", self.nuclei),
        ):  # fmt: skip
            self._more.addRow(text, widget)
        self.segment.setToolTip("How nuclei are found in whole fields.")
        self.nuclei.setToolTip("The channel that shows nuclei.")
        self.more.addWidget(body)
        dock.form.addRow(self.more)

    def fill(self, engine: Engine) -> None:
        """Offer what the engine can do, under its own words."""
        notes = {"tiny": "for a CPU", "small": "for a GPU", "paper": "as published"}
        self.preset.refill([(f"{name} · width {w} · {notes.get(name, '')}", name) for name, w in engine.widths.items()])
        self.recipe.refill([(name, name) for name in engine.recipes])
        self.device.refill([(f"{name}: {words}" if name == "auto" else words, name) for name, words in engine.devices])
        self._sizes = engine.sizes
        self.size.refill([(f"{size} px", size) for size in engine.sizes])
        self._segmenters = [(title, name) for name, title in engine.segmenters]
        defaults = engine.defaults
        self.preset.choose(defaults.preset)
        self.recipe.choose(defaults.recipe)
        self.device.choose(defaults.device)
        self.size.choose(defaults.size)
        self.batch_size.setValue(defaults.batch_size)
        self.seed.setValue(defaults.seed)
        for name in ("preset", "size", "recipe", "device", "batch_size", "seed"):
            getattr(self, name).setToolTip(engine.help[name].capitalize() + ".")
        self.preset_name.setToolTip(self.preset.toolTip())
        self.size_name.setToolTip(self.size.toolTip())

    def fit(self, looked: Looked) -> None:
        """Offer only what a folder allows: crop sides that fit, its segmenters and channels."""
        from napari_impa.cells.segmentation import guess_nuclei_channel

        source = looked.source
        sizes = [size for size in self._sizes if size <= min(source.shape)]
        before = self.size.value
        self.size.refill([(f"{size} px", size) for size in sizes])
        fitting = [size for size in sizes if size <= (before or 64)]
        self.size.choose(before if before in sizes else fitting[-1] if fitting else None)
        own = [("the folder's masks", "labels")] if source.has_masks else []
        self.segment.refill([*own, *self._segmenters])
        self.nuclei.refill([(name, name) for name in source.channels])
        at = guess_nuclei_channel(source.channels)
        self.nuclei.choose(source.channels[at or 0])
        for widget in (self.segment, self.nuclei):
            widget.setEnabled(source.kind == "fields")

    def values(self) -> dict[str, Any]:
        """What was chosen, as keywords of `TrainingSettings`."""
        budget = int(self.amount.value()) if self.unit.value == "steps" else float(self.amount.value())
        return {
            "preset": self.preset.value,
            "size": self.size.value,
            self.unit.value: budget,
            "recipe": self.recipe.value,
            "device": self.device.value,
            "batch_size": self.batch_size.value(),
            "seed": self.seed.value(),
        }

    def _on_unit(self) -> None:
        self.amount.setValue(3000 if self.unit.value == "steps" else 30)
