"""Words in pictures: a font that has all letters, and names made shorter in their middle."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from PIL import ImageFont


@cache
def lettering(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which matplotlib brings, so many pixels high; it has Greek, µ and ×, which Pillow's own has not."""
    import matplotlib

    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", size)


def shortened(text: str, room: float, size: int) -> str:
    """Leave letters out of the middle until a text fits: names of compounds and doses differ at both ends.

    >>> shortened("4-hydroxyphenylretinamide 50", 120, 12)
    '4-hydro…mide 50'
    """
    font = lettering(size)
    if font.getlength(text) <= room:
        return text
    for kept in range(len(text) - 1, 1, -1):
        left = -(-kept // 2)
        short = f"{text[:left].rstrip()}…{text[len(text) - (kept - left) :].lstrip()}"
        if font.getlength(short) <= room:
            return short
    return f"{text[:1]}…"


def in_middle(text: str, most: int) -> str:
    """Leave letters out of the middle of a text of more than so many.

    >>> in_middle("4-hydroxyphenylretinamide 50", 16)
    '4-hydrox…mide 50'
    """
    if len(text) <= most:
        return text
    left = most // 2
    return f"{text[:left].rstrip()}…{text[len(text) - (most - left - 1) :].lstrip()}"
