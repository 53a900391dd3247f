"""The colours of a difference: a colour bar that has numbers beside its 0."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vispy.visuals.axis import _get_ticks_talbot

from napari_impa.viewer.perturb.views.difference import round_reach


@given(st.floats(1e-6, 1e9))
def test_limits_of_a_difference_are_numbers_that_a_colour_bar_shows(reach: float) -> None:
    rounded = round_reach(reach)
    assert 0.7 < rounded / reach < 1.45
    assert round_reach(rounded) == pytest.approx(rounded)
    ticks = _get_ticks_talbot(-rounded, rounded, 1.15, 1.0)  # on a bar of 110 pixels, as napari's (vispy)
    assert sum(-rounded <= tick <= rounded for tick in ticks) >= 3
