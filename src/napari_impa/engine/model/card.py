"""The card of a model: what it is, whose it is and under which terms, as Markdown with a few fields at its head."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace

_FENCE = "---"
_FIELD = re.compile(r"([A-Za-z_]+)\s*:\s*(.*)")
_SAME = {"license": "licence", "authors": "author"}


@dataclass(frozen=True)
class Card:
    """A model card, in the form that Hugging Face reads: fields between two lines of dashes, then Markdown.

    Parameters
    ----------
    title
        What a list shows.
    author
        Who made it.
    licence
        Terms of use, by its SPDX name where there is one (`CC-BY-4.0`).
    doi
        Where it is published.
    citation
        What to cite.
    text
        Markdown: what it was trained on, how, scores on held-out data, limits.
    """

    title: str = ""
    author: str = ""
    licence: str = ""
    doi: str = ""
    citation: str = ""
    text: str = ""

    @classmethod
    def parse(cls, markdown: str) -> Card:
        """Read a card; the first heading is the title where no field is; fields it does not know are dropped."""
        lines = markdown.replace("\r\n", "\n").strip().split("\n")
        known: dict[str, str] = {}
        if lines[0].strip() == _FENCE and _FENCE in (line.strip() for line in lines[1:]):
            end = next(number for number, line in enumerate(lines) if number and line.strip() == _FENCE)
            for line in lines[1:end]:
                found = _FIELD.match(line)
                if found:
                    name = found[1].casefold()
                    known[_SAME.get(name, name)] = found[2].strip().strip("\"'")
            lines = lines[end + 1 :]
        text = "\n".join(lines).strip()
        heading = re.search(r"^#[ \t]+(\S.*)$", text, re.MULTILINE)
        known.setdefault("title", heading[1].rstrip().rstrip("#").rstrip() if heading else "")
        names = {field.name for field in fields(cls)} - {"text"}
        return cls(text=text, **{name: value for name, value in known.items() if name in names})

    def with_fields(self, **values: str | None) -> Card:
        """Replace the fields that are given."""
        return replace(self, **{name: value for name, value in values.items() if value is not None})

    def markdown(self) -> str:
        """Return the card as `parse` reads it; `license` is spelled as Hugging Face spells it."""
        named = [(field.name, getattr(self, field.name)) for field in fields(self) if field.name != "text"]
        head = [
            f"{'license' if name == 'licence' else name}: {' '.join(value.split())}" for name, value in named if value
        ]
        return "\n".join([*([_FENCE, *head, _FENCE, ""] if head else []), self.text]).strip() + "\n"
