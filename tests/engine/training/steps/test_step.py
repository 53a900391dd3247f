"""How a recipe puts a step together: its rates, its weights, what learns in it and what does not."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from napari_impa.engine.model.networks import Networks
from napari_impa.engine.model.shape import Shape
from napari_impa.engine.training.steps import make_step as step_of
from napari_impa.engine.training.steps.batch import Batch
from napari_impa.engine.training.steps.default_recipe import DefaultRecipe
from napari_impa.engine.training.steps.default_step import FINAL_RATE, FOLLOW, WARM_UP, DefaultStep
from napari_impa.engine.training.steps.draws import Draws
from napari_impa.engine.training.steps.losses import discriminator_losses, generator_losses, reconstruction
from napari_impa.engine.training.steps.optimizers import Muon
from napari_impa.engine.training.steps.paper_step import PaperRecipe
from napari_impa.engine.training.steps.recipe import Recipe
from napari_impa.engine.training.steps.step import Step

DEFAULT, PAPER = DefaultRecipe(mixed_precision=False), PaperRecipe()
SHAPE = Shape(size=24, channels=2, width=16, style_dim=8, noise_dim=4, embedding_dims=(6,), conditions=(3,))


def make_step(recipe: Recipe, seed: int = 0) -> Step[Any]:
    torch.manual_seed(seed)
    return step_of(Networks(replace(SHAPE, relative_style=recipe.starts(1))), recipe, batch_size=4)


def test_relative_styles_need_networks_that_have_mean_styles() -> None:
    with pytest.raises(ValueError, match="relative_style=1"):
        step_of(Networks(SHAPE), DEFAULT, batch_size=4)


@pytest.fixture
def batch() -> Batch:
    torch.manual_seed(1)
    control, treated = torch.rand(2, 4, 2, 24, 24) * 2 - 1
    return Batch(control, treated, torch.tensor([0, 1, 2, 0]), torch.tensor([2, 1, 0, 1]))


def state(networks: Networks, part: str = "") -> dict[str, Tensor]:
    return {name: value.clone() for name, value in networks.state_dict().items() if name.startswith(part)}


def changed(step: Step, before: dict[str, Tensor]) -> set[str]:
    """First words of the names of weights that a step changed."""
    after = step.networks.state_dict()
    return {name.split(".")[0] for name, value in before.items() if not torch.equal(value, after[name])}


def rates(step: Step[Any]) -> dict[str, float]:
    return {name: optimizer.param_groups[0]["lr"] for name, optimizer in step.optimizers.items()}


@pytest.mark.parametrize("number", [0, 1, 7, 8])
def test_a_step_of_the_paper_is_its_losses_with_plain_adam(batch: Batch, number: int) -> None:
    step = make_step(PAPER)
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

    y = batch.y_target
    fake = networks.generator(batch.control, networks.style(y, noise[0])).detach()
    losses = discriminator_losses(networks, batch.treated, batch.y_treated, fake, y)
    (losses["real"] + losses["fake"] + losses["r1"]).backward()
    critic.step()
    style = networks.style(y, noise[0])
    fake = networks.generator(batch.control, style)
    with torch.no_grad():
        other = networks.generator(batch.control, networks.style(y, noise[-1]))
    maker.zero_grad()
    made = generator_losses(networks, batch.control, y, style, fake, other)
    diversity = 1 - number / 100_000
    (made["adversarial"] + made["style"] - diversity * made["diversity"] + made["cycle"]).backward()
    maker.step()

    assert found == pytest.approx({name: value.item() for name, value in {**losses, **made}.items()}, abs=1e-6)
    for name, value in networks.state_dict().items():
        torch.testing.assert_close(step.networks.state_dict()[name], value, atol=2e-7, rtol=0, msg=name)


def test_the_autoencoder_stage_leaves_the_discriminator_alone(batch: Batch) -> None:
    step = make_step(DEFAULT)
    before = state(step.networks)
    losses = step(batch, 0, "autoencoder", progress=0.0)
    assert set(losses) == {"reconstruction", "style_match", "start_match"}
    learned = changed(step, before)
    assert "discriminator" not in learned
    assert {"generator", "style_encoder", "start_style"} < learned
    assert isinstance(step.optimizers["kernels"], Muon)


def test_rates_rise_in_the_beginning_and_fall_at_both_ends(batch: Batch) -> None:
    step = make_step(DEFAULT)
    end = DEFAULT.autoencoder

    def at(number: int, stage: str, progress: float) -> dict[str, float]:
        step._set_rates(number, stage, progress)
        return rates(step)

    adam, muon = DEFAULT.autoencoder_rates
    first, full = at(0, "autoencoder", 0.0), at(WARM_UP, "autoencoder", 0.1)
    assert first["maker"] == pytest.approx(adam / WARM_UP)
    assert (full["maker"], full["kernels"]) == pytest.approx((adam, muon))
    assert at(99, "autoencoder", end)["kernels"] == pytest.approx(FINAL_RATE * muon)
    assert step.optimizers["kernels"].param_groups[0]["momentum"] > 0
    begun, last = at(100, "adversarial", end), at(199, "adversarial", 1.0)
    followed = begun.pop("starts")
    assert last.pop("starts") == followed == pytest.approx(FOLLOW * SHAPE.style_dim / 2)  # a running mean's rate
    assert begun == pytest.approx({"critic": 1e-3, "maker": 2e-4, "kernels": 0.004, "styles": 2e-4})
    assert last == pytest.approx({name: FINAL_RATE * rate for name, rate in begun.items()})
    assert step.optimizers["kernels"].param_groups[0]["momentum"] == 0
    middle = at(150, "adversarial", (1 + DEFAULT.decay_from) / 2)
    assert middle["maker"] == pytest.approx((1 + FINAL_RATE) / 2 * 2e-4)


def test_rates_of_the_paper_stay(batch: Batch) -> None:
    step = make_step(PAPER)
    for progress in (0.0, 0.5, 1.0):
        step._set_rates(3, "adversarial", progress)
        assert rates(step) == {"critic": 1e-4, "maker": 1e-4}


def gradient_of_generator(recipe: Recipe, batch: Batch, progress: float, number: int = 0) -> Tensor:
    """Gradient that the generator's optimiser gets in one adversarial step."""
    step = make_step(recipe)
    step(batch, number, "adversarial", progress=progress)
    weight = step.networks.generator.from_rgb.weight.grad
    assert weight is not None
    return weight.clone()


def test_the_adversarial_weight_grows_after_the_autoencoder(batch: Batch) -> None:
    only = replace(DEFAULT, style=0, cycle=0, self_reconstruction=0, backward_cycle=0, peaks=0, muon=0, contrast=0)
    start, ramp = only.autoencoder, only.ramp
    whole = gradient_of_generator(only, batch, start + ramp)
    assert gradient_of_generator(only, batch, start).abs().max() == 0
    torch.testing.assert_close(gradient_of_generator(only, batch, start + ramp / 2), whole / 2)
    torch.testing.assert_close(gradient_of_generator(only, batch, start + 2 * ramp), whole)
    twice = gradient_of_generator(replace(only, adversarial=2 * only.adversarial), batch, start + ramp)
    torch.testing.assert_close(twice, 2 * whole)


def test_cycle_and_self_reconstruction_take_turns_at_twice_their_weight(batch: Batch) -> None:
    recipe = replace(DEFAULT, adversarial=0, style=0, backward_cycle=0, peaks=0, muon=0, contrast=0)
    step = make_step(recipe)
    names = [set(step(batch, number, "adversarial", progress=0.6)) for number in (8, 9)]
    assert names[0] - names[1] == {"self_reconstruction", "r1"}
    assert names[1] - names[0] == {"cycle"}


def test_r1_comes_lazily_at_so_many_times_its_weight(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []
    learn = Step._learn

    def listen(step: Step[Any], total: Tensor, *names: str) -> None:
        seen.append(total.item())
        learn(step, total, *names)

    monkeypatch.setattr(Step, "_learn", listen)
    for number in (0, 1):
        losses = make_step(replace(DEFAULT, r1=0.5, mismatch=0.0))(batch, number, "adversarial", progress=0.6)
        expected = losses["real"] + losses["fake"] + (0.5 * DEFAULT.r1_every * losses["r1"] if number == 0 else 0)
        assert seen[-2] == pytest.approx(expected, rel=1e-5)
        assert ("r1" in losses) == (number == 0)


def test_control_cells_are_shown_as_what_they_are_not(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []
    monkeypatch.setattr(Step, "_learn", lambda step, total, *names: seen.append(total.item()))
    losses = make_step(replace(DEFAULT, mismatch=0.25))(batch, 1, "adversarial", progress=0.6)
    step = make_step(DEFAULT)
    logits = step.networks.discriminator(batch.control, batch.y_target).detach()
    assert losses["mismatch"] == pytest.approx(torch.nn.functional.softplus(logits).mean().item(), abs=1e-5)
    assert seen[0] == pytest.approx(losses["real"] + 0.75 * losses["fake"] + 0.25 * losses["mismatch"], abs=1e-5)
    assert "mismatch" not in make_step(replace(DEFAULT, mismatch=0.0))(batch, 1, "adversarial", progress=0.6)


def test_controls_that_stay_controls_are_no_mismatch(batch: Batch) -> None:
    def mismatch(at_target: list[bool] | None) -> float:
        mask = None if at_target is None else torch.tensor(at_target)
        losses = make_step(DEFAULT)(replace(batch, at_target=mask), 1, "adversarial", progress=0.6)
        return losses["mismatch"] if at_target != [True] * 4 else losses["mismatch"] - losses["fake"]

    assert mismatch([True] * 4) == pytest.approx(0, abs=1e-6)  # nothing but generated cells is left
    assert mismatch([False] * 4) == mismatch(None)
    assert mismatch([True, False, False, False]) != mismatch(None)


@pytest.mark.parametrize("recipe", ["default", "paper"])
def test_both_players_learn_and_the_discriminator_is_free_again(
    batch: Batch, recipe: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = make_step(DEFAULT if recipe == "default" else PAPER)
    before = state(step.networks)
    step(batch, 1, "adversarial", progress=0.6)
    learned = changed(step, before)
    assert {"discriminator", "generator"} < learned
    assert ("style_encoder" in learned) == (recipe == "paper")  # relative styles keep their scale

    def fail(*_: Any) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(type(step), "_teach_generator" if recipe == "default" else "_learn", fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        step(batch, 2, "adversarial", progress=0.6)
    assert all(p.requires_grad for p in step.networks.parameters())


def test_the_average_follows_the_weights(batch: Batch) -> None:
    step = make_step(replace(DEFAULT, average=0.5))
    assert step.average is not None
    old = state(step.average)
    step(batch, 50, "adversarial", progress=0.6)
    new, now = state(step.average), state(step.networks)
    name = "generator.from_rgb.weight"
    torch.testing.assert_close(new[name], (old[name] + now[name]) / 2)
    assert make_step(PAPER).average is None


def test_the_state_is_all_that_the_next_step_depends_on(batch: Batch) -> None:
    one, other = make_step(DEFAULT), make_step(DEFAULT, seed=5)
    one(batch, 0, "autoencoder", progress=0.0)
    one(batch, 1, "adversarial", progress=0.6)
    other.restore({name: value.clone() for name, value in one.state().items()})
    for step in (one, other):
        step(batch, 2, "adversarial", progress=0.6)
    for name, value in one.state().items():
        assert torch.equal(value, other.state()[name]), name


def test_relative_styles_move_a_cell_s_own_style_by_what_parts_the_condition_from_the_controls(batch: Batch) -> None:
    torch.manual_seed(0)
    networks = Networks(replace(SHAPE, relative_style=1))
    torch.nn.init.normal_(networks.start_style)
    step = step_of(networks, replace(DEFAULT, average=0.0), batch_size=4)
    noise = torch.randn(4, 4)
    target, own = networks.style(batch.y_target, noise), networks.style_encoder(batch.control)
    expected = networks.generator(batch.control, own + target - networks.start_style[0])
    assert torch.allclose(step.predict(batch.control, batch.y_target, noise), expected, atol=1e-5)
    assert not torch.allclose(networks.generator(batch.control, target), expected, atol=1e-2)

    for number, stage, progress in ((1, "autoencoder", 0.1), (2, "adversarial", 0.6)):
        before = networks.start_style.detach().clone()
        way = (networks.style_encoder(batch.control).mean(0) - before[0]).detach()
        assert step(batch, number, stage, progress=progress)["start_match"] > 0
        assert torch.equal((networks.start_style.detach() - before)[0].sign(), way.sign())


def test_cells_of_a_batch_start_from_their_batch(batch: Batch) -> None:
    networks = Networks(replace(SHAPE, relative_style=3))
    torch.nn.init.normal_(networks.start_style)
    step = DefaultStep(networks, replace(DEFAULT, average=0.0), batch_size=4, is_batch_task=True)
    assert torch.equal(step._start(batch), networks.start_style[batch.y_treated])
    own = networks.start_style[[2, 0, 1, 1]] + 0.01
    networks.start_axes *= 30  # styles of one batch lie close together
    assert torch.allclose(networks.start(own, None), networks.start_style[[2, 0, 1, 1]])
    between = networks.start_style[:2].mean(0, keepdim=True)
    assert torch.allclose(networks.start(between, None), between, atol=1e-4)
    assert torch.equal(networks.start(own, 1), networks.start_style[[1, 1, 1, 1]])
    noise, start = torch.zeros(4, 4), torch.tensor([2, 0, 1, 1])
    style = networks.style_encoder(batch.control) + networks.style(batch.y_target, noise) - networks.start_style[start]
    expected = networks.generator(batch.control, style)
    assert torch.allclose(step.predict(batch.control, batch.y_target, noise, start=start), expected, atol=1e-5)


def test_the_backward_cycle_teaches_the_way_from_control_to_treated(batch: Batch) -> None:
    recipe = replace(DEFAULT, backward_cycle=3.0)
    step, without = make_step(recipe), make_step(replace(recipe, backward_cycle=0.0))
    for one in (step, without):
        torch.nn.init.constant_(one.networks.start_style, 0.5)
    networks = copy.deepcopy(step.networks).requires_grad_(True)
    noise = Draws(0, 1, batch, batch_size=4, noise_dim=4, device=torch.device("cpu")).noise[0]
    shift = (networks.style(batch.y_treated, noise) - networks.start_style[0]).detach()
    control = networks.generator(batch.treated, networks.style_encoder(batch.treated) - shift).detach()
    again = networks.generator(control, (networks.style_encoder(control) + shift).detach())
    loss = reconstruction(again, batch.treated, recipe.detail)
    expected = torch.autograd.grad(3 * loss, networks.generator.from_rgb.weight)[0]
    found = {}
    for one in (step, without):
        losses = one(batch, 1, "adversarial", progress=0.6)
        found[one] = one.networks.generator.from_rgb.weight.grad
    torch.testing.assert_close(found[step] - found[without], expected, atol=1e-5, rtol=1e-4)
    assert "backward_cycle" not in losses
    batches = DefaultStep(Networks(replace(SHAPE, relative_style=3)), recipe, batch_size=4, is_batch_task=True)
    assert "backward_cycle" not in batches(batch, 1, "adversarial", progress=0.6)
