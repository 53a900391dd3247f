from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from napari.layers import Image

from napari_impa.cells.crops import cut, paste, without_old_bodies
from napari_impa.cells.simulated.screen import simulated_cells, simulated_field
from napari_impa.cells.store import Cells
from napari_impa.engine.model.model import IMPA
from napari_impa.engine.model.networks import Networks
from napari_impa.engine.model.shape import Shape
from napari_impa.errors import CellsError, ModelError
from napari_impa.viewer.layers.cell_search import find_cells
from napari_impa.viewer.layers.channels import ChannelLayers, channel_layers
from napari_impa.viewer.layers.found_cells import BORDER, CROPS, LABELS, Found
from napari_impa.viewer.library.models import Loaded
from napari_impa.viewer.perturb.prediction import EncodedCells, predict_cells
from napari_impa.viewer.perturb.request import PredictedBlock, Request, made_by
from napari_impa.viewer.perturb.views.in_place import paste_cells
from napari_impa.watch import CancelledError, Token

FIELD = simulated_field(seed=3, size=320)
REQUEST = Request(("shrinkage",), strength=0.7, variability=0.3, seed=5)


def layers() -> ChannelLayers:
    options = {"scale": (0.65, 0.65), "units": ("um", "um")}
    images = [Image(plane, name=name, **options) for name, plane in zip(FIELD.channels, FIELD.pixels, strict=True)]
    return channel_layers(images)


def found(method: str = LABELS) -> Found:
    return find_cells(Token(), layers(), FIELD.channels, 48, method, 0, FIELD.labels)


def loaded(model: IMPA) -> Loaded:
    return Loaded("small", model, model.hash, "CPU")


def test_cells_are_those_that_the_library_cuts() -> None:
    expected = cut(FIELD.pixels, FIELD.labels, 48)
    result = found()
    assert np.array_equal(result.cells.pixels, expected.pixels)
    assert result.left_out == {BORDER: expected.left_out}
    assert result.cells.pixel_size == pytest.approx(0.65)
    assert result.describe() == f"{len(expected.pixels)} cells · {expected.left_out} left out"
    assert f"{expected.left_out} nearer to the border than half a crop" in result.details()


def test_nuclei_are_found_with_the_segmenter() -> None:
    result = found("nuclei")
    assert abs(len(result.cells) - len(found().cells)) <= 3
    assert result.labels is not None
    assert result.labels.max() >= len(result.cells)


def test_crops_are_taken_as_they_are_and_cut_at_the_centre() -> None:
    stack = found().cells.pixels
    images = [Image(np.pad(stack[:, c], ((0, 0), (4, 4), (4, 4))), name=str(c)) for c in range(3)]
    result = find_cells(Token(), channel_layers(images, stacks=True), FIELD.channels, 48, CROPS, 0)
    assert np.array_equal(result.cells.pixels, stack)
    assert result.field is None


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"mask": np.zeros((320, 320), int)}, CellsError, "No cell was found in the Labels layer"),
        ({"mask": np.zeros((9, 9), int)}, CellsError, "labels have"),
        ({"mask": np.eye(320, dtype=int) * np.arange(320) * (np.arange(320) < 9)}, CellsError, "nearer to the border"),
        ({"size": 384}, CellsError, "384 px"),
        ({"method": CROPS, "layers": channel_layers([Image(np.ones((4, 20, 20)))], stacks=True)}, ModelError, "48 px"),
    ],
)
def test_nothing_to_predict_on(change: dict[str, object], error: type, message: str) -> None:
    given = {"layers": layers(), "size": 48, "method": LABELS, "mask": FIELD.labels, **change}
    with pytest.raises(error, match=message):
        find_cells(Token(), given["layers"], FIELD.channels, given["size"], given["method"], 0, given["mask"])


def test_prediction_is_that_of_the_model(model: IMPA) -> None:
    cells = found().cells
    expected = model.predict(cells, "shrinkage", strength=0.7, variability=0.3, seed=5)
    blocks: list[PredictedBlock] = []
    encoded = EncodedCells(loaded(model), found())
    encoded.in_sight = len(cells) - 1
    result = predict_cells(Token(blocks.append), encoded, REQUEST)
    assert np.abs(result.pixels[0].astype(int) - expected.pixels).max() <= 1
    assert result.pixels.dtype == cells.pixels.dtype
    assert blocks[0].rows == slice(len(cells) - 1, len(cells))  # the cell in sight comes first
    assert sorted(row for block in blocks for row in range(block.rows.start, block.rows.stop)) == list(
        range(len(cells))
    )


def test_cells_start_from_the_batch_that_their_table_names() -> None:
    torch.manual_seed(0)
    networks = Networks(Shape(48, channels=3, width=4, conditions=(2,), relative_style=2))
    torch.nn.init.normal_(networks.start_style)
    model = IMPA(
        networks, channels=FIELD.channels, conditions=("batch 1", "batch 2"), limits=np.array([[100.0, 3000.0]] * 3),
        control=None, label=("batch",), task="batch",
    )  # fmt: skip
    cells = simulated_cells(1, size=48, conditions=("DMSO", "shrinkage")).labelled(["batch"], None)
    request = Request(("batch 2",), variability=0.0)

    def predicted(of: Cells) -> np.ndarray:
        encoded = EncodedCells(loaded(model), SimpleNamespace(cells=of, treated=lambda name: None))  # type: ignore[arg-type]
        first = predict_cells(Token(), encoded, request).pixels[0].astype(int)
        again = predict_cells(Token(), encoded.taking(encoded.found, np.arange(len(of))), request).pixels[0]
        assert np.abs(first - again).max() <= 1  # what was kept says it too
        return first

    swapped = replace(cells, table=cells.table.replace({"batch": {"batch 1": "batch 2", "batch 2": "batch 1"}}))
    expected, other = (model.predict(some, "batch 2", variability=0.0).pixels.astype(int) for some in (cells, swapped))
    assert np.abs(expected - other).max() > 2
    assert np.abs(predicted(cells) - expected).max() <= 1
    assert np.abs(predicted(swapped) - other).max() <= 1


def test_content_is_encoded_once(model: IMPA, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    encode = model.encode
    monkeypatch.setattr(model, "encode", lambda pixels, **more: calls.append(len(pixels)) or encode(pixels, **more))
    encoded = EncodedCells(loaded(model), found())
    for seed in range(3):
        predict_cells(Token(), encoded, Request(("shrinkage",), seed=seed))
    assert sum(calls) == len(encoded.found.cells)


def test_cells_are_put_back_where_they_were_cut(model: IMPA) -> None:
    origin = found()
    encoded = EncodedCells(loaded(model), origin)
    result = predict_cells(Token(), encoded, REQUEST)
    fields = paste_cells(Token(), encoded, result)
    centres = origin.cells.table[["y", "x"]].to_numpy()
    faded = without_old_bodies(FIELD.pixels, result.pixels[0], centres, origin.marks, origin.rows + 1)
    expected = paste(faded, result.pixels[0], centres)
    assert len(fields) == 1
    assert np.array_equal(fields[0], expected)
    assert not np.array_equal(expected, FIELD.pixels)


def test_cancelled_between_blocks(model: IMPA) -> None:
    token = Token(lambda block: token.cancel())
    with pytest.raises(CancelledError):
        predict_cells(token, EncodedCells(loaded(model), found()), REQUEST)


def test_what_made_a_layer(model: IMPA) -> None:
    about = made_by(loaded(model), REQUEST)
    assert about == {
        "model": "small", "model_hash": model.hash, "condition": "shrinkage",
        "strength": 0.7, "variability": 0.3, "seed": 5,
    }  # fmt: skip
    assert REQUEST.title() == "shrinkage ×0.7"
    assert Request(("shrinkage",)).title() == "shrinkage"


def test_cells_keep_the_models_channel_names() -> None:
    assert isinstance(found().cells, Cells)
    assert found().cells.channels == FIELD.channels


@given(st.integers(0, 40), st.integers(1, 8))
def test_pieces_are_every_row_once_the_cell_in_sight_first(in_sight: int, most: int) -> None:
    cells = Cells(np.zeros((30, 1, 2, 2), np.uint8), pd.DataFrame(index=range(30)), ("DNA",))
    encoded = EncodedCells(SimpleNamespace(batch_size=most), SimpleNamespace(cells=cells))  # type: ignore[arg-type]
    encoded.in_sight = in_sight
    pieces = list(encoded.pieces(Token()))
    assert pieces[0] == slice(min(in_sight, 29), min(in_sight, 29) + 1)
    assert sorted(row for piece in pieces for row in range(piece.start, piece.stop)) == list(range(30))
    assert max(piece.stop - piece.start for piece in pieces) <= most
