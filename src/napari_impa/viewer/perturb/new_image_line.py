"""A line that offers an image which was opened while a view has the canvas: take its cells, or look at it first."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer, Signal

from napari_impa.viewer.kit.forms import Wrapped
from napari_impa.viewer.kit.texts import breaks, joined, rich
from napari_impa.viewer.layers.sources import is_source

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

TAKE, LOOK, BACK, NO = "take", "look", "back", "no"
_LINKS = {TAKE: "take its cells", LOOK: "look at it", BACK: "back to the view", NO: "not now"}


class NewImageLine(Wrapped):
    """Hidden until an image comes, and again when that is answered or the image is gone.

    Signals
    -------
    take_wanted
        Cells are to be taken from the new images.
    look_wanted
        The images, which are to be seen as a field.
    back_wanted
        The view is to be shown again.
    """

    take_wanted = Signal()
    look_wanted = Signal(object)
    back_wanted = Signal()

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self.viewer = viewer
        self._came: list[weakref.ref[Layer]] = []
        self._links: tuple[str, ...] = ()
        self._all_gone = QTimer(self)  # napari's loop over layers that go must not meet any that come
        self._all_gone.setSingleShot(True)
        self._all_gone.timeout.connect(self.back_wanted)
        viewer.layers.events.removed.connect(self._on_removed)
        self.linkActivated.connect(self._on_link)
        self.hide()

    @property
    def images(self) -> list[Layer]:
        """Those that came and are still there."""
        there = [ref() for ref in self._came]
        return [layer for layer in there if layer is not None and layer in self.viewer.layers]

    def offer(self, layer: Layer) -> None:
        """Offer one more image."""
        self._came.append(weakref.ref(layer))
        self.say()

    def offer_back(self, layers: Sequence[Layer]) -> None:
        """Offer the view again, which has stepped aside for layers of another dock."""
        images = self.images
        self._came += [weakref.ref(layer) for layer in layers if layer not in images]
        self.say(TAKE, BACK)

    def say(self, *links: str) -> None:
        """Offer what can be done; nothing where no image is left, and no cells where none can be taken."""
        images = self.images
        if not images:
            self.forget()
            return
        self._links = links or (TAKE, LOOK, NO)
        what = "{} was opened" if len(images) == 1 else f"{{}} and {len(images) - 1} more were opened"
        possible = [link for link in self._links if link != TAKE or any(map(is_source, images))]
        offered = joined(" · ", [rich('<a href="{}">{}</a>', link, _LINKS[link]) for link in possible])
        self.setText(rich(f"{what}: {{}}.", breaks(images[0].name), offered))
        self.show()

    def forget(self) -> None:
        """Offer nothing any more."""
        self._came, self._links = [], ()
        self.hide()

    def close_line(self) -> None:
        """Follow the viewer no more."""
        self.viewer.layers.events.removed.disconnect(self._on_removed)
        self._all_gone.stop()

    def _on_removed(self, event: Any) -> None:
        if self._came:
            aside = BACK in self._links
            self.say(*self._links)
            if aside and not self._came:
                self._all_gone.start()

    def _on_link(self, link: str) -> None:
        if link == LOOK and self.images:
            self.say(TAKE, BACK)
            self.look_wanted.emit(self.images)
        elif link == BACK:
            self.say()
            self.back_wanted.emit()
        elif link == TAKE:
            self.take_wanted.emit()
        else:
            self.forget()
