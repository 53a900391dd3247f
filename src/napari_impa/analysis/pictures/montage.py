"""Pictures for a person to judge by: control, predicted and real treated cells side by side, on one contrast."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from napari_impa.analysis.pictures.composite import channel_colours, composite
from napari_impa.analysis.pictures.lettering import lettering
from napari_impa.cells.beside import written_beside
from napari_impa.errors import CellsError

if TYPE_CHECKING:
    from napari_impa.engine.training.events import Samples

_GAP = 4
_FONT = 15

MontageRow = tuple[str, NDArray[Any]]
"""A title, and cells (n, C, S, S)."""


def montage(
    rows: Sequence[MontageRow],
    channels: Sequence[str],
    limits: NDArray[np.float64],
    *,
    zoom: int = 2,
    group: int = 1,
    split: bool = False,
    pixel_size: float | None = None,
) -> NDArray[np.uint8]:
    """Draw rows of cells with their titles, all on the same contrast.

    Parameters
    ----------
    rows
        Titles, and cells (n, C, S, S).
    channels
        C channel names; their colours are named in the last line.
    limits
        (C, 2) intensities shown as black and as full colour, for all rows alike (see `display_limits`).
    zoom
        Side of a drawn pixel.
    group
        After so many rows a wider gap.
    split
        Show after every cell its channels one by one, in grey.
    pixel_size
        µm a pixel, for a scale bar; None where it is not known.

    Returns
    -------
    (rows, columns, 3) uint8.

    Raises
    ------
    CellsError
        If there is nothing to draw, or the rows differ in channels or side.
    """
    figure = arrange(rows, channels, limits, zoom=zoom, group=group, split=split, pixel_size=pixel_size)
    return figure.draw()


@dataclass(frozen=True, eq=False)
class Montage:
    """A montage before it is drawn: strips of cells, words and a scale bar, each with its place in pixels.

    Parameters
    ----------
    width, height
        Of the whole.
    strips
        (left, top, (h, w, 3) uint8).
    words
        (left, middle, text, grey level).
    bar
        (left, middle, length), or None.
    """

    width: int
    height: int
    strips: tuple[tuple[int, int, NDArray[np.uint8]], ...]
    words: tuple[tuple[int, int, str, int], ...]
    bar: tuple[int, int, int] | None

    def draw(self) -> NDArray[np.uint8]:
        """(height, width, 3) uint8."""
        canvas = Image.new("RGB", (self.width, self.height), (0, 0, 0))
        draw, font = ImageDraw.Draw(canvas), lettering(_FONT)
        for left, top, strip in self.strips:
            canvas.paste(Image.fromarray(strip), (left, top))
        for left, middle, text, grey in self.words:
            draw.text((left, middle), text, fill=(grey,) * 3, font=font, anchor="lm")
        if self.bar is not None:
            left, middle, length = self.bar
            draw.rectangle((left, middle - 1, left + length - 1, middle + 2), fill=(255,) * 3)
        return np.asarray(canvas)

    def svg(self) -> str:
        """Write the same as SVG, with the cells embedded as PNG and text that stays text."""
        size = f'width="{self.width}" height="{self.height}" viewBox="0 0 {self.width} {self.height}"'
        lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="{_FONT}">',
            f'<rect width="{self.width}" height="{self.height}" fill="#000"/>',
        ]
        for left, top, strip in self.strips:
            file = BytesIO()
            Image.fromarray(strip).save(file, "PNG", optimize=True)
            lines.append(
                f'<image x="{left}" y="{top}" width="{strip.shape[1]}" height="{strip.shape[0]}" '
                f'href="data:image/png;base64,{b64encode(file.getvalue()).decode()}"/>'
            )
        for left, middle, text, grey in self.words:
            place = f'x="{left}" y="{middle}" dominant-baseline="central"'
            lines.append(f'<text {place} fill="rgb({grey},{grey},{grey})">{escape(text)}</text>')
        if self.bar is not None:
            left, middle, length = self.bar
            lines.append(f'<rect x="{left}" y="{middle - 1}" width="{length}" height="4" fill="#fff"/>')
        return "\n".join([*lines, "</svg>", ""])


def arrange(
    rows: Sequence[MontageRow],
    channels: Sequence[str],
    limits: NDArray[np.float64],
    *,
    zoom: int = 2,
    group: int = 1,
    split: bool = False,
    pixel_size: float | None = None,
) -> Montage:
    """Place what `montage` draws; the same arguments and errors."""
    shapes = {pixels.shape[1:] for _, pixels in rows}
    if len(shapes) != 1 or not any(len(pixels) for _, pixels in rows) or next(iter(shapes))[0] != len(channels):
        raise CellsError("A montage needs rows of cells of one crop side and of the channels named.")
    colours = channel_colours(channels)
    strips = [_strip(pixels, limits, colours, zoom, split) for _, pixels in rows]
    font = lettering(_FONT)
    legend = "   ".join(f"{name}: {colour}" for name, colour in zip(channels, colours, strict=True))
    margin = 2 * _GAP + int(max(font.getlength(title) for title, _ in rows))
    placed, words, top = [], [], 0
    for number, ((title, _), strip) in enumerate(zip(rows, strips, strict=True)):
        placed.append((margin, top, strip))
        words.append((_GAP, top + strip.shape[0] // 2, title, 255))
        top += strip.shape[0] + _GAP * (1 if (number + 1) % group else 4)
    middle, bar = top + _FONT, None
    words.append((_GAP, middle, legend, 200))
    width = max(margin + max(strip.shape[1] for strip in strips), int(font.getlength(legend)) + 2 * _GAP)
    if pixel_size:
        length, text = scale_bar(rows[0][1].shape[-1], pixel_size)
        bar = (max(margin, int(font.getlength(legend)) + 6 * _GAP), middle, round(length * zoom))
        words.append((bar[0] + bar[2] + 2 * _GAP, middle, text, 255))
        width = max(width, words[-1][0] + int(font.getlength(text)) + 2 * _GAP)
    return Montage(width, top + 2 * _FONT, tuple(placed), tuple(words), bar)


def scale_bar(size: int, pixel_size: float) -> tuple[float, str]:
    """Length in pixels of a bar for crops of a side in pixels, the longest of 1, 2 or 5 · 10ⁿ within a third; its name.

    >>> scale_bar(96, 0.65)
    (30.76923076923077, '20 µm')
    """
    most = size * pixel_size / 3
    power = 10.0 ** np.floor(np.log10(most))
    micrometres = next(float(factor * power) for factor in (5, 2, 1) if factor * power <= most)
    text = f"{micrometres:g} µm" if micrometres >= 1 else f"{micrometres * 1000:g} nm"
    return micrometres / pixel_size, text


def sample_rows(samples: Samples) -> list[MontageRow]:
    """Rows of what a training shows: control, predicted and real treated cells, one condition after the other."""
    predicted = f"predicted: {', '.join(dict.fromkeys(samples.conditions))}"
    return [("control", samples.control), (predicted, samples.predicted), ("real", samples.real)]


def _strip(
    pixels: NDArray[Any], limits: NDArray[np.float64], colours: Sequence[str], zoom: int, split: bool
) -> NDArray[np.uint8]:
    """One row of cells, (S · zoom, width, 3)."""
    tiles = [composite(pixels, limits, colours)]
    if split and len(colours) > 1:
        tiles += [composite(pixels[:, [c]], limits[[c]], ["grey"]) for c in range(len(colours))]
    size = pixels.shape[-1] * zoom
    shown = []
    for cell in range(len(pixels)):
        for number, tile in enumerate(tiles):
            resized = Image.fromarray(tile[cell]).resize((size, size), Image.Resampling.BICUBIC)
            gap = _GAP if number == len(tiles) - 1 else 1
            shown.append(np.pad(np.asarray(resized), ((0, 0), (0, gap), (0, 0))))
    return np.concatenate(shown, axis=1) if shown else np.zeros((size, 0, 3), np.uint8)


def save_montage(path: str | Path, picture: NDArray[np.uint8] | Montage) -> Path:
    """Write a montage as PNG (or by its suffix), or one that is arranged alone as SVG too.

    Raises
    ------
    CellsError
        If the file cannot be written, or its suffix is not that of an image.
    """
    path = Path(path)
    path = path if path.suffix else path.with_suffix(".png")
    with written_beside(path) as partial:
        if isinstance(picture, Montage) and path.suffix.lower() == ".svg":
            partial.write_text(picture.svg(), encoding="utf-8")
            return path
        drawn = picture.draw() if isinstance(picture, Montage) else picture
        try:
            Image.fromarray(drawn).save(partial)
        except ValueError as error:
            raise CellsError(f"{path} cannot be written ({error}); choose another name, ending in .png.") from error
    return path
