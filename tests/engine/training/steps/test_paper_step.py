"""The published step against its losses with plain Adam."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from napari_impa.engine.training.steps.batch import Batch
from napari_impa.engine.training.steps.losses import discriminator_losses, generator_losses
from napari_impa.engine.training.steps.paper_step import PaperRecipe, PaperStep


@pytest.mark.parametrize("number", [0, 1, 7, 50_000, 120_000])
def test_a_step_of_the_paper_is_its_losses_with_plain_adam(
    make_step: Callable[..., PaperStep], batch: Batch, number: int
) -> None:
    step = make_step(PaperRecipe())
    networks = copy.deepcopy(step.networks)
    adam = {"lr": 1e-4, "betas": (0.0, 0.99), "weight_decay": 1e-4}
    critic = torch.optim.Adam(networks.discriminator.parameters(), **adam)
    maker = torch.optim.Adam([p for n, p in networks.named_parameters() if not n.startswith("discriminator")], **adam)
    noise = []
    style_of = step.networks.style

    def listen(y: Tensor, z: Tensor, modality: int = 0) -> Tensor:
        noise.append(z)
        return style_of(y, z, modality)

    step.networks.style = listen  # type: ignore[method-assign]
    found = step(batch, number, "adversarial", progress=number / 100)
    assert torch.equal(noise[0], noise[1])  # the cells that both players look at are the same
    assert not torch.equal(noise[0], noise[2])

    y = batch.y_target
    fake = networks.generator(batch.control, networks.style(y, noise[0])).detach()
    losses = discriminator_losses(networks, batch.treated, batch.y_treated, fake, y)
    (losses["real"] + losses["fake"] + losses["r1"]).backward()
    judged = {name: p.grad.clone() for name, p in networks.discriminator.named_parameters()}
    critic.step()
    style = networks.style(y, noise[0])
    fake = networks.generator(batch.control, style)
    with torch.no_grad():
        other = networks.generator(batch.control, networks.style(y, noise[-1]))
    maker.zero_grad()
    made = generator_losses(networks, batch.control, y, style, fake, other)
    diversity = max(0, 1 - number / 100_000)
    (made["adversarial"] + made["style"] - diversity * made["diversity"] + made["cycle"]).backward()
    maker.step()

    assert found == pytest.approx({name: value.item() for name, value in {**losses, **made}.items()}, rel=1e-5)
    for name, p in networks.named_parameters():
        wanted = judged.get(name.removeprefix("discriminator."), p.grad)
        torch.testing.assert_close(step.networks.get_parameter(name).grad, wanted, rtol=1e-3, atol=1e-5, msg=name)
    for name, value in networks.state_dict().items():
        torch.testing.assert_close(step.networks.state_dict()[name], value, atol=2e-6, rtol=0, msg=name)


def test_rates_of_the_paper_stay(make_step: Callable[..., PaperStep]) -> None:
    step = make_step(PaperRecipe())
    for progress in (0.0, 0.5, 1.0):
        step._set_rates(3, "adversarial", progress)
        assert {n: o.param_groups[0]["lr"] for n, o in step.optimizers.items()} == {"critic": 1e-4, "maker": 1e-4}
    assert step.average is None


def test_conditions_replace_the_style(make_step: Callable[..., PaperStep], batch: Batch) -> None:
    step, noise = make_step(PaperRecipe()), torch.randn(4, 4)
    expected = step.networks.generator(batch.control, step.networks.style(batch.y_target, noise))
    torch.testing.assert_close(step.predict(batch.control, batch.y_target, noise), expected, atol=1e-4, rtol=1e-4)
