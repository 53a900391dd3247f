"""A line that offers an image which was opened while a view has the canvas: take its cells, or look at it first."""

from __future__ import annotations

import weakref
from html import escape
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal

from napari_impa.viewer.kit.forms import Wrapped, breakable

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
        The newest image, which is to be seen as a field.
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

    def say(self, *links: str) -> None:
        """Offer what can be done; nothing where no image is left."""
        images = self.images
        if not images:
            self.forget()
            return
        first = escape(breakable(images[0].name, rich=True))
        what = f"{first} was opened" if len(images) == 1 else f"{first} and {len(images) - 1} more were opened"
        offered = " · ".join(f'<a href="{link}">{_LINKS[link]}</a>' for link in links or (TAKE, LOOK, NO))
        self.setText(f"{what}: {offered}.")
        self.show()

    def forget(self) -> None:
        """Offer nothing any more."""
        self._came = []
        self.hide()

    def _on_link(self, link: str) -> None:
        if link == LOOK and self.images:
            self.say(TAKE, BACK)
            self.look_wanted.emit(self.images[-1])
        elif link == BACK:
            self.say()
            self.back_wanted.emit()
        elif link == TAKE:
            self.take_wanted.emit()
        else:
            self.forget()
