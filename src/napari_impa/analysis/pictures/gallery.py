"""A gallery: many cells, each above what it becomes, as one picture of any size that is scrolled through.

Only what is in sight is drawn, and what was drawn is kept, so that thousands of cells take no longer than a few.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from napari_impa.analysis.pictures.composite import COLOURS, channel_colours, composite, display_limits
from napari_impa.analysis.pictures.gallery_layout import (
    CHOSEN,
    FOOT,
    GAP,
    HEAD,
    LEAST,
    LEFT,
    RIGHT,
    SEAM,
    ColourImage,
    GalleryLayout,
    columns_for,
)  # fmt: skip
from napari_impa.analysis.pictures.lettering import lettering, shortened
from napari_impa.analysis.pictures.montage import scale_bar

_MOST_KEPT = 3000
_LOOKED_AT = 200  # cells by which the contrast of a row is found
_TEXT, _SMALL = 15, 12
LIT = (255, 61, 245)
"""Frame of cells that were chosen, also on a map; the one in sight has another."""
_WHITE, _DIM, _EMPTY = (235, 235, 235), (150, 150, 150), (28, 28, 28)


@dataclass(eq=False)
class GalleryRow:
    """What is shown of each cell in one line: as it is, what it becomes, or a real treated cell.

    Parameters
    ----------
    title
        What it is.
    pixels
        (N, C, S, S).
    there
        (N,) of which cells there are pixels yet.
    """

    title: str
    pixels: NDArray[Any]
    there: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))

    def __post_init__(self) -> None:
        if len(self.there) != len(self.pixels):
            self.there = np.ones(len(self.pixels), bool)


class Gallery:
    """Cells in a gallery, and which part of it is in sight.

    Parameters
    ----------
    rows
        What is shown of each cell, from the top; the first as it is.
    channels
        C names.
    limits
        (C, 2) intensities shown as black and as full colour, for all alike unless `own_contrast`.
    title
        What the cells become.
    pixel_size
        µm a pixel, for the scale bar; None where it is not known.

    Attributes
    ----------
    size
        Height and width of the picture.
    order
        Rows of cells, as they stand.
    columns
        Cells in a row; 0 for as many as have a usual size.
    apart
        Whether each channel is shown in grey beside the composite.
    own_contrast
        Whether each row below the first has limits of its own cells: where things lie can be compared then, how bright
        they are cannot.
    offset
        How many pixels it is scrolled down.
    chosen
        Row of the cell that is marked, or None.
    lit
        Rows of the cells that were chosen together.
    ordered
        In words, how the cells are ordered.
    """

    def __init__(
        self,
        rows: Sequence[GalleryRow],
        channels: Sequence[str],
        limits: NDArray[np.float64],
        *,
        title: str = "",
        pixel_size: float | None = None,
    ) -> None:
        self.rows, self.channels, self.limits = list(rows), tuple(channels), np.asarray(limits, float)
        self.title, self.pixel_size = title, pixel_size
        self.colours = channel_colours(channels)
        self.size = (720, 960)
        self.order: NDArray[np.intp] = np.arange(len(self))
        self.columns, self.apart, self.offset, self.ordered = 0, False, 0, ""
        self.own_contrast = False
        self.chosen: int | None = None
        self.lit: frozenset[int] = frozenset()
        self._tiles: OrderedDict[tuple[int, int, bool], ColourImage] = OrderedDict()
        self._strips: dict[str, tuple[tuple[Any, ...], ColourImage]] = {}
        self._own: dict[int, NDArray[np.float64]] = {}

    def __len__(self) -> int:
        return len(self.rows[0].pixels)

    @property
    def layout(self) -> GalleryLayout:
        """Where cells are in a picture of this width."""
        parts = 1 + len(self.channels) if self.apart and len(self.channels) > 1 else 1
        return GalleryLayout.of(self.size[1], self.columns, parts, len(self.rows))

    @property
    def room(self) -> int:
        """Pixels from the title to the legend."""
        return max(1, self.size[0] - HEAD - FOOT)

    @property
    def height(self) -> int:
        """Of a picture that shows all cells."""
        layout = self.layout
        return HEAD + -(-len(self.order) // layout.columns) * (layout.height + GAP) - GAP + FOOT

    @property
    def end(self) -> int:
        """How far it can be scrolled."""
        return max(0, self.height - HEAD - FOOT - self.room)

    def scroll(self, to: float) -> bool:
        """Scroll to so many pixels from the top; whether that is elsewhere."""
        before, self.offset = self.offset, round(min(max(to, 0), self.end))
        return self.offset != before

    def bring_up(self, row: int) -> None:
        """Mark a cell, and scroll as little as brings it into sight."""
        self.chosen = row
        at = np.flatnonzero(self.order == row)
        if len(at):
            layout = self.layout
            top = int(at[0]) // layout.columns * (layout.height + GAP)
            self.scroll(min(max(self.offset, top + layout.height - self.room), top))

    def light(self, rows: Iterable[int]) -> None:
        """Frame cells that were chosen together, and scroll to the first of them where none is in sight."""
        self.lit = frozenset(map(int, rows))
        standing = [int(row) for row in self.order if int(row) in self.lit]
        if standing and self.lit.isdisjoint(map(int, self.in_sight())):
            layout, at = self.layout, int(np.flatnonzero(self.order == standing[0])[0])
            self.scroll(at // layout.columns * (layout.height + GAP))

    def in_sight(self) -> NDArray[np.intp]:
        """Rows of the cells in sight, as they stand."""
        layout = self.layout
        pitch = layout.height + GAP
        first, last = self.offset // pitch, (self.offset + self.room - 1) // pitch
        return self.order[first * layout.columns : (last + 1) * layout.columns]

    def cell_at(self, y: float, x: float) -> int | None:
        """Row of the cell at a pixel of the picture, or None."""
        layout = self.layout
        if not HEAD <= y < HEAD + self.room or x < LEFT:
            return None
        line, down = divmod(y - HEAD + self.offset, layout.height + GAP)
        column, right = divmod(x - LEFT, layout.width + GAP)
        at = int(line) * layout.columns + int(column)
        if down >= layout.height or right >= layout.width or column >= layout.columns or at >= len(self.order):
            return None
        return int(self.order[at])

    def forget(self, rows: Any = None) -> None:
        """Draw some cells anew, or all, since their pixels or the contrast are others."""
        self._own.clear()
        if rows is None:
            self._tiles.clear()
            return
        for row in np.arange(len(self))[rows]:
            for key in [(int(row), self.layout.side, apart) for apart in (False, True)]:
                self._tiles.pop(key, None)

    def draw(self) -> ColourImage:
        """(height, width, 3): what is in sight, between title and legend."""
        height, width = self.size
        canvas = np.zeros((height, width, 3), np.uint8)
        layout = self.layout
        pitch = layout.height + GAP
        first = self.offset // pitch
        self._make(self.in_sight(), layout)
        for number, row in enumerate(self.in_sight()):
            line, column = divmod(number, layout.columns)
            top, left = (first + line) * pitch - self.offset, LEFT + column * (layout.width + GAP)
            self._paste(canvas, self._tile(int(row), layout), top, left)
            if row in self.lit:
                self._frame(canvas, top, left, layout, LIT)
            if row == self.chosen:
                self._frame(canvas, top, left, layout, CHOSEN, 2 * (row in self.lit))
            if column == 0:
                for at, part in enumerate(self.rows if self._labelled(layout) else ()):
                    side = _upright(part.title, layout.side)
                    middle = top + at * (layout.side + SEAM) + (layout.side - side.shape[0]) // 2
                    self._paste(canvas, side, middle, (LEFT - side.shape[1]) // 2)
        self._draw_bar(canvas)
        self._draw_head(canvas)
        self._draw_foot(canvas, layout.side / self.rows[0].pixels.shape[-1])
        return canvas

    # ---- one cell, large --------------------------------------------------------------------------------------------

    def draw_large(self, row: int, field: ColourImage | None = None) -> ColourImage:
        """(height, width, 3): one cell as it is, what it becomes, and where it lies.

        Parameters
        ----------
        row
            Of the cell.
        field
            (h, w, 3) the cell among its neighbours, where it was cut from a field.
        """
        height, width = self.size
        canvas = np.zeros((height, width, 3), np.uint8)
        lines = 1 + len(self.channels) if self.apart and len(self.channels) > 1 else 1
        columns = [one.title for one in self.rows] + (["in the field"] if field is not None else [])
        per_row = len(columns) if lines > 1 else columns_for(len(columns), width - LEFT - RIGHT, self.room)
        rows = lines if lines > 1 else -(-len(columns) // per_row)
        across = (width - LEFT - RIGHT + GAP) // per_row - GAP
        side = max(LEAST, min(across, (self.room + GAP) // rows - GAP - _TEXT - 6))
        pitch = side + GAP + (_TEXT + 6 if lines == 1 else 4)
        start = LEFT + (width - LEFT - RIGHT - per_row * (side + GAP) + GAP) // 2
        image = Image.fromarray(canvas)
        draw = ImageDraw.Draw(image)
        for number, title in enumerate(columns):
            down, right = divmod(number, per_row)
            left, top = start + right * (side + GAP), HEAD + down * pitch
            draw.text((left, top), shortened(title, side, _TEXT), fill=_WHITE, font=lettering(_TEXT), anchor="lt")
            top += _TEXT + 6
            if number == len(self.rows):
                assert field is not None
                image.paste(_resized(field, side), (left, top))
                continue
            one = self.rows[number]
            if not one.there[row]:
                draw.rectangle((left, top, left + side - 1, top + side - 1), fill=_EMPTY)
                continue
            for line, pictures in enumerate(self._parts(number, np.array([row]), lines)):
                image.paste(_resized(pictures[0], side), (left, top + line * pitch))
        if lines > 1:
            for line, name in enumerate(self.channels):
                label = Image.fromarray(_upright(name, side))
                at = HEAD + _TEXT + 6 + (line + 1) * pitch + (side - label.height) // 2
                image.paste(label, (max(0, start - label.width - 4), at))
        canvas = np.array(image)
        self._draw_head(canvas, f"cell {row + 1:,} of {len(self):,}")
        self._draw_foot(canvas, side / self.rows[0].pixels.shape[-1], "click or Esc: back to all cells")
        return canvas

    # ---- parts ------------------------------------------------------------------------------------------------------

    def _parts(self, line: int, cells: NDArray[np.intp], count: int) -> list[ColourImage]:
        """Composites (n, S, S, 3) of cells of a row, and each channel in grey where more than one part is wanted."""
        pixels, limits = self.rows[line].pixels[cells], self._limits(line)
        parts = [composite(pixels, limits, self.colours)]
        if count > 1:
            parts += [composite(pixels[:, [c]], limits[[c]], ["grey"]) for c in range(len(self.channels))]
        return parts

    def _limits(self, line: int) -> NDArray[np.float64]:
        """Of a row: those of all, or its own once all of its cells are there."""
        one = self.rows[line]
        if line == 0 or not self.own_contrast or not len(one.pixels) or not one.there.all():
            return self.limits
        if line not in self._own:
            self._own[line] = display_limits(one.pixels[:: -(-len(one.pixels) // _LOOKED_AT)])
        return self._own[line]

    def _make(self, rows: NDArray[np.intp], layout: GalleryLayout) -> None:
        """Draw those of some cells that were not drawn yet, all at once."""
        missing = np.array([row for row in rows if self._key(int(row), layout) not in self._tiles], np.intp)
        if not len(missing):
            return
        tiles = np.zeros((len(missing), layout.height, layout.width, 3), np.uint8)
        for line, one in enumerate(self.rows):
            down = slice(line * (layout.side + SEAM), line * (layout.side + SEAM) + layout.side)
            there = np.flatnonzero(one.there[missing])
            tiles[np.flatnonzero(~one.there[missing]), down] = _EMPTY
            for part, pictures in enumerate(self._parts(line, missing[there], layout.parts)):
                across = slice(part * (layout.side + 1), part * (layout.side + 1) + layout.side)
                for number, picture in zip(there, pictures, strict=True):
                    tiles[number, down, across] = np.asarray(_resized(picture, layout.side))
        for row, tile in zip(missing, tiles, strict=True):
            self._tiles[self._key(int(row), layout)] = tile.copy()

    def _key(self, row: int, layout: GalleryLayout) -> tuple[int, int, bool]:
        return row, layout.side, layout.parts > 1

    def _tile(self, row: int, layout: GalleryLayout) -> ColourImage:
        """A cell that was drawn; of very many those that were in sight longest ago are drawn anew."""
        key = self._key(row, layout)
        self._tiles.move_to_end(key)
        if len(self._tiles) > _MOST_KEPT:
            self._tiles.popitem(last=False)
        return self._tiles[key]

    def _labelled(self, layout: GalleryLayout) -> bool:
        """Whether there is room to say beside each line what it is; where there is none, the title says it."""
        return layout.side > lettering(_SMALL).getlength("predicted")

    def _paste(self, canvas: ColourImage, tile: ColourImage, top: int, left: int) -> None:
        """Put a tile between title and legend, so many pixels below the title."""
        height, width = tile.shape[:2]
        above, below = max(0, -top), max(0, top + height - self.room)
        right = min(width, canvas.shape[1] - left)
        if above + below < height and right > 0 and left >= 0:
            canvas[HEAD + top + above : HEAD + top + height - below, left : left + right] = tile[
                above : height - below, :right
            ]

    def _frame(
        self,
        canvas: ColourImage,
        top: int,
        left: int,
        layout: GalleryLayout,
        colour: Sequence[int],
        within: int = 0,
    ) -> None:
        """Frame a cell, some pixels within the usual frame where it has another already."""
        frame = np.full((1, 1, 3), colour, np.uint8)
        out = 3 - within
        width, height = layout.width + 2 * out, layout.height + 2 * out
        for y, x, h, w in (
            (-out, -out, 2, width),
            (height - out - 2, -out, 2, width),
            (-out, -out, height, 2),
            (-out, width - out - 2, height, 2),
        ):
            self._paste(canvas, np.broadcast_to(frame, (h, w, 3)), top + y, left + x)

    def _draw_bar(self, canvas: ColourImage) -> None:
        """How far it is scrolled, at the right."""
        end = self.end
        if not end:
            return
        length = max(24, self.room * self.room // (end + self.room))
        top = HEAD + (self.room - length) * self.offset // end
        canvas[top : top + length, -8:-3] = 110

    def _draw_head(self, canvas: ColourImage, about: str | None = None) -> None:
        """Write the title, and how many cells there are."""
        width, large = canvas.shape[1], about is not None
        if about is None:
            count = len(self.order)
            said = [
                f"{count:,} cell{'s' * (count != 1)}",
                self.ordered,
                "own contrast" * self.own_contrast,
            ]
            about = " · ".join(filter(None, said))
        self._put_strip(canvas[:HEAD], self._head, (width, about, self.title, self._labelled(self.layout), large))

    def _put_strip(self, where: ColourImage, drawn: Callable[..., ColourImage], key: tuple[Any, ...]) -> None:
        """Draw a strip of words, or what was drawn of the same before."""
        name = drawn.__name__
        if self._strips.get(name, (None,))[0] != key:
            self._strips[name] = key, drawn(*key)
        where[:] = self._strips[name][1]

    def _head(self, width: int, about: str, title: str, labelled: bool, large: bool) -> ColourImage:
        strip = Image.new("RGB", (width, HEAD), (0, 0, 0))
        draw = ImageDraw.Draw(strip)
        about = shortened(about, width / 2, _SMALL)
        room = width - LEFT - RIGHT - lettering(_SMALL).getlength(about) - 2 * GAP
        middle = HEAD // 2 - 2
        if not large and not labelled:
            title = f"{title} (below {self.rows[0].title})"
        draw.text((LEFT, middle), shortened(title, room, _TEXT), fill=_WHITE, font=lettering(_TEXT), anchor="lm")
        draw.text((width - RIGHT, middle), about, fill=_DIM, font=lettering(_SMALL), anchor="rm")
        return np.asarray(strip)

    def _draw_foot(self, canvas: ColourImage, zoom: float, about: str = "") -> None:
        """Name the channels in their colours, and draw the scale bar."""
        self._put_strip(canvas[-FOOT:], self._foot, (canvas.shape[1], zoom, about))

    def _foot(self, width: int, zoom: float, about: str) -> ColourImage:
        strip = Image.new("RGB", (width, FOOT), (0, 0, 0))
        draw = ImageDraw.Draw(strip)
        font, middle, right = lettering(_TEXT), FOOT // 2 + 2, float(width - RIGHT)
        if self.pixel_size:
            length, text = scale_bar(self.rows[0].pixels.shape[-1], self.pixel_size)
            draw.text((right, middle), text, fill=_WHITE, font=lettering(_SMALL), anchor="rm")
            right -= lettering(_SMALL).getlength(text) + 6
            draw.rectangle((right - length * zoom, middle - 1, right, middle + 2), fill=_WHITE)
            right -= length * zoom + 2 * GAP
        if about:
            draw.text((right, middle), about, fill=_DIM, font=lettering(_SMALL), anchor="rm")
            right -= lettering(_SMALL).getlength(about) + 2 * GAP
        room = (right - LEFT) / max(1, len(self.channels)) - 14
        left = float(LEFT)
        for name, colour in zip(self.channels, self.colours, strict=True):
            text = shortened(name, room, _TEXT)
            red, green, blue = (round(255 * (0.3 + 0.7 * part)) for part in COLOURS[colour])
            draw.text((left, middle), text, fill=(red, green, blue), font=font, anchor="lm")
            left += font.getlength(text) + 14
        return np.asarray(strip)


def _resized(picture: ColourImage, side: int) -> Image.Image:
    return Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC)


@lru_cache(100)
def _upright(text: str, room: int) -> ColourImage:
    """A text that is read from below, at most so many pixels high."""
    text = shortened(text, room, _SMALL)
    strip = Image.new("RGB", (max(1, int(lettering(_SMALL).getlength(text)) + 1), _SMALL + 4), (0, 0, 0))
    ImageDraw.Draw(strip).text((0, strip.height // 2), text, fill=_WHITE, font=lettering(_SMALL), anchor="lm")
    return np.asarray(strip.transpose(Image.Transpose.ROTATE_90))
