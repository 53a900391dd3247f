"""A reader: true files, how they are read, and texts that Hypothesis invents for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hypothesis import strategies as st

from .hostile import Input

MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Reader:
    """A reader.

    Parameters
    ----------
    name
        What it is called on the command line.
    seeds
        Writes true files into an empty folder, and gives them as inputs.
    read
        Reads what an input is.
    invented
        Inputs that Hypothesis invents; None: there are none.
    beside
        Bytes of memory that it may take beside eight times those of the file: what reading takes at all, or, of what
        is compressed, the limit that the reader states.
    """

    name: str
    seeds: Callable[[Path], Sequence[Input]]
    read: Callable[[Path], object]
    invented: st.SearchStrategy[Input] | None = None
    beside: int = 64 * MEGABYTE
