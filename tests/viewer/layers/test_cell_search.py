"""Cells by the masks of other tools: what does not fit is said, and what is left out is counted."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image, Labels, Points, Shapes

from napari_impa.cells.crops import fits, nucleus_centres
from napari_impa.cells.simulated.screen import CHANNELS, simulated_field
from napari_impa.errors import CellsError
from napari_impa.viewer.layers.cell_choice import CellChoice
from napari_impa.viewer.layers.cell_search import find_cells
from napari_impa.viewer.layers.found_cells import BEYOND, BORDER, CROPS, Found
from napari_impa.viewer.layers.masks import region_of
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


def moved(plane: np.ndarray, rows: int) -> np.ndarray:
    """A plane (H, W) so many rows further down."""
    return np.concatenate([np.zeros_like(plane[:rows]), plane[: len(plane) - rows]])


def movie(offset: float, steps: int = 3) -> tuple[tuple[Channel, ...], list[np.ndarray]]:
    """A movie whose cells move 20 px a step, which begins at a time and has two units of it a step."""
    pixels = [np.stack([moved(plane, 20 * step) for step in range(steps)]) for plane in FIELD.pixels]
    layers = [
        Image(one, name=name, scale=(2, 1, 1), translate=(offset, 0, 0))
        for name, one in zip(CHANNELS, pixels, strict=True)
    ]
    return tuple(map(Channel, layers)), [moved(FIELD.labels, 20 * step) for step in range(steps)]


def middle_of(rows: np.ndarray, labels: np.ndarray, size: int = SIZE) -> bool:
    """Whether cells cut at these rows are those of the labels."""
    centres = nucleus_centres(labels)
    inside = centres[fits(centres[["y", "x"]], labels.shape, size)]
    return sorted(rows) == sorted(inside["y"])


@pytest.mark.parametrize("step", [1, 2])
def test_labels_are_read_at_the_time_where_they_lie_in_the_viewer(step: int) -> None:
    channels, labels = movie(offset=10)
    later = Labels(np.stack(labels[1:]), scale=(2, 1, 1), translate=(12, 0, 0))
    choice = CellChoice(channels, "labels", mask=later, steps=(step,))
    cells = find_cells(Token(), *choice.plain(CHANNELS, SIZE, "perturbation")).cells
    assert middle_of(cells.table["y"].to_numpy(), labels[step])
    later.name = "later"
    with pytest.raises(CellsError, match="'later' has nothing at step 0 of 'DNA'"):
        CellChoice(channels, "labels", mask=later, steps=(0,)).plain(CHANNELS, SIZE, "perturbation")
    with pytest.raises(CellsError, match="The labels have 2 steps and 'DNA' has 3"):
        find_cells(
            Token(), *CellChoice(channels, "labels", mask=later, steps=(None,)).plain(CHANNELS, SIZE, "perturbation")
        )


def test_labels_of_a_longer_time_are_read_where_they_lie() -> None:
    channels, labels = movie(offset=2)
    longer = Labels(np.stack([np.zeros_like(labels[0]), *labels]), scale=(2, 1, 1))
    choice = CellChoice(channels, "labels", mask=longer, steps=(None,))
    table = find_cells(Token(), *choice.plain(CHANNELS, SIZE, "perturbation")).cells.table
    for step, one in enumerate(labels):
        assert middle_of(table.loc[table["step"] == step, "y"].to_numpy(), one)
    shifted = Labels(np.stack(labels), scale=(2, 1, 1))
    with pytest.raises(CellsError, match="do not lie at the same steps in the viewer"):
        find_cells(
            Token(), *CellChoice(channels, "labels", mask=shifted, steps=(None,)).plain(CHANNELS, SIZE, "perturbation")
        )


def test_channels_of_other_times_are_refused() -> None:
    (first, second, third), _ = movie(offset=0)
    second.layer.translate = (4, 0, 0)
    with pytest.raises(CellsError, match="do not lie at the same steps in the viewer"):
        CellChoice((first, second, third), "nuclei", steps=(None,)).plain(CHANNELS, SIZE, "perturbation")
    with pytest.raises(CellsError, match="has nothing at step 1 of 'DNA'"):
        CellChoice((first, second, third), "nuclei", steps=(1,)).plain(CHANNELS, SIZE, "perturbation")
    read = CellChoice((first, second, third), "nuclei", steps=(2,)).plain(CHANNELS, SIZE, "perturbation")[0].read()
    assert (read[1] == second.data[0]).all(), "what lies there in the viewer"


def test_points_and_shapes_count_at_the_time_they_were_drawn_at() -> None:
    channels, _ = movie(offset=10)
    where = [[10, 60, 60], [12, 90, 90], [14, 100, 100], [20, 100, 100.0]]
    points = Points(np.array(where))
    (only,) = points_at(channels, points, (1,)).cells.table[["y", "x"]].to_numpy().tolist()
    assert only == [90, 90]
    every = points_at(channels, points, (None,))
    assert every.cells.table["step"].tolist() == [0, 1, 2]
    assert every.left_out == {BEYOND: 1}
    square = np.array([[0, 40, 40], [0, 40, 160], [0, 160, 160], [0, 160, 40]])
    shapes = Shapes([square + np.array([12, 0, 0])])
    with pytest.raises(CellsError, match="holds no shape at this step"):
        region_of(shapes, channels[0], (0,))
    assert region_of(shapes, channels[0], (1,)).holds([(90, 90)]).tolist() == [True]
    everywhere = region_of(shapes, channels[0], (None,))
    assert [everywhere.holds([(90, 90)], step).tolist() for step in range(3)] == [[False], [True], [False]]
    assert region_of(Shapes([square[:, 1:]]), channels[0], (2,)).holds([(90, 90)]).tolist() == [True]


def points_at(channels: tuple[Channel, ...], points: Points, steps: tuple[int | None, ...]) -> Found:
    choice = CellChoice(channels, "points", mask=points, steps=steps)
    return find_cells(Token(), *choice.plain(CHANNELS, SIZE, "perturbation"))


@pytest.mark.parametrize(("labels", "said"), [(None, True), (("cell", "y", "x"), False)])
def test_a_stack_without_axis_names_is_said_to_be_taken_for_crops(labels: tuple[str, ...] | None, said: bool) -> None:
    stack = np.stack([FIELD.pixels[0, :48, :48]] * 4)
    channels = tuple(Channel(Image(stack, name=name, axis_labels=labels)) for name in CHANNELS)
    cells = find_cells(Token(), *CellChoice(channels, CROPS).plain(CHANNELS, SIZE, "perturbation"))
    assert cells.describe() == "4 cells" + " · planes taken for crops (guessed)" * said
    assert ("choose how nuclei are found" in cells.details()) is said


def test_points_outside_the_image_are_counted() -> None:
    places = [[-5, 3], [1000, 1000], [199.6, 100], [2, 100], [100, 90.0]]
    cells = found(Points(np.array(places)), "points")
    assert cells.left_out == {BORDER: 1, BEYOND: 3}
    assert cells.cells.table["label"].tolist() == [5]
    assert "3 outside the image" in cells.details()


def test_what_is_odd_about_where_layers_lie_is_said() -> None:
    pixels, labels = FIELD.pixels, FIELD.labels
    um = {"scale": (0.65, 0.65), "units": ("um", "um")}

    def said(mask: Labels, *channels: Image) -> tuple[str, ...]:
        choice = CellChoice(tuple(map(Channel, channels)), method="labels", mask=mask)
        return find_cells(Token(), *choice.plain(CHANNELS, SIZE, "perturbation")).layers.remarks

    layers = [Image(channel, name=name, **um) for channel, name in zip(pixels, CHANNELS, strict=True)]
    assert said(Labels(labels, **um), *layers) == ()
    (remark,) = said(Labels(labels), *layers)
    assert remark.startswith(f"labels that do not lie on {CHANNELS[0]}, which has as many pixels")
    assert said(Labels(labels, **um), layers[0], *layers[:2]) == (f"{CHANNELS[0]} taken for several channels",)
    high = [Image(channel, scale=(1.3, 0.65), units=("um", "um")) for channel in pixels]
    assert said(Labels(labels, scale=(1.3, 0.65), units=("um", "um")), *high) == (
        "pixels 1.3 µm high and 0.65 µm wide",
    )


def test_labels_painted_on_with_one_number_are_cells_of_their_own() -> None:
    table = nucleus_centres(FIELD.labels)
    first, *_, last = table.sort_values("y")["label"]
    layers = tuple(Channel(Image(channel)) for channel in FIELD.pixels)
    places = []
    for labels in (FIELD.labels, np.where(FIELD.labels == last, first, FIELD.labels)):
        choice = CellChoice(layers, method="labels", mask=Labels(labels))
        cells = find_cells(Token(), *choice.plain(CHANNELS, SIZE, "perturbation")).cells
        places.append(sorted(map(tuple, cells.table[["y", "x"]].to_numpy().tolist())))
    assert places[0] == places[1]
