from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from napari_impa.cells.store import Cells
from napari_impa.engine.model.model import IMPA
from napari_impa.engine.model.networks import Networks
from napari_impa.engine.model.shape import Shape
from napari_impa.engine.training.calibration import _whitening, calibrate, can_calibrate
from napari_impa.engine.training.trainer import Trainer
from napari_impa.errors import ModelError

Make = Callable[..., Trainer]
SHAPE = Shape(size=24, channels=2, width=4, style_dim=8, conditions=(2,))


def stepped(trainer: Trainer, steps: int = 3) -> Trainer:
    """A trainer that has made some of its steps, so that its model is as training left it."""
    for event in trainer:
        if event.step == steps:
            break
    return trainer


def mean_style(model: IMPA, cells: Cells, mask: Any) -> torch.Tensor:
    return model.encode(model.fit(cells.take(np.asarray(mask))).pixels).style.mean(0)


def mapped(model: IMPA, condition: str) -> torch.Tensor:
    return model.networks.style_of(model.embedding(condition)[0][None], torch.zeros(1, model.shape.noise_dim))[0]


def assert_means(model: IMPA, cells: Cells, free: Any) -> None:
    """Mean styles are those of the cells of each condition that are free."""
    for name in model.conditions:
        wanted = mean_style(model, cells, free & (cells.conditions == name))
        torch.testing.assert_close(mapped(model, name), wanted, atol=1e-4, rtol=1e-4)
    if model.control is not None:
        torch.testing.assert_close(model.networks.start_style[0], mean_style(model, cells, free & cells.is_control))


def test_mean_styles_are_those_of_the_cells_that_were_trained_on(cells: Cells, make_trainer: Make) -> None:
    trainer = stepped(make_trainer(hold_out={"plate": ["B"]}, where={"batch": ["one"]}))
    model, free = trainer.model, (cells.table["batch"] == "one").to_numpy()
    assert not torch.allclose(mapped(model, "low"), mean_style(model, cells, free & (cells.conditions == "low")))
    calibrate(model, trainer.data)
    assert_means(model, cells, free)


def test_what_has_nothing_in_common_with_the_compounds_of_the_training_changes_nothing(
    compounds: Cells, make_trainer: Make
) -> None:
    chosen = replace(compounds, label=("compound",))
    trainer = stepped(make_trainer(of=chosen, description="bit"))
    model = trainer.model
    calibrate(model, trainer.data)
    assert_means(model, chosen, np.ones(len(chosen), bool))
    known = model.networks.table().weight
    away = torch.from_numpy(np.random.default_rng(0).standard_normal(known.shape[1], np.float32))
    away -= torch.linalg.pinv(known) @ (known @ away)  # orthogonal to every compound
    style = model.networks.style_of(away[None], torch.zeros(1, model.shape.noise_dim))
    torch.testing.assert_close(style, model.networks.start_style.data, atol=1e-4, rtol=1e-4)


def test_noise_spreads_styles_as_far_as_those_of_real_cells(cells: Cells, make_trainer: Make) -> None:
    trainer = stepped(make_trainer())
    model = trainer.model
    calibrate(model, trainer.data)
    noise = model.networks.mapping_network.mapping_network.layers[0].weight[:, -model.shape.noise_dim :]
    parts = [model.encode(model.fit(cells.take(cells.conditions == name)).pixels).style for name in model.conditions]
    around = torch.cat([part - part.mean(0) for part in parts]).double()
    covariance = around.T @ around / (len(around) - len(parts))
    kept = torch.linalg.eigvalsh(covariance)[-model.shape.noise_dim :].flip(0)
    kept = torch.nn.functional.pad(kept, (0, model.shape.noise_dim - len(kept)))  # fewer axes than noise
    lengths = noise.detach().double().square().sum(0)
    torch.testing.assert_close(lengths, kept.clamp(min=0), rtol=1e-3, atol=1e-5 * float(kept[0]))
    axis = noise[:, 0].detach().double() / lengths[0].sqrt()
    torch.testing.assert_close(axis @ covariance @ axis, kept[0], rtol=1e-3, atol=0)


def test_batches_start_from_and_go_to_the_same_means(cells: Cells, make_trainer: Make) -> None:
    of = cells.labelled(["batch"], None)
    trainer = stepped(make_trainer(of=of, task="batch"))
    model = trainer.model
    calibrate(model, trainer.data)
    assert_means(model, of, np.ones(len(of), bool))
    for number, name in enumerate(model.conditions):
        wanted = mean_style(model, of, of.conditions == name)
        torch.testing.assert_close(model.networks.start_style[number], wanted, atol=1e-4, rtol=1e-4)
    styles = [model.encode(model.fit(of.take(of.conditions == name)).pixels).style for name in model.conditions]
    torch.testing.assert_close(model.networks.start_axes, _whitening(styles), atol=1e-2, rtol=1e-2)


def test_batches_are_told_apart_by_what_cells_of_one_do_not_differ_in() -> None:
    """Two batches that lie 1 apart in a direction of spread 0.1, and as far in one of spread 5."""
    rng = np.random.default_rng(0)
    styles = torch.from_numpy((rng.standard_normal((2, 200, 8)) * [5, 0.1, *[1] * 6]).astype(np.float32))
    styles[1, :, :2] += 1
    networks = Networks(replace(SHAPE, relative_style=2))
    networks.start_style.data.copy_(styles.mean(1))

    def right() -> float:
        starts = networks.start(styles.flatten(0, 1), None).reshape(styles.shape)
        own, other = ((starts - means).norm(dim=-1) for means in (styles.mean(1, True), styles.mean(1, True).flip(0)))
        return float((own < other).float().mean())

    assert right() < 0.75
    networks.start_axes.copy_(_whitening(list(styles)))
    assert right() > 0.98
    few = _whitening([styles[0, :3], styles[1, :3]])  # fewer cells than dimensions
    assert torch.isfinite(few).all()
    torch.testing.assert_close(_whitening([styles[0, :1], styles[1, :1]]), torch.eye(8))  # nothing is known of a spread


def test_many_conditions_share_the_cells_that_are_encoded(
    cells: Cells, make_trainer: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = stepped(make_trainer())
    seen: list[int] = []
    images = trainer.data.images
    monkeypatch.setattr(trainer.data, "images", lambda rows: seen.append(len(rows)) or images(rows))
    monkeypatch.setattr("napari_impa.engine.training.calibration.MOST", 12)
    monkeypatch.setattr("napari_impa.engine.training.calibration.LEAST", 3)
    calibrate(trainer.model, trainer.data, most=10)
    assert seen == [6, 6, 10]  # low, high and the controls, from which both start
    seen.clear()
    monkeypatch.setattr("napari_impa.engine.training.calibration.MOST", 2)
    calibrate(trainer.model, trainer.data, most=10)
    assert seen == [3, 3, 10]


@pytest.mark.parametrize("steps", [1, 4])
def test_a_training_ends_calibrated(cells: Cells, make_trainer: Make, steps: int) -> None:
    """In either stage: the last model, and where none is scored the one to use."""
    trainer = make_trainer(steps=steps)
    list(trainer)
    for path in (trainer.run.last_path, trainer.run.model_path):
        assert_means(IMPA.load(path), cells, np.ones(len(cells), bool))


def test_models_are_scored_and_kept_as_they_will_be_used(cells: Cells, make_trainer: Make) -> None:
    trainer, scored = make_trainer(), []

    def score(model: IMPA) -> dict[str, float]:
        assert_means(model, cells, np.ones(len(cells), bool))
        scored.append(model.hash)
        return {"low": 1.0}

    trainer.keep_best(score, every=3)
    list(trainer)
    assert len(scored) == 2
    assert IMPA.load(trainer.run.model_path).hash == scored[0]


def test_what_cannot_be_calibrated_is_left_as_it_is(cells: Cells, compounds: Cells, make_trainer: Make) -> None:
    trainer = stepped(make_trainer(recipe="paper"))
    assert not can_calibrate(trainer.model.shape)
    with pytest.raises(ModelError, match="relative styles"):
        calibrate(trainer.model, trainer.data)
    dosed = make_trainer("dosed", of=compounds, description="bit", dose="dose_um")
    assert not can_calibrate(dosed.model.shape)
    list(dosed)
    assert IMPA.load(dosed.run.last_path).hash == dosed.model.hash
