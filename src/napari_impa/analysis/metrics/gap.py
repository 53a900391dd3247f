"""Gap closed: the share of the way from control to real treated cells that cells go, by family of measurement."""

from __future__ import annotations

import pandas as pd

from napari_impa.analysis.compared.comparison import Compared
from napari_impa.analysis.features.space import FAMILIES
from napari_impa.analysis.metrics.metric import Metric, PrintedPart, with_two_digits, words_of


def family_column(family: str) -> str:
    """Column of the table that has the gap closed of a family."""
    return f"gap_{family.replace(' ', '_')}"


def _columns(of: Compared) -> dict[str, float]:
    """Gap closed over all families and its interval, of each family, and side effects."""
    gaps = of.gaps
    out = {
        "gap_closed": gaps.overall.value,
        "gap_low": gaps.overall.low,
        "gap_high": gaps.overall.high,
        "moving": float(gaps.overall.measurements),
    }
    for family in FAMILIES:
        out[family_column(family)] = gaps.families[family].value if family in gaps.families else float("nan")
    return out | {"moved_unasked": gaps.moved_unasked}


def _part(table: pd.DataFrame) -> PrintedPart:
    what, control = words_of(table)
    text = (
        f"Gap closed: the share of the way from {control} cells to real cells of the {what}, over the measurements "
        "that\ntruly move: 0 is no better than leaving the cells as they are, 1 is as good as real ones; 90 % interval;"
        " then by family.\nUnasked: share of the other measurements that are moved all the same."
    )
    heads = {"gap_closed": "gap closed", "gap_low": "from", "gap_high": "to"}
    heads |= {family_column(family): family.removesuffix(" distribution") for family in FAMILIES}
    return PrintedPart(text, heads | {"moved_unasked": "unasked"}, with_two_digits)


GAP = Metric(
    name="gap_closed",
    title="Gap closed",
    headline="gap_closed",
    better="higher",
    needs=frozenset({"features"}),
    columns=_columns,
    part=_part,
    source="1 − W(predicted, real) / W(control, real), W the first Wasserstein distance (Villani, Optimal transport: "
    "old and new, 2009) less what few cells add to it.",
)
