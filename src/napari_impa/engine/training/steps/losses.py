"""The losses of IMPA as free functions of the networks and a batch.

Palma et al. 2025, after StarGAN v2 (Choi et al., CVPR 2020); R1 after Mescheder et al., ICML 2018.
"""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_impa.engine.model.networks import Networks

OCTAVES = 2
PEAK = 5.0


def adversarial(logits: Tensor, real: bool) -> Tensor:
    """Binary cross-entropy of logits (B,) against all real or all generated."""
    logits = logits.float()
    return F.softplus(-logits if real else logits).mean()


def reconstruction(images: Tensor, wanted: Tensor, detail: float = 0.0) -> Tensor:
    """Mean absolute difference of images (B, C, S, S), and of their two finest octaves with weight `detail`.

    The octaves are those of a Laplacian pyramid (Burt & Adelson 1983), with means of 2×2 pixels as its low-pass; as a
    loss: Bojanowski et al., ICML 2018.
    """
    difference = images.float() - wanted
    loss = difference.abs().mean()
    for _ in range(OCTAVES if detail else 0):
        coarse = F.avg_pool2d(difference, 2)
        loss = loss + detail * (difference - F.interpolate(coarse, scale_factor=2.0)).abs().mean()
        difference = coarse
    return loss


def peaks(maps: Tensor) -> Tensor:
    """Mean squared excess of feature maps (B, F, H, W) over five standard deviations from their means.

    Through instance normalisation a generator can smuggle brightness only as a spike in one place of a map, which then
    shows as a speck in the image (the droplets of Karras et al., CVPR 2020, section 2).
    """
    return F.relu(F.instance_norm(maps.float()).abs() - PEAK).square().mean()


def r1_penalty(logits: Tensor, images: Tensor) -> Tensor:
    """½ E‖∇ₓ D(x)‖² of real images (B, C, S, S); `images` must require gradients."""
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return 0.5 * gradient.square().flatten(1).sum(1).mean()


def discriminator_losses(
    nets: Networks,
    real: Tensor,
    y_real: Tensor,
    fake: Tensor,
    y_fake: Tensor,
    *,
    mismatched: Tensor | None = None,
    r1: bool = True,
    modality: int = 0,
) -> dict[str, Tensor]:
    """Losses of the discriminator: `real`, `fake` and, if asked for, `mismatch` and `r1`.

    `fake` is taken as it is: no gradient flows back through it. `mismatched` are real cells that are not of `y_fake`
    (the matching-aware discriminator of Reed et al., ICML 2016).
    """
    real = real.detach().requires_grad_(r1)
    # R1 squares gradients, which bfloat16 has too few digits for
    with torch.autocast(real.device.type, enabled=False) if r1 else nullcontext():
        logits = nets.discriminator(real, y_real, modality)
    losses = {"real": adversarial(logits, True)}
    losses["fake"] = adversarial(nets.discriminator(fake.detach(), y_fake, modality), False)
    if mismatched is not None:
        losses["mismatch"] = adversarial(nets.discriminator(mismatched, y_fake, modality), False)
    if r1:
        losses["r1"] = r1_penalty(logits, real)
    return losses


def generator_losses(
    nets: Networks,
    control: Tensor,
    y: Tensor,
    style: Tensor,
    fake: Tensor,
    fake_other: Tensor | None,
    *,
    cycle: bool = True,
    modality: int = 0,
) -> dict[str, Tensor]:
    """Losses of generator, style encoder and mapping network: `adversarial`, `style`, `diversity`, `cycle`.

    Parameters
    ----------
    control
        Control cells x (B, C, S, S).
    y, style
        Target conditions (B,) and their styles (B, d).
    fake
        G(x, style), with its graph.
    fake_other
        G(x, style') of other noise, without a graph; None leaves `diversity` out.
    cycle
        Whether to compute `cycle` too.
    """
    losses = {"adversarial": adversarial(nets.discriminator(fake, y, modality), True)}
    losses["style"] = (nets.style_encoder(fake) - style).abs().mean()
    if fake_other is not None:
        losses["diversity"] = (fake - fake_other.detach()).abs().mean()
    if cycle:
        losses["cycle"] = (nets.generator(fake, nets.style_encoder(control)) - control).abs().mean()
    return losses
