"""The page of a report: its contents written as one HTML file, with pictures, diagrams and styles inside.

It needs neither a network nor scripts: a policy in its head forbids to load anything, and the one script, which sorts
tables, is named there by its hash.  Whatever a user named is escaped by the template engine.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib import resources
from math import isfinite
from typing import Any

import numpy as np
from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from napari_impa.analysis.pictures.composite import COLOURS, channel_colours, composite, display_limits
from napari_impa.analysis.report.contents import (
    ConditionPanel,
    MatteredPart,
    PicturedCells,
    ReportContents,
    ReportedScore,
    ScoredRow,
)
from napari_impa.analysis.report.crops import channel_strip, outlined, picture_uri, svg_uri
from napari_impa.analysis.report.diagrams import (
    distributions_diagram,
    families_diagram,
    flip_curve_diagram,
    support_diagram,
)
from napari_impa.watch import UNWATCHED, Watch

REFERENCES = frozenset({"real", "half", "copy"})
"""Rows of real cells, which show what can be reached."""

NO_RIVALS = REFERENCES | {"seen"}
"""Rows that are never marked as the best: real cells, and the model on cells that it knows."""

UNKNOWN = "–"
"""What stands for a number that there is none of."""


def report_page(contents: ReportContents, *, watch: Watch = UNWATCHED) -> str:
    """Write the page as HTML.

    Parameters
    ----------
    contents
        What it says.
    watch
        Asked before every condition whether to go on.
    """
    panels = []
    for number, panel in enumerate(contents.panels):
        watch.check()
        watch.report(number, len(contents.panels), f"drawing {panel.condition}")
        panels.append(_panel(panel, contents.channels))
    watch.check()
    style, script = _template_text("report.css"), _template_text("sort.js")
    return _environment().get_template("report.html.j2").render(
        contents=contents,
        panels=panels,
        channels=", ".join(contents.channels),
        without_panel=", ".join(contents.without_panel),
        legend=_legend(contents.channels),
        tables=_tables(contents.scores, contents.rows),
        summary=_summary(contents.scores, contents.rows),
        support=[
            (one.condition, svg_uri(support_diagram(one.strengths, one.outside, control=one.control, real=one.real)))
            for one in contents.support
        ],
        kinds={row.name: _kind(row.name) for row in contents.rows},
        style=Markup(style),
        script=Markup(script),
        policy=f"default-src 'none'; img-src data:; style-src {_hashed(style)}; script-src {_hashed(script)}",
    )  # fmt: skip


def write_number(value: float) -> str:
    """Write a number for a reader, with a true minus; an en dash where there is none.

    >>> write_number(0.4249), write_number(-12.34), write_number(1234.5), write_number(float("nan"))
    ('0.42', '−12.3', '1,234', '–')
    """
    if not isfinite(value):
        return UNKNOWN
    text = f"{value:.2f}" if abs(value) < 10 else f"{value:,.1f}" if abs(value) < 1000 else f"{value:,.0f}"
    return text.replace("-", "−")


def write_share(value: float) -> str:
    """Write a share in whole per cent; an en dash where there is none."""
    return f"{100 * value:.0f} %".replace("-", "−") if isfinite(value) else UNKNOWN


def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_template_text),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": write_number,
        "share": write_share,
        "transposed": _transposed,
        "unbroken": lambda text: text.replace(" %", "\u00a0%"),
    }
    return environment


def _transposed(columns: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    return list(zip(*columns, strict=True))


def _template_text(name: str) -> str:
    return resources.files(__package__).joinpath("templates", name).read_text(encoding="utf-8")


def _printable(value: Any) -> Any:
    """Text without what no page may hold (control characters, halves of letters); other values as they are."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return _UNFIT.sub("\ufffd", value.translate(_BLANKS))


_BLANKS = str.maketrans("\t\r\n", "   ")
_NO_LETTERS = "".join(chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF))
_UNFIT = re.compile(f"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef{_NO_LETTERS}]")
"""Controls, halves of letters, and what is no letter in any plane; by an expression, as pages hold megabytes."""


def _hashed(text: str) -> str:
    """The name that a content security policy gives to an inline style or script."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _legend(channels: Sequence[str]) -> list[tuple[str, str, str]]:
    """Name, colour in words and colour for the browser of each channel."""
    named = zip(channels, channel_colours(channels), strict=True)
    return [
        (name, colour, f"rgb({','.join(f'{255 * part:.0f}' for part in COLOURS[colour])})") for name, colour in named
    ]


def _panel(panel: ConditionPanel, channels: Sequence[str]) -> dict[str, Any]:
    """What the template shows of a condition."""
    shown: dict[str, Any] = {"panel": panel, "pictures": [], "strips": []}
    if panel.pictures:
        seen = np.concatenate([part for one in panel.pictures for part in (one.control, one.real)])
        limits = display_limits(seen)  # not the predicted cells: what they lack in brightness is to be seen
        shown["pictures"] = [_pictured(one, limits, channel_colours(channels)) for one in panel.pictures]
        if len(channels) > 1:
            shown["strips"] = [
                (one.name, [(row, picture_uri(channel_strip(cells[0], limits))) for row, cells in _rows_of(one)])
                for one in panel.pictures
                if len(one.control)
            ]
    shown["families"] = svg_uri(families_diagram(panel.families)) if panel.families else ""
    shown["distributions"] = [(one, svg_uri(distributions_diagram(one.groups))) for one in panel.distributions]
    mattered = panel.mattered
    part = mattered if isinstance(mattered, MatteredPart) else None
    shown["mattered"] = part
    shown["unknown"] = mattered if isinstance(mattered, str) else ""
    shown["curve"] = "" if part is None else svg_uri(flip_curve_diagram(part.sizes, part.changes))
    return shown


def _rows_of(one: PicturedCells) -> list[tuple[str, Any]]:
    return [("control", one.control), ("predicted", one.predicted), ("nearest real", one.real)]


def _pictured(one: PicturedCells, limits: Any, colours: Sequence[str]) -> dict[str, Any]:
    """Rows of pictures of the best, median or worst cells."""
    rows = [(name, composite(cells, limits, colours)) for name, cells in _rows_of(one)]
    if one.masks is not None:
        rows.append(("what mattered", outlined(rows[1][1], one.masks)))
    return {
        "name": one.name,
        "errors": [write_number(error) for error in one.errors],
        "mattered": one.mattered,
        "rows": [(name, [picture_uri(picture) for picture in pictures]) for name, pictures in rows],
    }


@dataclass(frozen=True)
class WrittenValue:
    """A number as text, whether it is the best that a prediction has, and of which row."""

    text: str
    best: bool
    row: str


def _kind(row: str) -> str:
    """The class by which a row is drawn."""
    return "own" if row == "predicted" else "reference" if row in REFERENCES else "rival"


def _by_condition(rows: Sequence[ScoredRow]) -> dict[str, list[ScoredRow]]:
    groups: dict[str, list[ScoredRow]] = {}
    for row in rows:
        groups.setdefault(row.condition, []).append(row)
    return groups


def _tables(scores: Sequence[ReportedScore], rows: Sequence[ScoredRow]) -> list[tuple[str, list[ScoredRow], list[Any]]]:
    """Of each condition its rows, and each score with their values; scores that none of them has are left out."""
    tables = []
    for condition, some in _by_condition(rows).items():
        lines = [
            (score, _written(score, some, [row.values[number] for row in some])) for number, score in enumerate(scores)
        ]
        tables.append((condition, some, [line for line in lines if any(one.text != UNKNOWN for one in line[1])]))
    return tables


def _summary(scores: Sequence[ReportedScore], rows: Sequence[ScoredRow]) -> tuple[Any, list[ScoredRow], list[Any]]:
    """The score that sums all up, the rows that any condition has, and their values for each condition."""
    summed = next((number for number, score in enumerate(scores) if score.better), None)
    if summed is None:
        return None, [], []
    heads = list({row.name: row for row in rows}.values())
    lines = []
    for condition, some in _by_condition(rows).items():
        of = {row.name: row.values[summed] for row in some}
        lines.append((condition, _written(scores[summed], heads, [of.get(row.name, float("nan")) for row in heads])))
    return scores[summed], heads, lines


def _written(score: ReportedScore, rows: Sequence[ScoredRow], values: Sequence[float]) -> list[WrittenValue]:
    rivals = [value for row, value in zip(rows, values, strict=True) if row.name not in NO_RIVALS and isfinite(value)]
    best = None
    if score.better is not None and len(rivals) > 1 and min(rivals) < max(rivals):
        best = min(rivals) if score.better == "lower" else max(rivals)
    return [
        WrittenValue(
            score.write(value).replace("-", "−") if isfinite(value) else UNKNOWN,
            row.name not in NO_RIVALS and value == best,
            row.name,
        )
        for row, value in zip(rows, values, strict=True)
    ]
