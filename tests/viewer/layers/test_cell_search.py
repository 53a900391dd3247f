"""Cells by the masks of other tools: what does not fit is said, and what is left out is counted."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image, Labels, Points

from napari_impa.cells.simulated.screen import CHANNELS, simulated_field
from napari_impa.errors import CellsError
from napari_impa.viewer.layers.cell_choice import CellChoice
from napari_impa.viewer.layers.cell_search import find_cells
from napari_impa.viewer.layers.found_cells import BEYOND, BORDER, Found
from napari_impa.viewer.layers.sources import Channel
from napari_impa.watch import Token

FIELD = simulated_field(seed=3, size=200)
SIZE = 32


def found(mask: Labels | Points, method: str, steps: int = 0) -> Found:
    pixels = [np.stack([plane] * steps) if steps else plane for plane in FIELD.pixels]
    channels = tuple(Channel(Image(one, name=name)) for name, one in zip(CHANNELS, pixels, strict=True))
    choice = CellChoice(channels, method=method, mask=mask, steps=(None,) if steps else ())
    return find_cells(Token(), *choice.plain(CHANNELS, SIZE, "perturbation"))


@pytest.mark.parametrize("count", [2, 5])
def test_labels_of_fewer_or_more_steps_than_the_movie_are_refused(count: int) -> None:
    with pytest.raises(CellsError, match=f"The labels have {count} steps and 'DNA' has 3"):
        found(Labels(np.stack([FIELD.labels] * count)), "labels", steps=3)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_labels_of_every_step_or_one_image_for_all_are_taken(count: int) -> None:
    labels = np.stack([FIELD.labels] * count) if count else FIELD.labels
    one = found(Labels(FIELD.labels), "labels")
    assert found(Labels(labels), "labels", steps=3).cells.table["step"].value_counts().to_dict() == dict.fromkeys(
        range(3), len(one.cells)
    )


def test_points_outside_the_image_are_counted() -> None:
    places = [[-5, 3], [1000, 1000], [199.6, 100], [2, 100], [100, 90.0]]
    cells = found(Points(np.array(places)), "points")
    assert cells.left_out == {BORDER: 1, BEYOND: 3}
    assert cells.cells.table["label"].tolist() == [5]
    assert "3 outside the image" in cells.details()
