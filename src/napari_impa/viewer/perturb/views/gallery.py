"""The gallery: as many cells as fit, each above what it becomes; a click enlarges one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Layer
from numpy.typing import NDArray
from qtpy.QtCore import QTimer

from napari_impa.analysis.pictures.gallery import Gallery, GalleryRow
from napari_impa.analysis.pictures.gallery_layout import GAP, ColourImage, neighbourhood
from napari_impa.analysis.pictures.gallery_order import (
    AS_FOUND,
    MOST_CHANGED,
    ORDERS,
    change_vectors,
    gallery_order,
)
from napari_impa.viewer.layers.sources import MADE_BY
from napari_impa.viewer.perturb.request import AboutTarget, Predicted, PredictedBlock, Request
from napari_impa.viewer.perturb.views.view import View

if TYPE_CHECKING:
    from napari_impa.analysis.changes import Changes

NOTCH = 90
"""Pixels that a notch of the wheel scrolls."""

PACE = 0.025
"""Seconds between two pictures at the least, so that what comes fast is drawn together."""

_STILL = 4
"""So many pixels a press may move and still be a click."""


@dataclass(frozen=True)
class GalleryControls:
    """How the gallery is arranged."""

    order: str = field(
        default=MOST_CHANGED,
        metadata={
            "title": "Order", "choices": ORDERS,
            "help": "Which cells come first: those that change most, the most typical ones (nearest to the median "
            "change), as they were found, or those in which a measurement rises most.",
        },
    )  # fmt: skip
    columns: int = field(
        default=0,
        metadata={"title": "Cells a row", "low": 0, "high": 40, "step": 1, "automatic": "as they fit",
                  "help": "How many cells stand beside each other."},
    )  # fmt: skip
    apart: bool = field(
        default=False,
        metadata={"title": "Channels apart", "help": "Each channel in grey beside the picture of all of them."},
    )
    own_contrast: bool = field(
        default=False,
        metadata={
            "title": "Own contrast",
            "help": "Each row on the contrast of its own cells: it shows where things lie in cells that are darker or "
            "brighter altogether; how bright rows are cannot be compared then.",
        },
    )  # fmt: skip


@dataclass(frozen=True)
class _Remembered:
    """Where a gallery was scrolled to, to go on there with other cells or another number of targets."""

    offset: int


class GalleryView(View):
    """One layer, a colour picture as large as the canvas, that is drawn anew when something in sight changes."""

    title = "gallery"
    tip = (
        "As many cells as fit, each above what it becomes. Click one to enlarge it, Ctrl+click to choose several, "
        "Shift+click to leave one out."
    )
    controls = GalleryControls
    shows_cells = False
    alone = True

    def _start(self, request: Request, hide: Sequence[Layer]) -> None:
        cells, looks = self.found.cells, self.found.layers.looks
        limits = np.array([look.contrast_limits for look in looks])
        self._names = self._names_of(request)
        self._told: Request | None = None
        self._sorted: tuple[Any, ...] | None = None
        self._vectors: NDArray[np.float32] | None = None
        self._changes: Changes | None = None
        self._controls = GalleryControls()
        self._enlarged: int | None = None
        self._request: Request | None = None
        self._last = 0.0
        self.drawn: Request | None = None
        self.gallery = Gallery(self._rows(), cells.channels, limits, pixel_size=self.found.layers.place.pixel_size)
        viewer = self.panes.viewer
        self.gallery.size = self._size()
        self._pixel = self.found.layers.place.scale[-1]
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.draw)
        self.layer = Image(
            self._picture(),
            rgb=True,
            name=self.title,
            scale=(self._pixel, self._pixel),
            units=self.found.layers.place.options()["units"],
            interpolation2d="linear",
            metadata={MADE_BY: {}},
        )
        self.layer.help = (
            "Click a cell to enlarge it, Ctrl+click to choose it, Shift+click to leave it out (Ctrl+Z: undo)"
        )
        self.panes.show([self.layer], hide=hide, alone=True)
        viewer.layers.selection = {self.layer}
        self.layer.mouse_pan = self.layer.mouse_zoom = False
        for key, act in self._keys().items():
            self.layer.bind_key(key, act, overwrite=True)
        self._look()
        viewer.canvas.events.size.connect(self._on_size)
        viewer.mouse_wheel_callbacks.append(self._on_wheel)
        viewer.mouse_drag_callbacks.append(self._on_press)

    # ---- what is shown ----------------------------------------------------------------------------------------------

    def fits(self, request: Request, real: Mapping[str, NDArray[Any] | None]) -> bool:
        """Whether there is a row for each target, and for real cells of the same targets."""
        has = [real.get(name) is not None for name in self._names_of(request)]
        return super().fits(request, real) and has == [number in self._real for number in self.targets]

    def show_real(self, request: Request, real: Mapping[str, NDArray[Any] | None]) -> None:
        """Show real cells of other targets."""
        before, self._names, self.real = self._names, self._names_of(request), dict(real)
        for number, row in self._real.items():
            pixels = self.real[self._names[number]]
            if self._names[number] != before[number] and pixels is not None:
                row.pixels = pixels
                self.gallery.forget()

    def show_block(self, block: PredictedBlock, about: AboutTarget) -> None:
        """Show some cells of a target as soon as they are there."""
        if type(block) is not self.takes:
            return
        self._begin(block.request, about)
        self._put(block.number, block.rows, block.pixels)
        if (
            self._enlarged is not None
            or np.isin(self.gallery.in_sight(), np.arange(len(self._there))[block.rows]).any()
        ):
            self.draw_soon()

    def show(self, predicted: Predicted, about: AboutTarget) -> None:
        """Show all predicted cells, in their order."""
        self._begin(predicted.request, about)
        for number in self.targets:
            if not self._there[:, number].all():
                self._put(number, slice(0, len(self.found.cells)), predicted.pixels[number])
        self._vectors = None
        if self.gallery.own_contrast:  # which is known now
            self.gallery.forget()
        self._sort()
        self.draw_soon()

    def show_measured(self, changes: Changes | None) -> None:
        """Order cells by what was measured of them."""
        self._changes = changes
        if self._controls.order not in ORDERS and changes is not None:
            self._sort(again=True)
            self.draw_soon()

    def steer(self, controls: GalleryControls) -> None:
        """Arrange the cells in another way."""
        before, self._controls = self._controls, controls
        gallery = self.gallery
        top = gallery.in_sight()[:1]
        gallery.columns, gallery.apart = controls.columns, controls.apart
        if gallery.own_contrast != controls.own_contrast:
            gallery.own_contrast = controls.own_contrast
            gallery.forget()
        if before.order != controls.order:
            self._sort()
            gallery.scroll(0)
        elif len(top) and gallery.offset:
            self._scroll_to(int(top[0]))
        gallery.scroll(gallery.offset)
        self.draw_soon()

    def bring_up(self, row: int) -> None:
        """Mark the cell in sight, and scroll to it."""
        self.gallery.bring_up(row)
        if self._enlarged is not None:
            self._enlarged = row
        self.draw_soon()

    def light(self, rows: NDArray[np.intp]) -> None:
        """Frame cells that were chosen, here or in another dock."""
        self.gallery.light(rows)
        self.draw_soon()

    def rows_first(self) -> tuple[int, ...]:
        """Cells that are to be predicted first: the enlarged one, and those in sight."""
        if self._enlarged is not None:
            return (self._enlarged,)
        return tuple(int(row) for row in self.gallery.in_sight())

    def remembered(self) -> Any:
        """How far it is scrolled."""
        return _Remembered(self.gallery.offset)

    def recall(self, remembered: Any) -> None:
        """Scroll as far as the gallery before."""
        self.gallery.scroll(remembered.offset)
        self.draw_soon()

    def abandon(self) -> None:
        """Follow the mouse and the window no more."""
        viewer = self.panes.viewer
        self._timer.stop()
        viewer.canvas.events.size.disconnect(self._on_size)
        for callbacks, mine in (
            (viewer.mouse_wheel_callbacks, self._on_wheel),
            (viewer.mouse_drag_callbacks, self._on_press),
        ):
            if mine in callbacks:
                callbacks.remove(mine)
        super().abandon()

    # ---- rows and their order ---------------------------------------------------------------------------------------

    def _rows(self) -> list[GalleryRow]:
        pixels = self.found.cells.pixels
        several = len(self.targets) > 1
        rows = [GalleryRow(self.found.as_it_is, pixels)]
        self._predicted: list[GalleryRow] = []
        self._real: dict[int, GalleryRow] = {}
        for number, name in enumerate(self._names):
            there = np.zeros(len(pixels), bool)
            made = GalleryRow(name if several else "predicted", np.zeros_like(pixels), there)
            self._predicted.append(made)
            rows.append(made)
            real = self.real.get(name)
            if real is not None:
                self._real[number] = GalleryRow(f"real {name}" if several else "real", real)
                rows.append(self._real[number])
        self._there = np.zeros((len(pixels), len(self._names)), bool)
        return rows

    def _begin(self, request: Request, about: AboutTarget) -> None:
        """Tell of another request; its cells take the place of those before one by one."""
        if self._request == request:
            return
        self._request = request
        self._there[:] = False
        titles = [request.title(number) for number in self.targets]
        self.gallery.title = titles[0] if len(titles) == 1 else f"{len(titles)} conditions"
        if len(titles) > 1:
            for row, title in zip(self._predicted, titles, strict=True):
                row.title = title
        self.layer.name = f"{self.title} · {', '.join(titles)}"
        self.layer.metadata = {MADE_BY: about(0)}

    def _put(self, number: int, rows: slice, pixels: NDArray[Any]) -> None:
        row = self._predicted[number]
        row.pixels[rows] = pixels
        row.there[rows] = True
        self._there[rows, number] = True
        self.gallery.forget(rows)

    def _sort(self, *, again: bool = False) -> None:
        """Order the cells; with the same targets they stay where they are, so that a slider moves none."""
        wanted = self._request and self._request.targets, self._controls.order
        if not self._there.all() or (self._sorted == wanted and not again):
            return
        by, gallery = self._controls.order, self.gallery
        if self._vectors is None and by != AS_FOUND:
            pixels = self.found.cells.pixels
            parts = [change_vectors(pixels, row.pixels, gallery.limits) for row in self._predicted]
            self._vectors = np.concatenate(parts, axis=1)
        vectors = np.zeros((len(gallery), 1), np.float32) if self._vectors is None else self._vectors
        gallery.order = gallery_order(by, vectors, self._changes)
        self._sorted = wanted
        gallery.ordered = {AS_FOUND: AS_FOUND}.get(by, f"{by} first")
        if by not in ORDERS:
            gallery.ordered = f"by {by}" if self._changes is not None else "measuring …"
        gallery.scroll(gallery.offset)

    # ---- drawing ----------------------------------------------------------------------------------------------------

    def draw_soon(self) -> None:
        """Draw now, or with what else comes in a moment."""
        left = PACE - (time.monotonic() - self._last)
        if left <= 0:
            self.draw()
        elif not self._timer.isActive():
            self._timer.start(round(1000 * left))

    def draw(self) -> None:
        """Draw what is in sight."""
        self._timer.stop()
        picture = self._picture()
        if picture.shape != self.layer.data.shape:
            self.layer.data = picture
            self._look()
        else:
            self.layer.data[...] = picture
            self.layer.refresh(thumbnail=False, extent=False, highlight=False)
        self._last, self.drawn = time.monotonic(), self._request

    def _picture(self) -> ColourImage:
        if self._enlarged is None:
            return self.gallery.draw()
        return self.gallery.draw_large(self._enlarged, self._neighbours(self._enlarged))

    def _neighbours(self, row: int) -> ColourImage | None:
        """The enlarged cell in its field."""
        found = self.found
        if found.field is None:
            return None
        table = found.cells.table.iloc[row]
        field = found.field if found.field.ndim == 3 else found.field[int(table["step"])]
        centre = round(float(table["y"])), round(float(table["x"]))
        return neighbourhood(field, centre, found.cells.size, self.gallery.limits, self.gallery.colours)

    def _size(self) -> tuple[int, int]:
        height, width = self.panes.viewer.canvas.size
        return max(160, int(height)), max(200, int(width))

    def _look(self) -> None:
        """Let a pixel of the picture be a pixel of the canvas."""
        camera = self.panes.viewer.scene.camera
        height, width = self.layer.data.shape[:2]
        camera.angles = (0.0, 0.0, 90.0)
        camera.center = (0.0, (height - 1) / 2 * self._pixel, (width - 1) / 2 * self._pixel)
        camera.zoom = 1 / self._pixel

    def _on_size(self, event: Any = None) -> None:
        if self._size() != self.gallery.size:
            self.gallery.size = self._size()
            self.gallery.scroll(self.gallery.offset)
            self.draw_soon()

    # ---- the mouse and the keyboard ---------------------------------------------------------------------------------

    def _on_wheel(self, viewer: Any, event: Any) -> None:
        if event.modifiers or not self._shown:
            return
        event.handled = True
        if self._enlarged is None and self.gallery.scroll(self.gallery.offset - event.delta[1] * NOTCH):
            self.draw_soon()

    def _on_press(self, viewer: Any, event: Any) -> Iterator[None]:
        if event.button != 1 or not self._shown:
            return
        pressed, began = np.array(event.pos, float), self.gallery.offset
        with_shift, several, moved = "Shift" in event.modifiers, "Control" in event.modifiers, False
        on_bar = self._at(event)[1] > self.gallery.size[1] - 14
        yield
        while event.type == "mouse_move":
            away = event.pos[1] - pressed[1]
            moved = moved or np.abs(np.subtract(event.pos, pressed)).max() >= _STILL
            if moved and self._enlarged is None:
                gallery = self.gallery
                pull = -away if not on_bar else away * (gallery.end + gallery.room) / gallery.room
                if gallery.scroll(began + pull):
                    self.draw_soon()
            yield
        if not moved:
            self.click(*self._at(event), with_shift=with_shift, several=several)

    def click(self, y: float, x: float, *, with_shift: bool = False, several: bool = False) -> None:
        """Enlarge the cell at a pixel of the picture, or go back to all; with Shift leave it out.

        The cell is chosen, where it is not one of those that are; `several` chooses it beside them, or no more.
        """
        row = self._enlarged if self._enlarged is not None else self.gallery.cell_at(y, x)
        if row is not None and with_shift:
            self._enlarged = None
            self.acts.leave_out(row)
        elif row is not None and several and self._enlarged is None:
            self._choose(self.gallery.lit ^ {row})
        elif self._enlarged is not None:
            self.back()
        elif row is not None:
            self._enlarged = row
            if row not in self.gallery.lit:
                self._choose({row})
            self.acts.bring_up(row)
            self.draw_soon()

    def _choose(self, rows: Iterable[int]) -> None:
        chosen = np.array(sorted(rows), np.intp)
        self.light(chosen)
        self.acts.choose(chosen)

    def back(self) -> None:
        """Show all cells again."""
        if self._enlarged is not None:
            self.gallery.bring_up(self._enlarged)
            self._enlarged = None
            self.draw_soon()

    @property
    def enlarged(self) -> int | None:
        """Row of the cell that is shown alone."""
        return self._enlarged

    @property
    def _shown(self) -> bool:
        return self.whole and self.layer.visible

    def _at(self, event: Any) -> tuple[float, float]:
        y, x = (float(value) / self._pixel for value in event.position[-2:])
        return y, x

    def _keys(self) -> dict[str, Callable[[Any], None]]:
        return {
            "Escape": lambda _: self.back(),
            "PageDown": lambda _: self._scroll_by(self.gallery.room),
            "PageUp": lambda _: self._scroll_by(-self.gallery.room),
            "Home": lambda _: self._scroll_by(-np.inf),
            "End": lambda _: self._scroll_by(np.inf),
            "Control-Z": lambda _: self.acts.undo(),
        }

    def _scroll_by(self, pixels: float) -> None:
        if self.gallery.scroll(np.clip(self.gallery.offset + pixels, 0, self.gallery.end)):
            self.draw_soon()

    def _scroll_to(self, row: int) -> None:
        """Scroll so that a cell stands in the first line."""
        layout = self.gallery.layout
        at = int(np.flatnonzero(self.gallery.order == row)[0])
        self.gallery.scroll(at // layout.columns * (layout.height + GAP))

    @staticmethod
    def _names_of(request: Request) -> list[str]:
        return [request.name(number) for number in range(len(request.targets))]
