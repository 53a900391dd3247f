"""The Perturb dock: choose a model, cells and a condition, and see beside each cell what it would become."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QDoubleSpinBox,
    QFileDialog,
    QLabel,
    QMenu,
    QPushButton,
    QSpinBox,
    QToolButton,
)
from superqt import QLabeledDoubleSlider, QSearchableComboBox

from napari_impa.viewer.channels import are_crops, guess_channels, is_mask, is_source
from napari_impa.viewer.docks import Dock, Options, below, beside
from napari_impa.viewer.finding import CROPS, LABELS, Found
from napari_impa.viewer.flicker import FASTEST, FLICKER, RATE
from napari_impa.viewer.jobs import Failure, Latest, Token, notify
from napari_impa.viewer.keeping import Keep
from napari_impa.viewer.models import Choice, Loaded, choices, of_path, remember
from napari_impa.viewer.prediction import Predicted, Request
from napari_impa.viewer.session import CellChoice, PerturbSession
from napari_impa.viewer.views import DIFFERENCE, IN_PLACE, SIDE_BY_SIDE, UNCERTAINTY

if TYPE_CHECKING:
    import napari

VIEW_TIPS = {
    SIDE_BY_SIDE: "Control, predicted and, where there are any, real treated crops in panes; contrast limits linked.",
    IN_PLACE: "The field as it would look: predicted cells put back where they were cut, soft at the seams.",
    DIFFERENCE: "Predicted − control, one pane a channel: blue where darker, orange where brighter, black where equal.",
    FLICKER: "Control and predicted crops take turns in one pane; the name on the canvas says whose turn it is.",
    UNCERTAINTY: "How sure the model is: the standard deviation of each pixel over 8 draws of the noise.",
}
NO_IMAGE = "Open an image, or File ▸ Open Sample ▸ IMPA ▸ Simulated screen."


def prepare(token: Token) -> tuple[list[Choice], list[tuple[str, str]]]:
    """List models and segmenters; imports torch, so it is run in the background."""
    from napari_impa.cells.segmentation import SEGMENTERS, available_segmenters

    return choices(token), [(name, SEGMENTERS[name].title) for name in available_segmenters()]


class PerturbDock(Dock):
    """A form over `PerturbSession`; there is no button to press, every change is followed."""

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        self.viewer = napari_viewer
        self.session = PerturbSession(napari_viewer)
        super().__init__(on_close=self._close, on_viewer_closed=self.session.abandon)
        self._segmenters: list[tuple[str, str]] = []
        self._channels: list[Any] = []
        self._build()
        self._connect()
        self._wanted: str | None = None
        self._preparing = Latest(self)
        self._preparing.succeeded.connect(self._on_prepared)
        self._preparing.failed.connect(self._on_failed)
        self._preparing.submit(prepare)
        self.status.busy("Starting torch …")

    # ---- the form ---------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.model = Options(tip="The model that turns cells: bundled, trained lately, or opened from a file.")
        self.open = QPushButton("Open")
        self.open.setToolTip("Open a model file (.impa), a run folder or a published checkpoint.")
        menu = QMenu(self.open)
        menu.addAction("Open a model file …", self._open_file)
        menu.addAction("Open a run or checkpoint folder …", self._open_folder)
        self.open.setMenu(menu)
        self.about = QLabel()
        self.row("Model", beside(self.model, self.open))
        self.form.addRow("", self.about)
        self._first_channel_row = self.form.rowCount()

        self.method = Options(
            tip="How cells are found: nuclei found here, a Labels layer, or layers that are crops already."
        )
        self.again = QToolButton()
        self.again.setText("↻")
        self.again.setToolTip("Find the cells again, after labels or images were changed.")
        self.count = QLabel()
        self.row("Cells", below(beside(self.method, self.again), self.count))

        self.condition = QSearchableComboBox()
        self.condition.setToolTip("What the cells are turned into; type to search.")
        self.condition.setMinimumContentsLength(8)
        self.turn_into = self.row("Turn into", self.condition, tip="What the cells are turned into.")
        self.strength = self._slider(2.0, 1.0, "0 is the cell as it is, 1 the condition; beyond 1 it is exaggerated.")
        self.row("Strength", self.strength, tip=self.strength.toolTip())
        self.variability = self._slider(1.0, 0.1, "How much the predicted cells vary by chance; 0 gives the mean cell.")
        self.row("Variability", self.variability, tip=self.variability.toolTip())
        self.seed = QSpinBox()
        self.seed.setRange(0, 9999)
        self.seed.setToolTip("Another seed draws another cell of the same condition.")
        self.row("Seed", self.seed, tip=self.seed.toolTip())

        self.view = Options([(name, name) for name in VIEW_TIPS], tip="How control and predicted cells are compared.")
        for number, tip in enumerate(VIEW_TIPS.values()):
            self.view.setItemData(number, tip, Qt.ItemDataRole.ToolTipRole)
        self.rate = QDoubleSpinBox()
        self.rate.setRange(0.0, FASTEST)
        self.rate.setSingleStep(0.5)
        self.rate.setValue(RATE)
        self.rate.setDecimals(1)
        self.rate.setSuffix(" /s")
        self.rate.setToolTip("How often a second control and predicted crops take turns; 0 stops.")
        self.rate.hide()
        self.row("View", self.view, self.rate)
        self.keep = Keep()
        self.row("Keep", self.keep, tip="Save what is shown, or copy what makes it again.")
        self.form.addRow(self.status)

    def _slider(self, most: float, value: float, tip: str) -> QLabeledDoubleSlider:
        slider = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
        slider.setRange(0.0, most)
        slider.setDecimals(2)
        slider.setSingleStep(0.05)
        slider.setValue(value)
        slider.setToolTip(tip)
        return slider

    def _connect(self) -> None:
        self.model.currentIndexChanged.connect(self._on_model_chosen)
        self.method.currentIndexChanged.connect(self._find)
        self.again.clicked.connect(self._find)
        self.condition.currentIndexChanged.connect(self._ask)
        self.condition.lineEdit().editingFinished.connect(self._restore_condition)
        for widget in (self.strength, self.variability, self.seed):
            widget.valueChanged.connect(self._ask)
        self.view.currentIndexChanged.connect(self._on_view_chosen)
        self.rate.valueChanged.connect(self.session.set_flicker_rate)
        session = self.session
        session.model_changed.connect(self._on_model)
        session.cells_changed.connect(self._on_cells)
        session.predicted.connect(self._on_predicted)
        session.failed.connect(self._on_failed)
        session.cell_changed.connect(self.keep.show_cell)
        session.busy_changed.connect(self.status.busy)
        for event in (self._layer_events.inserted, self._layer_events.removed, self._layer_events.reordered):
            event.connect(self._on_layers)

    @property
    def _layer_events(self) -> Any:
        return self.viewer.layers.events

    # ---- models -----------------------------------------------------------------------------------------------------

    def use_model(self, path: str | Path) -> None:
        """Add a model to the list and choose it."""
        choice = of_path(path)
        remember(path)
        self._wanted = choice.key
        if not self._preparing.busy:
            self._add_and_choose(choice)

    def _add_and_choose(self, choice: Choice) -> None:
        if choice.key not in self.model.values:
            self.model.add(choice.title, choice.key)
        self.model.choose(choice.key)
        self._on_model_chosen()

    def _on_prepared(self, prepared: tuple[list[Choice], list[tuple[str, str]]]) -> None:
        models, self._segmenters = prepared
        self.status.busy("")
        self.model.refill([(choice.title, choice.key) for choice in models])
        if self._wanted is not None:
            self._add_and_choose(of_path(self._wanted))
        elif self.model.count():
            self._on_model_chosen()
        else:
            self.status.say("There is no model yet: train one on a folder, or open one.")

    def _on_model_chosen(self) -> None:
        key = self.model.value
        self.model.setToolTip(str(key))
        if key is not None:
            self.session.set_model(key)

    def _open_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Open a model", "", "IMPA models (*.impa)")
        if path:
            self.use_model(path)

    def _open_folder(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "Open a run or a published checkpoint")
        if path:
            self.use_model(path)

    def _on_model(self, loaded: Loaded) -> None:
        model = loaded.model
        self.about.setText(model.describe())
        self.about.setToolTip(f"{loaded.key}\nChannels: {', '.join(model.channels)}\nPredicts on: {loaded.device}")
        chosen = self.condition.currentData()
        self.condition.blockSignals(True)
        self.condition.clear()
        for name in model.conditions:
            self.condition.addItem(name, name)
            cells = model.counts.get(name)
            if cells:
                self.condition.setItemData(
                    self.condition.count() - 1, f"trained on {cells:,} cells", Qt.ItemDataRole.ToolTipRole
                )
        self.condition.setCurrentIndex(max(0, self.condition.findData(chosen)))
        self.condition.blockSignals(False)
        self.turn_into.setText("Correct to" if model.task == "batch" else "Turn into")
        self._channel_rows(model.channels)
        self._ask()
        self._on_layers()

    # ---- channels and cells -----------------------------------------------------------------------------------------

    def _channel_rows(self, channels: tuple[str, ...]) -> None:
        for _ in self._channels:
            self.form.removeRow(self._first_channel_row)
        self._channels = []
        for number, channel in enumerate(channels):
            box = Options(tip=f"The layer that shows {channel}.")
            box.currentIndexChanged.connect(self._on_channel_chosen)
            name = QLabel(f"{channel} ←")
            name.setToolTip(box.toolTip())
            self.form.insertRow(self._first_channel_row + number, name, box)
            self._channels.append(box)

    def _on_layers(self, event: Any = None) -> None:
        """Follow the viewer's layer list: refill the lists, and guess for channels that have no layer."""
        loaded = self.session.loaded
        if loaded is None or not self._channels:
            return
        layers = [layer for layer in self.viewer.layers if is_source(layer)][::-1]
        for layer in layers:
            layer.events.name.connect(self._on_layers)
        before = self._chosen_layers()
        for box, layer in zip(self._channels, before, strict=True):
            box.refill([(layer.name, layer) for layer in layers])
            box.choose(layer)
        if any(layer not in layers for layer in before):
            guess = guess_channels(loaded.model.channels, [layer.name for layer in layers])
            taken = [layer for layer in before if layer in layers]
            for box, at in zip(self._channels, guess, strict=True):
                if box.currentIndex() < 0 and at is not None and layers[at] not in taken:
                    box.choose(layers[at])
        masks = [layer for layer in self.viewer.layers if is_mask(layer)]
        changed = self._fill_methods(masks)
        if changed or self._chosen_layers() != before or event is None:
            self._find()

    def _chosen_layers(self) -> list[Any]:
        return [box.value for box in self._channels]

    def _on_channel_chosen(self) -> None:
        self._fill_methods([layer for layer in self.viewer.layers if is_mask(layer)])
        self._find()

    def _fill_methods(self, masks: list[Any]) -> bool:
        """Offer the ways to find cells; True if what was chosen is gone."""
        from napari_impa.cells.segmentation import guess_nuclei_channel

        loaded = self.session.loaded
        assert loaded is not None
        model, layers = loaded.model, self._chosen_layers()
        guess = guess_nuclei_channel(model.channels) or 0
        order = [guess] + [number for number in range(len(model.channels)) if number != guess]
        items: list[tuple[str, Any]] = []
        crops = None not in layers and are_crops(layers, model.size)
        if crops:
            items.append(("the layers are crops already", (CROPS, 0, None)))
        for name, title in self._segmenters:
            for number in order if name == "nuclei" else order[:1]:
                text = f"nuclei in {model.channels[number]}"
                items.append((text if name == "nuclei" else f"{title}: {text}", (name, number, None)))
        items += [(f"Labels: {layer.name}", (LABELS, guess, layer)) for layer in masks]
        before, were_crops = self.method.value, (CROPS, 0, None) in self.method.values
        self.method.refill(items)
        if crops and not were_crops:
            self.method.choose((CROPS, 0, None))
        return self.method.value != before

    def _find(self, *_: Any) -> None:
        layers, method = self._chosen_layers(), self.method.value
        self.count.setText("")
        if self.session.loaded is None:
            return
        if not layers or None in layers or method is None:
            self.session.set_cells(None)
            missing = [
                name for name, layer in zip(self.session.loaded.model.channels, layers, strict=True) if layer is None
            ]
            any_image = any(is_source(layer) for layer in self.viewer.layers)
            self.status.say(f"Choose the layer that shows {', '.join(missing)}." if any_image else NO_IMAGE)
            return
        self.session.set_cells(CellChoice(tuple(layers), *method))

    def _on_cells(self, found: Found | None) -> None:
        self.count.setText(found.describe() if found is not None else "")
        if found is None:
            self.keep.set_result(None, None, None)
        has_field = found is None or found.field is not None
        item = self.view.model().item(self.view.values.index(IN_PLACE))
        item.setEnabled(has_field)
        item.setToolTip(VIEW_TIPS[IN_PLACE] if has_field else "Crops have no field to be put back into.")
        if not has_field and self.view.value == IN_PLACE:
            self.view.choose(SIDE_BY_SIDE)
            self._on_view_chosen()

    def _on_view_chosen(self, *_: Any) -> None:
        self.rate.setVisible(self.view.value == FLICKER)
        self.session.set_view(self.view.value)

    # ---- requests and results ---------------------------------------------------------------------------------------

    def _ask(self, *_: Any) -> None:
        condition = self.condition.currentData()
        if condition is not None and self.session.loaded is not None:
            self.session.set_request(
                Request(
                    (condition,), round(self.strength.value(), 2), round(self.variability.value(), 2), self.seed.value()
                )
            )

    def _restore_condition(self) -> None:
        """A half-typed name that is no condition gives way to the one chosen."""
        if self.condition.findText(self.condition.currentText(), Qt.MatchFlag.MatchFixedString) < 0:
            self.condition.setEditText(self.condition.itemText(self.condition.currentIndex()))

    def _on_predicted(self, predicted: Predicted) -> None:
        loaded = self.session.loaded
        self.keep.set_result(self.session.found, predicted, loaded)
        on = loaded.model.device.type.upper() if loaded is not None else ""
        self.status.say(
            f"{predicted.request.title()}: {predicted.pixels.shape[1]:,} cells in {predicted.seconds:.1f} s on {on}."
        )

    def _on_failed(self, failure: Failure) -> None:
        notify(failure)
        self.status.warn(failure.message)

    def _close(self) -> None:
        for event in (self._layer_events.inserted, self._layer_events.removed, self._layer_events.reordered):
            event.disconnect(self._on_layers)
        self._preparing.cancel()
        self.keep.set_result(None, None, None)
        self.session.close()


def open_dock(viewer: napari.viewer.Viewer) -> PerturbDock:
    """Return the viewer's Perturb dock, opened where it was not."""
    for widget in viewer.window.dock_widgets.values():
        if isinstance(widget, PerturbDock):
            return widget
    dock = PerturbDock(viewer)
    viewer.window.add_dock_widget(dock, name="Perturb cells", area="right", tabify=True)
    return dock
