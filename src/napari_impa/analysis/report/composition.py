"""From an evaluation to what its report says: which figures stand where, and which measurements are drawn."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.analysis.attribution.masks import SIZES
from napari_impa.analysis.attribution.mattered_cells import MatteredCells
from napari_impa.analysis.beside import ROWS
from napari_impa.analysis.compared.extremes import ExtremeCells
from napari_impa.analysis.evaluation import Evaluation
from napari_impa.analysis.features.space import FAMILIES
from napari_impa.analysis.metrics import METRICS
from napari_impa.analysis.metrics.gap import family_column
from napari_impa.analysis.metrics.support import SUPPORT
from napari_impa.analysis.report.contents import (
    ConditionPanel,
    CountedCells,
    DistributedMeasurement,
    ExplainedFigure,
    MatteredPart,
    MeasurementRow,
    PicturedCells,
    ReportContents,
    ReportedFinding,
    ReportedScore,
    ScoredRow,
    SupportCurve,
)
from napari_impa.analysis.report.diagrams import FamilyBar
from napari_impa.analysis.report.page import write_number, write_share
from napari_impa.analysis.score_table import row_titles
from napari_impa.analysis.verdict.verdict import rules_in_words
from napari_impa.versions import versions

MOST_PANELS = 12
"""Conditions that have a panel of their own; the others are in the tables."""

DRAWN = 7
"""Measurements whose distributions are drawn."""

MOST_OF_A_FAMILY = 2
"""Of them of one family."""

ALIKE = 0.9
"""Correlation between cells from which on two measurements say the same, so that one of them is drawn."""

METHOD = (
    "The method: Palma, Theis & Lotfollahi, Predicting cell morphological responses to perturbations using generative "
    "modeling. Nature Communications 16, 505 (2025), doi:10.1038/s41467-024-55707-8."
)

CITATIONS = {
    "measurements": (
        "The measurements: Stirling et al., CellProfiler 4: improvements in speed, utility and usability. BMC "
        "Bioinformatics 22, 433 (2021), doi:10.1186/s12859-021-04344-9; their definitions on single cells: "
        "cp_measure, Muñoz et al., arXiv:2507.01163 (2025)."
    ),
    "inception": (
        "The Fréchet Inception Distance: Heusel et al., GANs trained by a two time-scale update rule converge to a "
        "local Nash equilibrium. NeurIPS (2017)."
    ),
    "dinov2": "DINOv2: Oquab et al., DINOv2: learning robust visual features without supervision. TMLR (2024).",
}
"""What to cite for each feature space."""


def report_contents(evaluation: Evaluation, *, now: datetime.datetime | None = None) -> ReportContents:
    """Compose what the report of an evaluation says; `now` is its date, by default today's."""
    table, made = evaluation.table, evaluation.table.attrs
    conditions = list(dict.fromkeys(table["condition"]))
    scores = tuple(_scores(table))
    verdict = evaluation.verdict
    what = "cells of other batches" if made["task"] == "batch" else "treated cells"
    return ReportContents(
        model=made["model"],
        title=f"How well {made['model']} predicts {what}",
        facts=tuple(_facts(evaluation, now or datetime.datetime.now().astimezone())),
        first=verdict.first,
        paragraph=verdict.text.removeprefix(verdict.first).strip(),
        findings=tuple(ReportedFinding(one.name, one.side, one.sentence) for one in verdict.findings),
        rules=tuple(rules_in_words()),
        held_out=made["held_out"],
        notes=tuple(_notes(made)),
        channels=evaluation.channels,
        pixel_size=evaluation.pixel_size,
        counts=tuple(_counted(table, evaluation.counts)),
        panels=tuple(_panel(evaluation, condition) for condition in conditions[:MOST_PANELS]),
        without_panel=tuple(conditions[MOST_PANELS:]),
        scores=scores,
        rows=tuple(_rows(table, scores)),
        support=tuple(_support(evaluation.support, table)),
        measurements=tuple(_measurements(evaluation.measured)),
        explained=tuple(_explained(table)),
        settings=_settings(made),
        citations=tuple(_citations(made)),
    )  # fmt: skip


def _facts(evaluation: Evaluation, now: datetime.datetime) -> Iterator[tuple[str, str]]:
    made, predicted = evaluation.table.attrs, _of_row(evaluation.table, "predicted")
    yield "model", made["model"]
    yield "hash", made["model_hash"][:16]
    yield "cells scored", f"{predicted['cells'].sum():,} predicted, {predicted['real'].sum():,} real ones"
    yield "which", made["where"] or "all cells"
    yield "date", f"{now:%Y-%m-%d %H:%M}"
    yield from ((name, text) for name, text in versions().items() if name in ("napari-impa", "torch", "python"))


def _notes(made: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"Not measured: {sentence}" for sentence in made["not_measured"])
    if made["not_scored"]:
        yield f"Not scored, for want of real cells among these: {', '.join(made['not_scored'])}."


def _counted(table: pd.DataFrame, counts: pd.DataFrame) -> Iterator[CountedCells]:
    elsewhere = _of_row(table, "real").set_index("condition")["cells"]
    compared = _of_row(table, "predicted").set_index("condition").get("compared")
    for one in counts.itertuples():
        yield CountedCells(
            condition=one.condition,
            turned=one.turned,
            real=one.real,
            elsewhere=int(elsewhere.get(one.condition, 0)),
            plates=_known(one.plates),
            wells=_known(one.wells),
            compared=None if compared is None else _known(compared[one.condition]),
        )


def _known(count: float) -> int | None:
    return None if pd.isna(count) else int(count)


def _of_row(table: pd.DataFrame, row: str) -> pd.DataFrame:
    return table[table["row"] == row]


def _panel(evaluation: Evaluation, condition: str) -> ConditionPanel:
    table = evaluation.table[evaluation.table["condition"] == condition].set_index("row")
    measured = evaluation.measured[
        (evaluation.measured["condition"] == condition) & (evaluation.measured["row"] == "predicted")
    ].reset_index(drop=True)
    return ConditionPanel(
        condition=condition,
        key_figures=tuple(_key_figures(table)),
        pictures=tuple(_pictured(evaluation.extremes[condition], evaluation.mattered.get(condition))),
        distributions=tuple(_distributions(measured, evaluation.values[condition])),
        families=tuple(_families(evaluation.families[evaluation.families["condition"] == condition])),
        mattered=mattered_part(evaluation.mattered.get(condition)),
    )


def _key_figures(table: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """What stands at the head of a panel; `table` has a line a row of the condition."""

    def value(row: str, column: str) -> float:
        return float(table.at[row, column]) if row in table.index and column in table else float("nan")

    closed, low, high = (value("predicted", column) for column in ("gap_closed", "gap_low", "gap_high"))
    between = f" ({write_number(low)} to {write_number(high)})" if np.isfinite([low, high]).all() else ""
    yield "gap closed, 0 … 1", write_number(closed) + between
    yield "real cells, repeated", write_number(value("real", "gap_closed"))
    yield "mean effect, no network", write_number(value("mean_effect", "gap_closed"))
    for column, title in (("right", "taken for it (real cells)"), ("treated", "taken for treated (real cells)")):
        if np.isfinite(value("predicted", column)):
            yield title, f"{write_share(value('predicted', column))} ({write_share(value('real', column))})"


def _pictured(extremes: ExtremeCells, mattered: MatteredCells | str | None) -> Iterator[PicturedCells]:
    kinds = np.array(extremes.kinds)
    masks, words = _masks(extremes, mattered) if isinstance(mattered, MatteredCells) else (None, [])
    for kind in dict.fromkeys(extremes.kinds):
        some = kinds == kind
        yield PicturedCells(
            kind, extremes.control[some], extremes.predicted[some], extremes.real[some], extremes.error[some],
            None if masks is None else masks[some], tuple(np.array(words, object)[some]) if words else (),
        )  # fmt: skip


def _masks(extremes: ExtremeCells, mattered: MatteredCells) -> tuple[NDArray[np.bool_], list[str]]:
    """(n, S, S) what mattered in the extreme cells, in whatever channel, and how much of each that is."""
    place = {position: number for number, position in enumerate(mattered.positions)}
    rows = [place[position] for position in extremes.positions]
    sizes, flipped = mattered.found.sizes[rows], mattered.found.flipped[rows]
    words = [
        "as it is" if np.isnan(size) else _share_of_crop(size) if flips else "not enough"
        for size, flips in zip(sizes, flipped, strict=True)
    ]
    return np.asarray((mattered.found.masks[rows] > 0.5).any(1)), words


def _share_of_crop(size: float) -> str:
    return "under 1 %" if size < 0.01 else write_share(size)


def mattered_part(mattered: MatteredCells | str | None) -> MatteredPart | str | None:
    """Sum up what mattered in a condition; the sentence that says why it is not known stays one."""
    if not isinstance(mattered, MatteredCells):
        return mattered
    found = mattered.found
    told = np.isfinite(found.sizes)
    return MatteredPart(
        share=_middle(found.sizes[found.flipped]),
        flipped=float(found.flipped[told].mean()) if told.any() else float("nan"),
        area=_middle(found.areas[told]),
        sizes=SIZES,
        changes=np.median(found.curve[told], axis=0) if told.any() else np.zeros(len(SIZES)),
        accuracy=found.accuracy,
        how=found.how,
        cells=len(mattered.positions),
    )


def _middle(values: NDArray[np.float64]) -> float:
    return float(np.median(values)) if len(values) else float("nan")


def _distributions(
    measured: pd.DataFrame, values: Mapping[str, NDArray[np.float64]]
) -> Iterator[DistributedMeasurement]:
    pooled = np.concatenate([values["control"], values["real"]])
    shift = measured["shift"].where(measured["moves"]).to_numpy()
    for number in most_moved(shift, pooled, list(measured["family"])):
        one = measured.iloc[number]
        groups = {group: some[:, number] for group, some in values.items()}
        yield DistributedMeasurement(
            one["title"], one["measurement"], one["family"], one["shift"], one["closed"], groups
        )


def most_moved(
    shift: NDArray[np.float64], values: NDArray[np.float64], families: Sequence[str], count: int = DRAWN
) -> list[int]:
    """Choose the measurements that move most; of several that say the same the first, and few of a family.

    Parameters
    ----------
    shift
        (D,) of each measurement, NaN where it does not truly move.
    values
        (n, D) of control and real cells, in which measurements are compared.
    families
        D families.
    count
        How many.

    Returns
    -------
    Columns, by falling size of the shift; fewer than `count` where too few move.
    """
    chosen: list[int] = []
    for number in np.argsort(-np.abs(np.nan_to_num(shift)), kind="stable"):
        if len(chosen) == count or not np.isfinite(shift[number]):
            break
        full = sum(families[other] == families[number] for other in chosen) == MOST_OF_A_FAMILY
        if not full and all(_correlation(values[:, number], values[:, other]) < ALIKE for other in chosen):
            chosen.append(int(number))
    return chosen


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Size of Pearson's correlation over the cells that have both; 0 where it is not defined."""
    both = np.isfinite(a) & np.isfinite(b)
    a, b = a[both], b[both]
    if len(a) < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(abs(np.corrcoef(a, b)[0, 1]))


def _families(families: pd.DataFrame) -> Iterator[FamilyBar]:
    by_row = {str(row): part.set_index("family") for row, part in families.groupby("row", sort=False)}

    def value(row: str, family: str, column: str = "closed") -> float:
        return float(by_row[row].at[family, column]) if row in by_row and family in by_row[row].index else float("nan")

    for family in ("all", *FAMILIES):
        moving = value("predicted", family, "moving")
        yield FamilyBar(
            family, value("predicted", family), value("predicted", family, "low"), value("predicted", family, "high"),
            value("real", family), value("mean_effect", family), int(moving) if np.isfinite(moving) else 0,
        )  # fmt: skip


def _scores(table: pd.DataFrame) -> Iterator[ReportedScore]:
    yield ReportedScore("cells", "cells", "Cells that are judged.", "Counts", _whole)
    yield ReportedScore("real", "real cells", "Real cells that they are held against.", "Counts", _whole)
    for metric in METRICS:
        if metric.headline not in table:
            continue
        part, title = metric.part(table), f"{metric.title} ({metric.better} is better)"
        alike = {metric.headline, *map(family_column, FAMILIES)}  # as good high, or low, as the headline
        for column, head in part.heads.items():
            if column in table:
                ranked = column in alike or column.startswith(f"{metric.headline}_")
                write = _whole if pd.api.types.is_integer_dtype(table[column]) else part.write
                text = part.text.replace("\n", " ")
                yield ReportedScore(column, head, text, title, write, metric.better if ranked else None)


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _rows(table: pd.DataFrame, scores: Sequence[ReportedScore]) -> Iterator[ScoredRow]:
    titles, notes = row_titles(table), {row.name: row.note for row in ROWS}
    for _, line in table.iterrows():
        values = tuple(float(line[score.key]) for score in scores)
        yield ScoredRow(line["condition"], line["row"], titles[line["row"]], notes[line["row"]], values)


def _support(support: pd.DataFrame, table: pd.DataFrame) -> Iterator[SupportCurve]:
    beside = table.set_index(["condition", "row"]).get(SUPPORT.headline, pd.Series(dtype=float))
    for condition, part in support.groupby("condition", sort=False):
        control, real = (float(beside.get((condition, row), float("nan"))) for row in ("control", "real"))
        yield SupportCurve(str(condition), tuple(part["strength"]), tuple(part["outside"]), control, real)


def _measurements(measured: pd.DataFrame) -> Iterator[MeasurementRow]:
    for one in measured[measured["row"] == "predicted"].itertuples():
        yield MeasurementRow(
            one.condition,
            one.measurement,
            one.title,
            one.family,
            bool(one.moves),
            one.shift,
            one.closed,
            one.low,
            one.high,
        )


def _explained(table: pd.DataFrame) -> Iterator[ExplainedFigure]:
    for metric in METRICS:
        if metric.headline in table:
            yield ExplainedFigure(metric.title, metric.part(table).text.replace("\n", " "), metric.source)


def _citations(made: Mapping[str, Any]) -> Iterator[str]:
    yield METHOD
    if made["citation"]:
        yield f"The model {made['model']}: {made['citation']}"
    yield from (CITATIONS[space] for space in made["spaces"] if space in CITATIONS)


def _settings(made: Mapping[str, Any]) -> dict[str, str]:
    drawn = "wells" if made["drawn"] == "wells" else "cells, as there are under five wells of a kind"
    return {
        "control": "–" if made["control"] is None else str(made["control"]),
        "strength": f"{made['strength']:g}",
        "variability": f"{made['variability']:g}",
        "seed": f"{made['seed']}",
        "features": ", ".join(made["spaces"]),
        "nuclei in": made["nuclei"] + (f" ({made['nuclei_guessed']})" if made["nuclei_guessed"] else ""),
        "most cells of a condition": f"{made['most']:,}",
        "intervals draw": drawn,
        "classifier": str(made["classifier"]),
    }
