"""The rows of the Perturb dock that say where cells come from: channels, steps, region, how they are found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Labels
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFormLayout, QLabel, QToolButton, QWidget

from napari_impa.viewer.kit.forms import Options, below, beside, name_after, section
from napari_impa.viewer.kit.texts import plain
from napari_impa.viewer.layers.axis_row import AxisRow
from napari_impa.viewer.layers.cell_choice import CellChoice
from napari_impa.viewer.layers.channel_guess import SourceGuess, guess_sources
from napari_impa.viewer.layers.found_cells import CROPS, LABELS, POINTS, Found
from napari_impa.viewer.layers.overview import Overview
from napari_impa.viewer.layers.segmenter_form import SegmenterForm
from napari_impa.viewer.layers.sources import (
    Channel,
    are_crops,
    axis_name,
    is_mask,
    is_region,
    is_source,
    offered_channels,
)

if TYPE_CHECKING:
    import napari
    from napari.layers import Layer

    from napari_impa.cells.segmenters import Segmenter

NO_IMAGE = "Open an image, or File ▸ Open Sample ▸ IMPA ▸ Simulated screen."
WHOLE_FIELD = "whole field"
GUESSED = "guessed"
GUESSED_TIP = "No name says so: guessed from what the layers show, or because no other is left. Choose again if wrong."
LEAVE_OUT = "Shift+click a cell, in the field or in the overview, to leave it out or take it in again."


class CellsForm(QWidget):
    """Rows that follow the viewer's layers; `choice` is what they say.

    Signals
    -------
    changed
        The choice is another one, or the cells are to be found again.

    Parameters
    ----------
    viewer
        Whose layers are offered.
    step
        Gives the step of the viewer's axes to begin with, where that is not the viewer's own.
    """

    changed = Signal()

    def __init__(self, viewer: napari.viewer.Viewer, step: Callable[[], Sequence[int]] | None = None) -> None:
        super().__init__()
        self.viewer, self._step = viewer, step or (lambda: viewer.dims.current_step)
        self.channels: list[Options] = []
        self.marks: list[QLabel] = []
        self._held: list[Channel | None] = []
        self.axes: list[AxisRow] = []
        self._model: tuple[tuple[str, ...], int] | None = None
        self._segmenters: dict[str, type[Segmenter]] = {}
        self._followed: list[Any] = []
        self._last: Any = None
        self._build()
        for event in self._list_events:
            event.connect(self._on_layers)

    def _build(self) -> None:
        self.form = QFormLayout(self)
        self.form.setContentsMargins(0, 0, 0, 0)
        self.form.setVerticalSpacing(6)
        self.form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.region = Options([(WHOLE_FIELD, None)])
        self.region.setToolTip(
            "Take only cells whose nucleus lies in the shapes of a Shapes layer; of a large image only that is read."
        )
        self.method = Options(
            tip="How cells are found: nuclei found here, a Labels or Points layer, or layers that are crops already."
        )
        self.again = QToolButton()
        self.again.setText("↻")
        self.again.setAccessibleName("Find the cells again")
        self.again.setToolTip("Find the cells again, after labels or images were changed.")
        self.count = QLabel()
        self.overview = Overview()
        self._row("Cells", beside(self.method, self.again), self.method.toolTip())
        self._results = below(self.count, self.overview)
        self.form.addRow("", self._results)
        fine = QWidget()
        self.fine = QFormLayout(fine)
        self.fine.setContentsMargins(12, 0, 0, 0)
        self.fine.setVerticalSpacing(6)
        self.fine.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        name = QLabel("Region")
        name.setToolTip(self.region.toolTip())
        name_after("Region", self.region)
        self.fine.addRow(name, self.region)
        self.segmenter = SegmenterForm(self.fine)
        self.segmenter.changed.connect(self._tell)
        self.details = section("Region and settings", fine)
        self.form.addRow(self.details)
        self.region.currentIndexChanged.connect(self._refresh)
        self.method.currentIndexChanged.connect(self._refresh)
        self.again.clicked.connect(lambda: self.changed.emit())

    def _row(self, title: str, widget: QWidget, tip: str = "", at: int = -1) -> QLabel:
        name = QLabel(plain(title))
        name.setToolTip(plain(tip) or widget.toolTip())
        name_after(title, widget)
        self.form.insertRow(at if at >= 0 else self.form.rowCount(), name, widget)
        return name

    # ---- what it is told --------------------------------------------------------------------------------------------

    def set_segmenters(self, segmenters: Sequence[type[Segmenter]]) -> None:
        """Offer the segmenters that are installed."""
        self._segmenters = {segmenter.name: segmenter for segmenter in segmenters}
        if self._model is not None:
            self._on_layers()

    def set_model(self, channels: Sequence[str], size: int) -> None:
        """Ask for a layer for each channel of a model whose crops have the given side."""
        self._model, self._last = (tuple(channels), size), None
        for box in self.channels:
            self.form.removeRow(box.parentWidget())
        self.channels, self.marks, self._held = [], [], [None] * len(channels)
        for number, channel in enumerate(channels):
            box, mark = Options(tip=f"The layer that shows {channel}."), QLabel(GUESSED)
            box.currentIndexChanged.connect(partial(self._on_channel, number))
            mark.setToolTip(GUESSED_TIP)
            mark.hide()
            self._row(f"{channel} ←", beside(box, mark), box.toolTip(), at=number)
            self.channels.append(box)
            self.marks.append(mark)
        self._on_layers()

    def show_channels(self, shown: bool) -> None:
        """Show or hide the rows in which the layer of each channel is chosen."""
        for box in self.channels:
            self.form.setRowVisible(box.parentWidget(), shown)

    def show_found(self, found: Found | None) -> None:
        """Say how many cells there are, and show where."""
        self.count.setText(plain(found.describe()) if found is not None else "")
        tip = "" if found is None else found.details() + (f"\n{LEAVE_OUT}" if found.field is not None else "")
        self.count.setToolTip(plain(tip))
        self.overview.set_found(found)

    def close_form(self) -> None:
        """Follow the viewer no more."""
        for event in self._list_events:
            event.disconnect(self._on_layers)
        self._unfollow()
        self._model = self._last = None
        self.segmenter.show_kind(None)
        self.overview.set_found(None)
        for row in self.axes:
            self.form.removeRow(row)
        self.axes = []
        for box in (*self.channels, self.region, self.method):
            box.refill([])

    # ---- what it says -----------------------------------------------------------------------------------------------

    @property
    def missing(self) -> str:
        """What is missing for a choice, in words; empty where nothing is."""
        if self._model is None:
            return ""
        if not any(is_source(layer) for layer in self.viewer.layers):
            pictures = [layer.name for layer in self.viewer.layers if isinstance(layer, Image) and layer.rgb]
            return f"{pictures[0]!r} is a colour picture (RGB); split it into channels first." if pictures else NO_IMAGE
        names = [name for name, box in zip(self._model[0], self.channels, strict=True) if box.value is None]
        if not names:
            return ""
        shows = f"Choose the layer that shows {', '.join(names)}"
        few = len(offered_channels(list(self.viewer.layers))) < len(self.channels)
        return f"{shows}{'' if few else '; neither names nor pictures tell'}."

    @property
    def choice(self) -> CellChoice | None:
        """Where the cells are to come from, or None where something is `missing`."""
        if self._model is None or self.missing or self.method.value is None:
            return None
        name, nuclei, mask = self.method.value
        return CellChoice(
            tuple(box.value for box in self.channels),
            name,
            self._model[0].index(nuclei),
            mask,
            None if name == CROPS else self.region.value,
            self._steps(),
            self.segmenter.segmenter,
        )

    def _steps(self) -> tuple[int | None, ...]:
        """One for each leading axis; those of a single step have no row."""
        first = self.channels[0].value
        rows = {row.axis: row for row in self.axes}
        return tuple(rows[axis].value if axis in rows else 0 for axis in self._leading(first))

    def _leading(self, channel: Channel | None) -> list[int]:
        if channel is None:
            return []
        crops = self.method.value is not None and self.method.value[0] == CROPS
        return channel.axes[:-3] if crops else channel.axes[:-2]

    # ---- following --------------------------------------------------------------------------------------------------

    @property
    def _list_events(self) -> tuple[Any, ...]:
        events = self.viewer.layers.events
        return events.inserted, events.removed, events.reordered

    def _on_layers(self, event: Any = None) -> None:
        """Follow the viewer's layer list: refill the lists, and guess for channels that have no layer."""
        if self._model is None:
            return
        offered = offered_channels(list(self.viewer.layers)[::-1])
        for box, channel in zip(self.channels, [box.value for box in self.channels], strict=True):
            box.refill([(one.name, one) for one in offered])
            box.choose(channel)
        self._guess_missing(offered)
        regions = [layer for layer in self.viewer.layers if is_region(layer)]
        self.region.refill([(WHOLE_FIELD, None), *((layer.name, layer) for layer in regions)])
        self._refresh()

    def _guess_missing(self, offered: Sequence[Channel]) -> None:
        """Choose for channels that have no layer, as far as names or pictures tell."""
        assert self._model is not None
        chosen = [box.value for box in self.channels]
        if None in chosen:
            for number, guess in enumerate(guess_sources(self._model[0], offered, chosen)):
                if guess is not None:
                    self._choose(number, guess)
        self._held = [box.value for box in self.channels]
        for mark, channel in zip(self.marks, self._held, strict=True):
            mark.setVisible(not mark.isHidden() and channel is not None)

    def _choose(self, number: int, guess: SourceGuess) -> None:
        self.channels[number].choose(guess.channel)
        self.marks[number].setVisible(not guess.by_name)

    def _on_channel(self, number: int, *_: Any) -> None:
        """Follow a choice of the user's; a layer that another channel had is exchanged for the one that was here."""
        value, before = self.channels[number].value, self._held[number]
        self.marks[number].hide()
        for other, held in enumerate(self._held):
            if other != number and held is not None and held == value:
                self.channels[other].choose(before)
                self.marks[other].hide()
        self._held = [box.value for box in self.channels]
        self._guess_missing(offered_channels(list(self.viewer.layers)[::-1]))
        self._refresh()

    def choose_next(self, used: Sequence[Layer]) -> bool:
        """Choose layers that look right among those not used yet, where there is one for each channel; whether so.

        A Labels or Points layer that says where cells are belongs to its field, so that then nothing is chosen.
        """
        choice = self.choice
        if self._model is None or choice is None or choice.mask is not None:
            return False
        free = [one for one in offered_channels(list(self.viewer.layers)[::-1]) if one.layer not in used]
        found = guess_sources(self._model[0], free)
        if None not in found:
            for number, guess in enumerate(found):
                assert guess is not None
                self._choose(number, guess)
            self._held = [box.value for box in self.channels]
            self._refresh()
        return None not in found

    def _refresh(self, *_: Any) -> None:
        """Bring the rows that depend on others up to date; tell where the choice is another one."""
        if self._model is None:
            return
        self._fill_methods(*self._model)
        self._fill_axes()
        self._show_settings()
        self._follow()
        self._tell()

    def _tell(self, *_: Any) -> None:
        choice = self.choice
        now = None if choice is None else (*vars(choice).values(),)
        if now != self._last or choice is None:
            self._last = now
            self.changed.emit()

    def _follow(self) -> None:
        """Follow names of sources, and what is in the layers chosen as channels, mask and region."""
        self._unfollow()
        layers = [layer for layer in self.viewer.layers if is_source(layer) or is_mask(layer) or is_region(layer)]
        self._followed = [(layer.events.name, self._on_layers) for layer in layers]
        drawn = [self.region.value, self.method.value[2] if self.method.value is not None else None]
        shown = {box.value.layer for box in self.channels if box.value is not None}  # the Plate dock goes on to others
        for layer in (*drawn, *shown):
            if layer is not None and not isinstance(layer, Labels):  # Labels are painted stroke by stroke
                self._followed.append((layer.events.data, self._on_drawn))
        for event, callback in self._followed:
            event.connect(callback)

    def _unfollow(self) -> None:
        for event, callback in self._followed:
            event.disconnect(callback)
        self._followed = []

    def _on_drawn(self, event: Any) -> None:
        if not str(getattr(event, "action", "")).upper().endswith("ING"):
            self.changed.emit()

    # ---- rows that depend on others ---------------------------------------------------------------------------------

    def _fill_methods(self, channels: tuple[str, ...], size: int) -> None:
        from napari_impa.cells.words import guess_nuclei_channel

        chosen = [box.value for box in self.channels]
        guess = guess_nuclei_channel(channels) or 0
        order = [guess] + [number for number in range(len(channels)) if number != guess]
        crops = (CROPS, channels[0], None)
        items: list[tuple[str, Any]] = []
        are_stacks = None not in chosen and are_crops(chosen, size)
        if are_stacks:
            items.append(("the layers are crops already", crops))
        for name, segmenter in self._segmenters.items():
            for number in order if name == "nuclei" else order[:1]:
                text = f"nuclei in {channels[number]}"
                text = text if name == "nuclei" else f"{segmenter.title}: {text}"
                items.append((text, (name, channels[number], None)))  # by name: another model counts otherwise
        for layer in self.viewer.layers:
            if is_mask(layer):
                kind = (LABELS, "Labels") if isinstance(layer, Labels) else (POINTS, "Points")
                items.append((f"{kind[1]}: {layer.name}", (kind[0], channels[guess], layer)))
        before, were_stacks = self.method.value, any(kind == CROPS for kind, _, _ in self.method.values)
        self.method.refill(items)
        if are_stacks and not were_stacks:
            self.method.choose(crops)
        elif before is not None and before not in self.method.values:  # the same way, with what this model shows
            same = [value for value in self.method.values if (value[0], value[2]) == (before[0], before[2])]
            if same:
                self.method.choose(same[0])

    def _fill_axes(self) -> None:
        """A row for each axis before rows and columns that has more than one step."""
        first: Channel | None = self.channels[0].value if self.channels else None
        wanted = (
            [(axis, first.data.shape[axis]) for axis in self._leading(first) if first.data.shape[axis] > 1]
            if first
            else []
        )
        self.form.setRowVisible(self.details, self.method.value is None or self.method.value[0] != CROPS)
        if [(row.layer, row.axis, row.count) for row in self.axes] == [(first and first.layer, *one) for one in wanted]:
            return
        for row in self.axes:
            self.form.removeRow(row)
        self.axes = []
        for number, (axis, count) in enumerate(wanted):
            assert first is not None
            row = AxisRow(first.layer, axis, count, self._step())
            row.changed.connect(self._on_step)
            title = axis_name(first.layer, axis).capitalize() or "Step"
            self._row({"T": "Time"}.get(title, title), row, row.spin.toolTip(), at=len(self.channels) + number)
            self.axes.append(row)

    def _on_step(self, axis: int) -> None:
        for row in self.axes:  # all steps of one axis at a time
            if row.axis != axis and any(other.axis == axis and other.value is None for other in self.axes):
                row.untick()
        self._tell()

    def _show_settings(self) -> None:
        """Show the settings of the segmenter chosen; of a Labels layer, what goes for its labels too."""
        name = self.method.value[0] if self.method.value is not None else ""
        if name == LABELS:
            from napari_impa.cells.segmenters import Masks

            self.segmenter.show_kind(Masks)
        else:
            self.segmenter.show_kind(self._segmenters.get(name))
