"""What a shared model says of itself, as options of `models export` and `models export-bioimageio`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import Parameter

if TYPE_CHECKING:
    from napari_impa.engine.model.card import Card
    from napari_impa.engine.model.model import IMPA


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class CardOptions:
    """What a shared model says of itself.

    Parameters
    ----------
    card
        Markdown file of the card; the options below replace its fields.
    title
        What lists show.
    author
        Who made it; several between semicolons.
    licence
        Terms of use, say CC-BY-4.0.
    doi
        Where it is published.
    citation
        What to cite.
    description
        What it was trained on, how good it is, and where its limits are.
    """

    card: Path | None = None
    title: str | None = None
    author: str | None = None
    licence: str | None = None
    doi: str | None = None
    citation: str | None = None
    description: str | None = None

    def of(self, model: IMPA) -> Card:
        """The card: that of the file, or the model's own, with the fields that are given."""
        from napari_impa.engine.model.card import Card

        known = Card.parse(model.card if self.card is None else self.card.read_text(encoding="utf-8"))
        return known.with_fields(
            title=self.title, author=self.author, licence=self.licence, doi=self.doi, citation=self.citation,
            text=self.description,
        )  # fmt: skip


UNSAID_CARD = CardOptions()


def say_what_is_missing(card: Card) -> None:
    """Print which of title, author and licence a card lacks."""
    missing = [name for name in ("title", "author", "licence") if not getattr(card, name)]
    if missing:
        print(f"Its card does not say: {', '.join(missing)}; give it as --{missing[0]}, so that others may use it.")
