"""How well a model predicts, by what its history says, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def gap_in_words(history: Mapping[str, Any]) -> str:
    """One line on the gap that a model closes on held-out cells; empty where none were scored."""
    if history.get("gap_closed") is not None:
        real = f"; other real cells {history['gap_floor']:.2f}" if history.get("gap_floor") is not None else ""
        gap = f"{history['gap_closed']:.2f} (0: as the control, 1: as real cells{real})"
        return f"Gap closed on held-out cells: {gap}.\n"
    if "score" in history:
        return "Gap closed: not known, as its training was scored by an earlier measure; `evaluate` measures it.\n"
    return ""


def described_in_words(history: Mapping[str, Any]) -> str:
    """One line on how well descriptions that were added afterwards tell styles; empty where none were."""
    if "described" not in history:
        return ""
    told = history["described"]
    worth = f"an error of {told['error']:.2f} (0: as learned from cells, 1: no better than their mean)"
    return f"Described afterwards by {told['by']}, {told['date']}; conditions left out are predicted with {worth}.\n"
