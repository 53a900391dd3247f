"""Errors a user can mend: each message is one clear sentence that says what is wrong and what to do."""

from __future__ import annotations

import unicodedata

_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that turn the direction of what follows."""


DAMAGE = (ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)
"""What reading a damaged file raises, whoever wrote it."""

_LONGEST, _BEGINNING = 900, 600
"""Letters of a message, and how many of its beginning are shown where it is longer."""


class ImpaError(Exception):
    """Base of every error of ours; shown as it is, without a traceback, on the command line and in the viewer.

    What it cites of files is text: control characters, which a terminal would act on, are written as `\\x1b`. Of a
    message that became long by what it cites the middle is left out.
    """

    def __str__(self) -> str:
        text = "".join(letter if _is_shown(letter) else ascii(letter)[1:-1] for letter in super().__str__())
        return text if len(text) <= _LONGEST else f"{text[:_BEGINNING]} … {text[_BEGINNING + 3 - _LONGEST :]}"


def brief(error: BaseException, most: int = 200) -> str:
    """What another library's error says, in one line of `most` letters at most; torch's can have hundreds of lines."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= most else f"{text[:most]} …"


def _is_shown(letter: str) -> bool:
    return letter.isprintable() or not (unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") or letter in _TURNING)


class SourceError(ImpaError):
    """A folder, a table or an image cannot be used as it is."""


class WellError(SourceError):
    """What ought to say a well of a plate is none."""


class CellsError(ImpaError):
    """Cells cannot be cut, read, joined or written as asked."""


class ConditionError(ImpaError):
    """A label, a control or a condition does not occur where it is needed."""


class ModelError(ImpaError):
    """A model file cannot be read, or does not fit the cells it is given."""


class TrainingError(ImpaError):
    """A training cannot start or go on."""


class OutOfMemoryError(TrainingError):
    """The device has too little memory for the batch asked for."""


class PeerError(ImpaError):
    """Another process of the same program failed and says why; this one stops too, silently."""


class WorkersError(ImpaError):
    """Work cannot be shared as asked, or the processes that it was shared with are lost."""


class FetchError(ImpaError):
    """A file cannot be fetched, or is not what it ought to be."""


class MissingDependencyError(ImpaError):
    """An optional package, a screen or a system library that this feature needs is not there."""
