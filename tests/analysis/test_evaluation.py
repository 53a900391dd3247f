from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import napari_impa
from napari_impa.analysis.beside import ROWS
from napari_impa.analysis.evaluation import SUPPORT_STRENGTHS, evaluation, feature_spaces
from napari_impa.analysis.score_table import format_table
from napari_impa.errors import ConditionError

HELD = {"plate": ("P2",)}


def evaluate(model, cells, **how):
    """The table, by the measurements that take least time."""
    return evaluation(model, cells, features=("fast", "quick"), **how).table


@pytest.fixture(autouse=True, scope="module")
def quicker(without_replicates):
    """Each of many evaluations."""


@pytest.fixture(scope="module")
def of_others(cells, double):
    """Scores of a model that draws other real cells of the condition, on the plate that it held out."""
    return evaluate(double(double.oracle, hold_out=HELD), cells)


@pytest.fixture(scope="module")
def seen_all(cells, double):
    """Scores of the same model where nothing was held out."""
    return evaluate(double(double.oracle), cells)


def rows(table, name, column):
    """A column of the rows of a name, by condition."""
    return table[table["row"] == name].set_index("condition")[column]


def test_leaving_cells_as_they_are_scores_exactly_the_control(cells, double):
    table = evaluate(double(double.unchanged, hold_out=HELD), cells)
    assert list(dict.fromkeys(table["condition"])) == ["dim", "swell"]
    assert (rows(table, "predicted", "ratio") == 1.0).all()
    assert (rows(table, "predicted", "gap_closed") == 0.0).all()
    for column in ("frechet", "ratio_quick", "treated", "right", "gap_closed"):
        np.testing.assert_array_equal(rows(table, "predicted", column), rows(table, "control", column))
    assert (rows(table, "control", "treated") < 0.2).all()


def test_other_real_cells_score_the_floor(of_others):
    table = of_others
    assert (rows(table, "predicted", "ratio") < 0.5).all()
    assert (rows(table, "predicted", "gap_closed") > 0.8).all()
    np.testing.assert_allclose(rows(table, "predicted", "gap_closed"), rows(table, "real", "gap_closed"), atol=0.15)
    np.testing.assert_allclose(rows(table, "predicted", "treated"), rows(table, "real", "treated"), atol=0.15)
    assert (rows(table, "predicted", "right") > 0.8).all()


def test_the_wrong_condition_is_taken_for_treated_but_not_for_right(cells, double):
    other = {"dim": "swell", "swell": "dim"}
    model = double(lambda some, condition: double.oracle(some, other[condition]), hold_out=HELD)
    table = evaluate(model, cells)
    assert (rows(table, "predicted", "treated") > 0.8).all()
    assert (rows(table, "predicted", "right") < 0.2).all()
    assert (rows(table, "predicted", "told_apart") < -0.5).all()
    assert (rows(table, "another", "gap_closed") > rows(table, "predicted", "gap_closed") + 0.5).all()


def test_every_row_stands_beside(of_others):
    table = of_others
    assert list(table["row"]) == [row.name for row in ROWS] * 2
    # the mean effect needs no network, and does not change what a cell looks like
    effect = rows(table, "mean_effect", "gap_closed")
    assert (effect < rows(table, "predicted", "gap_closed")).all()
    assert (rows(table, "half", "gap_closed") > 0.8).all()
    # copies look right; the classifier, which was trained on them, is not asked
    assert (rows(table, "copy", "gap_closed") > 0.8).all()
    assert rows(table, "copy", "right").isna().all()


def test_without_a_hold_out_no_cells_of_the_training_are_apart(seen_all):
    assert "seen" not in set(seen_all["row"])


def test_with_one_condition_there_is_no_other_to_ask_for(cells, double):
    some = cells.take(cells.conditions != "swell")
    table = evaluate(double(double.oracle, names=("dim",)), some)
    assert "another" not in set(table["row"])
    assert "told_apart" not in table


def test_only_held_out_cells_are_scored(cells, double):
    seen = []

    def answer(some, condition):
        seen.append(some)
        return some.pixels

    table = evaluate(double(answer, hold_out=HELD), cells)
    assert table.attrs["held_out"]
    assert all(some.is_control.all() for some in seen)
    plates = [set(some.table["plate"]) for some in seen]
    assert plates.count({"P1"}) == 2  # the row of cells of the training, a condition each
    assert all(some == {"P2"} for some in plates if some != {"P1"})
    assert list(rows(table, "predicted", "cells")) == [30, 30]
    # What is not held out trains the classifier and gives the floor: scrambling it leaves the control's distance.
    pixels = cells.pixels.copy()
    pixels[(cells.table["plate"] == "P1").to_numpy()] = 200
    scrambled = evaluate(double(double.unchanged, hold_out=HELD), replace(cells, pixels=pixels))
    np.testing.assert_array_equal(rows(scrambled, "control", "frechet"), rows(table, "control", "frechet"))


def test_where_is_scored_instead_and_said_to_be_seen(cells, double):
    table = evaluate(double(double.unchanged, hold_out=HELD), cells, where={"plate": "P1"})
    assert table.attrs["where"] == "plate = P1"
    assert not table.attrs["held_out"]
    assert "may have seen" in format_table(table)


def test_without_a_hold_out_the_classifier_is_cross_validated_by_plate(seen_all):
    table = seen_all
    assert "other plates" in table.attrs["classifier"]
    assert list(rows(table, "predicted", "cells")) == [60, 60]
    assert (rows(table, "real", "treated") > 0.8).all()


@pytest.mark.parametrize("name", ["Image_Metadata_Plate", "week"])  # test_words has them all
def test_plates_are_known_whatever_their_column_is_called(cells, double, seen_all, name):
    named = replace(cells, table=cells.table.drop(columns="batch").rename(columns={"plate": name}))
    table = evaluate(double(double.oracle), named)
    assert "other plates" in table.attrs["classifier"]
    # the floor compares with another plate, not with a random half
    pd.testing.assert_frame_equal(table, seen_all)


def test_one_plate_alone_is_cross_validated_at_random(cells, double):
    table = evaluate(double(double.oracle), cells.where(plate="P1"))
    assert "same plates" in table.attrs["classifier"]
    assert (rows(table, "real", "compared") == 15).all()
    assert (rows(table, "real", "ratio") < 0.7).all()


def test_the_same_seed_gives_the_same_table(cells, double, of_others):
    model = double(double.oracle, hold_out=HELD)
    assert evaluate(model, cells).equals(of_others)
    assert not evaluate(model, cells, seed=3).equals(of_others)


def test_cells_are_predicted_as_asked(cells, double, monkeypatch):
    model, asked = double(double.unchanged, hold_out=HELD), []
    predict = model.predict

    def recorded(some, condition, **how):
        asked.append((condition, how))
        return predict(some, condition, **how)

    monkeypatch.setattr(model, "predict", recorded)
    table = evaluate(model, cells, strength=0.5, variability=0.3, seed=7)
    how = {"strength": 0.5, "variability": 0.3, "seed": 7}
    assert asked[0] == ("dim", how)
    along = [given["strength"] for condition, given in asked if given["strength"] != 0.5]
    assert set(along) | {0.5} == {0.5, *SUPPORT_STRENGTHS}
    assert all(given["variability"] == 0.3 and given["seed"] == 7 for _, given in asked)
    assert {name: table.attrs[name] for name in how} == how
    assert table.attrs["nuclei"] == "DNA"
    assert table.attrs["nuclei_guessed"] == "guessed by its name"
    assert "Nuclei are looked for in DNA, guessed by its name" in format_table(table)
    chosen = evaluate(model, cells, nuclei_channel="actin")
    assert (chosen.attrs["nuclei"], chosen.attrs["nuclei_guessed"]) == ("actin", "")
    assert "Nuclei are looked for in actin." in format_table(chosen)
    assert evaluate(model, cells, nuclei_channel=1).attrs["nuclei"] == "actin"
    for wrong in ("2", "tubulin", 2):
        with pytest.raises(ConditionError, match="There is no channel"):
            evaluate(model, cells, nuclei_channel=wrong)


def test_a_batch_model_is_scored_against_uncorrected_cells_of_the_other_batches(cells, double):
    pixels = cells.pixels.copy()
    second = (cells.table["batch"] == 1).to_numpy()
    pixels[second] = (pixels[second] * 1.4).astype(np.uint16)
    batches = replace(cells, pixels=pixels)

    def answer(some, condition):
        return (some.pixels * (1.4 if condition == "1" else 1 / 1.4)).astype(np.uint16)

    options = {"task": "batch", "label": ("batch",), "control": None, "names": ("0", "1")}
    corrected = evaluate(double(answer, **options), batches)
    left = evaluate(double(double.unchanged, **options), batches)
    assert "treated" not in corrected
    assert (rows(left, "predicted", "ratio") == 1.0).all()
    assert (rows(corrected, "predicted", "ratio") < 0.3).all()
    assert (rows(corrected, "predicted", "right") > rows(left, "predicted", "right") + 0.5).all()
    assert (rows(left, "predicted", "origin") == rows(left, "control", "origin")).all()
    assert (rows(left, "control", "origin") > 0.7).all()
    assert (rows(corrected, "predicted", "origin") < 0.3).all()
    text = format_table(corrected)
    assert "uncorrected" in text
    assert "chance is 50 %" in text
    assert "batches" in corrected.attrs["verdict"]


def test_what_the_training_was_not_about_is_left_out(cells, double):
    model, about = double(double.unchanged), double(double.unchanged)
    about.where = {"plate": ("P2",)}
    whole, part = evaluate(model, cells.where(plate="P2")), evaluate(about, cells)
    assert part.equals(whole)
    assert not part.equals(evaluate(model, cells))


def test_the_printed_table_reads_without_the_manual(cells, double):
    calls = []
    model = double(double.unchanged, hold_out=HELD, names=("dim", "rare", "swell"))
    table = napari_impa.evaluate(
        model, cells, features=("fast", "quick"), progress=lambda done, total: calls.append((done, total))
    )
    text = format_table(table)
    assert calls[-1][0] == calls[-1][1]
    assert calls == sorted(calls)
    assert text.startswith(
        "double, plate = P2: cells that the training held out.\n\nThe model leaves cells as they are"
    )
    assert "lower is better" in text
    assert "Not scored (fewer than 20 real cells among these): rare." in text
    assert max(map(len, text.splitlines())) <= 120
    [row, *_] = [line.split() for line in text.splitlines() if line.split()[:3] == ["untreated", "control", "30"]]
    assert row[4] == "0.00"


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (("cleverness",), "no feature space 'cleverness'; choose among: measurements, fast"),
        (("inception",), "inception"),
    ],
)
def test_features_that_cannot_be_had_are_said(cells, double, features, message):
    with pytest.raises(ConditionError, match=message):
        evaluation(double(double.unchanged), cells, features=features)


def test_measurements_are_called_by_the_names_of_the_models_channels(cells, double):
    some = replace(cells, channels=("channel 1", "channel 2"))
    result = evaluation(double(double.unchanged, hold_out=HELD), some, features=("fast",))
    titles = set(result.measured["title"])
    assert any("actin" in title for title in titles)
    assert not any("channel 2" in title for title in titles)


def test_quick_features_are_never_alone(cells, double):
    assert [space.name for space in feature_spaces(("quick",))] == ["measurements", "quick"]
    assert [space.name for space in feature_spaces(("fast",))] == ["fast"]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"compound": "DMSO"}, "too few real cells of a condition"),
        ({"plate": "P9"}, "P9"),
        ({"well": "A01"}, "no column 'well'"),
    ],
)
def test_cells_that_cannot_be_scored_get_one_sentence(cells, double, where, message):
    with pytest.raises(ConditionError, match=message) as raised:
        evaluate(double(double.unchanged), cells, where=where)
    assert "\n" not in str(raised.value)


def test_a_plate_without_controls_is_refused(cells, double):
    without = cells.take(~((cells.table["plate"] == "P2") & cells.is_control).to_numpy())
    with pytest.raises(ConditionError, match="are 0 controls"):
        evaluate(double(double.unchanged), without, where={"plate": "P2"})


def test_a_condition_chosen_by_name_is_scored_with_the_controls_beside_it(cells, double):
    table = evaluate(double(double.oracle), cells, where={"compound": "swell", "plate": "P2"})
    assert list(rows(table, "predicted", "cells").index) == ["swell"]
    assert list(rows(table, "predicted", "cells")) == [30]


def test_a_compound_that_was_held_out_is_scored_where_it_is_described(cells, double):
    model = double(double.oracle, hold_out={"compound": ("swell",)}, names=("dim",))
    with pytest.raises(ConditionError, match="too few real cells of a condition that the model 'double' knows"):
        evaluate(model, cells)
    model.unseen = ("swell",)
    table = evaluate(model, cells)
    assert list(rows(table, "predicted", "cells").index) == ["swell"]
    assert list(rows(table, "predicted", "cells")) == [60]
    assert table.attrs["held_out"]


def test_a_hold_out_that_is_not_there_is_said(cells, double):
    with pytest.raises(ConditionError, match="held out cells of plate = P7, of which there are none here"):
        evaluate(double(double.unchanged, hold_out={"plate": ("P7",)}), cells)


def test_cells_without_a_control_are_refused(cells, double):
    with pytest.raises(ConditionError, match="control"):
        evaluate(double(double.unchanged, control=None), replace(cells, control=None))
