"""Classifiers of real cells: none judges a cell that it learned from, and they say how far to believe them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from spotted_cells import LIMITS, control_cells, with_spots

from napari_impa.analysis.attribution import fair_pixel_classifier, pixel_classifier
from napari_impa.analysis.attribution.fair_pixel_classifier import FairPixelClassifier, groupings_of
from napari_impa.analysis.attribution.pixel_classifier import PixelClassifier, scaled
from napari_impa.errors import CellsError, ConditionError
from napari_impa.watch import CancelledError, Reported, Token


def test_it_tells_cells_apart_that_it_never_saw(classifier: FairPixelClassifier) -> None:
    assert classifier.accuracy > 0.95
    fresh = control_cells(30, 9)
    for judge in classifier.classifiers:
        assert (judge.probability(scaled(fresh, LIMITS)) < 0.5).mean() > 0.9
        assert (judge.probability(scaled(with_spots(fresh), LIMITS)) > 0.5).mean() > 0.9


def learned_rows(
    monkeypatch: pytest.MonkeyPatch, groupings: Any, control: NDArray[Any], treated: NDArray[Any]
) -> tuple[FairPixelClassifier, list[set[float]], list[set[float]]]:
    """Train on cells that their first pixel names; returns the names that each classifier learned from, by side."""
    seen: list[tuple[set[float], set[float]]] = []
    fit = PixelClassifier.fit

    def spy(one: NDArray[Any], other: NDArray[Any], *args: Any, **more: Any) -> PixelClassifier:
        seen.append((set(one[:, 0, 0, 0]), set(other[:, 0, 0, 0])))
        return fit(one, other, *args, **more)

    monkeypatch.setattr(fair_pixel_classifier.PixelClassifier, "fit", spy)
    monkeypatch.setattr(fair_pixel_classifier, "TELLS_APART", 0)
    monkeypatch.setattr(pixel_classifier, "STEPS", 2)
    found = FairPixelClassifier.fit(control, treated, LIMITS, groupings=groupings)
    return found, [one for one, _ in seen], [other for _, other in seen]


def named(count: int, seed: int) -> NDArray[np.float64]:
    cells = control_cells(count, seed)
    cells[:, 0, 0, 0] = 200 + np.arange(count) / 1000
    return cells


def test_no_cell_is_judged_by_a_classifier_that_learned_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    control = named(40, 1)
    found, learned, _ = learned_rows(monkeypatch, (), control, named(30, 2))
    for part in (0, 1):
        judged = set(control[found.parts == part, 0, 0, 0])
        assert judged
        assert not judged & learned[part]
        assert judged | learned[part] == set(control[:, 0, 0, 0])
    assert "may know the well" in found.how


def test_whole_plates_are_kept_together_where_there_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    control, treated = named(60, 1), named(60, 2)
    plates = np.array(["A", "B", "C"])[np.arange(60) % 3]
    found, _, learned = learned_rows(monkeypatch, [("plate", plates, plates)], control, treated)
    assert found.how == "on cells of other plates"
    parts = [set(plates[found.parts == part]) for part in (0, 1)]
    assert not parts[0] & parts[1]
    judged = set(treated[np.isin(plates, list(parts[0])), 0, 0, 0])
    assert not judged & learned[0]


def test_a_plate_for_each_side_parts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then a classifier would learn the plate: the next grouping is taken."""
    wells = np.array(["A01", "A02"])[np.arange(40) % 2]
    groupings = [("plate", np.full(40, "A"), np.full(40, "B")), ("well", wells, wells)]
    found, _, _ = learned_rows(monkeypatch, groupings, named(40, 1), named(40, 2))
    assert found.how == "on cells of other wells"


def test_cells_are_parted_by_plates_then_by_wells() -> None:
    control = pd.DataFrame({"Metadata_Plate": ["p", "q"], "well": ["A1", "A2"], "compound": ["DMSO", "DMSO"]})
    treated = pd.DataFrame({"Metadata_Plate": ["p"], "well": ["B1"], "compound": ["taxol"]})
    found = groupings_of(control, treated, ["compound"])
    assert [(what, list(one), list(other)) for what, one, other in found] == [
        ("plate", ["p", "q"], ["p"]),
        ("well", ["A1", "A2"], ["B1"]),
    ]
    assert groupings_of(control, treated, ["Metadata_Plate", "well"]) == []
    assert groupings_of(control, pd.DataFrame({"compound": ["taxol"]})) == []


def test_sides_that_are_alike_are_an_error() -> None:
    with pytest.raises(ConditionError, match=r"does not tell treated from control cells.*cannot say what mattered"):
        FairPixelClassifier.fit(control_cells(60, 1), control_cells(60, 2), LIMITS)


def test_a_well_that_is_stained_brighter_tells_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Brightness and ground alone, within what is drawn at random, do not tell the sides apart."""
    monkeypatch.setattr(fair_pixel_classifier, "TELLS_APART", 0)
    brighter = control_cells(60, 2) * 1.1 + 10
    assert FairPixelClassifier.fit(control_cells(60, 1), brighter, LIMITS).accuracy < 0.75


@pytest.mark.parametrize("counts", [(19, 30), (30, 19)])
def test_too_few_cells_are_an_error(counts: tuple[int, int]) -> None:
    with pytest.raises(ConditionError, match=f"not {counts[0]} controls and {counts[1]} treated"):
        FairPixelClassifier.fit(control_cells(counts[0], 1), control_cells(counts[1], 2), LIMITS)


def test_limits_must_fit() -> None:
    with pytest.raises(CellsError, match="for each channel"):
        FairPixelClassifier.fit(control_cells(30, 1), control_cells(30, 2), LIMITS[:1])


def test_the_same_seed_gives_the_same_classifier_and_leaves_torchs_own_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(pixel_classifier, "STEPS", 5)
    cells, other = control_cells(20, 1), with_spots(control_cells(20, 2))
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one, same, another = (PixelClassifier.fit(cells, other, LIMITS, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(3), expected)
    images = scaled(cells, LIMITS)
    np.testing.assert_array_equal(one.probability(images), same.probability(images))
    assert not np.array_equal(one.probability(images), another.probability(images))


def test_progress_and_cancel() -> None:
    told: list[tuple[int, int]] = []
    token = Token()

    def hear(done: int, of: int, what: str) -> None:
        told.append((done, of))
        if done == 3:
            token.cancel()

    class Watched(Reported):
        def check(self) -> None:
            token.check()

    with pytest.raises(CancelledError):
        FairPixelClassifier.fit(control_cells(30, 1), control_cells(30, 2), LIMITS, watch=Watched(hear))
    assert [done for done, _ in told] == [1, 2, 3]
    assert {of for _, of in told} == {2 * pixel_classifier.STEPS}
