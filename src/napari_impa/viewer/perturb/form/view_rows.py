"""The rows that choose how control and predicted cells are compared, and steer the view that is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Qt, Signal

from napari_impa.analysis.pictures.gallery_order import ORDERS, measurement_names
from napari_impa.viewer.kit.forms import Options, Page
from napari_impa.viewer.kit.texts import plain
from napari_impa.viewer.kit.typed_form import TypedForm
from napari_impa.viewer.perturb.views import VIEWS, View
from napari_impa.viewer.perturb.views.gallery import GalleryControls

if TYPE_CHECKING:
    from napari_impa.viewer.layers.found_cells import Found
    from napari_impa.viewer.library.models import Loaded


class ViewRows(QObject):
    """The list of views in a page, and below it the controls of the one that is chosen.

    Signals
    -------
    chosen
        The view, one of `VIEWS`.
    steered
        What was set of the views that have such controls.
    measures_wanted
        What was set needs the cells to be measured.
    """

    chosen = Signal(object)
    steered = Signal(object)
    measures_wanted = Signal()

    def __init__(self, page: Page) -> None:
        super().__init__(page)
        self.view = Options([(view.title, view) for view in VIEWS], tip="How control and predicted cells are compared.")
        for number, view in enumerate(VIEWS):
            self.view.setItemData(number, plain(view.tip), Qt.ItemDataRole.ToolTipRole)
        page.row("View", self.view)
        kinds = dict.fromkeys(view.controls for view in VIEWS if view.controls is not None)
        self.controls = {kind: TypedForm(page.form, kind) for kind in kinds}
        self._show_controls()
        self.view.currentIndexChanged.connect(self._on_chosen)
        for form in self.controls.values():
            form.changed.connect(partial(self._on_controls, form))

    @property
    def values(self) -> tuple[Any, ...]:
        """What was set of each kind of view."""
        return tuple(form.value for form in self.controls.values())

    def take_up(self, view: type[View], values: Sequence[Any]) -> None:
        """Choose a view and its controls again."""
        self.view.choose(view)
        for value in values:
            form = self.controls[type(value)]
            if isinstance(value, GalleryControls):  # a model, which offers more orders, is not there yet
                form.offer("order", tuple(dict.fromkeys((*ORDERS, value.order))))
            form.show_value(value)
            self._on_controls(form)
        self._on_chosen()

    def offer(self, found: Found | None, loaded: Loaded | None) -> None:
        """Let only those be chosen whose needs are there; the first takes the place of one that is no more."""
        for number, view in enumerate(VIEWS):
            missing = "" if found is None or loaded is None else view.missing(found, loaded)
            item = self.view.model().item(number)
            item.setEnabled(not missing)
            item.setToolTip(plain(missing or view.tip))
            if missing and self.view.value is view:
                self.view.choose(VIEWS[0])
                self._on_chosen()

    def offer_orders(self, channels: Sequence[str]) -> None:
        """Let the gallery be ordered by what cells of such channels are measured by."""
        self.controls[GalleryControls].offer("order", (*ORDERS, *measurement_names(channels)))

    def _on_chosen(self, *_: Any) -> None:
        self._show_controls()
        self.chosen.emit(self.view.value)

    def _show_controls(self) -> None:
        for kind, form in self.controls.items():
            form.set_visible(self.view.value.controls is kind)

    def _on_controls(self, form: TypedForm) -> None:
        controls = form.value
        if isinstance(controls, GalleryControls) and controls.order not in ORDERS:
            self.measures_wanted.emit()
        self.steered.emit(controls)
