import numpy as np
import pytest

from napari_impa.analysis.classifier import ConditionClassifier
from napari_impa.errors import ConditionError

CENTRES = {"DMSO": (0, 0), "a": (4, 0), "b": (0, 4)}


def clouds(count, seed):
    rng = np.random.default_rng(seed)
    names = np.repeat(np.array(list(CENTRES), object), count)
    return rng.standard_normal((len(names), 2)) + np.array([CENTRES[name] for name in names]), names


def test_it_tells_conditions_and_treated_cells_apart():
    classifier = ConditionClassifier.fit(*clouds(100, 0), control="DMSO")
    features, names = clouds(100, 1)
    assert (classifier.conditions(features) == names).mean() > 0.9
    treated = classifier.is_treated(features)
    assert treated[names == "DMSO"].mean() < 0.15
    assert treated[names != "DMSO"].mean() > 0.85


def test_a_rare_condition_counts_as_much_as_a_common_one():
    features, names = clouds(200, 0)
    kept = np.flatnonzero((names != "a") | (np.arange(len(names)) % 20 == 0))
    classifier = ConditionClassifier.fit(features[kept], names[kept], control="DMSO")
    features, names = clouds(200, 1)
    assert (classifier.conditions(features)[names == "a"] == "a").mean() > 0.85


def test_without_a_control_nothing_can_be_treated():
    classifier = ConditionClassifier.fit(*clouds(20, 0))
    with pytest.raises(ConditionError, match="name the control"):
        classifier.is_treated(clouds(2, 1)[0])


def test_one_condition_or_no_control_is_refused():
    features, names = clouds(20, 0)
    with pytest.raises(ConditionError, match="two conditions or more"):
        ConditionClassifier.fit(features[names == "a"], names[names == "a"], "a")
    with pytest.raises(ConditionError, match="real controls"):
        ConditionClassifier.fit(features[names != "DMSO"], names[names != "DMSO"], "DMSO")
