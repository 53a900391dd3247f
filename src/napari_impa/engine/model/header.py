"""What the header of a `.impa` file may hold: types are checked before anything else looks at it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, get_args

from napari_impa.cells.words import Task
from napari_impa.errors import ModelError

Check = Callable[[Any], bool]


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _real(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _number(value: Any) -> bool:
    return _real(value) and math.isfinite(value)


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _or_none(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _list_of(check: Check) -> Check:
    return lambda value: isinstance(value, (list, tuple)) and all(map(check, value))


def _by_name(check: Check) -> Check:
    return lambda value: isinstance(value, Mapping) and all(map(check, value.values()))


def _any(value: Any) -> bool:
    return True


def _limits(value: Any) -> bool:
    return _list_of(lambda pair: _list_of(_number)(pair) and len(pair) == 2 and pair[0] < pair[1])(value)


_CHOICE = _by_name(lambda values: _text(values) or _list_of(lambda one: _text(one) or _number(one))(values))

FIELDS: dict[str, tuple[Check, str]] = {
    "channels": (_list_of(_text), "a list of names"),
    "conditions": (_list_of(_text), "a list of names"),
    "label": (_list_of(_text), "a list of names"),
    "limits": (_limits, "a lower and a higher number a channel"),
    "name": (_text, "a text"),
    "task": (lambda value: value in get_args(Task), " or ".join(get_args(Task))),
    "counts": (_by_name(_count), "numbers by name"),
    "control": (_or_none(lambda value: _text(value) or _number(value)), "a name or nothing"),
    "pixel_size": (_or_none(lambda value: _number(value) and value > 0), "a number above 0 or nothing"),
    "settings": (_by_name(_any), "values by name"),
    "history": (_by_name(_any), "values by name"),
}
"""What every header has: whether a value is right, and what it ought to be."""

SETTINGS: dict[str, tuple[Check, str]] = {
    "hold_out": (_CHOICE, "values by column"),
    "where": (_CHOICE, "values by column"),
}
"""The same of `settings`, where they are there."""

HISTORY: dict[str, tuple[Check, str]] = {
    "steps": (_count, "a count"),
    "seconds": (_real, "a number"),
    "device": (_text, "a text"),
    "date": (_text, "a text"),
    "gap_closed": (_or_none(_real), "a number or nothing"),
    "gap_floor": (_or_none(_real), "a number or nothing"),
    "described": (
        lambda value: isinstance(value, Mapping) and _real(value.get("error")) and {"by", "date"} <= set(value),
        "what describes conditions",
    ),
}
"""The same of `history`, where it is there."""


def check_header(values: Mapping[str, Any], file: str) -> None:
    """Check what a model's header holds.

    Raises
    ------
    ModelError
        If a value is missing or is none of its kind.
    """
    for name, (fits, what) in FIELDS.items():
        if name not in values or not fits(values[name]):
            raise _wrong(file, name, what)
    for part, known in (("settings", SETTINGS), ("history", HISTORY)):
        for name, (fits, what) in known.items():
            if name in values[part] and not fits(values[part][name]):
                raise _wrong(file, f"{part}.{name}", what)


def _wrong(file: str, name: str, what: str) -> ModelError:
    return ModelError(f"{file} is not a complete model file (its {name} is not {what}); get it again.")


def shown(value: Any) -> Any:
    """A header with what a terminal or a window would act on, control characters and half letters, replaced.

    >>> shown({"name": "\\x1b]0;x\\x07 \\ud800", "card": "a\\n\\tb"})
    {'name': '�]0;x� �', 'card': 'a\\n\\tb'}
    """
    if isinstance(value, str):
        return value.translate(_CONTROLS)
    if isinstance(value, Mapping):
        return {shown(name): shown(one) for name, one in value.items()}
    return [shown(one) for one in value] if isinstance(value, list) else value


_KEPT = frozenset(map(ord, "\n\t"))
_CONTROLS = dict.fromkeys(
    (code for code in (*range(0x20), *range(0x7F, 0xA0), 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A),
                       *range(0xD800, 0xE000)) if code not in _KEPT),
    "\ufffd",
)  # fmt: skip
