"""Tables for a terminal: rows of texts in columns that are as wide as their widest."""

from __future__ import annotations

from collections.abc import Container, Sequence


def aligned(rows: Sequence[Sequence[str]], right: Container[int] = ()) -> list[str]:
    """Write rows of equally many texts as lines; columns of numbers `right` are aligned there.

    >>> aligned([("name", "cells"), ("DMSO", "12")], right=[1])
    ['name  cells', 'DMSO     12']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            text.rjust(width) if at in right else text.ljust(width)
            for at, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
