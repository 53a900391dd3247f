"""The networks and losses against numbers that the published ones give."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_impa.engine.model.model import IMPA
from napari_impa.engine.model.networks import Networks
from napari_impa.engine.published.checkpoint_folder import model_of, read_published
from napari_impa.engine.training.losses import discriminator_losses, generator_losses

LEARNED = ["compound_96", "batch_48"]
ALL = [*LEARNED, "compound_128", "multimodal_64"]


class Reference:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.networks = read_published(folder).eval()
        with np.load(folder / "vectors.npz") as vectors:
            self.values = {name: torch.from_numpy(vectors[name]) for name in vectors.files}
        self.config = json.loads((folder / "config.json").read_text())
        self.modality = self.config["modality_index"] or 0

    def __getitem__(self, name: str) -> torch.Tensor:
        return self.values[name]


@pytest.fixture
def reference(shared: Path, request: pytest.FixtureRequest) -> Reference:
    return Reference(shared / "reference" / request.param)


def assert_close(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    torch.testing.assert_close(ours.detach(), theirs, atol=1e-5, rtol=0)


@pytest.mark.parametrize("reference", ALL, indirect=True)
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


@pytest.mark.parametrize("reference", ALL, indirect=True)
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


@pytest.mark.parametrize("reference", LEARNED, indirect=True)
def test_losses(reference: Reference) -> None:
    critic, maker = losses_of(reference)
    for losses, names in (
        (critic, {"real": "d_real", "fake": "d_fake", "r1": "d_reg"}),
        (maker, {"adversarial": "g_adv", "style": "g_sty", "diversity": "g_ds", "cycle": "g_cyc"}),
    ):
        assert set(losses) == set(names)
        for ours, theirs in names.items():
            assert_close(losses[ours], reference[theirs])


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


@pytest.mark.parametrize("reference", LEARNED, indirect=True)
def test_gradient_norms(reference: Reference) -> None:
    """Within 1e-4, but for the generator of compound_96.

    Its absolute errors flip signs under float32 rounding: between float32 and float64 these norms themselves move by up
    to 1e-2, so the reference is one draw of that noise, and 5e-3 is what can be asked for.
    """
    expected: dict[str, Any] = json.loads((reference.folder / "gradient_norms.json").read_text())
    ours = gradient_norms(reference)
    assert set(expected) <= set(ours)
    floor = 1e-6 * max(expected.values())  # biases before instance norm have no gradient but rounding
    for name, theirs in expected.items():
        noisy = name.startswith("generator/") and reference.folder.name == "compound_96"
        assert ours[name] == pytest.approx(theirs, rel=5e-3 if noisy else 1e-4, abs=floor), name


@pytest.mark.parametrize("reference", ["compound_96"], indirect=True)
def test_published_folder_as_a_model(reference: Reference, tmp_path: Path) -> None:
    model = model_of(reference.folder)
    again = IMPA.load(model.save(tmp_path / "published"))
    assert again.hash == model.hash
    x, y = reference["x_ctrl"], reference["y"]
    with torch.no_grad():
        images = [m.networks.generator(x, m.networks.style(y, reference["z"])) for m in (model, again)]
    assert torch.equal(*images)
    assert_close(images[0], reference["fake"])
