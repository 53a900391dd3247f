"""The Train dock's fields of how to train: the engine's settings."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import (
    QDoubleSpinBox,
    QFormLayout,
    QSpinBox,
    QWidget,
)
from superqt import QCollapsible

from napari_impa.viewer.docks import Options, Page, beside
from napari_impa.viewer.looking import Engine, Looked


class SettingsForm:
    """The engine's settings, as rows of a dock; what is seldom changed is folded away."""

    def __init__(self, page: Page) -> None:
        self.preset, self.size = Options(), Options()
        self.amount, self.unit = QDoubleSpinBox(), Options([("minutes", "minutes"), ("steps", "steps")])
        self.device, self.recipe = Options(), Options()
        self.batch_size, self.seed = QSpinBox(), QSpinBox()
        self.segment, self.nuclei = Options(), Options()
        self.preset_name = page.row("Preset", self.preset)
        self.size_name = page.row("Crop side", self.size)
        self.amount.setDecimals(0)
        self.amount.setRange(1, 1_000_000)
        self.amount.setValue(30)
        self.amount.setToolTip("When the training ends; it can be stopped and resumed at any time.")
        self.unit.setToolTip(self.amount.toolTip())
        self.unit.currentIndexChanged.connect(self._on_unit)
        page.row("Train for", beside(self.amount, self.unit), tip=self.amount.toolTip())
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
        page.form.addRow(self.more)

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
