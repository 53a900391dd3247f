"""Sizes of networks by name, one row each: command line, form and documentation follow."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class NetworkPreset:
    """Networks of a width.

    Parameters
    ----------
    name
        As settings call it.
    width
        Base width of the convolutions (`Shape.width`).
    title
        What a form offers.
    note
        What the command line says beside name and width.
    """

    name: str
    width: int
    title: str
    note: str = ""


PRESETS = (
    NetworkPreset("tiny", 16, "tiny: for a CPU", " (for a CPU)"),
    NetworkPreset("small", 32, "small: for a GPU"),
    NetworkPreset("paper", 64, "paper: for a large GPU"),
)
"""From the narrowest on."""

WIDTHS = {preset.name: preset.width for preset in PRESETS}
