"""What every metric promises, and that one more is in table and printing as soon as it is listed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from napari_impa.analysis.evaluation import evaluation
from napari_impa.analysis.metrics import METRICS, Metric
from napari_impa.analysis.metrics.metric import PrintedPart
from napari_impa.analysis.score_table import format_table
from napari_impa.cells.store import Cells

FEATURES = ("fast", "quick")

NOT_OF_THE_EFFECT = {"support", "identity", "memory", "mechanism", "nuclei"}
"""Metrics that cells left as they are may pass: they say what has to stay, or cannot tell two compounds apart."""

metrics = pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)


@pytest.fixture(scope="module")
def acting(cells: Cells) -> Cells:
    """The cells, with a mechanism of action."""
    return replace(cells, table=cells.table.assign(moa=np.where(cells.conditions == "DMSO", "", "change")))


@pytest.fixture(scope="module")
def held_out(double: Any) -> Callable[[Any], Any]:
    """Make a model that has held out a plate."""
    return lambda answer: double(answer, hold_out={"plate": ("P2",)})


@pytest.fixture(scope="module")
def tables(
    cells: Cells, acting: Cells, double: Any, held_out: Any
) -> Callable[[Metric], tuple[pd.DataFrame, pd.DataFrame]]:
    """Tables of good predictions and of cells left as they are, of the task that a metric is for."""
    second = (cells.table["batch"] == 1).to_numpy()
    pixels = cells.pixels.copy()
    pixels[second] = (pixels[second] * 1.4).astype(np.uint16)
    batches, of_batches = replace(cells, pixels=pixels), {"task": "batch", "label": ("batch",), "control": None}

    def corrected(some: Cells, condition: str) -> Any:
        return (some.pixels * (1.4 if condition == "1" else 1 / 1.4)).astype(np.uint16)

    perturbed = [
        evaluation(held_out(answer), acting, features=FEATURES).table for answer in (double.oracle, double.unchanged)
    ]
    turned = [
        evaluation(double(answer, names=("0", "1"), **of_batches), batches, features=FEATURES).table
        for answer in (corrected, double.unchanged)
    ]
    return lambda metric: tuple(turned if "batches" in metric.needs else perturbed)  # type: ignore[return-value]


@pytest.fixture(scope="module")
def plain(cells: Cells, double: Any) -> pd.DataFrame:
    """Table of cells without mechanisms or a hold-out."""
    return evaluation(double(double.unchanged), cells, features=("fast",)).table


def test_names_tell_metrics_apart() -> None:
    assert len({metric.name for metric in METRICS}) == len({metric.headline for metric in METRICS}) == len(METRICS)


@metrics
def test_a_metric_says_where_it_comes_from(metric: Metric) -> None:
    assert metric.source.endswith(".")


@metrics
def test_good_predictions_have_the_better_headline(metric: Metric, tables: Any) -> None:
    good, unchanged = (table.loc[table["row"] == "predicted", metric.headline] for table in tables(metric))
    assert good.notna().all()
    if metric.name == "identity":  # nothing is more the same cell than the cell itself
        assert (unchanged == 1).all()
    if metric.name in NOT_OF_THE_EFFECT:
        return
    assert (good < unchanged).all() if metric.better == "lower" else (good > unchanged).all()


@metrics
def test_what_is_printed_is_in_the_table(metric: Metric, tables: Any) -> None:
    for table in tables(metric):
        part = metric.part(table)
        assert metric.headline in part.heads
        assert set(part.heads) <= set(table.columns)
        text = " ".join(format_table(table).split())
        assert " ".join(part.text.split()) in text
        assert all(head in text for column, head in part.heads.items() if table[column].notna().any())
        assert max(map(len, part.text.splitlines())) <= 120


@metrics
def test_a_metric_is_left_out_where_what_it_needs_is_not_there(metric: Metric, tables: Any, plain: Any) -> None:
    assert metric.headline in tables(metric)[1]
    assert (metric.headline in plain) == (not metric.needs & {"batches", "mechanisms", "training"})


@pytest.mark.parametrize(("plates", "there"), [(("P1", "P2"), True), (("P1",), False)])
def test_one_more_metric_is_its_line_in_the_list(
    cells: Cells, double: Any, monkeypatch: pytest.MonkeyPatch, plates: tuple[str, ...], there: bool
) -> None:
    more = Metric(
        name="light",
        title="Light",
        headline="light",
        better="higher",
        needs=frozenset({"plates", "pixels"}),
        columns=lambda of: {"light": float(of.cells.pixels.mean())},
        part=lambda table: PrintedPart("How light it is.", {"light": "light"}, lambda value: f"{value:.0f} counts"),
    )
    for module in ("evaluation", "score_table"):
        monkeypatch.setattr(f"napari_impa.analysis.{module}.METRICS", (*METRICS, more))
    some = cells.take(cells.table["plate"].isin(plates).to_numpy())
    table = evaluation(double(double.unchanged), some, features=("fast",)).table
    assert ("light" in table) == there
    assert (" counts" in format_table(table)) == there
