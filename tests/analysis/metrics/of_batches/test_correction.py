"""What of a cell a prediction keeps."""

from __future__ import annotations

import numpy as np
import pytest

from napari_impa.analysis.evaluation import evaluation
from napari_impa.analysis.metrics.of_batches.correction import nucleus_kept
from napari_impa.errors import CellsError


def discs(radii: np.ndarray, shifts: np.ndarray, size: int = 48) -> np.ndarray:
    """(n, size, size) bright discs on a dark ground."""
    y, x = np.indices((size, size))
    centre = size / 2 + shifts
    away = np.hypot(y - centre[:, 0, None, None], x - centre[:, 1, None, None])
    return np.where(away < radii[:, None, None], 900, 100)


@pytest.fixture
def cells() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.uniform(5, 11, 40), rng.uniform(-4, 4, (40, 2))


def test_brighter_cells_keep_area_and_place(cells) -> None:
    images = discs(*cells)
    assert nucleus_kept(images, 3 * images + 50) == pytest.approx({"area": 1.0, "place": 1.0})


def test_area_and_place_are_told_apart(cells) -> None:
    radii, shifts = cells
    rng = np.random.default_rng(1)
    other_area = nucleus_kept(discs(radii, shifts), discs(rng.permutation(radii), shifts))
    assert other_area["place"] > 0.95
    assert abs(other_area["area"]) < 0.5
    other_place = nucleus_kept(discs(radii, shifts), discs(radii, rng.permutation(shifts)))
    assert other_place["area"] > 0.95
    assert abs(other_place["place"]) < 0.5


def test_a_few_nuclei_parted_otherwise_do_not_decide(cells) -> None:
    radii, shifts = cells
    moved = shifts.copy()
    moved[:2] += 15
    assert nucleus_kept(discs(radii, shifts), discs(radii, moved))["place"] > 0.75


def test_without_nuclei_there_is_nothing_to_compare(cells) -> None:
    images = discs(*cells)
    assert np.isnan(list(nucleus_kept(images, np.zeros_like(images)).values())).all()


def test_other_shapes_are_refused(cells) -> None:
    images = discs(*cells)
    with pytest.raises(CellsError, match="one shape"):
        nucleus_kept(images, images[:5])


def test_five_nuclei_are_enough(cells) -> None:
    images = discs(*cells)
    assert nucleus_kept(images[:5], images[:5])["area"] == pytest.approx(1)
    assert np.isnan(nucleus_kept(images[:4], images[:4])["area"])


def test_place_is_that_of_rows_and_columns(cells) -> None:
    radii, shifts = cells
    rng = np.random.default_rng(1)
    for axis in (0, 1):  # shuffled along one axis alone, the other half of the place stays
        moved = shifts.copy()
        moved[:, axis] = rng.permutation(moved[:, axis])
        assert nucleus_kept(discs(radii, shifts), discs(radii, moved))["place"] == pytest.approx(0.5, abs=0.2)


def test_of_many_cells_every_so_many_nuclei_are_compared(cells_of_screen, double, monkeypatch) -> None:
    many = cells_of_screen(220)
    seen = []

    def kept(before: np.ndarray, after: np.ndarray) -> dict[str, float]:
        seen.append((before, after))
        return {"area": 1.0, "place": 1.0}

    monkeypatch.setattr("napari_impa.analysis.metrics.of_batches.correction.nucleus_kept", kept)
    model = double(lambda some, to: some.pixels + 7, task="batch", label=("batch",), control=None, names=("0", "1"))
    evaluation(model, many, nuclei_channel="actin", features=("fast",), most=660)
    # of 660, of which at most 300 are compared; as predicted, and as they are
    assert [len(before) for before, _ in seen][:2] == [220, 220]
    others = many.pixels[(many.table["batch"] == 1).to_numpy()]
    np.testing.assert_array_equal(seen[0][0], others[::3, 1])
    np.testing.assert_array_equal(seen[0][1], others[::3, 1] + 7)
