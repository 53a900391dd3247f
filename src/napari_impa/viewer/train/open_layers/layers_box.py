"""The Train dock's box of open layers: channels, where cells are, what was done to them, and the groups added."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QFormLayout,
    QLabel,
    QListWidget,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QWidget,
)
from superqt.utils import signals_blocked

from napari_impa.cells.words import SIDE
from napari_impa.errors import ImpaError
from napari_impa.viewer.kit.forms import Options, below, beside, name_after
from napari_impa.viewer.kit.jobs import Failure, Latest
from napari_impa.viewer.kit.texts import no_mnemonic, plain
from napari_impa.viewer.layers.cells_form import CellsForm
from napari_impa.viewer.layers.sources import offered_channels
from napari_impa.viewer.train.conditions_form import CheckList
from napari_impa.viewer.train.open_layers.layer_source import CellNaming, CellsGroup, cut_group, join_groups, namings
from napari_impa.viewer.train.open_layers.naming_row import NamingRow

if TYPE_CHECKING:
    import napari
    from napari.layers import Layer

    from napari_impa.cells.segmenters import Segmenter

SIZES = (48, 64, 96, 128, 160, 192, 256)


def _bare(names: Sequence[str]) -> tuple[str, ...]:
    """Names without the number that napari adds to one that it knows already."""
    return tuple(re.sub(r" \[\d+\]$", "", name) for name in names)


class LayersBox(QWidget):
    """Cells of open layers, added group by group: choose layers, say what was done to the cells, add them.

    Signals
    -------
    looked
        `Looked` of all groups, or None where there is none.
    failed
        `Failure` of finding cells.
    """

    looked = Signal(object)
    failed = Signal(object)

    def __init__(self, viewer: napari.viewer.Viewer, task: str = "perturbation") -> None:
        super().__init__()
        self.viewer, self.task = viewer, task
        self.groups: list[CellsGroup] = []
        self._added_cells: list[Any] = []  # of each group, what its cells are known by
        self._asked_cells: Any = None
        self._names: tuple[str, ...] = ()
        self._columns: dict[str, CellNaming] = {}
        self._finding = Latest(self)
        self._finding.succeeded.connect(self._on_group)
        self._finding.failed.connect(self.failed)
        self._finding.idle.connect(self._on_idle)
        self._build()
        for event in self._list_events:
            event.connect(self._on_layers)
        self._on_layers()

    def _build(self) -> None:
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        form = self.form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.setVerticalSpacing(6)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.channels = CheckList(tip="Layers that are channels of the same cells; the layers' names become theirs.")
        self.size = Options([(f"{side} px", side) for side in SIZES], tip="Side of the crops cut around each cell.")
        self.size.choose(SIDE)
        self.cells = CellsForm(self.viewer)
        self.cells.count.hide()
        self.condition = NamingRow(hint="e.g. DMSO", tip="What was done to these cells: the name of their condition.")
        self.plate = NamingRow(
            hint="e.g. plate 1 (optional)",
            tip="The plate, or day, of these cells: a whole plate can then be held out to judge the model by.",
        )
        self.add = QPushButton("Add these cells")
        self.add.setToolTip("Find the cells of these layers and add them; then choose other layers and add theirs.")
        self.list = QListWidget()
        self.list.setAccessibleName("Cells added")
        self.list.setToolTip("The cells added so far; all of them are trained on.")
        self.list.setFixedHeight(76)
        self.remove = QToolButton()
        self.remove.setText("✕")
        self.remove.setToolTip("Remove the cells chosen in the list.")
        self.hint = QLabel()
        self.hint.setWordWrap(True)
        self._channels_name = self._row("Channels", self.channels)
        self._row("Crop side", self.size)
        form.addRow(self.cells)
        self._row("Condition", self.condition, self.condition.column.toolTip())
        self._row("Plate", self.plate, self.plate.column.toolTip())
        form.addRow(below(self.add, self.hint))
        self._added = beside(self.list, self.remove)
        form.addRow(self._added)
        self.channels.changed.connect(self._on_channels)
        self.size.currentIndexChanged.connect(self._on_channels)
        self.cells.changed.connect(self._on_choice)
        self.condition.changed.connect(self._show)
        self.add.clicked.connect(self._on_add)
        self.remove.clicked.connect(self._on_remove)

    def _row(self, title: str, widget: QWidget, tip: str = "") -> QLabel:
        name = QLabel(plain(title))
        name.setToolTip(plain(tip) or widget.toolTip())
        name.setAlignment(Qt.AlignmentFlag.AlignTop)
        name_after(title, widget)
        self.form.addRow(name, widget)
        return name

    # ---- what it is told --------------------------------------------------------------------------------------------

    def set_segmenters(self, segmenters: Sequence[type[Segmenter]]) -> None:
        """Offer the segmenters that are installed."""
        self.cells.set_segmenters(segmenters)

    def set_task(self, task: str) -> None:
        """Take the task by which labels are guessed; tell what there is again."""
        self.task = task

    def tell(self) -> None:
        """Tell again what the cells added so far hold."""
        if self.groups:
            self._told(self.groups)
        else:
            self.looked.emit(None)

    def close_form(self) -> None:
        """Follow the viewer no more, and forget the cells."""
        for event in self._list_events:
            event.disconnect(self._on_layers)
        self._finding.cancel()
        self.cells.close_form()
        self.groups, self._added_cells, self._columns = [], [], {}
        self.list.clear()

    # ---- following --------------------------------------------------------------------------------------------------

    @property
    def _list_events(self) -> tuple[Any, ...]:
        events = self.viewer.layers.events
        return events.inserted, events.removed, events.reordered

    def _on_layers(self, event: Any = None) -> None:
        """Offer the layers that can be channels; those of the first cells added stay the channels of all."""
        if self.groups:
            return
        names = [channel.name for channel in offered_channels(list(self.viewer.layers))][::-1]
        ticked = self.channels.ticked
        shown = [self.channels.item(row).text() for row in range(self.channels.count())]
        kept = [name for name in names if name in ticked] or [name for name in names if name not in shown]
        bases = _bare(kept)
        self.channels.fill(names, [name for number, name in enumerate(kept) if bases.index(bases[number]) == number])
        self._on_channels()

    def _on_channels(self) -> None:
        names = self._names if self.groups else self.channels.ticked
        if names:
            self._names = names
            self.cells.set_model(names, self.size.value)
            self.cells.setVisible(True)
        else:
            self.cells.setVisible(False)
        self._show()

    def _on_choice(self) -> None:
        choice = self.cells.choice
        self._columns = {} if choice is None else namings(choice)
        with signals_blocked(self.condition), signals_blocked(self.plate):
            self.condition.offer(self._columns, "perturbation")
            self.plate.offer(self._columns, "batch")
        self._show()

    def _show(self) -> None:
        """Say what is missing; before the first cells the layers are ticked, then chosen for each channel."""
        first = not self.groups
        self.channels.setVisible(first)
        self._channels_name.setVisible(first)
        self.size.setEnabled(first)
        self.cells.show_channels(not first)
        self._added.setVisible(not first)
        missing = self._missing()
        again = not missing and self._is_added
        self.hint.setText("They were added already: choose the layers of the next field." if again else plain(missing))
        self.hint.setVisible(bool(self.hint.text()))
        self.add.setEnabled(not missing and not self._finding.busy)
        naming = self.condition.naming(self._columns)
        text = "" if naming is None else naming.text
        as_what = (
            f" as “{no_mnemonic(text)}”" if text else "" if naming is None else f" by {self.condition.column.value}"
        )
        self.add.setText("Finding cells …" if self._finding.busy else f"Add these cells{' again' * again}{as_what}")

    @property
    def _channel_names(self) -> tuple[str, ...]:
        """What the channels are called: as their layers, without the number of a layer's namesakes."""
        bare = _bare(self._names)
        return bare if len(set(bare)) == len(bare) else self._names

    @property
    def _is_added(self) -> bool:
        choice = self.cells.choice
        return choice is not None and choice.same_cells() in self._added_cells

    def _missing(self) -> str:
        if not self.groups and not self.channels.ticked:
            return "Open images and tick the layers that are channels."
        if self.cells.choice is None:
            return self.cells.missing or "Choose how cells are found."
        if self.condition.naming(self._columns) is None:
            return "Say what was done to these cells: type their condition, or choose a column that names it."
        return ""

    # ---- groups -----------------------------------------------------------------------------------------------------

    def _on_add(self) -> None:
        choice, condition = self.cells.choice, self.condition.naming(self._columns)
        if choice is None or condition is None:
            return
        try:
            told = choice.plain(self._channel_names, self.size.value, "batch")
        except ImpaError as error:
            self.failed.emit(Failure(str(error), ""))
            return
        self._asked_cells = choice.same_cells()
        self._finding.submit(cut_group, told, condition, self.plate.naming(self._columns))
        self._show()

    def _on_group(self, group: CellsGroup) -> None:
        if self._told([*self.groups, group]):
            self.groups.append(group)
            self._added_cells.append(self._asked_cells)
            self.list.addItem(group.describe())
            self.list.setCurrentRow(self.list.count() - 1)
            self.condition.text.clear()
            self._choose_next()

    def _choose_next(self) -> None:
        """Choose the layers of the next field, if the cells just added are the ones on show still."""
        if self._is_added:
            self.cells.choose_next([layer for layer in self.viewer.layers if self._was_used(layer)])

    def _was_used(self, layer: Layer) -> bool:
        return any(found() is layer for channels, *_ in self._added_cells for found, _ in channels)

    def _on_remove(self) -> None:
        row = self.list.currentRow()
        if not 0 <= row < len(self.groups):
            return
        del self.groups[row], self._added_cells[row]
        self.list.takeItem(row)
        if self.groups:
            self._told(self.groups)
        else:
            self.looked.emit(None)
            self._on_layers()
        self._show()

    def _told(self, groups: Sequence[CellsGroup]) -> bool:
        """Tell what the groups hold together; False where they do not fit each other."""
        try:
            self.looked.emit(join_groups(groups, self.task))
        except ImpaError as error:
            self.failed.emit(Failure(str(error), ""))
            return False
        return True

    def _on_idle(self) -> None:
        self._show()
