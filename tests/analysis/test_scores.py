from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from napari_impa.analysis.score_table import format_table
from napari_impa.analysis.scores import evaluate
from napari_impa.errors import ConditionError

HELD = {"plate": ("P2",)}


def test_leaving_cells_as_they_are_scores_exactly_the_control(cells, double):
    table = evaluate(double(double.unchanged, hold_out=HELD), cells)
    assert list(table["condition"]) == ["dim", "swell"]
    assert (table["ratio"] == 1.0).all()
    np.testing.assert_array_equal(table["distance_predicted"], table["distance_control"])
    np.testing.assert_array_equal(table["treated_predicted"], table["treated_control"])
    np.testing.assert_array_equal(table["right_predicted"], table["right_control"])
    assert (table["treated_control"] < 0.2).all()


def test_other_real_cells_score_the_floor(cells, double):
    table = evaluate(double(double.oracle, hold_out=HELD), cells)
    assert (table["ratio"] < 0.5).all()
    np.testing.assert_allclose(table["ratio"], table["ratio_real"], rtol=0.5)
    np.testing.assert_allclose(table["treated_predicted"], table["treated_real"], atol=0.15)
    assert (table["right_predicted"] > 0.8).all()


def test_the_wrong_condition_is_taken_for_treated_but_not_for_right(cells, double):
    other = {"dim": "swell", "swell": "dim"}
    model = double(lambda some, condition: double.oracle(some, other[condition]), hold_out=HELD)
    table = evaluate(model, cells)
    assert (table["treated_predicted"] > 0.8).all()
    assert (table["right_predicted"] < 0.2).all()
    assert (table["ratio"] > table["ratio_real"] * 2).all()


def test_only_held_out_cells_are_scored(cells, double):
    seen = []

    def answer(some, condition):
        seen.append(some)
        return some.pixels

    table = evaluate(double(answer, hold_out=HELD), cells)
    assert table.attrs["held_out"]
    assert all((some.table["plate"] == "P2").all() and some.is_control.all() for some in seen)
    assert list(table["cells"]) == [30, 30]
    # What is not held out only trains the classifier and gives the floor: scrambling it leaves the control's distance.
    pixels = cells.pixels.copy()
    pixels[(cells.table["plate"] == "P1").to_numpy()] = 200
    scrambled = evaluate(double(double.unchanged, hold_out=HELD), replace(cells, pixels=pixels))
    np.testing.assert_array_equal(scrambled["distance_control"], table["distance_control"])


def test_where_is_scored_instead_and_said_to_be_seen(cells, double):
    table = evaluate(double(double.unchanged, hold_out=HELD), cells, where={"plate": "P1"})
    assert table.attrs["where"] == "plate = P1"
    assert not table.attrs["held_out"]
    assert "may have seen" in format_table(table)


def test_without_a_hold_out_the_classifier_is_cross_validated_by_plate(cells, double):
    table = evaluate(double(double.oracle), cells)
    assert "other plates" in table.attrs["classifier"]
    assert list(table["cells"]) == [60, 60]
    assert (table["treated_real"] > 0.8).all()


@pytest.mark.parametrize("name", ["Plate", "Metadata_Plate", "Image_Metadata_Plate", "week"])
def test_plates_are_known_whatever_their_column_is_called(cells, double, name):
    named = replace(cells, table=cells.table.drop(columns="batch").rename(columns={"plate": name}))
    model = double(double.oracle)
    table = evaluate(model, named)
    assert "other plates" in table.attrs["classifier"]
    # the floor compares with another plate, not with a random half
    pd.testing.assert_frame_equal(table, evaluate(model, cells))


def test_one_plate_alone_is_cross_validated_at_random(cells, double):
    table = evaluate(double(double.oracle), cells.where(plate="P1"))
    assert "same plates" in table.attrs["classifier"]
    assert (table["compared"] == 15).all()
    assert (table["ratio_real"] < 0.7).all()


def test_the_same_seed_gives_the_same_table(cells, double):
    model = double(double.oracle, hold_out=HELD)
    assert evaluate(model, cells, seed=3).equals(evaluate(model, cells, seed=3))


def test_cells_are_predicted_as_asked(cells, double, monkeypatch):
    model, asked = double(double.unchanged, hold_out=HELD), []
    predict = model.predict

    def recorded(some, condition, **how):
        asked.append((condition, how))
        return predict(some, condition, **how)

    monkeypatch.setattr(model, "predict", recorded)
    table = evaluate(model, cells, strength=0.5, variability=0.3, seed=7)
    how = {"strength": 0.5, "variability": 0.3, "seed": 7}
    assert asked == [("dim", how), ("swell", how)]
    assert {name: table.attrs[name] for name in how} == how
    assert table.attrs["nuclei"] == "DNA"
    assert evaluate(model, cells, nuclei_channel="actin").attrs["nuclei"] == "actin"
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
    assert "treated_predicted" not in corrected
    assert (left["ratio"] == 1.0).all()
    assert (corrected["ratio"] < 0.3).all()
    assert (corrected["right_predicted"] > left["right_predicted"] + 0.5).all()
    assert (left["origin_predicted"] == left["origin_control"]).all()
    assert (left["origin_control"] > 0.7).all()
    assert (corrected["origin_predicted"] < 0.3).all()
    text = format_table(corrected)
    assert "uncorrected" in text
    assert "chance is 50 %" in text


def test_what_the_training_was_not_about_is_left_out(cells, double):
    model, about = double(double.unchanged), double(double.unchanged)
    about.where = {"plate": ("P2",)}
    whole, part = evaluate(model, cells.where(plate="P2")), evaluate(about, cells)
    assert part.equals(whole)
    assert not part.equals(evaluate(model, cells))


def test_the_printed_table_reads_without_the_manual(cells, double):
    calls = []
    model = double(double.unchanged, hold_out=HELD, names=("dim", "rare", "swell"))
    text = format_table(evaluate(model, cells, progress=lambda done, total: calls.append((done, total))))
    assert calls == [(1, 2), (2, 2)]
    assert text.startswith("double, plate = P2: cells that the training held out.")
    assert "lower is better" in text
    assert "Not scored (fewer than 20 real cells among these): rare." in text
    assert max(map(len, text.splitlines())) <= 120
    [row] = [line.split() for line in text.splitlines() if line.split()[:3] == ["dim", "30", "30"]]
    assert row[6] == "1.00"


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
    assert list(table["condition"]) == ["swell"]
    assert list(table["cells"]) == [30]


def test_a_compound_that_was_held_out_is_scored_where_it_is_described(cells, double):
    model = double(double.oracle, hold_out={"compound": ("swell",)}, names=("dim",))
    with pytest.raises(ConditionError, match="too few real cells of a condition that the model 'double' knows"):
        evaluate(model, cells)
    model.unseen = ("swell",)
    table = evaluate(model, cells)
    assert list(table["condition"]) == ["swell"]
    assert list(table["cells"]) == [60]
    assert table.attrs["held_out"]


def test_a_hold_out_that_is_not_there_is_said(cells, double):
    with pytest.raises(ConditionError, match="held out cells of plate = P7, of which there are none here"):
        evaluate(double(double.unchanged, hold_out={"plate": ("P7",)}), cells)


def test_cells_without_a_control_are_refused(cells, double):
    with pytest.raises(ConditionError, match="control"):
        evaluate(double(double.unchanged, control=None), replace(cells, control=None))
