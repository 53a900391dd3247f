"""The default step against the same written out, with literal weights; its optimisers, rates and average."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from napari_impa.engine.model.networks import Networks
from napari_impa.engine.model.shape import Shape
from napari_impa.engine.training.steps.batch import Batch
from napari_impa.engine.training.steps.contrast import at_other_contrast
from napari_impa.engine.training.steps.default_recipe import DefaultRecipe
from napari_impa.engine.training.steps.default_step import DefaultStep
from napari_impa.engine.training.steps.optimizers import Muon

Make = Callable[..., DefaultStep]
DEFAULT = DefaultRecipe(mixed_precision=False)
"""In float32, whatever the machine has."""


@dataclass
class Written:
    """One step, written out."""

    networks: Networks
    batch: Batch
    number: int
    batch_task: bool = False

    def __post_init__(self) -> None:
        rng = np.random.default_rng([0, self.number, 1])
        self.z = torch.from_numpy(rng.standard_normal((4, 4), np.float32))
        rng.standard_normal((4, 4), np.float32)  # the noise of a second draw
        self.normal = torch.from_numpy(rng.standard_normal((3, 4, 2), np.float32))
        self.uniform = torch.from_numpy(rng.random(4, np.float32))

    @property
    def start(self) -> Tensor:
        return self.networks.start_style[self.batch.y_treated if self.batch_task else [0, 0, 0, 0]]

    def styles(self) -> dict[str, Tensor]:
        """The two losses by which mean styles follow the style encoder."""
        nets, batch = self.networks, self.batch
        treated, control = (nets.style_encoder(cells).detach() for cells in (batch.treated, batch.control))
        return {
            "style_match": ((nets.style(batch.y_treated, self.z) - treated) ** 2).mean(),
            "start_match": ((self.start - control) ** 2).mean(),
        }

    def autoencoder(self) -> tuple[Tensor, dict[str, Tensor]]:
        nets, batch = self.networks, self.batch
        images = torch.stack([batch.control[0], batch.treated[1], batch.control[2], batch.treated[3]])
        wanted = at_other_contrast(images, 0.4, self.normal, self.uniform)
        own, content = nets.style_encoder(wanted), nets.generator.content(images)
        losses = {"reconstruction": with_octaves(nets.generator.render(content, own) - wanted), **self.styles()}
        spikes = excess(nets, content, own)
        assert spikes > 0.005
        return sum(losses.values()) + 0.01 * (own**2).mean() + 0.3 * spikes, losses

    def drawn(self) -> tuple[Tensor, Tensor, Tensor]:
        """Content, style and image of the control cells under their target conditions."""
        nets, batch = self.networks, self.batch
        style = (nets.style_encoder(batch.control) + nets.style(batch.y_target, self.z) - self.start).detach()
        content = nets.generator.content(batch.control)
        return content, style, nets.generator.render(content, style)

    def discriminator(self, first_stage: bool = False) -> tuple[Tensor, dict[str, Tensor]]:
        judge, batch = self.networks.discriminator, self.batch
        fake = self.drawn()[2].detach().requires_grad_()
        no_longer = batch.control
        if batch.at_target is not None:  # what may stay a control is no mistake
            no_longer = torch.where(batch.at_target[:, None, None, None], fake.detach(), batch.control)
        real = batch.treated.clone().requires_grad_()
        logits, made = judge(real, batch.y_treated), judge(fake, batch.y_target)
        losses = {"mismatch": F.softplus(judge(no_longer, batch.y_target) - logits).mean()}
        total = losses["mismatch"]
        if not first_stage:
            losses["pairing"] = F.softplus(made - logits).mean()
            total = 0.5 * losses["pairing"] + 0.5 * losses["mismatch"]
        if self.number % 8 == 0:
            for name, cells, said in (("r1", real, logits), ("r2", fake, made))[: 1 if first_stage else 2]:
                (slope,) = torch.autograd.grad(said.sum(), cells, create_graph=True)
                losses[name] = 0.5 * (slope**2).sum((1, 2, 3)).mean()
                total = total + 0.02 * 8 * losses[name]
        return total, losses

    def generator(self, judge: torch.nn.Module, begun: float) -> tuple[Tensor, dict[str, Tensor]]:
        """Losses before a discriminator that has learned already; `self.networks` hold it as it was."""
        nets, batch = self.networks, self.batch
        content, style, fake = self.drawn()
        real = nets.discriminator(batch.treated, batch.y_treated).detach()
        losses = {
            "adversarial": F.softplus(real - judge(fake, batch.y_target)).mean(),
            "style": (nets.style_encoder(fake) - style).abs().mean(),
            "start_match": self.styles()["start_match"],
        }
        total = begun * 0.7 * losses["adversarial"] + losses["style"] + 0.3 * excess(nets, content, style)
        given: dict[str, list[Tensor]] = {"self_reconstruction": [], "cycle": [], "backward_cycle": []}
        matches = []
        wanted = at_other_contrast(batch.control, 0.4, self.normal, self.uniform)
        for cell in range(4):  # each is given back in one way, in turn
            one = slice(cell, cell + 1)
            way = list(given)[cell % (2 if self.batch_task else 3)]
            if way == "self_reconstruction":
                again = nets.generator.render(content[one], nets.style_encoder(wanted[one]))
                given[way].append(with_octaves(again - wanted[one]))
            elif way == "cycle":
                back = nets.generator(fake[one], nets.style_encoder(batch.control[one]))
                given[way].append((back - batch.control[one]).abs().mean())
            else:
                treated, y = batch.treated[one], batch.y_treated[one]
                shift = (nets.style(y, self.z[one]) - self.start[one]).detach()
                own = nets.style_encoder(treated).detach()
                control = nets.generator(treated, own - shift).detach()
                again = nets.generator(control, nets.style_encoder(control).detach() + shift)
                given[way].append(with_octaves(again - treated))
                matches.append(((nets.style(y, self.z[one]) - own) ** 2).mean())
        for name, weight in (("self_reconstruction", 2.0), ("cycle", 1.0), ("backward_cycle", 2.0)):
            if given[name]:
                losses[name] = (2 if self.batch_task else 3) * sum(given[name][1:], given[name][0]) / 4
                total = total + weight * losses[name]
        losses["style_match"] = (
            self.styles()["style_match"] if self.batch_task else 3 * sum(matches[1:], matches[0]) / 4
        )
        return total + losses["style_match"] + losses["start_match"], losses


def with_octaves(difference: Tensor) -> Tensor:
    """Mean size of a difference, and twice that of its two finest octaves."""
    half = F.avg_pool2d(difference, 2)
    quarter = F.avg_pool2d(half, 2)
    fine = difference - half.repeat_interleave(2, 2).repeat_interleave(2, 3)
    coarse = half - quarter.repeat_interleave(2, 2).repeat_interleave(2, 3)
    return difference.abs().mean() + 2 * fine.abs().mean() + 2 * coarse.abs().mean()


def excess(nets: Networks, content: Tensor, style: Tensor) -> Tensor:
    """What exceeds five standard deviations in the content and in the two maps of its size."""
    first = nets.generator.decode[0](content, style)
    second = nets.generator.decode[1](first, style)
    found = []
    for maps in (content, first, second):
        z = (maps - maps.mean((2, 3), keepdim=True)) / (maps.var((2, 3), unbiased=False, keepdim=True) + 1e-5).sqrt()
        found.append((z.abs() - 5).clamp(min=0).square().mean())
    return sum(found[1:], found[0])


def gradients(networks: Networks, total: Tensor) -> dict[str, Tensor]:
    """Gradient of a loss with respect to every weight that it depends on."""
    weights = dict(networks.named_parameters())
    found = torch.autograd.grad(total, list(weights.values()), allow_unused=True)
    return {name: grad for name, grad in zip(weights, found, strict=True) if grad is not None}


def assert_learned(
    step: DefaultStep,
    before: Networks,
    wanted: dict[str, Tensor],
    rates: dict[str, float],
    beta1: float,
    momentum: float,
) -> None:
    """Check that every weight got its gradient, and made the step of its optimiser, and no other did."""
    weights, first = dict(step.networks.named_parameters()), dict(before.named_parameters())
    size = max(float(grad.norm()) for grad in wanted.values())
    rates = {name: rate / 2 for name, rate in rates.items()}  # of a batch of 4
    for name, weight in weights.items():
        if name not in wanted:
            assert torch.equal(weight, first[name]), name
            continue
        assert weight.grad is not None
        # an absolute difference near 0 has the sign, and thereby the gradient, that rounding gives it
        assert (weight.grad - wanted[name]).norm() < 1e-2 * wanted[name].norm() + 1e-6 * size, name
        expected = torch.nn.Parameter(first[name].detach().clone())
        expected.grad = weight.grad.clone()
        if name.startswith("discriminator."):
            torch.optim.Adam([expected], rates["critic"], (0.0, 0.99)).step()
        elif name == "start_style":
            torch.optim.SGD([expected], 0.05 * 8 / 2).step()
        elif name.startswith(("mapping_network.", "embedding_matrix.")):
            torch.optim.Adam([expected], rates["styles"], (0.9, 0.99)).step()
        elif weight.ndim == 4 and min(weight.shape[:2]) > 8:
            Muon([expected], rates["kernels"], momentum).step()
        else:
            torch.optim.Adam([expected], rates["maker"], (beta1, 0.99)).step()
        torch.testing.assert_close(weight.detach(), expected.detach(), rtol=1e-5, atol=1e-7, msg=name)


@pytest.mark.parametrize("number", [3, 8], ids=["without R1", "with R1"])
def test_a_step_of_the_autoencoder_is_its_losses(make_step: Make, batch: Batch, number: int) -> None:
    step = make_step(DEFAULT)
    before = copy.deepcopy(step.networks)
    found = step(batch, number, "autoencoder", progress=0.1)
    written = Written(before, batch, number)
    total, losses = written.autoencoder()
    critic, judged = written.discriminator(first_stage=True)
    assert set(judged) == ({"mismatch", "r1"} if number == 8 else {"mismatch"})
    assert found == pytest.approx({name: value.item() for name, value in {**losses, **judged}.items()}, rel=1e-4)
    wanted = gradients(before, total)
    assert not any(name.startswith("discriminator.") for name in wanted)
    warm = (number + 1) / 20
    rates = {"maker": warm * 2e-3, "kernels": warm * 0.02, "styles": warm * 2e-3, "critic": warm * 1e-3}
    assert_learned(step, before, wanted | gradients(before, critic), rates, 0.9, 0.95)


@pytest.mark.parametrize("batch_task", [False, True], ids=["perturbation", "batch"])
@pytest.mark.parametrize(
    ("number", "progress", "begun"), [(8, 0.375, 0.5), (2, 0.6, 1.0), (3, 0.36, 0.2)],
    ids=["with R1 and R2 in the ramp", "even", "odd in the ramp"],
)  # fmt: skip
def test_an_adversarial_step_is_its_losses(
    make_step: Make, batch: Batch, number: int, progress: float, begun: float, batch_task: bool
) -> None:
    step = make_step(DEFAULT, starts=3 if batch_task else 1, is_batch_task=batch_task)
    before = copy.deepcopy(step.networks)
    found = step(batch, number, "adversarial", progress=progress)
    assert_step_is(Written(before, batch, number, batch_task), step, found, begun)


def assert_step_is(written: Written, step: DefaultStep, found: dict[str, float], begun: float) -> None:
    before = written.networks
    total, critic = written.discriminator()
    wanted = {name: grad for name, grad in gradients(before, total).items() if name.startswith("discriminator.")}
    judge = copy.deepcopy(step.networks.discriminator).requires_grad_(False)  # it has learned before the generator does
    total, maker = written.generator(judge, begun)
    wanted |= {n: g for n, g in gradients(before, total).items() if not n.startswith("style_encoder.")}
    assert found == pytest.approx({name: value.item() for name, value in {**critic, **maker}.items()}, rel=1e-4)
    assert_learned(step, before, wanted, {"critic": 1e-3, "maker": 5e-4, "kernels": 0.01, "styles": 5e-4}, 0.0, 0.0)


def test_controls_that_stay_controls_are_no_mismatch(make_step: Make, batch: Batch) -> None:
    batch = replace(batch, at_target=torch.tensor([True, False, False, True]))
    step = make_step(DEFAULT)
    before = copy.deepcopy(step.networks)
    found = step(batch, 5, "adversarial", progress=0.65)
    assert_step_is(Written(before, batch, 5), step, found, 1.0)
    apart = make_step(DEFAULT)(replace(batch, at_target=None), 5, "adversarial", progress=0.65)
    assert apart["mismatch"] != pytest.approx(found["mismatch"], rel=1e-3)


def test_styles_that_replace_a_cell_s_own(make_step: Make, batch: Batch) -> None:
    step = make_step(replace(DEFAULT, relative_style=False))
    before = copy.deepcopy(step.networks)
    found = step(batch, 3, "adversarial", progress=0.6)
    assert set(found) == {"pairing", "mismatch", "adversarial", "style", "self_reconstruction", "cycle"}
    z = Written(before, batch, 3).z
    style = before.style(batch.y_target, z)
    fake = before.generator(batch.control, style)
    assert found["style"] == pytest.approx((before.style_encoder(fake) - style).abs().mean().item(), rel=1e-4)
    learned = {name.split(".")[0] for name, p in step.networks.named_parameters() if p.grad is not None}
    assert {"style_encoder", "mapping_network", "embedding_matrix"} < learned
    torch.testing.assert_close(
        make_step(replace(DEFAULT, relative_style=False, average=0.0)).predict(batch.control, batch.y_target, z),
        fake.detach(), atol=1e-4, rtol=1e-4,
    )  # fmt: skip


# ---- who learns by what ---------------------------------------------------------------------------------------------


def held(step: DefaultStep) -> dict[str, set[str]]:
    """Names of the weights that each optimiser changes; every weight is in one."""
    names = {id(p): name for name, p in step.networks.named_parameters()}
    found = {
        key: [names[id(p)] for group in optimizer.param_groups for p in group["params"]]
        for key, optimizer in step.optimizers.items()
    }
    assert sorted(name for some in found.values() for name in some) == sorted(names.values())
    return {key: set(some) for key, some in found.items()}


def test_every_weight_is_one_optimiser_s(make_step: Make) -> None:
    found = held(make_step(DEFAULT))
    assert {name.split(".")[0] for name in found["critic"]} == {"discriminator"}
    assert found["starts"] == {"start_style"}
    assert found["styles"] == {
        "embedding_matrix.weight", "mapping_network.mapping_network.layers.0.weight",
        "mapping_network.mapping_network.layers.0.bias",
    }  # fmt: skip
    assert {name.split(".")[0] for name in found["kernels"]} == {"generator", "style_encoder"}
    assert all(name.endswith("weight") for name in found["kernels"])
    assert {"generator.encode.0.conv1x1.weight", "style_encoder.conv.1.conv2.weight"} < found["kernels"]
    thin = {"generator.from_rgb.weight", "generator.to_rgb.2.weight", "style_encoder.conv.0.weight"}
    assert thin | {"generator.decode.0.norm1.fc.weight", "style_encoder.linear.weight"} < found["maker"]


def test_without_muon_and_relative_styles_adam_has_all(make_step: Make) -> None:
    found = held(make_step(replace(DEFAULT, muon=0.0, relative_style=False)))
    assert set(found) == {"critic", "maker"}


def rates(step: DefaultStep, number: int, stage: Any, progress: float) -> dict[str, float]:
    step._set_rates(number, stage, progress)
    return {name: optimizer.param_groups[0]["lr"] for name, optimizer in step.optimizers.items()}


@pytest.mark.parametrize(
    ("number", "progress", "factor"),
    [(0, 0.0, 1 / 20), (9, 0.01, 10 / 20), (19, 0.05, 1.0), (50, 0.1, 1.0), (80, 0.35 * 2 / 3, math.sin(math.pi / 4)),
     (99, 0.349, 0.1), (99, 0.36, 0.1)],
)  # fmt: skip
def test_rates_of_the_autoencoder_rise_and_fall(make_step: Make, number: int, progress: float, factor: float) -> None:
    step = make_step(DEFAULT)
    found = rates(step, number, "autoencoder", progress)
    factor /= 2  # of a batch of 4
    wanted = {"maker": 2e-3, "kernels": 0.02, "styles": 2e-3}
    assert {name: found[name] for name in wanted} == pytest.approx({k: factor * v for k, v in wanted.items()})
    assert step.optimizers["maker"].param_groups[0]["betas"] == (0.9, 0.99)
    assert step.optimizers["kernels"].param_groups[0]["momentum"] == 0.95


@pytest.mark.parametrize(("progress", "factor"), [(0.35, 1.0), (0.7, 1.0), (0.85, 0.55), (1.0, 0.1), (1.2, 0.1)])
def test_rates_of_the_second_stage_fall_to_a_tenth(make_step: Make, progress: float, factor: float) -> None:
    step = make_step(DEFAULT)
    rates(step, 5, "autoencoder", 0.1)
    factor /= 2  # of a batch of 4
    wanted = {"critic": 1e-3, "maker": 5e-4, "kernels": 0.01, "styles": 5e-4}
    expected = {name: factor * rate for name, rate in wanted.items()} | {"starts": 0.05 * 8 / 2}
    assert rates(step, 100, "adversarial", progress) == pytest.approx(expected)
    assert step.optimizers["maker"].param_groups[0]["betas"] == (0.0, 0.99)
    assert step.optimizers["kernels"].param_groups[0]["momentum"] == 0
    same = make_step(replace(DEFAULT, critic_rate=0.0))
    assert rates(same, 100, "adversarial", progress)["critic"] == pytest.approx(factor * 5e-4)


@pytest.mark.parametrize(("number", "kept"), [(0, 0.1), (2, 0.25), (50, 0.85), (100_000, 0.995)])
def test_the_average_soon_forgets_the_first_weights(make_step: Make, batch: Batch, number: int, kept: float) -> None:
    step = make_step(DEFAULT)
    assert step.average is not None
    old = copy.deepcopy(step.average)
    step(batch, number, "adversarial", progress=0.6)
    for before, now, average in zip(
        old.parameters(), step.networks.parameters(), step.average.parameters(), strict=True
    ):
        torch.testing.assert_close(average, kept * before + (1 - kept) * now, atol=1e-6, rtol=1e-5)
        assert not average.requires_grad
    assert make_step(replace(DEFAULT, average=0.0)).average is None


# ---- styles ---------------------------------------------------------------------------------------------------------


def test_relative_styles_need_networks_that_have_mean_styles(shape: Shape) -> None:
    with pytest.raises(ValueError, match="relative_style=1"):
        DefaultStep(Networks(shape), DEFAULT, batch_size=4)


def test_a_prediction_moves_a_cell_s_own_style(make_step: Make, batch: Batch) -> None:
    step = make_step(replace(DEFAULT, average=0.0))
    nets, noise = step.networks, torch.randn(4, 4)
    target, own = nets.style(batch.y_target, noise), nets.style_encoder(batch.control)
    expected = nets.generator(batch.control, own + target - nets.start_style[0])
    torch.testing.assert_close(step.predict(batch.control, batch.y_target, noise), expected, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(nets.generator(batch.control, target), expected, atol=1e-2)


def test_cells_of_a_batch_start_from_their_batch(make_step: Make, batch: Batch) -> None:
    step = make_step(replace(DEFAULT, average=0.0), starts=3, is_batch_task=True)
    nets, noise, start = step.networks, torch.zeros(4, 4), torch.tensor([2, 0, 1, 1])
    style = nets.style_encoder(batch.control) + nets.style(batch.y_target, noise) - nets.start_style[start]
    found = step.predict(batch.control, batch.y_target, noise, start=start)
    torch.testing.assert_close(found, nets.generator(batch.control, style), atol=1e-4, rtol=1e-4)


def test_an_error_leaves_all_networks_free_to_learn(
    make_step: Make, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("out of memory")

    step = make_step(DEFAULT)
    monkeypatch.setattr(DefaultStep, "_teach_generator", fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        step(batch, 2, "adversarial", progress=0.6)
    assert all(p.requires_grad for p in step.networks.parameters())
