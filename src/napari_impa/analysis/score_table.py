"""The table of `evaluate` as text, with a sentence on how to read each part."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from napari_impa.analysis.metrics import METRICS
from napari_impa.analysis.metrics.metric import words_of
from napari_impa.analysis.selection import FEWEST


def format_table(table: pd.DataFrame) -> str:
    """Write the table of `evaluate` for a terminal, with a sentence on how to read each part."""
    made = table.attrs
    what, _ = words_of(table)
    seen = (
        "cells that the training held out."
        if made["held_out"]
        else "the training may have seen some of these cells, which flatters it."
    )
    lines = [f"{made['model']}, {made['where'] or 'all cells'}: {seen}"]
    for metric in METRICS:
        if metric.headline in table:
            part = metric.part(table)
            lines += ["", part.text, _aligned(table, {"condition": what, **part.heads}, part.write)]
    lines += ["", f"The classifier was {made['classifier']}."]
    if made["not_scored"]:
        lines += [f"Not scored (fewer than {FEWEST} real cells among these): {', '.join(made['not_scored'])}."]
    return "\n".join(lines)


def _aligned(table: pd.DataFrame, heads: Mapping[str, str], write: Callable[[float], str]) -> str:
    """Columns under their heads, the first to the left, the others to the right."""
    columns: list[Sequence[str]] = []
    for key, head in heads.items():
        texts = [head, *(write(value) if isinstance(value, float) else str(value) for value in table[key])]
        width = max(map(len, texts))
        columns.append([f"{text:<{width}}" if key == "condition" else f"{text:>{max(width, 9)}}" for text in texts])
    return "\n".join("  " + "  ".join(line) for line in zip(*columns, strict=True))
