"""What a package of bioimage.io tells its reader: the model's card, what goes in and comes out, and where it ends."""

from __future__ import annotations

from napari_impa.cells.tables import where_in_words
from napari_impa.engine.describing.new_condition import Target, name_of
from napari_impa.engine.model.card import Card
from napari_impa.engine.model.misfits import learned_from_simulated, weaknesses
from napari_impa.engine.model.model import IMPA
from napari_impa.work.model_facts import described_in_words, gap_in_words


def guide_text(model: IMPA, condition: Target, card: Card, *, tested: int) -> str:
    """Markdown: the card, the tensors, what it was trained on, limits, validation by so many cells."""
    parts = [card.text or f"# {card.title or model.name}"]
    if card.citation:
        parts.append(f"Cite: {card.citation}")
    parts += ["## What this package does", _what_it_does(model, name_of(condition))]
    parts += ["## Trained on", "\n".join(f"- {line}" for line in _trained_on(model, condition))]
    parts += ["## Limits of this package", "\n".join(f"- {line}" for line in _limits(model))]
    parts += ["## Validation", _validation(model, tested)]
    return "\n\n".join(parts) + "\n"


def _what_it_does(model: IMPA, name: str) -> str:
    pixels = f"{model.pixel_size:g} µm a pixel" if model.pixel_size else "of a pixel size that the model does not say"
    into = "cells as they would look in the batch" if model.task == "batch" else "cells as they would look under"
    told = " Which batch a cell comes from is told from the cell." if model.task == "batch" else ""
    rows = "\n".join(
        f"| {channel} | {low:g} | {high:g} |" for channel, (low, high) in zip(model.channels, model.limits, strict=True)
    )
    return (
        f"It turns crops of single cells ({model.size} × {model.size} px, {pixels}, the nucleus in the middle) into "
        f"{into} **{name}**, by IMPA (Palma et al., Nature Communications 16:505, 2025).\n\n"
        "`cells` and `predicted` are float32 (batch, channel, y, x) in the units of the camera. Intensity limits, the "
        f"style of the condition, strength 1 and variability 0 are part of the weights.{told} The channels in their "
        f"order, and the intensities that the model sees; what is beyond is taken for these:\n\n"
        f"| channel | from | to |\n| --- | --- | --- |\n{rows}"
    )


def _trained_on(model: IMPA, condition: Target) -> list[str]:
    name, lines = name_of(condition), []
    if isinstance(condition, str) and condition in model.conditions:
        count = model.counts.get(condition)
        lines.append(f"{count:,} cells of {name}." if count else f"Cells of {name}.")
    else:
        lines.append(f"No cell of {name}: the model knows it by its description alone.")
    if model.control is not None:
        lines.append(f"{model.counts.get(model.control, 0):,} cells of the control, {model.control}.")
    lines.append(f"{len(model.conditions):,} {'batches' if model.task == 'batch' else 'conditions'} in all.")
    if model.hold_out:
        lines.append(f"Not on cells with {where_in_words(model.hold_out)}, which were held out.")
    return lines


def _limits(model: IMPA) -> list[str]:
    cells = "Cells of its batches" if model.task == "batch" else "Untreated cells"
    lines = [
        f"{cells} as it was trained on are what it takes. Other stains, magnifications, cell lines or exposures mean "
        "nothing to it, and it does not say so.",
        "What it makes is a prediction, no measurement: compare it with real cells before you conclude anything.",
        *weaknesses(model),
    ]
    if learned_from_simulated(model):
        lines.append("It learned from simulated cells: of cells that are real, what it makes means nothing.")
    return lines


def _validation(model: IMPA, tested: int) -> str:
    test = f"`test-output.npy` is what `weights.pt` makes of `test-input.npy`, {tested} cells."
    known = gap_in_words(model.history) + described_in_words(model.history)
    return f"{test}\n\n{known or 'How it does on held-out cells is in the card above, or not known.'}".strip()
