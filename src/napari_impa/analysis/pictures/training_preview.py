"""The picture of a training's preview: a row a condition, columns of control, predicted and real treated cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from PIL.ImageFont import FreeTypeFont

from napari_impa.analysis.pictures.composite import COLOURS, channel_colours, composite, display_limits
from napari_impa.analysis.pictures.lettering import lettering
from napari_impa.analysis.pictures.montage import scale_bar

if TYPE_CHECKING:
    from napari_impa.engine.training.events import Samples

HEADINGS = ("control", "predicted", "real treated")
CELL = 144
"""Side of a drawn cell in pixels."""

MOST_BESIDE = 2
"""Cells of one condition beside each other."""

MOST_ROWS = 8
_GAP, _BLOCK_GAP, _MARGIN = 4, 22, 16
_FONT, _SMALL = 26, 21
_LABEL = 190
_WHITE = (230, 230, 230)


@dataclass(frozen=True, eq=False)
class Picture:
    """A composed preview.

    Parameters
    ----------
    pixels
        (h, w, 3) uint8.
    limits
        (C, 2) intensities shown as black and as full colour.
    zoom
        Side of a cell's pixel.
    conditions
        Names of the rows, from the top.
    """

    pixels: NDArray[np.uint8]
    limits: NDArray[np.float64]
    zoom: float
    conditions: tuple[str, ...]


def compose(
    samples: Samples,
    channels: Sequence[str],
    limits: NDArray[np.float64] | None = None,
    pixel_size: float | None = None,
) -> Picture:
    """Draw samples, with headings above, conditions at the left, channels' colours and a scale bar below.

    Parameters
    ----------
    samples
        What the model draws now.
    channels
        C channel names.
    limits
        (C, 2) contrast of all cells; of the control and real cells where it is not given.
    pixel_size
        µm a pixel.
    """
    if limits is None:
        limits = display_limits(np.concatenate([samples.control, samples.real]))
    side = samples.control.shape[-1]
    zoom = CELL / side
    rows = arrange_rows(samples.conditions)
    font = lettering(_SMALL)
    names = [_wrapped(name, font) for name, _ in rows]
    left = 2 * _MARGIN + int(max(font.getlength(line) for lines in names for line in lines))
    grid = _Grid(left, CELL, max(len(members) for _, members in rows), len(rows))
    canvas = Image.new("RGB", grid.size, (0, 0, 0))
    draw = ImageDraw.Draw(canvas)
    colours = channel_colours(channels)
    for column, pixels in enumerate((samples.control, samples.predicted, samples.real)):
        tiles = composite(pixels, limits, colours)
        for row, (_, members) in enumerate(rows):
            for place, member in enumerate(members):
                tile = Image.fromarray(tiles[member]).resize((grid.cell,) * 2, Image.Resampling.BICUBIC)
                canvas.paste(tile, grid.corner(row, column, place))
    for column, heading in enumerate(HEADINGS):
        x, y = grid.corner(0, column, 0)
        middle = (x + grid.block / 2, y - _FONT)
        draw.text(middle, heading, fill=_WHITE, font=_fitting(heading, grid.block), anchor="mm")
    for row, lines in enumerate(names):
        middle_y = grid.corner(row, 0, 0)[1] + grid.cell / 2
        for number, line in enumerate(lines):
            y = round(middle_y + (number - (len(lines) - 1) / 2) * 1.2 * _SMALL)
            draw.text((left - _MARGIN, y), line, fill=_WHITE, font=font, anchor="rm")
    _draw_legend(draw, grid, channels, colours, scale_bar(side, pixel_size) if pixel_size else None, zoom)
    return Picture(np.asarray(canvas), limits, zoom, tuple(name for name, _ in rows))


class _Grid(NamedTuple):
    """Where things are: names end at `left`, then three blocks of `beside` cells each, in so many rows."""

    left: int
    cell: int
    beside: int
    rows: int

    @property
    def block(self) -> int:
        return self.beside * (self.cell + _GAP) - _GAP

    @property
    def size(self) -> tuple[int, int]:
        width = self.left + 3 * self.block + 2 * _BLOCK_GAP + _MARGIN
        return width, self.corner(self.rows, 0, 0)[1] + 3 * _SMALL

    def corner(self, row: int, column: int, place: int) -> tuple[int, int]:
        x = self.left + column * (self.block + _BLOCK_GAP) + place * (self.cell + _GAP)
        return x, 2 * _FONT + row * (self.cell + _GAP)


def _draw_legend(
    draw: ImageDraw.ImageDraw,
    grid: _Grid,
    channels: Sequence[str],
    colours: Sequence[str],
    bar: tuple[float, str] | None,
    zoom: float,
) -> None:
    """Name the channels' colours, and draw the scale bar at the right where there is room."""
    font, (width, height) = lettering(_SMALL), grid.size
    x, y = float(grid.left), height - round(1.5 * _SMALL)
    for name, colour in zip(channels, colours, strict=True):
        red, green, blue = (round(255 * part) for part in COLOURS[colour])
        text = name
        if x + 22 + font.getlength(text) > width - _MARGIN:
            break
        draw.rectangle((x, y - 7, x + 14, y + 7), fill=(red, green, blue))
        draw.text((x + 22, y), text, fill=_WHITE, font=font, anchor="lm")
        x += 46 + font.getlength(text)
    if bar is None:
        return
    text, length = bar[1], bar[0] * zoom
    end = width - _MARGIN - font.getlength(text) - 10
    if end - length > x:
        draw.rectangle((end - length, y - 2, end, y + 2), fill=_WHITE)
        draw.text((width - _MARGIN, y), text, fill=_WHITE, font=font, anchor="rm")


def arrange_rows(conditions: Sequence[str]) -> list[tuple[str, tuple[int, ...]]]:
    """Group samples by condition: rows of a name and the numbers of its samples, as many in each row.

    >>> arrange_rows(["a", "b", "a", "b", "a"])
    [('a', (0, 2)), ('b', (1, 3))]
    >>> arrange_rows(["a", "b", "c", "a"])
    [('a', (0,)), ('b', (1,)), ('c', (2,))]
    """
    members: dict[str, list[int]] = {}
    for number, name in enumerate(conditions):
        members.setdefault(name, []).append(number)
    beside = min(MOST_BESIDE, *(len(found) for found in members.values()), MOST_BESIDE)
    again = max(1, min(MOST_ROWS // len(members), *(len(found) // beside for found in members.values()), 4))
    rows = [
        (name, tuple(found[turn * beside : (turn + 1) * beside]))
        for name, found in members.items()
        for turn in range(again)
    ]
    return rows[:MOST_ROWS]


def _wrapped(name: str, font: FreeTypeFont) -> list[str]:
    """At most three lines, each within the room at the left; what is longer ends in dots."""
    lines = [""]
    for word in (name or "(empty)").split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if not lines[-1] or font.getlength(longer) <= _LABEL:
            lines[-1] = longer
        else:
            lines.append(word)
    if len(lines) > 3:
        lines = [*lines[:2], f"{lines[2]} ..."]
    return [_shortened(line, font) for line in lines]


def _shortened(text: str, font: FreeTypeFont) -> str:
    while len(text) > 4 and font.getlength(text) > _LABEL:
        text = f"{text.removesuffix('...')[:-1]}..."
    return text


def _fitting(text: str, room: float) -> FreeTypeFont:
    """The font of a heading, smaller where the column is narrow."""
    size = _FONT
    while size > 12 and lettering(size).getlength(text) > room:
        size -= 1
    return lettering(size)
