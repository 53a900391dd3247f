"""Texts that hold names of files, layers, models and conditions, as Qt shows them letter by letter.

Qt takes what looks like tags for rich text, in labels, tooltips and messages alike. What is shown there and is no
literal goes through `plain`, `breakable` or `rich`; `tests/viewer/test_texts_from_files.py` finds what does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape


class Shown(str):
    """A text that is ready to be shown."""

    __slots__ = ()


class Rich(Shown):
    """Rich text, in which names are escaped already."""

    __slots__ = ()


def plain(text: str) -> Shown:
    """A text as Qt shows it letter by letter; what is ready to be shown stays as it is.

    It takes a text with a tag for rich text, and one with `&lt;`.

    >>> plain("a < b"), plain("<img src='x'>")
    ('<span>a &lt; b</span>', "<span>&lt;img src='x'&gt;</span>")
    """
    if isinstance(text, Shown):
        return text
    is_rich = "<" in text or "&lt;" in text
    return Shown(f"<span>{escape(text, quote=False)}</span>".replace("\n", "<br>") if is_rich else text)


def breaks(text: str, long: int = 30) -> str:
    """Let long words (paths, compounds) go on in the next line; a dock would be as wide as they are."""
    return re.sub(rf"\S{{{long},}}", lambda word: re.sub(r"([/\\_.,\-)\]])", "\\1\u200b", word.group()), text)


def breakable(text: str, long: int = 30) -> Shown:
    """A text letter by letter, whose long words go on in the next line."""
    return text if isinstance(text, Shown) else plain(breaks(text, long))


def rich(template: str, *values: object) -> Rich:
    """Rich text: a literal with tags and `{}`, for which values come letter by letter, or as the rich text they are.

    >>> rich("<b>{}</b> · {}", "a < b", rich("<i>{}</i>", "&"))
    '<b>a &lt; b</b> · <i>&amp;</i>'
    >>> rich("{} and more", "a & b")
    '<span>a &amp; b and more</span>'
    """
    letters = (value if isinstance(value, Rich) else escape(str(value)).replace("\n", "<br>") for value in values)
    text = template.format(*letters)
    return Rich(text if "<" in template else f"<span>{text}</span>")


def joined(separator: str, parts: Iterable[Rich]) -> Rich:
    """Several rich texts as one; empty where there is none.

    >>> joined(" ", [rich("<b>{}</b>", 1), rich("<b>{}</b>", 2)])
    '<b>1</b> <b>2</b>'
    """
    return Rich(separator.join(parts))


def unbroken(text: str) -> str:
    """A text that stays on one line, in a legend say."""
    return text.replace(" ", "\u00a0")


def no_mnemonic(text: str) -> str:
    """A name on a button, in a menu or as a title, where Qt takes `&` for the mark of a mnemonic.

    >>> no_mnemonic("DNA & RNA")
    'DNA && RNA'
    """
    return text.replace("&", "&&")
