from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from napari_impa.analysis.classifier import ConditionClassifier, FairClassifier
from napari_impa.analysis.selection import ScoredCells
from napari_impa.cells.store import Cells
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


def test_it_is_a_regularised_regression_of_standardised_features():
    features, names = clouds(100, 0)
    features = features * [1, 100]
    scaled = (features - features.mean(0)) / features.std(0)
    plain = LogisticRegression(C=0.01, class_weight="balanced", max_iter=1000).fit(scaled, names.astype(str))
    found = ConditionClassifier.fit(features, names, "DMSO").condition.predict_proba(features)
    np.testing.assert_allclose(found, plain.predict_proba(scaled), atol=1e-4)


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


# ---- no cell is judged by what was trained on it ----------------------------------------------------------------


def chosen_cells(plates: int = 1, count: int = 20, not_scored: tuple[str, ...] = ()) -> ScoredCells:
    """`count` scored cells of each condition and plate, and as many not scored of some conditions."""
    rows = [(name, plate, True) for plate in range(plates) for name in CENTRES for _ in range(count)]
    rows += [(name, 0, False) for name in not_scored for _ in range(count)]
    names, numbers, scored = (np.array(column) for column in zip(*rows, strict=True))
    cells = Cells(np.zeros((len(rows), 1, 1, 1)), pd.DataFrame({"n": range(len(rows))}), ("DNA",))
    every = np.arange(len(rows))
    return ScoredCells(
        cells, every, names.astype(object), scored, numbers.astype(object), ("a", "b"), "DMSO", "", False
    )


def right(fair: FairClassifier, chosen: ScoredCells, features: np.ndarray) -> float:
    """Fraction of the scored cells that are taken for what they are."""
    rows = np.flatnonzero(chosen.scored)
    return float((fair.conditions(features[rows], rows) == chosen.names[rows]).mean())


@pytest.mark.parametrize(("plates", "how"), [(1, "same plates"), (2, "other plates")])
def test_what_is_learned_by_heart_does_not_help(plates, how):
    chosen = chosen_cells(plates)
    noise = np.random.default_rng(0).standard_normal((len(chosen.names), 400))
    alone = ConditionClassifier.fit(noise, chosen.names, "DMSO")
    assert (alone.conditions(noise) == chosen.names).mean() > 0.95
    fair = FairClassifier(chosen, noise, 0)
    assert how in fair.how
    assert right(fair, chosen, noise) < 0.55
    rows = np.arange(len(noise))
    assert abs((fair.treated(noise, rows) == (chosen.names != "DMSO")).mean() - 0.5) < 0.25


def test_plates_are_judged_by_the_other_plates_alone():
    chosen = chosen_cells(2)
    places = np.array([CENTRES[name] for name in chosen.names], float)
    second = chosen.plates == 1
    places[second] = places[second][:, ::-1]  # there, a looks like b
    noise = np.random.default_rng(0).standard_normal(places.shape) * 0.3
    assert right(FairClassifier(chosen, places + noise, 0), chosen, places + noise) == pytest.approx(1 / 3, abs=0.05)


def test_cells_that_are_not_scored_train_where_there_are_twenty_of_every_condition():
    for not_scored, how in ((("DMSO", "a", "b"), "not scored"), (("DMSO", "a"), "same plates")):
        chosen = chosen_cells(not_scored=not_scored)
        assert how in FairClassifier(chosen, np.random.default_rng(0).standard_normal((len(chosen.names), 2)), 0).how
    few = chosen_cells(count=19, not_scored=("DMSO", "a", "b"))
    assert "same plates" in FairClassifier(few, np.random.default_rng(0).standard_normal((len(few.names), 2)), 0).how


def test_one_plate_is_cross_validated_in_five_parts_that_the_seed_draws(monkeypatch: pytest.MonkeyPatch):
    chosen, trained = chosen_cells(), []
    fit = ConditionClassifier.fit

    def recorded(features: Any, names: Any, control: Any) -> ConditionClassifier:
        trained.append((set(features[:, 0].astype(int)), pd.Series(names).value_counts().to_dict()))
        return fit(features, names, control)

    monkeypatch.setattr(ConditionClassifier, "fit", recorded)
    numbers = np.arange(60.0)[:, None]
    for seed in (0, 0, 1):
        FairClassifier(chosen, numbers, seed)
    assert [counts for _, counts in trained[:5]] == [{"DMSO": 16, "a": 16, "b": 16}] * 5
    left_out = [set(range(60)) - rows for rows, _ in trained[:5]]
    assert set().union(*left_out) == set(range(60))
    assert trained[:5] == trained[5:10] != trained[10:]
