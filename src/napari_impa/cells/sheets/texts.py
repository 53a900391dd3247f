"""Texts of tables made alike where they only look different: Unicode forms, blanks, letters that are not seen."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

_BLANKS = re.compile(r"\s+")
# What stands above or below says another thing than what stands in line: 10² is not 102, and ½ not 1⁄2.
_APART = re.compile("([" + "".join(
    re.escape(letter) for letter in map(chr, range(0x80, 0x2200))
    if unicodedata.decomposition(letter).startswith(("<super>", "<sub>", "<fraction>"))
) + "]+)")  # fmt: skip
_LOOK = str.maketrans(
    "‐‑‒–—−‘’′´`ßαβγδκ" + "АВЕЅІЈКМНОРСТУХаеѕіјорсух" + "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧοΔ",
    "------'''''babgdk" + "ABESIJKMHOPCTYXaesijopcyx" + "ABEZHIKMNOPTYXod",
)
"""Hyphens, quotes and letters of other alphabets as they look, or as they are written where there are none."""
_COMMA = re.compile(r"(?<=\d),(?=\d)")
_LOOSE = re.compile(r"(?<!\d)[\s_-]+|[\s_-]+(?!\d)")


@lru_cache(maxsize=65536)
def tidy(text: str) -> str:
    """The text in Unicode's form NFKC, with single blanks and nothing that is not seen; raised numbers stay raised.

    >>> tidy("tax  10 \\u00b5M\\u200b") == tidy("tax 10 \\u03bcM ")
    True
    >>> tidy("10\\u00b2 cells"), tidy("\\x1b[31mred")
    ('10² cells', '[31mred')
    """
    if text.isascii() and text.isprintable() and "  " not in text:
        return text.strip()
    seen = "".join(
        letter for letter in text if letter.isspace() or unicodedata.category(letter) not in ("Cf", "Cc", "Cs")
    )
    parts = _APART.split(seen)
    parts[::2] = [unicodedata.normalize("NFKC", part) for part in parts[::2]]
    return _BLANKS.sub(" ", unicodedata.normalize("NFC", "".join(parts))).strip()


@lru_cache(maxsize=65536)
def loosely(text: str) -> str:
    """What spellings of one name have in common: neither case, nor what joins words, but between digits.

    Nor which hyphen, quote, decimal sign or alphabet a letter is of that looks alike: `IL-1β` and `IL-1ß` are one.

    >>> loosely("Non-targeting") == loosely("nontargeting"), loosely("IL 1 2") == loosely("IL 12")
    (True, False)
    """
    plain = tidy(text).translate(_LOOK).casefold().replace("μ", "u")
    return _LOOSE.sub("", _COMMA.sub(".", plain))


@dataclass(frozen=True)
class Spellings:
    """One name that a column writes in several ways.

    Parameters
    ----------
    column
        Where.
    ways
        As it is written, the commonest first.
    counts
        How often each.
    alike
        They differ only in what is not seen, and were taken as one already.
    """

    column: str
    ways: tuple[str, ...]
    counts: tuple[int, ...]
    alike: bool

    def __str__(self) -> str:
        ways = ", ".join(f"{way!r} ({count:,})" for way, count in zip(self.ways, self.counts, strict=True))
        if self.alike:
            return f"{self.column} writes {tidy(self.ways[0])} in {len(self.ways)} ways that look alike; taken as one."
        return f"{self.column} writes what may be one name in {len(self.ways)} ways: {ways}."


def spellings(column: str, counts: Mapping[str, int]) -> list[Spellings]:
    """Find names that a column writes in several ways, which look alike or differ in case or hyphens.

    Parameters
    ----------
    counts
        How often it has each text.
    """
    found = [*_grouped(column, counts, alike=True)]
    tidied: Counter[str] = Counter()
    for value, count in counts.items():
        tidied[tidy(value)] += count
    return [*found, *_grouped(column, tidied, alike=False)]


def _grouped(column: str, counts: Mapping[str, int], *, alike: bool) -> list[Spellings]:
    key = tidy if alike else loosely
    groups: dict[str, list[tuple[int, str]]] = {}
    for value, count in counts.items():
        if key(value):
            groups.setdefault(key(value), []).append((-count, value))
    return [
        Spellings(column, tuple(value for _, value in ways), tuple(-count for count, _ in ways), alike)
        for ways in map(sorted, (groups[name] for name in sorted(groups)))
        if len(ways) > 1
    ]
