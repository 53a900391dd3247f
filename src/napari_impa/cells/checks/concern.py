"""A concern: one sentence about what is doubtful."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

KINDS = (
    "damaged", "swapped", "brightness", "repeated", "empty", "unlabelled", "spelled", "spreadsheet", "no control",
    "untrained", "overlap", "saturated", "few", "one plate", "unscored", "nothing held out",
)  # fmt: skip
"""Kinds of concerns, the gravest first."""

_NAMED = 3  # conditions or plates named before the rest is counted


@dataclass(frozen=True)
class Concern:
    """A doubt about what a training is to be given.

    Parameters
    ----------
    kind
        One of `KINDS`.
    message
        One sentence: what it means, and what to do.
    """

    kind: str
    message: str


def ranked(concerns: Iterable[Concern]) -> tuple[Concern, ...]:
    """The concerns, the gravest first."""
    return tuple(sorted(concerns, key=lambda concern: KINDS.index(concern.kind)))


def damaged_concerns(errors: Sequence[Exception], looked_at: int) -> tuple[Concern, ...]:
    """Say which image cannot be read, of so many that were looked at."""
    if not errors:
        return ()
    more = "" if len(errors) == 1 else f"{len(errors)} of {looked_at:,} images looked at cannot be read; the first: "
    return (Concern("damaged", f"{more}{errors[0]}"),)


def listed(names: Sequence[str]) -> str:
    """Name a few and count the rest: `a, b, c and 4 more`."""
    names = list(map(str, names))
    if len(names) <= _NAMED + 1:
        return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
    return f"{', '.join(names[:_NAMED])} and {len(names) - _NAMED} more"
