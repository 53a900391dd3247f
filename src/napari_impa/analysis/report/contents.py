"""What the page of a report says, part by part, before it is written as HTML: words, numbers, pictures and diagrams."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_impa.analysis.report.diagrams import FamilyBar


@dataclass(frozen=True)
class ReportedFinding:
    """What one rule of the verdict found: its name, the side that it takes (`against`, `for` or `about`), in words."""

    name: str
    side: str
    sentence: str


@dataclass(frozen=True)
class CountedCells:
    """How many cells of a condition were compared, and where they were.

    Parameters
    ----------
    condition
        Its name.
    turned, real, elsewhere
        Cells turned into it; real cells of it that they were compared with; and real cells that give the floor.
    plates, wells
        Of the real cells; None where no table says.
    compared
        Cells on either side of a distance.
    """

    condition: str
    turned: int
    real: int
    elsewhere: int = 0
    plates: int | None = None
    wells: int | None = None
    compared: int | None = None


@dataclass(frozen=True, eq=False)
class PicturedCells:
    """Some predicted cells of a condition with what they were made of and the nearest real cell of each.

    Parameters
    ----------
    name
        `best`, `median` or `worst`.
    control, predicted, real
        (k, C, S, S) pixels in the camera's units.
    errors
        (k,) measured error of each predicted cell.
    masks
        (k, S, S) bool, what mattered in each, in whatever channel; None where it is not known.
    mattered
        (k,) in words how much of the crop that is.
    """

    name: str
    control: NDArray[np.generic]
    predicted: NDArray[np.generic]
    real: NDArray[np.generic]
    errors: NDArray[np.float64]
    masks: NDArray[np.bool_] | None = None
    mattered: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class DistributedMeasurement:
    """A measurement that truly moves: its values in each group of cells.

    Parameters
    ----------
    title, name
        For a reader, and as CellProfiler calls it.
    family
        What kind of measurement it is.
    shift
        From the median of control to that of real cells, in standard deviations.
    closed
        How much of the gap the predicted cells close.
    groups
        The (n,) values of `control`, `predicted` and `real` cells.
    """

    title: str
    name: str
    family: str
    shift: float
    closed: float
    groups: Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class MatteredPart:
    """What mattered to a classifier of real cells between control cells and their predictions.

    Parameters
    ----------
    share
        Median share of the crop, of all its channels, that the smallest mask takes which flips the classifier.
    flipped
        Share of the cells, of those that it does not take for treated as they are, in which a mask flips it.
    area
        Median area under the curve of change against size, 0 … 1.
    sizes, changes
        (k,) of that curve.
    accuracy, how
        Of the classifier, on real cells that it never saw, and which cells those are.
    cells
        How many predicted cells were looked at.
    """

    share: float
    flipped: float
    area: float
    sizes: NDArray[np.float64]
    changes: NDArray[np.float64]
    accuracy: float
    how: str
    cells: int


@dataclass(frozen=True, eq=False)
class ConditionPanel:
    """All that is shown of one condition.

    Parameters
    ----------
    condition
        Its name.
    key_figures
        What stands at its head: a name and a number in words each.
    pictures
        Best, median and worst cells.
    distributions
        Of the measurements that move most.
    families
        How far each family came.
    mattered
        What mattered, or the sentence that says why it is not known; None where it was not asked for.
    """

    condition: str
    key_figures: tuple[tuple[str, str], ...]
    pictures: tuple[PicturedCells, ...]
    distributions: tuple[DistributedMeasurement, ...]
    families: tuple[FamilyBar, ...]
    mattered: MatteredPart | str | None = None


@dataclass(frozen=True)
class ReportedScore:
    """A score in the tables of rows.

    Parameters
    ----------
    key
        Its column in `scores.csv`.
    head, about, metric
        What it is called, how to read it, and the metric that it is of.
    write
        Writes its numbers.
    better
        Which values are good; None where none is (counts).
    """

    key: str
    head: str
    about: str
    metric: str
    write: Callable[[float], str]
    better: Literal["lower", "higher"] | None = None


@dataclass(frozen=True)
class ScoredRow:
    """A set of cells that is held against real cells of a condition: predicted ones, or what stands beside them.

    Parameters
    ----------
    condition
        What the cells are held against.
    name, title, note
        What a script and what a reader calls them, and what they are for.
    values
        One a score; NaN where it has none.
    """

    condition: str
    name: str
    title: str
    note: str
    values: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class SupportCurve:
    """Share of predicted cells of a condition outside the neighbourhood of real ones, along strength."""

    condition: str
    strengths: tuple[float, ...]
    outside: tuple[float, ...]
    control: float = float("nan")
    real: float = float("nan")


@dataclass(frozen=True)
class MeasurementRow:
    """One measurement of one condition, of the long table."""

    condition: str
    name: str
    title: str
    family: str
    moves: bool
    shift: float
    closed: float
    low: float = float("nan")
    high: float = float("nan")


@dataclass(frozen=True)
class ExplainedFigure:
    """How a figure is computed, in one line, and where its definition comes from."""

    name: str
    how: str
    source: str = ""


@dataclass(frozen=True, eq=False)
class ReportContents:
    """Everything on the page.

    Parameters
    ----------
    model, title
        The model's name, and what the page is called.
    facts
        Model, hash, cells, date, versions: a name and a text each.
    first, paragraph, findings, rules
        The verdict: its first line, the paragraph, what it rests on, and the rules that made it in words.
    held_out
        Whether the training saw none of the scored cells.
    notes
        What else a reader must know before the numbers.
    channels, pixel_size
        Of the pictures: their names; µm a pixel, None where it is not known.
    counts
        What was compared.
    panels, without_panel
        One a condition; names of conditions for which there was no room.
    scores, rows
        The tables of all rows; the first score sums all up.
    support, measurements, explained, settings, citations
        The rest of the page, in its order.
    """

    model: str
    title: str
    facts: tuple[tuple[str, str], ...]
    first: str
    paragraph: str
    findings: tuple[ReportedFinding, ...]
    rules: tuple[str, ...]
    held_out: bool
    channels: tuple[str, ...]
    counts: tuple[CountedCells, ...]
    panels: tuple[ConditionPanel, ...]
    scores: tuple[ReportedScore, ...]
    rows: tuple[ScoredRow, ...]
    pixel_size: float | None = None
    notes: tuple[str, ...] = ()
    without_panel: tuple[str, ...] = ()
    support: tuple[SupportCurve, ...] = ()
    measurements: tuple[MeasurementRow, ...] = ()
    explained: tuple[ExplainedFigure, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    citations: tuple[str, ...] = ()
