"""The commands `models list` and `models info`: what there is, and what one of it is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from napari_impa.work.tables.text_table import aligned

if TYPE_CHECKING:
    from napari_impa.engine.model.card import Card
    from napari_impa.engine.model.model import IMPA


def list_models() -> None:
    """List models and images: those here, and those that can be fetched."""
    from napari_impa.cache import cache_folder
    from napari_impa.work.catalog import catalog

    rows = [("name", "task", "channels", "px", "conditions", "size", "where")]
    for entry in catalog():
        where = {"bundled": "bundled"}.get(entry.kind, "here") if entry.is_here else "to fetch"
        about = "" if entry.is_here else "about "
        channels = ", ".join(entry.channels) if len(entry.channels) < 4 else str(len(entry.channels))
        count = "" if entry.kind == "images" else str(entry.count)
        side = str(entry.size or "")
        rows.append((entry.name, entry.task, channels, side, count, about + entry.megabytes, where))
    print("\n".join(aligned(rows, right=(3, 4, 5))))
    folder = cache_folder()
    unread = folder.exists() and not os.access(folder, os.R_OK | os.X_OK)
    print(f"Fetched files are kept in {folder}{', which cannot be read' * unread}.")


def info(model: str) -> None:
    """Say what a model is: channels, conditions, how it was trained, its card.

    Parameters
    ----------
    model
        A name of `models list`, a `.impa` file or a run folder.
    """
    from napari_impa.engine.model.card import Card
    from napari_impa.work.catalog import find_entry, load_model

    entry = find_entry(model)
    if entry is not None and (entry.kind == "images" or not entry.is_here):
        where = str(entry.path) if entry.is_here else f"not here; napari-impa models fetch {entry.name}"
        print(f"{entry.name} ({entry.task}): {entry.description}")
        print(f"Channels: {', '.join(entry.channels)}")
        print(f"Where: {where}")
        if entry.conditions:
            print(f"Conditions: {', '.join(entry.conditions)}")
        _print_card(entry.card)
        return
    chosen = load_model(model)
    _print_model(chosen)
    if entry is not None:
        print(f"Where: {entry.path}, {entry.megabytes}")
    if chosen.card:
        _print_card(Card.parse(chosen.card))


def _print_model(chosen: IMPA) -> None:
    print(f"{chosen.name} ({chosen.task}, {chosen.hash}): {chosen.describe()}")
    print(f"Channels: {', '.join(chosen.channels)}")
    print(f"Pixel size: {chosen.pixel_size or 'unknown'}{' µm' if chosen.pixel_size else ''}")
    if chosen.control is not None:
        print(f"Control: {chosen.control}, {chosen.counts.get(chosen.control, 0):,} cells")
    for description in chosen.descriptions:
        print(f"{description.modality or 'Conditions'}: {description.kind}{' with dose' if description.dose else ''}")
    for name in chosen.conditions:
        print(f"  {name}: {chosen.counts[name]:,} cells" if name in chosen.counts else f"  {name}")
    for name in chosen.unseen:
        print(f"  {name}: not trained on, known by its description")
    if chosen.hold_out:
        from napari_impa.cells.tables import where_in_words

        print(f"Held out: {where_in_words(chosen.hold_out)}")
    facts = chosen.history
    if {"steps", "seconds", "device", "date"} <= facts.keys():
        minutes = facts["seconds"] / 60
        print(f"Trained for {facts['steps']:,} steps in {minutes:.1f} minutes on {facts['device']}, {facts['date']}.")
    from napari_impa.work.model_facts import described_in_words, gap_in_words

    print(gap_in_words(chosen.history), end="")
    print(described_in_words(chosen.history), end="")


def _print_card(card: Card) -> None:
    named = {"Author": card.author, "Licence": card.licence, "DOI": card.doi, "Cite": card.citation}
    for name, value in named.items():
        if value:
            print(f"{name}: {value}")
    if card.text:
        print(f"\n{card.text}")
