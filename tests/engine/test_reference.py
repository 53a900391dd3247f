"""The networks and losses against numbers that the published ones give."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from napari_impa.engine.model.model import IMPA
from napari_impa.engine.model.networks import Networks
from napari_impa.engine.published.checkpoint_folder import model_of, read_published
from napari_impa.engine.training.steps.losses import discriminator_losses, generator_losses

LEARNED = ["batch_48", "compound_96"]
ALL = [*LEARNED, "multimodal_64", "compound_128"]
"""batch_48 and multimodal_64 are in the repository, under tests/data."""

MOST, MEAN = 2e-5, 2e-6
"""Largest and root-mean-square distance of an output.

The published numbers are float32: computed in float64, the outputs lie up to 1.08e-5 and 0.99e-6 from them, on every
processor alike. In float32 a second processor adds its own rounding, up to 1.7e-5 in all, which says nothing of ours.
"""


class Reference:
    """A reference's networks and numbers, in float64."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.networks = read_published(folder).eval().double()
        with np.load(folder / "vectors.npz") as vectors:
            self.values = {name: torch.from_numpy(vectors[name]) for name in vectors.files}
        self.values = {name: v.double() if v.is_floating_point() else v for name, v in self.values.items()}
        self.config = json.loads((folder / "config.json").read_text())
        self.modality = self.config["modality_index"] or 0

    def __getitem__(self, name: str) -> torch.Tensor:
        return self.values[name]


@pytest.fixture
def reference(reference_folder: Path) -> Reference:
    return Reference(reference_folder)


def assert_close(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    assert ours.shape == theirs.shape
    distance = (ours.detach() - theirs).abs()
    assert distance.max() <= MOST
    assert distance.square().mean().sqrt() <= MEAN


@pytest.mark.parametrize("reference_folder", ALL, indirect=True)
@torch.no_grad()
def test_outputs(reference: Reference) -> None:
    nets, x, y = reference.networks, reference["x_ctrl"], reference["y"]
    style = nets.style(y, reference["z"], reference.modality)
    assert_close(style, reference["style"])
    assert_close(nets.style(y, reference["z2"], reference.modality), reference["style2"])
    assert_close(nets.generator.content(x), reference["latent"])
    assert_close(nets.generator(x, style), reference["fake"])
    assert_close(nets.generator(x, None), reference["basal"])
    assert_close(nets.style_encoder(x), reference["style_of_x"])
    if "reconstruction" in reference.values:  # from the reference's own image: float32 rounding adds up over two passes
        assert_close(nets.generator(reference["fake"], reference["style_of_x"]), reference["reconstruction"])


@pytest.mark.parametrize("reference_folder", ALL, indirect=True)
@torch.no_grad()
def test_logits(reference: Reference) -> None:
    """Where the map under the head is one position, our logits; where it is 2×2, the published code's faulty index."""
    nets, y, m = reference.networks, reference["y"], reference.modality
    heads = nets.discriminator.head
    head = heads[m] if isinstance(heads, torch.nn.ModuleList) else heads
    for image, theirs in ((reference["x_trt"], "logit_trt"), (reference["fake"], "logit_fake")):
        logits = head(nets.discriminator.conv_blocks(image))
        if logits.shape[-1] == 1:
            assert_close(nets.discriminator(image, y, m), reference[theirs])
        else:
            assert_close(logits.flatten(1).gather(1, y[:, None])[:, 0], reference[theirs])
            assert_close(nets.discriminator(image, y, m), logits.mean((2, 3)).gather(1, y[:, None])[:, 0])


def losses_of(reference: Reference) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    nets, y = reference.networks, reference["y"]
    is_batch = reference.config["batch_correction"]
    real, y_real = (reference["x_ctrl"], reference["y_org"]) if is_batch else (reference["x_trt"], y)
    x = reference["x_ctrl"]
    style = nets.style(y, reference["z"])
    fake = nets.generator(x, style)
    other = nets.generator(x, nets.style(y, reference["z2"]))
    return discriminator_losses(nets, real, y_real, fake, y), generator_losses(nets, x, y, style, fake, other)


@pytest.mark.parametrize("reference_folder", LEARNED, indirect=True)
def test_losses(reference: Reference) -> None:
    critic, maker = losses_of(reference)
    for losses, names in (
        (critic, {"real": "d_real", "fake": "d_fake", "r1": "d_reg"}),
        (maker, {"adversarial": "g_adv", "style": "g_sty", "diversity": "g_ds", "cycle": "g_cyc"}),
    ):
        assert set(losses) == set(names)
        for ours, theirs in names.items():
            assert losses[ours].item() == pytest.approx(reference[theirs].item(), rel=2e-6), theirs


def gradient_norms(reference: Reference) -> dict[str, float]:
    nets: Networks = reference.networks
    critic, maker = losses_of(reference)
    (critic["real"] + critic["fake"] + critic["r1"]).backward(retain_graph=True)
    norms = {
        f"d/{name}": p.grad.norm().item() for name, p in nets.discriminator.named_parameters() if p.grad is not None
    }
    nets.zero_grad()
    (maker["adversarial"] + maker["style"] - maker["diversity"] + maker["cycle"]).backward()
    for part in ("generator", "style_encoder", "mapping_network"):
        found = nets.get_submodule(part).named_parameters()
        norms |= {f"{part}/{name}": p.grad.norm().item() for name, p in found if p.grad is not None}
    norms["embedding"] = nets.embedding_matrix.weight.grad.norm().item()  # type: ignore[union-attr, operator]
    return norms


@pytest.mark.parametrize("reference_folder", LEARNED, indirect=True)
def test_gradient_norms(reference: Reference) -> None:
    """Within 2e-5, but for compound_96.

    The absolute errors of its losses flip signs under float32 rounding: between float32 and float64 the norms of its
    generator themselves move by up to 1e-2, so the reference is one draw of that noise, and 2e-2 is what can be asked
    for there, 1e-3 in the other networks.
    """
    expected: dict[str, Any] = json.loads((reference.folder / "gradient_norms.json").read_text())
    ours = gradient_norms(reference)
    assert set(expected) <= set(ours)
    floor = 1e-6 * max(expected.values())  # biases before instance norm have no gradient but rounding
    for name, theirs in expected.items():
        bound = 2e-5
        if reference.folder.name == "compound_96":
            bound = 2e-2 if name.startswith("generator/") else 1e-3
        assert ours[name] == pytest.approx(theirs, rel=bound, abs=floor), name


def slope(monkeypatch: pytest.MonkeyPatch, networks: Networks) -> None:
    """0.21 instead of 0.2."""
    true = F.leaky_relu
    monkeypatch.setattr(F, "leaky_relu", lambda x, slope=0.2, inplace=False: true(x, 1.05 * slope, inplace))


def eps(monkeypatch: pytest.MonkeyPatch, networks: Networks) -> None:
    """1.1e-5 instead of 1e-5."""
    true = F.instance_norm

    def other(*given: Any, **named: Any) -> torch.Tensor:
        return true(*given[:7], **{**named, "eps": 1.1e-5})

    monkeypatch.setattr(F, "instance_norm", other)


def swapped_norms(monkeypatch: pytest.MonkeyPatch, networks: Networks) -> None:
    """One block's two norms."""
    block = networks.generator.encode[0]
    block.norm1, block.norm2 = block.norm2, block.norm1


def one_slope(monkeypatch: pytest.MonkeyPatch, networks: Networks) -> None:
    """Of the last activation alone, by half a per cent."""
    (last,) = (module for module in networks.generator.modules() if isinstance(module, torch.nn.LeakyReLU))
    last.negative_slope *= 1.005


@pytest.mark.parametrize("reference_folder", ["batch_48", "multimodal_64"], indirect=True)
@pytest.mark.parametrize("mistake", [slope, eps, swapped_norms, one_slope])
def test_the_bounds_are_narrow_enough_for_small_mistakes(
    reference: Reference, mistake: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mistake(monkeypatch, reference.networks)
    with torch.no_grad():
        wrong = reference.networks.generator(reference["x_ctrl"], reference["style"])
    with pytest.raises(AssertionError):
        assert_close(wrong, reference["fake"])


@pytest.mark.parametrize("reference_folder", ["batch_48", "compound_96"], indirect=True)
def test_published_folder_as_a_model(reference: Reference, tmp_path: Path) -> None:
    model = model_of(reference.folder, task="batch" if reference.config["batch_correction"] else "perturbation")
    again = IMPA.load(model.save(tmp_path / "published"))
    assert again.hash == model.hash
    x, y = reference["x_ctrl"], reference["y"]
    nets = [m.networks.double() for m in (model, again)]
    with torch.no_grad():
        images = [n.generator(x, n.style(y, reference["z"])) for n in nets]
    assert torch.equal(*images)
    assert_close(images[0], reference["fake"])
