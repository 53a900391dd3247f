"""The table of `evaluate` as text: the verdict, the rows of each condition beside each other, and how to read them."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

import numpy as np
import pandas as pd

from napari_impa.analysis.beside import ROWS
from napari_impa.analysis.metrics import METRICS
from napari_impa.analysis.metrics.metric import words_of
from napari_impa.analysis.selection import FEWEST

WIDTH = 118
"""Letters of a line."""


def format_table(table: pd.DataFrame) -> str:
    """Write the table of `evaluate` for a terminal: the verdict, each condition, and how to read each column."""
    made = table.attrs
    what, _ = words_of(table)
    seen = (
        "cells that the training held out."
        if made["held_out"]
        else "the training may have seen some of these cells, which flatters it."
    )
    lines = [f"{made['model']}, {made['where'] or 'all cells'}: {seen}", "", *textwrap.wrap(made["verdict"], WIDTH)]
    columns = _columns(table)
    for condition, part in table.groupby("condition", sort=False):
        lines += ["", f"{what} {condition}:", *_block(part, columns, row_titles(table))]
    lines += ["", "How to read it:"]
    for metric in METRICS:
        if metric.headline in table:
            lines += textwrap.wrap(metric.part(table).text.replace("\n", " "), WIDTH, initial_indent="- ",
                                   subsequent_indent="  ")  # fmt: skip
    for row in ROWS:
        if (table["row"] == row.name).any():
            lines += textwrap.wrap(f"{row_titles(table)[row.name]}: {row.note}", WIDTH, initial_indent="- ",
                                   subsequent_indent="  ")  # fmt: skip
    spaces = " and ".join(made["spaces"])
    drawn = "wells" if made["drawn"] == "wells" else "cells, as there are under five wells of a kind"
    guessed = f", {made['nuclei_guessed']}; --nuclei-channel chooses" if made["nuclei_guessed"] else ""
    lines += textwrap.wrap(f"- Nuclei are looked for in {made['nuclei']}{guessed}.", WIDTH, subsequent_indent="  ")
    lines += textwrap.wrap(
        f"- Cells are compared by {spaces}; intervals draw {drawn}; the classifier was {made['classifier']}.", WIDTH,
        subsequent_indent="  ",
    )  # fmt: skip
    for sentence in made["not_measured"]:
        lines += textwrap.wrap(f"- Not measured: {sentence}", WIDTH, subsequent_indent="  ")
    if made["not_scored"]:
        lines += [f"Not scored (fewer than {FEWEST} real cells among these): {', '.join(made['not_scored'])}."]
    return "\n".join(lines)


def row_titles(table: pd.DataFrame) -> dict[str, str]:
    """What each row is called."""
    control = "uncorrected" if table.attrs["task"] == "batch" else "untreated control"
    return {row.name: row.title.format(control=control) for row in ROWS}


def _columns(table: pd.DataFrame) -> list[tuple[str, str, Callable[[float], str]]]:
    """Column, head and how it is written, of all that is printed."""
    out: list[tuple[str, str, Callable[[float], str]]] = [
        ("cells", "cells", _whole), ("real", "real", _whole),
    ]  # fmt: skip
    for metric in METRICS:
        if metric.headline in table:
            part = metric.part(table)
            out += [(column, head, part.write) for column, head in part.heads.items() if column in table]
    return out


def _block(
    part: pd.DataFrame, columns: list[tuple[str, str, Callable[[float], str]]], titles: dict[str, str]
) -> list[str]:
    """Rows under their heads, in as many blocks beside their titles as a line takes."""
    first = ["", *(titles[name] for name in part["row"])]
    margin = max(map(len, first))
    blocks: list[list[list[str]]] = [[]]
    used = margin
    for column, head, write in columns:
        texts = [head, *(_written(value, write) for value in part[column])]
        if all(text == "–" for text in texts[1:]):
            continue
        width = max(map(len, texts))
        if used + width + 2 > WIDTH - 2:
            blocks.append([])
            used = margin
        used += width + 2
        blocks[-1].append([text.rjust(width) for text in texts])
    lines = []
    for number, block in enumerate(blocks):
        lines += [""] if number else []
        for row, title in enumerate(first):
            lines.append(("  " + "  ".join([title.ljust(margin), *(cells[row] for cells in block)])).rstrip())
    return lines


def _written(value: float, write: Callable[[float], str]) -> str:
    return "–" if pd.isna(value) else _whole(value) if isinstance(value, (int, np.integer)) else write(value)


def _whole(value: float) -> str:
    return f"{value:.0f}"
