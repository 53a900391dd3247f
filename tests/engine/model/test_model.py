from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_impa.cells import store
from napari_impa.cells.store import Cells, open_cells
from napari_impa.engine.model.model import IMPA
from napari_impa.engine.model.prediction import batches_of, predict_blocks
from napari_impa.engine.model.tensor_file import write_tensors
from napari_impa.engine.training.trainer import Trainer
from napari_impa.errors import ConditionError, ModelError
from napari_impa.watch import CancelledError, Token
from napari_impa.work.catalog import load_model


@pytest.fixture
def model(two_channels: IMPA) -> IMPA:
    return two_channels


def test_predicted_cells_are_cells(model: IMPA, cells: Cells) -> None:
    controls = cells.controls()
    after = model.predict(controls, ["low", "high"], seed=3)
    assert after.pixels.shape == (40, 2, 24, 24)
    assert after.pixels.dtype == np.uint16
    assert after.channels == cells.channels
    assert after.pixel_size == 0.5
    assert list(after.table["predicted"]) == ["low"] * 20 + ["high"] * 20
    assert after.history["model_hash"] == model.hash
    assert after.history["seed"] == 3
    low = model.predict(controls, "low", seed=3)
    np.testing.assert_array_equal(after.pixels[:20], low.pixels)


def test_a_seed_fixes_the_prediction_whatever_the_batch(model: IMPA, cells: Cells) -> None:
    whole, small = (model.predict(cells, "low", batch_size=size).pixels.astype(int) for size in (40, 7))
    assert np.abs(whole - small).max() <= 1
    assert (model.predict(cells, "low", seed=1).pixels != whole).any()
    still = [model.predict(cells, "low", seed=seed, variability=0).pixels for seed in (0, 1)]
    np.testing.assert_array_equal(*still)


def test_strength_slides_from_the_own_style_to_the_condition(model: IMPA, cells: Cells) -> None:
    encoded = model.encode(cells.pixels[:4, :, 1:25, 1:25])
    noise = model.noise(4)
    with torch.no_grad():
        own = model.networks.generator.render(encoded.content, encoded.style)
        target = model.networks.style(torch.full((4,), 1), noise)
        half = model.networks.generator.render(encoded.content, (encoded.style + target) / 2)
    torch.testing.assert_close(model.decode(encoded, "low", noise, strength=0), own)
    quick = model.encode(cells.pixels[:4, :, 1:25, 1:25], style=False)
    assert torch.equal(model.decode(quick, "low", noise), model.decode(encoded, "low", noise))
    with pytest.raises(ValueError, match="own styles"):
        model.decode(quick, "low", noise, strength=0.5)
    torch.testing.assert_close(model.decode(encoded, "low", noise, strength=0.5), half, atol=1e-5, rtol=1e-5)


def test_channels_in_another_order_are_put_right(model: IMPA, cells: Cells) -> None:
    swapped = replace(cells, pixels=cells.pixels[:, ::-1], channels=("actin", "DNA"))
    np.testing.assert_array_equal(model.predict(swapped, "low").pixels, model.predict(cells, "low").pixels)


def test_memory_that_runs_out_halves_the_batch(model: IMPA, cells: Cells, monkeypatch: pytest.MonkeyPatch) -> None:
    expected, whole = model.predict(cells, "low", batch_size=5), model.encode

    tried: list[int] = []

    def encode(pixels: np.ndarray, **told: Any) -> object:
        tried.append(len(pixels))
        if len(pixels) > 5:
            raise torch.OutOfMemoryError("out of memory")
        return whole(pixels, **told)

    monkeypatch.setattr(model, "encode", encode)
    np.testing.assert_array_equal(model.predict(cells, "low", batch_size=20).pixels, expected.pixels)
    assert tried == [20, 10, *[5] * 8]


def test_a_prediction_is_watched_and_left(model: IMPA, cells: Cells) -> None:
    said: list[tuple[int, int]] = []
    model.predict(cells, ["low", "high"], batch_size=15, progress=lambda done, of: said.append((done, of)))
    assert said == [(15, 40), (30, 40), (40, 40)]
    token = Token(lambda progress: token.cancel())
    parts = []
    with pytest.raises(CancelledError):
        parts.extend(part for part, _ in predict_blocks(model, cells, "low", batch_size=15, watch=token))
    assert len(parts) <= 1


def test_what_does_not_fit_is_said_in_one_sentence(model: IMPA, cells: Cells) -> None:
    with pytest.raises(ConditionError, match="does not know 'huge'; it can turn cells into: high, low"):
        model.predict(cells, "huge")
    one = replace(cells, pixels=cells.pixels[:, :1], channels=("DNA",))
    with pytest.raises(ModelError, match=r"takes 2 channels .* have 1"):
        model.predict(one, "low")
    with pytest.raises(ModelError, match="takes crops of 24 px, but the cells have 20 px"):
        model.predict(replace(cells, pixels=cells.pixels[..., :20, :20]), "low")


@pytest.mark.parametrize("half", [False, True])
def test_a_file_gives_the_same_model(model: IMPA, cells: Cells, tmp_path: Path, half: bool) -> None:
    again = load_model(model.save(tmp_path / "m", compact=half, half=half))
    assert (again.hash == model.hash) is not half
    assert again.header() == model.header()
    difference = again.predict(cells, "low").pixels.astype(int) - model.predict(cells, "low").pixels.astype(int)
    grey_level = 4000 / 255
    assert np.quantile(np.abs(difference), 0.99) <= (grey_level if half else 0)


def test_damaged_and_foreign_files_are_refused(model: IMPA, tmp_path: Path) -> None:
    path = model.save(tmp_path / "m")
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ModelError, match="damaged"):
        IMPA.load(path)
    write_tensors(tmp_path / "n.impa", {"a": torch.zeros(1)}, {**model.header(), "format": 99})
    with pytest.raises(ModelError, match="newer napari-impa"):
        IMPA.load(tmp_path / "n.impa")
    write_tensors(tmp_path / "o.impa", {"a": torch.zeros(1)}, model.header())
    with pytest.raises(ModelError, match="there are no weights"):
        IMPA.load(tmp_path / "o.impa")
    weights = {**model.weights(), "more.weight": torch.zeros(1)}
    write_tensors(tmp_path / "p.impa", weights, model.header())
    with pytest.raises(ModelError, match="has others than its networks"):
        IMPA.load(tmp_path / "p.impa")
    for key in ("shape", "limits", "conditions", "history"):
        write_tensors(tmp_path / "q.impa", model.weights(), {k: v for k, v in model.header().items() if k != key})
        with pytest.raises(ModelError, match=f"not a complete model file .*{key}"):
            IMPA.load(tmp_path / "q.impa")
    with pytest.raises(ModelError, match="holds no model"):
        load_model(tmp_path)


def test_cells_in_a_file_are_read_and_predicted_batch_by_batch(
    model: IMPA, cells: Cells, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    swapped = replace(cells, pixels=cells.pixels[:, ::-1], channels=cells.channels[::-1])
    mapped = open_cells(swapped.save(tmp_path / "swapped"))
    read: list[int] = []
    real = store.read_pixels
    monkeypatch.setattr(store, "read_pixels", lambda pixels, rows: read.append(len(rows)) or real(pixels, rows))
    rows = np.flatnonzero(mapped.is_control)[::-1]
    found = list(predict_blocks(model, mapped, "low", rows=rows, batch_size=8))
    assert max(read) == 8
    assert [part for part, _ in found] == [slice(0, 8), slice(8, 16), slice(16, 20)]
    expected = model.predict(cells.take(rows), "low", batch_size=8)
    np.testing.assert_array_equal(np.concatenate([pixels for _, (pixels,) in found]), expected.pixels)


def test_relative_styles_are_kept_in_the_file(
    cells: Cells, make_trainer: Callable[..., Trainer], tmp_path: Path
) -> None:
    trainer = make_trainer(steps=4)
    list(trainer)
    model = trainer.model
    again = IMPA.load(model.save(tmp_path / "model", compact=True))
    assert again.shape.relative_style
    controls = again.fit(cells.controls())
    for strength in (0.0, 0.5, 1.0, 1.5):
        before, after = (one.predict(controls, "low", strength=strength).pixels for one in (model, again))
        np.testing.assert_array_equal(before, after)
    encoded = again.encode(controls.pixels, style=False)  # which is not enough to predict here
    target = again.networks.style_of(again.embedding("low")[0].expand(len(controls), -1), again.noise(len(controls)))
    expected = again.networks.generator.render(encoded.content, encoded.style + target - again.networks.start_style[0])
    torch.testing.assert_close(again.decode(encoded, "low", again.noise(len(controls))), expected)


def test_relative_styles_leave_a_cell_that_is_of_the_batch_as_it_is(cells: Cells, make_trainer: Callable[..., Trainer]):
    trainer = make_trainer(of=cells.labelled(["batch"], None), task="batch", steps=1)
    list(trainer)
    model = trainer.model
    assert model.shape.relative_style == 2
    torch.nn.init.normal_(model.networks.start_style)
    encoded = model.encode(model.fit(cells).pixels)
    start = model.networks.start(encoded.style, None)
    target = model.networks.style_of(model.embedding("two")[0].expand(len(cells), -1), model.noise(len(cells)))
    expected = model.networks.generator.render(encoded.content, encoded.style + target - start)
    torch.testing.assert_close(model.decode(encoded, "two", model.noise(len(cells))), expected)


def test_the_batch_that_the_table_says_counts_and_another_is_told_from_the_cell(
    cells: Cells, make_trainer: Callable[..., Trainer]
) -> None:
    trainer = make_trainer(of=cells.labelled(["batch"], None), task="batch", steps=1)
    list(trainer)
    model = IMPA.load(trainer.run.last_path)
    torch.nn.init.normal_(model.networks.start_style)
    some = cells.take(np.arange(16, 24))
    some.table.loc[7, "batch"] = "three"
    np.testing.assert_array_equal(batches_of(model, some), [0] * 4 + [1] * 3 + [-1])
    encoded = model.encode(model.fit(some).pixels, batches=batches_of(model, some))
    told = torch.cat([model.networks.start_style[[0] * 4 + [1] * 3], model.networks.start(encoded.style[7:], None)])
    torch.testing.assert_close(encoded.start, told)
    noise = model.noise(8)
    target = model.networks.style_of(model.embedding("two")[0].expand(8, -1), noise)
    expected = model.to_camera(model.networks.generator.render(encoded.content, encoded.style + target - told), "u2")
    np.testing.assert_allclose(model.predict(some, "two").pixels, expected, atol=1)
    nameless = replace(some, table=some.table.drop(columns="batch"), label=())
    assert batches_of(model, nameless) is None
    assert np.abs(model.predict(nameless, "two").pixels - expected.astype(float)).max() > 10
