"""Diagrams of the report: they are drawn of whatever numbers there are, and show what they are given."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_impa.analysis.report.diagrams import (
    GROUP_COLOURS,
    FamilyBar,
    distributions_diagram,
    families_diagram,
    flip_curve_diagram,
    support_diagram,
)

NAN = float("nan")


def words(svg: str) -> list[str]:
    """Texts in a diagram, which are drawn letter by letter and stand beside as comments."""
    ElementTree.fromstring(svg)
    return re.findall(r"<!-- (.*?) -->", svg)


def test_families_are_named_with_how_many_of_them_move() -> None:
    shown = words(families_diagram([FamilyBar("shape", 0.3, 0.2, 0.4, 0.9, 0.1, 12), FamilyBar("texture", NAN)]))
    assert {"shape (12)", "texture (0)", "nothing moves", "floor", "mean effect"} <= set(shown)
    assert "floor" not in words(families_diagram([FamilyBar("shape", 0.3)]))


def test_the_same_values_are_the_same_bits() -> None:
    bars = [FamilyBar("shape", 0.3, 0.2, 0.4, 0.9, 0.1, 12)]
    assert families_diagram(bars) == families_diagram(bars)


def test_a_longer_bar_for_more_of_the_gap() -> None:
    def width(closed: float) -> float:
        svg = families_diagram([FamilyBar("shape", closed)])
        bar = next(path for path in re.findall(r'<path d="([^"]*)" clip-path[^>]*style="fill: #0072b2', svg))
        across = [float(x) for x in re.findall(r"[ML] ([\d.]+) ", bar)]
        return max(across) - min(across)

    assert width(0.8) == pytest.approx(2 * width(0.4), rel=0.01)
    assert width(-7) == pytest.approx(width(-0.5), rel=0.01)


some = st.lists(st.floats(-1e12, 1e12) | st.just(NAN), max_size=5).map(np.array)


@settings(max_examples=15)
@given(st.fixed_dictionaries(dict.fromkeys(GROUP_COLOURS, some)))
def test_any_values_are_drawn(groups: dict[str, np.ndarray]) -> None:
    assert {"control", "predicted", "real"} <= set(words(distributions_diagram(groups)))


def test_distributions_lie_where_their_cells_do() -> None:
    rng = np.random.default_rng(0)
    low, high = rng.normal(0, 1, 300), rng.normal(5, 1, 300)

    def medians(**groups: np.ndarray) -> list[float]:
        svg = distributions_diagram(groups)
        lines = re.findall(r'<path d="M ([\d.]+) [\d.]+ \nL ([\d.]+) [\d.]+ \n" clip-path[^>]*stroke-width: 2;', svg)
        assert all(one == other for one, other in lines)
        return [float(x) for x, _ in lines]

    control, predicted, real = medians(control=low, predicted=high, real=high)
    assert control < predicted == real
    assert medians(control=high, predicted=low, real=low)[0] > medians(control=high, predicted=low, real=low)[1]


def test_curves() -> None:
    shown = words(support_diagram([0, 1], [0.1, 0.9], control=0.1, real=0.05))
    assert {"strength", "control", "real", "100 %"} <= set(shown)
    assert "real" not in words(support_diagram([0, 1], [0.1, 0.9]))
    assert "taken for treated" in words(flip_curve_diagram(np.array([0, 1.0]), np.array([0, 1.0])))
