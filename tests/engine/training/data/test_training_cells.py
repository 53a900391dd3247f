from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from napari_impa.cells.store import Cells, open_cells
from napari_impa.engine.training.data import feed
from napari_impa.engine.training.data.training_cells import TrainingCells
from napari_impa.engine.training.settings import TrainingSettings
from napari_impa.engine.training.steps import recipe_named
from napari_impa.engine.training.steps.batch import Batch

SIDE = 24


@pytest.fixture(scope="module")
def numbered(tmp_path_factory: pytest.TempPathFactory) -> Cells:
    """600 cells, memory-mapped, each of one level that tells its row (once the intensity limits are 0…650).

    300 controls, then 270 cells of `a` and 30 of `b`; every fourth cell is on plate two.
    """
    rows = np.arange(600)
    pixels = np.broadcast_to(rows.reshape(-1, 1, 1, 1), (600, 1, SIDE, SIDE)).astype(np.uint16)
    table = pd.DataFrame({"drug": np.repeat(["DMSO", "a", "b"], [300, 270, 30]), "plate": rows % 4 // 3})
    path = tmp_path_factory.mktemp("cells") / "n.cells"
    return open_cells(Cells(pixels, table, ("DNA",), None, ("drug",), "DMSO").save(path))


def training(cells: Cells, **settings: Any) -> TrainingCells:
    chosen = TrainingSettings(size=SIDE, **settings)
    data = TrainingCells(cells, chosen, recipe_named(chosen.recipe))
    data.limits = np.array([[0.0, 650.0]])
    return data


def rows_of(images: torch.Tensor) -> np.ndarray:
    """Rows of numbered cells."""
    levels = ((images.double() + 1) * 127.5).amin((1, 2, 3))
    return (levels * 650 / 255).round().int().numpy()


def same(a: Batch, b: Batch) -> bool:
    tensors = ("control", "treated", "y_treated", "y_target")
    return all(torch.equal(getattr(a, name), getattr(b, name)) for name in tensors)


@pytest.fixture(params=["whole", "pool"])
def memory(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Memory for all numbered cells, or for 80 of them."""
    if request.param == "pool":
        monkeypatch.setattr(feed, "HOST_BYTES", 80 * 2 * SIDE**2)
    return request.param


@pytest.mark.parametrize("recipe", ["paper", "default"])
def test_a_batch_holds_controls_and_cells_of_the_conditions_it_names(numbered: Cells, memory: str, recipe: str) -> None:
    data = training(numbered, recipe=recipe, batch_size=16, hold_out={"plate": ["1"]})
    for step in range(12):
        batch = data.batch(step)
        control, treated = rows_of(batch.control), rows_of(batch.treated)
        assert (control < 300).all()
        assert np.where(treated < 570, 0, 1).tolist() == batch.y_treated.tolist()
        assert batch.y_target.tolist() == batch.y_treated.tolist()
        assert (np.concatenate([control, treated]) % 4 != 3).all()  # none that was held out
        assert batch.control.dtype == torch.float32
        assert batch.first == 0
    data.close()


@pytest.mark.parametrize("recipe", ["paper", "default"])
def test_conditions_are_drawn_evenly_or_as_often_as_they_are(numbered: Cells, memory: str, recipe: str) -> None:
    data = training(numbered, recipe=recipe, batch_size=32)
    drawn = np.concatenate([data.batch(step).y_treated.numpy() for step in range(60)])
    expected = 0.5 if recipe == "default" else 0.1
    assert abs(drawn.mean() - expected) < 4 * np.sqrt(expected * (1 - expected) / len(drawn))
    data.close()


@pytest.mark.parametrize("recipe", ["paper", "default"])
def test_every_cell_is_reached(numbered: Cells, memory: str, recipe: str) -> None:
    data = training(numbered, recipe=recipe, batch_size=32)
    seen: set[int] = set()
    for step in range(250):
        batch = data.batch(step)
        seen |= {*rows_of(batch.control).tolist(), *rows_of(batch.treated).tolist()}
    assert seen == set(range(600))
    data.close()


@pytest.mark.parametrize("task", ["perturbation", "batch"])
def test_parts_that_processes_draw_make_up_the_whole_batch(numbered: Cells, memory: str, task: str) -> None:
    cells = numbered if task == "perturbation" else replace(numbered, label=("drug",), control=None)
    settings: dict[str, Any] = {"task": task, "batch_size": 10}
    whole = training(cells, **settings)
    parts = [training(cells, **settings) for _ in range(3)]
    for step in (0, 1, 9):
        expected = whole.batch(step)
        found = [part.batch(step, rank, 3) for rank, part in enumerate(parts)]
        assert [batch.first for batch in found] == [0, 3, 6]
        assert expected.at_target is None
        joined = {
            name: torch.cat([getattr(batch, name) for batch in found])
            for name in ("control", "treated", "y_treated", "y_target")
        }
        assert same(expected, Batch(**joined))
    for data in [whole, *parts]:
        data.close()


def test_a_batch_depends_on_seed_and_step_alone(numbered: Cells, memory: str) -> None:
    one, other = training(numbered, batch_size=8), training(numbered, batch_size=8)
    batches = [one.batch(step) for step in range(30)]
    for step in (29, 3, 4, 28):  # as a resumed training would, and in any order
        assert same(other.batch(step), batches[step])
    assert not same(batches[3], batches[4])
    assert not same(training(numbered, batch_size=8, seed=1).batch(3), batches[3])
    for data in (one, other):
        data.close()


def test_cells_that_fit_are_drawn_uniformly(numbered: Cells) -> None:
    data = training(numbered, recipe="paper", batch_size=300)
    treated = np.concatenate([rows_of(data.batch(step).treated) for step in range(40)])
    counts = np.bincount(treated - 300, minlength=300)
    assert 0.75 < ((counts - 40) ** 2 / 40).mean() < 1.25


def test_images_are_neither_flipped_nor_dithered(numbered: Cells) -> None:
    data = training(numbered)
    images = data.images(np.array([5, 599]))
    torch.testing.assert_close(images[:, 0, 0, 0], torch.tensor([5.0, 599.0]) * 255 / 650 / 127.5 + 0.5 / 127.5 - 1)
    assert torch.equal(images, images.flip(-1))


@pytest.mark.parametrize(("recipe", "widths"), [("default", [20, 20, 40]), ("paper", [36, 4, 40])])
def test_a_pool_holds_cells_as_the_recipe_draws_them(
    numbered: Cells, monkeypatch: pytest.MonkeyPatch, recipe: str, widths: list[int]
) -> None:
    """Of 270 and 30 treated cells and of the controls."""
    monkeypatch.setattr(feed, "HOST_BYTES", 80 * 2 * SIDE**2)
    assert training(numbered, recipe=recipe)._feed.plan.widths.tolist() == widths


def test_limits_are_those_of_the_cells_trained_on(numbered: Cells) -> None:
    held = TrainingCells(numbered, TrainingSettings(size=SIDE, hold_out={"drug": ["b"]}), recipe_named("default"))
    assert held.limits[0, 1] < 570
    assert TrainingCells(numbered, TrainingSettings(size=SIDE), recipe_named("default")).limits[0, 1] > 590


def test_training_ends_the_reading_thread(numbered: Cells, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_impa.engine.training.trainer import Trainer

    monkeypatch.setattr(feed, "HOST_BYTES", 80 * 2 * SIDE**2)
    settings = TrainingSettings(size=SIDE, batch_size=2, steps=3, style_dim=8)
    trainer = Trainer(numbered, settings, tmp_path / "whole")
    list(trainer)
    assert trainer.data._feed._reading is None
    assert 0 < trainer._batches.seconds < trainer.seconds
    events = iter(Trainer(numbered, settings, tmp_path / "left"))
    next(events)
    events.close()  # type: ignore[attr-defined]
    resumed = Trainer(numbered, settings, tmp_path / "left", resume=True)
    list(resumed)
    assert resumed.model.hash == trainer.model.hash


@pytest.mark.gpu
def test_a_gpu_gets_the_cells_that_a_cpu_gets(numbered: Cells, monkeypatch: pytest.MonkeyPatch) -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA GPU")
    for pool in (1 << 30, 80 * 2 * SIDE**2):
        monkeypatch.setattr(feed, "HOST_BYTES", pool)
        monkeypatch.setattr(feed, "memory_for", lambda device, pool=pool: (pool, pool))
        data = [
            TrainingCells(
                numbered, TrainingSettings(size=SIDE, batch_size=8), recipe_named("default"), torch.device(name)
            )
            for name in ("cpu", "cuda")
        ]
        for step in (0, 1, 40, 41):
            cpu, gpu = (one.batch(step) for one in data)
            assert gpu.control.is_cuda
            assert gpu.y_target.tolist() == cpu.y_target.tolist()
            torch.testing.assert_close(gpu.treated.cpu(), cpu.treated, atol=2.1 / 255, rtol=0)  # the dither is its own
        for one in data:
            one.close()


def test_cells_without_a_label_take_no_part(cells: Cells) -> None:
    some = cells.table["drug"].where(np.arange(len(cells)) % 5 > 0, None)
    unlabelled = replace(cells, table=cells.table.assign(drug=some))
    data = TrainingCells(unlabelled, TrainingSettings(size=SIDE), recipe_named("default"))
    assert data.labels.conditions == ["high", "low"]
    assert np.array_equal(data.labels.held, unlabelled.conditions == "")
    assert sum(data.labels.counts.values()) == 32
