import numpy as np
import pytest

from napari_impa.analysis.metrics.mechanism import mechanism_accuracy
from napari_impa.errors import CellsError

PROFILES = np.array([[1.0, 0], [1, 0.1], [0.9, 0.2], [0, 1], [0.1, 1], [1, -1]])
COMPOUNDS = ["taxol", "taxol", "vinca", "chx", "eme", "odd"]
MECHANISMS = ["tubulin", "tubulin", "tubulin", "protein", "protein", "alone"]


def test_by_hand():
    found = mechanism_accuracy(PROFILES, COMPOUNDS, MECHANISMS)
    # taxol → vinca, vinca → taxol, chx ↔ eme: all right. The odd one has no other compound to find and does not count.
    assert found.accuracy == 1
    assert found.profiles == 5
    assert found.by_chance == pytest.approx((1 / 4 + 1 / 4 + 2 / 5 + 1 / 5 + 1 / 5) / 5)


def test_the_same_compound_is_not_looked_at():
    mechanisms = ["tubulin", "tubulin", "protein", "protein", "tubulin", "alone"]
    found = mechanism_accuracy(PROFILES, COMPOUNDS, mechanisms)
    assert found.accuracy == 0  # with its own replicate as the nearest, taxol would be right twice
    assert found.profiles == 5


def test_predicted_profiles_look_among_real_ones():
    real = (PROFILES, COMPOUNDS, MECHANISMS)
    found = mechanism_accuracy(np.array([[0.0, 1], [1, 0]]), ["taxol", "taxol"], ["tubulin", "tubulin"], real)
    assert found.accuracy == 0.5
    swapped = mechanism_accuracy(PROFILES, COMPOUNDS, MECHANISMS, (np.array([[0.0, 1]]), ["taxol"], ["tubulin"]))
    assert swapped == (1.0, 1, 1.0)  # of vinca alone there is another compound that acts alike


def test_mechanisms_that_are_not_known():
    found = mechanism_accuracy(PROFILES, COMPOUNDS, [None, np.nan, "", "protein", "protein", None])
    assert found.profiles == 2
    assert found.accuracy == 1
    nobody = mechanism_accuracy(PROFILES, COMPOUNDS, [""] * 6)
    assert nobody.profiles == 0
    assert np.isnan(nobody.accuracy)


def test_what_does_not_fit_is_refused():
    with pytest.raises(CellsError, match="its compound"):
        mechanism_accuracy(PROFILES, COMPOUNDS[1:], MECHANISMS)
    with pytest.raises(CellsError, match="the same features"):
        mechanism_accuracy(PROFILES[:, :1], COMPOUNDS, MECHANISMS, (PROFILES, COMPOUNDS, MECHANISMS))
    with pytest.raises(CellsError, match="not finite"):
        mechanism_accuracy(PROFILES * np.nan, COMPOUNDS, MECHANISMS)
