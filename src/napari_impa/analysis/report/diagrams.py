"""Diagrams of the report, as SVG: how far each family of measurements came, distributions, support along strength.

What a diagram says is said by its form too: groups are rows with their name beside, lines differ by dashes and marks.
No name that a user chose is drawn here; the page writes those as text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from math import isfinite
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

GROUP_COLOURS = {"control": "#6b7280", "predicted": "#0072b2", "real": "#d55e00"}
"""Colours of the groups of cells: told apart by colour-blind eyes (Okabe & Ito), and in grey by their lightness."""

INK, FAINT = "#1f2937", "#9ca3af"

FURTHEST_BACK = -0.5
"""Least gap closed that a bar shows; further back it ends in an arrow."""

_TEXT = 9.0  # points
_BINS = 64
_WIDTH = 3.75  # inches, what a phone shows without making text smaller


@dataclass(frozen=True)
class FamilyBar:
    """How much of the gap between control and real cells the predicted cells close, in one family of measurements.

    Parameters
    ----------
    family
        Its name, or `all` for all together.
    closed
        0: as the control, 1: as real cells; NaN where no measurement of the family moves.
    low, high
        Interval of it; NaN where there is none.
    floor
        The same of real cells of other plates; NaN where there are none.
    mean_effect
        The same of control cells moved by the mean effect, without a network; NaN where that is not known.
    moved
        Measurements of the family that truly move.
    """

    family: str
    closed: float
    low: float = float("nan")
    high: float = float("nan")
    floor: float = float("nan")
    mean_effect: float = float("nan")
    moved: int = 0


def families_diagram(bars: Sequence[FamilyBar]) -> str:
    """Draw the gap closed by family as bars with their intervals, with marks of the floor and the mean effect."""
    figure = Figure(figsize=(_WIDTH, 1.05 + 0.36 * len(bars)), layout="constrained")
    axes = figure.add_subplot()
    most = max([1.0, *(value for bar in bars for value in (bar.closed, bar.high, bar.floor) if isfinite(value))])
    places = np.arange(len(bars), dtype=float)
    for place, bar in zip(places, bars, strict=True):
        _family(axes, float(place), bar)
    axes.set_yticks(places, [f"{bar.family} ({bar.moved})" for bar in bars])
    axes.set_ylim(len(bars) - 0.4, -0.6)
    axes.set_xlim(FURTHEST_BACK - 0.04, max(1.12, most + 0.04))
    axes.set_xticks([-0.5, 0, 0.5, 1], ["−0.5", "0\nas the\ncontrol", "0.5", "1\nas real\ncells"])
    for at in (0.0, 1.0):
        axes.axvline(at, color=INK, linewidth=0.8, zorder=0)
    _plain(axes)
    axes.plot([], [], color=GROUP_COLOURS["predicted"], linewidth=7, alpha=0.75, label="predicted, 90 % interval")
    if any(isfinite(bar.floor) for bar in bars):
        axes.plot([], [], color=INK, linestyle="", marker="|", markersize=11, markeredgewidth=2.5, label="floor")
    if any(isfinite(bar.mean_effect) for bar in bars):
        axes.plot([], [], **_MEAN_EFFECT, label="mean effect")
    _legend(figure)
    return _svg(figure)


_MEAN_EFFECT: dict[str, Any] = {
    "color": INK,
    "linestyle": "",
    "marker": "D",
    "markersize": 5,
    "markerfacecolor": "white",
}


def _family(axes: Axes, place: float, bar: FamilyBar) -> None:
    """One bar with its marks."""
    if not isfinite(bar.closed):
        axes.text(0.02, place, "nothing moves", va="center", color=INK, fontsize=_TEXT - 1, style="italic")
        return
    shown = max(bar.closed, FURTHEST_BACK)
    axes.barh(place, shown, height=0.56, color=GROUP_COLOURS["predicted"], alpha=0.75)
    if shown != bar.closed:
        axes.plot(FURTHEST_BACK, place, color=INK, marker="<", markersize=6)
    if isfinite(bar.low) and isfinite(bar.high):
        ends = np.clip([bar.low, bar.high], FURTHEST_BACK, None)
        axes.plot(ends, [place, place], color=INK, linewidth=1.4, marker="|", markersize=6)
    if isfinite(bar.floor):
        axes.plot([max(bar.floor, FURTHEST_BACK)] * 2, [place - 0.4, place + 0.4], color=INK, linewidth=2.5)
    if isfinite(bar.mean_effect):
        axes.plot(max(bar.mean_effect, FURTHEST_BACK), place, **_MEAN_EFFECT)


def distributions_diagram(groups: Mapping[str, NDArray[np.float64]]) -> str:
    """Draw how one measurement is distributed in each group of cells, one group below the other on one axis.

    Parameters
    ----------
    groups
        For the groups of `GROUP_COLOURS` the (n,) values of their cells; those that are not finite are left out.

    Notes
    -----
    Densities are histograms between the 0.5 % and 99.5 % quantiles of all cells, smoothed over 4 % of that range, each
    as high as the others; a line stands at each median, and those of control and real cells run through all rows.
    """
    finite = {name: np.asarray(values, float)[np.isfinite(values)] for name, values in groups.items()}
    pooled = np.concatenate([*finite.values(), np.zeros(0)])
    low, high = np.quantile(pooled, (0.005, 0.995)) if len(pooled) else (0.0, 1.0)
    if not high > low:
        low, high = low - max(0.5, abs(low) / 10), high + max(0.5, abs(high) / 10)
    figure = Figure(figsize=(_WIDTH, 0.45 + 0.38 * len(finite)), layout="constrained")
    axes = figure.add_subplot()
    for row, (name, values) in enumerate(finite.items()):
        base, colour = len(finite) - 1.0 - row, GROUP_COLOURS[name]
        if not len(values):
            continue
        at, density = _density(values, low, high)
        axes.fill_between(at, base, base + 0.86 * density, color=colour, alpha=0.45, linewidth=0)
        axes.plot(at, base + 0.86 * density, color=colour, linewidth=1)
        middle = float(np.clip(np.median(values), low, high))
        axes.plot([middle, middle], [base, base + 0.9], color=colour, linewidth=2)
        if name != "predicted":
            axes.axvline(middle, color=colour, linewidth=0.9, linestyle=":" if name == "control" else "--")
    axes.set_yticks(np.arange(len(finite)) + 0.3, list(finite)[::-1])
    axes.set_ylim(-0.05, len(finite))
    axes.set_xlim(low, high)
    axes.locator_params(axis="x", nbins=4)
    _plain(axes)
    return _svg(figure)


def _density(values: NDArray[np.float64], low: float, high: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Places, and the smoothed density there, 1 at its highest."""
    from scipy.ndimage import gaussian_filter1d

    counts, edges = np.histogram(np.clip(values, low, high), _BINS, (low, high))
    smooth = gaussian_filter1d(counts.astype(float), 0.04 * _BINS, mode="constant")
    return (edges[:-1] + edges[1:]) / 2, smooth / smooth.max()


def support_diagram(
    strengths: Sequence[float], outside: Sequence[float], *, control: float = float("nan"), real: float = float("nan")
) -> str:
    """Draw the share of predicted cells outside the neighbourhood of real ones along strength.

    Parameters
    ----------
    strengths, outside
        k strengths, and the share at each, 0 … 1.
    control, real
        The same share of untreated cells, and of real cells of the condition that are not among the neighbours; NaN
        where it is not known.
    """
    figure = Figure(figsize=(_WIDTH, 2.1), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(strengths, outside, marker="o", markersize=5, color=GROUP_COLOURS["predicted"], label="predicted")
    for name, share, dashes in (("control", control, ":"), ("real", real, "--")):
        if isfinite(share):
            axes.axhline(share, color=GROUP_COLOURS[name], linewidth=1.6, linestyle=dashes, label=name)
    axes.axvline(1, color=FAINT, linewidth=0.8)
    axes.set_ylim(-0.03, 1.03)
    axes.set_yticks([0, 0.5, 1], ["0 %", "50 %", "100 %"])
    axes.set_xlabel("strength", fontsize=_TEXT, color=INK)
    _plain(axes)
    _legend(figure)
    return _svg(figure)


def flip_curve_diagram(sizes: NDArray[np.float64], changes: NDArray[np.float64]) -> str:
    """Draw how the classifier's answer changes with the size of the mask that is pasted into the control.

    Parameters
    ----------
    sizes, changes
        (k,) share of the crop, 0 … 1, and the change of the score of the condition; of one cell or the median of many.
    """
    figure = Figure(figsize=(_WIDTH, 2.0), layout="constrained")
    axes = figure.add_subplot()
    axes.fill_between(sizes, 0, changes, color=GROUP_COLOURS["predicted"], alpha=0.25, linewidth=0)
    axes.plot(sizes, changes, color=GROUP_COLOURS["predicted"], marker="o", markersize=3)
    axes.set_xlim(0, 1)
    axes.set_ylim(min(-0.03, float(np.min(changes, initial=0))), 1.03)
    axes.set_xlabel("share of the crop that is pasted", fontsize=_TEXT, color=INK)
    axes.set_ylabel("taken for treated", fontsize=_TEXT, color=INK)
    _plain(axes)
    return _svg(figure)


def _legend(figure: Figure) -> None:
    figure.legend(
        loc="outside lower center", ncols=3, frameon=False, fontsize=_TEXT - 1, handlelength=1.6, columnspacing=1
    )


def _plain(axes: Axes) -> None:
    """Leave away what is not needed to read it."""
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(FAINT)
    axes.tick_params(labelsize=_TEXT, labelcolor=INK, color=FAINT, length=3)
    axes.tick_params(axis="y", length=0)


def _svg(figure: Figure) -> str:
    """The figure as SVG whose letters are drawn, so that it needs no font; the same to the bit whenever it is drawn."""
    file = StringIO()
    with rc_context({"svg.hashsalt": "napari-impa"}):  # parts are called by chance otherwise
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    text = file.getvalue()
    return text[text.index("<svg") :]
