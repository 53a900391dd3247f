import sys

import numpy as np
import pytest
from sklearn.metrics import average_precision_score
from sklearn.metrics.pairwise import cosine_similarity

from napari_impa.analysis.metrics.replicates import replicate_retrieval
from napari_impa.errors import CellsError, MissingDependencyError

CONDITIONS = ["a"] * 4 + ["b"] * 5 + ["DMSO"] * 6


def real_profiles(seed=0):
    pytest.importorskip("copairs")
    rng = np.random.default_rng(seed)
    means = {"a": [5, 0, 0], "b": [0, 5, 0], "DMSO": [0, 0, 0]}
    return np.array([means[name] + rng.standard_normal(3) for name in CONDITIONS])


def test_it_is_the_mean_average_precision_of_scikit_learn():
    real, predicted = real_profiles(), np.random.default_rng(5).standard_normal((6, 3))
    asked = ["a", "a", "a", "b", "b", "b"]
    found = replicate_retrieval(predicted, asked, real, CONDITIONS)
    alike = cosine_similarity(predicted, real)
    for name, rows in (("a", [0, 1, 2]), ("b", [3, 4, 5])):
        hits = np.array(CONDITIONS) == name
        expected = np.mean([average_precision_score(hits, alike[row]) for row in rows])
        assert found[name].average_precision == pytest.approx(expected, rel=1e-5)
        assert found[name].profiles == 3


def test_chance_is_that_of_random_rankings():
    real = real_profiles()
    chance = replicate_retrieval(real[:1], ["a"], real, CONDITIONS)["a"].by_chance
    rng, hits = np.random.default_rng(0), np.array(CONDITIONS) == "a"
    drawn = [average_precision_score(hits, rng.random(15)) for _ in range(2000)]
    assert chance == pytest.approx(np.mean(drawn), abs=0.02)


def test_good_predictions_find_their_condition_and_others_do_not():
    real, again = real_profiles(), real_profiles(1)
    good = replicate_retrieval(again[:9], CONDITIONS[:9], real, CONDITIONS)
    assert min(one.average_precision for one in good.values()) > 0.8
    assert max(one.p for one in good.values()) < 0.05
    crossed = replicate_retrieval(again[:9], ["b"] * 4 + ["a"] * 5, real, CONDITIONS)
    assert max(one.average_precision for one in crossed.values()) < 0.5
    assert min(one.p for one in crossed.values()) > 0.5


def test_the_seed_decides():
    real, again = real_profiles(), real_profiles(1)
    one, same, other = (
        replicate_retrieval(again[8:10], ["a", "a"], real, CONDITIONS, draws=50, seed=seed)["a"].p for seed in (1, 1, 2)
    )
    assert one == same
    assert other == pytest.approx(one, abs=0.5)


def test_where_nothing_can_be_found_or_confused_there_is_no_number():
    real = real_profiles()
    found = replicate_retrieval(real[:3], ["c", "a", "a"], real, CONDITIONS)
    assert np.isnan(found["c"].average_precision)
    assert found["c"].profiles == 1
    assert found["a"].average_precision > 0.5
    alone = replicate_retrieval(real[:2], ["a", "a"], real[:4], CONDITIONS[:4])
    assert np.isnan(alone["a"].average_precision)


def test_what_does_not_fit_is_refused():
    real = real_profiles()
    with pytest.raises(CellsError, match="the same features"):
        replicate_retrieval(real[:, :2], CONDITIONS, real, CONDITIONS)
    with pytest.raises(CellsError, match="its condition"):
        replicate_retrieval(real, CONDITIONS[1:], real, CONDITIONS)
    with pytest.raises(CellsError, match="not finite"):
        replicate_retrieval(real * np.nan, CONDITIONS, real, CONDITIONS)


def test_without_copairs_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "copairs.map", None)
    with pytest.raises(MissingDependencyError, match=r"napari-impa\[evaluate\]"):
        replicate_retrieval(np.zeros((2, 3)), ["a", "b"], np.zeros((2, 3)), ["a", "b"])
