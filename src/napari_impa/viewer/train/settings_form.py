"""The Train dock's fields of how to train, made from the engine's settings object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, get_args

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QCheckBox, QDoubleSpinBox, QFormLayout, QLabel, QWidget
from superqt.utils import signals_blocked

from napari_impa.cells.segmenters import Segmenter
from napari_impa.cells.words import SMILES
from napari_impa.engine.describing import kind_asked
from napari_impa.engine.training.options import About, about_settings
from napari_impa.engine.training.settings import TrainingSettings
from napari_impa.viewer.kit.forms import Options, Page, beside, name_after, section
from napari_impa.viewer.kit.jobs import Latest, as_job
from napari_impa.viewer.kit.texts import plain
from napari_impa.viewer.layers.segmenter_form import MEMORY, SegmenterForm
from napari_impa.viewer.train.description_box import DescriptionBox
from napari_impa.viewer.train.setting_widgets import changed_signal, set_value, setting_widget
from napari_impa.work.engine_choices import Engine
from napari_impa.work.survey import Looked
from napari_impa.work.tables.column_roles import Offered, offer_columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_impa.cells.segmenters import Segmenter

MINUTES, STEPS = 30, 3000
"""Budgets that are offered."""


class SettingsForm(QObject):
    """The engine's settings, as rows of a dock; what is seldom changed is folded away.

    The widget of a setting is an attribute of its name.

    Parameters
    ----------
    dock
        Where the rows are added.
    settings
        The class whose fields make the form.

    Signals
    -------
    changed
        Something was chosen.
    """

    changed = Signal()

    def __init__(self, page: Page, settings: type = TrainingSettings) -> None:
        super().__init__(page)
        self._about = about_settings(settings)
        self._names: dict[str, QWidget] = {}
        self._task, self._sizes, self._engine = "perturbation", tuple[int, ...](), False
        self.offered = Offered()
        self.widgets: dict[str, Any] = {
            name: setting_widget(kind, default, about)
            for name, (kind, default, about) in self._about.items()
            if about.group not in ("data", "budget")
        }
        self.segment, self.nuclei = Options(), Options()
        self._segmenters: list[tuple[str, str]] = []
        self._build(page)
        self._finding = Latest(self)
        self._finding.succeeded.connect(self._on_offered)
        self.preset_chosen = False
        self.preset.activated.connect(self._on_preset)
        self._show_rows()

    def __getattr__(self, name: str) -> Any:
        widgets = self.__dict__.get("widgets", {})
        if name in widgets:
            return widgets[name]
        raise AttributeError(name)

    def _build(self, page: Page) -> None:
        self.amount, self.unit = QDoubleSpinBox(), Options([("minutes", "minutes"), ("steps", "steps")])
        self.amount.setDecimals(0)
        self.amount.setRange(1, 10_000_000)
        self.amount.setGroupSeparatorShown(True)
        self.amount.setValue(MINUTES)
        tip = "When the training ends; it can be stopped and resumed at any time, and resumed for longer."
        for widget in (self.amount, self.unit):
            widget.setToolTip(plain(tip))
        self.estimate = QLabel()
        self.estimate.setWordWrap(True)
        self._more = QWidget()
        folded = QFormLayout(self._more)
        folded.setContentsMargins(0, 0, 0, 0)
        folded.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._add_rows("essential", page.form)
        self._names["amount"] = page.row("Train for", beside(self.amount, self.unit), tip=tip)
        page.form.addRow(self.estimate)
        self._add_rows("conditions", page.form)
        self._add_rows("advanced", folded)
        self.segment.setToolTip("How nuclei are found in whole fields.")
        self.nuclei.setToolTip("The channel that shows nuclei, around which cells are cut.")
        for text, widget in (("Nuclei by", self.segment), ("Nuclei in", self.nuclei)):
            name = QLabel(plain(text))
            name.setToolTip(widget.toolTip())
            name_after(text, widget)
            folded.addRow(name, widget)
            widget.currentIndexChanged.connect(self._on_changed)
        self.segmenter = SegmenterForm(folded)
        self.segmenter.changed.connect(self.changed)
        self.segment.currentIndexChanged.connect(self._show_segmenter)
        self.more = section("More settings", self._more)
        page.form.addRow(self.more)
        self.unit.currentIndexChanged.connect(self._on_unit)
        self.amount.valueChanged.connect(self._on_changed)

    def _add_rows(self, group: str, form: QFormLayout) -> None:
        for name, widget in self.widgets.items():
            about = self._about[name][2]
            if about.group != group:
                continue
            label = QLabel("" if isinstance(widget, QCheckBox) else plain(about.label or name))
            widget.setObjectName(name)
            if not widget.toolTip():
                widget.setToolTip(plain(f"{about.help[:1].upper()}{about.help[1:]}."))
            label.setToolTip(widget.toolTip())
            name_after(about.label or name, widget)
            form.addRow(label, widget)
            self._names[name] = label
            changed_signal(widget).connect(self._on_changed)

    # ---- what can be chosen -----------------------------------------------------------------------------------------

    def fill(self, engine: Engine) -> None:
        """Offer what the engine can do: devices, crop sides and segmenters."""
        short = {words: words.partition(":")[0] for _, words in engine.devices}
        self.device.refill(
            [(f"auto: {short[words]}" if name == "auto" else short[words], name) for name, words in engine.devices]
        )
        told = "\n".join(["What computes; auto takes a GPU where there is one.", *dict.fromkeys(short)])
        self.device.setToolTip(plain(told))
        self.device.choose(engine.defaults.device)
        self._sizes, self._engine = engine.sizes, True
        self.size.refill([(f"{size} px", size) for size in engine.sizes])
        self.size.choose(engine.defaults.size)
        self._segmenters = [(title, name) for name, title in engine.segmenters]
        self.changed.emit()

    def fit(self, looked: Looked, label: tuple[str, ...] | None = None, control: str | None = None) -> None:
        """Offer only what a folder allows: crop sides that fit, its segmenters and channels, columns of its table.

        Parameters
        ----------
        looked
            What was found.
        label, control
            What names conditions, where it is not what was guessed.
        """
        from napari_impa.cells.words import guess_nuclei_channel

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
        self._show_segmenter()
        guessed = label is None
        self._finding.submit(
            as_job(offer_columns), source.table, looked.labels if guessed else label,
            looked.control if guessed else control,
        )  # fmt: skip

    def find_nuclei(self, segment: Segmenter | str | None, channel: str | None) -> None:
        """Choose how nuclei are found, with which settings, and in which channel, as far as that is offered."""
        name = segment if isinstance(segment, str | None) else segment.name
        for box, value in ((self.segment, name), (self.nuclei, channel)):
            if value in box.values:
                box.choose(value)
        if not isinstance(segment, str | None):
            MEMORY.remember(segment)
        self._show_segmenter()
        self.changed.emit()

    def _show_segmenter(self, *_: Any) -> None:
        """Show the settings of the segmenter chosen, where it is used."""
        from napari_impa.cells.segmenters import as_segmenter

        used = self.segment.isEnabled() and self.segment.value is not None
        self.segmenter.show_kind(type(as_segmenter(self.segment.value)) if used else None)

    def follow_task(self, task: str) -> None:
        """Show only what has a meaning for a task."""
        self._task = task
        self._show_rows()
        self.changed.emit()

    def suggest(self, preset: str) -> None:
        """Choose a preset, unless the user has chosen one."""
        if not self.preset_chosen and preset != self.preset.value:
            self.preset.choose(preset)
            self.changed.emit()

    def show_estimate(self, text: str, tip: str = "") -> None:
        """Say under the budget what it gives."""
        self.estimate.setText(plain(text))
        self.estimate.setToolTip(plain(tip))

    def stop(self) -> None:
        """Leave what is under way in the background."""
        self._finding.cancel()

    def _on_offered(self, offered: Offered) -> None:
        self.offered = offered
        for name, columns in (("smiles", offered.smiles), ("dose", offered.dose), ("modality", offered.modality)):
            automatic = self._about[name][2].automatic
            self.widgets[name].refill([(automatic, None), *((column, column) for column in columns)])
        self.description.split(offered.kinds.get(self.modality.value, ()))
        self.description.offer(has_smiles=bool(offered.smiles))
        if offered.smiles and SMILES.find(offered.smiles) is None:
            self.smiles.choose(offered.smiles[0])  # which the engine would not find by its name
        self._show_rows()
        self.changed.emit()

    # ---- what is chosen ---------------------------------------------------------------------------------------------

    def values(self) -> dict[str, Any]:
        """What was chosen, as keywords of `TrainingSettings`; what has no meaning beside it stays at its default."""
        budget = int(self.amount.value()) if self.unit.value == "steps" else float(self.amount.value())
        chosen = {name: self._value(name) for name in self.widgets if self._has_meaning(name)}
        return {**chosen, self.unit.value: budget}

    def take(self, settings: Any) -> None:
        """Show the settings of another training, quietly; what cannot be offered here stays as it was."""
        for name, widget in self.widgets.items():
            value = getattr(settings, name)
            if isinstance(widget, DescriptionBox):
                widget.take(value)
            elif isinstance(widget, Options):
                if value in widget.values:
                    widget.choose(value)
            else:
                with signals_blocked(widget):
                    set_value(widget, value)
        with signals_blocked(self.amount), signals_blocked(self.unit):
            self.unit.choose("minutes" if settings.minutes else "steps")
            self.amount.setValue(settings.minutes or settings.steps)
        self.preset_chosen = True
        self._show_rows()
        self.changed.emit()

    def set_enabled(self, enabled: bool) -> None:
        """Let everything be changed, or nothing."""
        rows = [*self.widgets.values(), self.amount, self.unit, self.more]
        for widget in rows:
            widget.setEnabled(enabled)

    def _value(self, name: str) -> Any:
        widget, (kind, _, about) = self.widgets[name], self._about[name]
        if isinstance(widget, DescriptionBox | Options):
            return widget.value
        if isinstance(widget, QCheckBox):
            return widget.isChecked()
        if type(None) in get_args(kind) and widget.value() < about.low:
            return None
        return widget.value()

    def _has_meaning(self, name: str) -> bool:
        """Whether a setting means something for the task and beside what else is chosen."""
        about: About = self._about[name][2]
        if self._task not in about.tasks:
            return False
        if about.when is None:
            return True
        other, values = about.when
        chosen = self._value(other)
        if not values:
            return bool(chosen != self._about[other][1])
        return any(kind in values for kind in _kinds(chosen))

    def _show_rows(self) -> None:
        empty = {
            "smiles": not self.offered.smiles,
            "dose": not self.offered.dose,
            "modality": not self.offered.modality,
        }
        for name, widget in self.widgets.items():
            shown = self._has_meaning(name) and not empty.get(self._about[name][2].offered, False)
            for part in (widget, self._names[name]):
                part.setVisible(shown)

    def _on_changed(self, *_: Any) -> None:
        if self.sender() is self.modality:
            self.description.split(self.offered.kinds.get(self.modality.value, ()))
        self._show_rows()
        self.changed.emit()

    def _on_unit(self) -> None:
        with signals_blocked(self.amount):
            self.amount.setValue(STEPS if self.unit.value == "steps" else MINUTES)
        self.changed.emit()

    def _on_preset(self) -> None:
        self.preset_chosen = True


def _kinds(description: str | Mapping[str, str]) -> Sequence[str]:
    """`learned`, `bit`, `count` or `table`, of every modality."""
    described = list(description.values()) if isinstance(description, Mapping) else [description]
    return [kind.kind for text in described if (kind := kind_asked(text))]
