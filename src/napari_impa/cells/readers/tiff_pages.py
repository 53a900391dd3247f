"""The chain of pages of a TIFF file, followed before anything is read: in a damaged file it may have no end."""

from __future__ import annotations

import re
import struct
from bisect import bisect
from pathlib import Path
from typing import BinaryIO

from napari_impa.errors import SourceError

_FORMS = {(42, 2): ("H", "I", 12), (43, 8): ("Q", "Q", 20)}  # of the number of tags and of an offset; bytes of a tag

MOST_PLANES = 1_000_000
"""Channels, Z planes or times that an OME description may name; for each of them memory is taken."""

_SIZES = re.compile(r"""\bSize[CZT]\s*=\s*["']\s*(\d+)""")


def check_described(xml: str, path: Path) -> None:
    """Refuse an OME description of more planes than a file can have.

    Raises
    ------
    SourceError
        If there are too many.
    """
    most = max((digits for digits in _SIZES.findall(xml)), key=len, default="")
    if len(most) > len(str(MOST_PLANES)) or int(most or 0) > MOST_PLANES:
        raise SourceError(f"{path} cannot be read: it says that it has {most[:20]} planes; mend or remove it.")


def check_pages(path: Path) -> None:
    """Refuse a TIFF file whose pages lie over each other or follow each other in a circle.

    Raises
    ------
    SourceError
        If they do.
    """
    with open(path, "rb") as file:
        head = file.read(16)
        order = {b"II": "<", b"MM": ">"}.get(head[:2])
        if order is None or len(head) < 8:
            return  # whoever reads it says so
        big = struct.unpack(f"{order}H", head[2:4])[0] == 43
        number, offset, tag = _FORMS[43, 8] if big else _FORMS[42, 2]
        if big and len(head) < 16:
            return
        at = struct.unpack(order + offset, head[8:16] if big else head[4:8])[0]
        begins: list[int] = [0]
        ends: list[int] = [16 if big else 8]
        while at:
            end, following = _page(file, at, order, number, offset, tag)
            place = bisect(begins, at)
            lies_over = ends[place - 1] > at
            if end is None and not lies_over:
                return  # it is cut short, which is said elsewhere
            if end is None or lies_over or (place < len(begins) and begins[place] < end):
                raise SourceError(f"{path} cannot be read: its pages follow each other in a circle; mend or remove it.")
            begins.insert(place, at)
            ends.insert(place, end)
            at = following


def _page(file: BinaryIO, at: int, order: str, number: str, offset: str, tag: int) -> tuple[int | None, int]:
    """Where the description of a page ends, and where the next one begins; None where the file ends before."""
    file.seek(at)
    count = file.read(struct.calcsize(f"{order}{number}"))
    if len(count) < struct.calcsize(f"{order}{number}"):
        return None, 0
    end = at + len(count) + struct.unpack(order + number, count)[0] * tag
    try:
        file.seek(end)
    except (OSError, OverflowError, ValueError):
        return None, 0
    following = file.read(struct.calcsize(f"{order}{offset}"))
    if len(following) < struct.calcsize(f"{order}{offset}"):
        return None, 0
    return end + len(following), struct.unpack(order + offset, following)[0]
