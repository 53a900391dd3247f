from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from napari_impa.cells.store import Cells
from napari_impa.engine.calibration import calibrate
from napari_impa.engine.model import IMPA
from napari_impa.engine.training import Trainer
from napari_impa.errors import ConditionError, ModelError

Make = Callable[..., Trainer]


def trained(trainer: Trainer) -> IMPA:
    list(trainer)
    return trainer.model


def mean_style(model: IMPA, cells: Cells, mask: Any) -> torch.Tensor:
    return model.encode(model.fit(cells.take(np.asarray(mask))).pixels).style.mean(0)


def mapped(model: IMPA, condition: str) -> torch.Tensor:
    return model.networks.style_of(model.embedding(condition)[0][None], torch.zeros(1, model.shape.noise_dim))[0]


def test_mean_styles_are_those_of_the_cells_that_were_not_held_out(cells: Cells, make_trainer: Make) -> None:
    model = trained(make_trainer(recipe="relative", hold_out={"plate": ["B"]}, steps=3))
    free = (cells.table["plate"] == "A").to_numpy()
    assert not torch.allclose(mapped(model, "low"), mean_style(model, cells, free & (cells.conditions == "low")))
    calibrate(model, cells)
    for name in ("low", "high"):
        torch.testing.assert_close(
            mapped(model, name), mean_style(model, cells, free & (cells.conditions == name)), atol=1e-4, rtol=1e-4
        )
    torch.testing.assert_close(model.networks.start_style[0], mean_style(model, cells, free & cells.is_control))


def test_fingerprints_are_changed_by_no_more_than_it_takes(compounds: Cells, make_trainer: Make) -> None:
    chosen = replace(compounds, label=("compound",))
    model = trained(make_trainer(of=chosen, recipe="relative", description="bit", steps=3))
    layer = model.networks.mapping_network.mapping_network.layers[0]
    before, absent = layer.weight.clone(), (model.networks.table().weight == 0).all(0)
    calibrate(model, chosen)
    for name in model.conditions:
        torch.testing.assert_close(
            mapped(model, name), mean_style(model, chosen, chosen.conditions == name), atol=1e-4, rtol=1e-4
        )
    torch.testing.assert_close(layer.weight[:, : len(absent)][:, absent], before[:, : len(absent)][:, absent])


def test_noise_spreads_styles_as_far_as_those_of_real_cells(cells: Cells, make_trainer: Make) -> None:
    model = trained(make_trainer(recipe="relative", steps=3))
    calibrate(model, cells, most=10_000)
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
    model = trained(make_trainer(of=of, task="batch", recipe="relative", steps=2))
    calibrate(model, of)
    for number, name in enumerate(model.conditions):
        mean = mean_style(model, of, of.conditions == name)
        torch.testing.assert_close(model.networks.start_style[number], mean, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(mapped(model, name), mean, atol=1e-4, rtol=1e-4)


def test_what_cannot_be_calibrated_is_said(cells: Cells, make_trainer: Make) -> None:
    with pytest.raises(ModelError, match="recipe relative"):
        calibrate(trained(make_trainer(steps=1)), cells)
    model = trained(make_trainer("other", recipe="relative", steps=1))
    with pytest.raises(ConditionError, match="no cells of low"):
        calibrate(model, cells.take(cells.conditions != "low"))
