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
    return _half_square(gradient)


def _half_square(gradient: Tensor) -> Tensor:
    return 0.5 * gradient.square().flatten(1).sum(1).mean()


def paired(logits: Tensor, others: Tensor) -> Tensor:
    """Relativistic pairing loss of logits (B,) that should exceed others (B,), pair by pair: softplus(others − logits).

    Jolicoeur-Martineau, ICLR 2019; with R1 and R2 as in Huang et al., NeurIPS 2024 (arXiv 2501.05441).
    """
    return F.softplus(others.float() - logits.float()).mean()


def discriminator_losses(
    nets: Networks, real: Tensor, y_real: Tensor, fake: Tensor, y_fake: Tensor, *, modality: int = 0
) -> dict[str, Tensor]:
    """Losses of the published discriminator: `real`, `fake` and `r1`.

    `fake` is taken as it is: no gradient flows back through it.
    """
    real = real.detach().requires_grad_()
    logits = nets.discriminator(real, y_real, modality)
    losses = {"real": adversarial(logits, True)}
    losses["fake"] = adversarial(nets.discriminator(fake.detach(), y_fake, modality), False)
    losses["r1"] = r1_penalty(logits, real)
    return losses


def pairing_losses(
    nets: Networks,
    real: Tensor,
    y_real: Tensor,
    y_other: Tensor,
    *,
    fake: Tensor | None = None,
    mismatched: Tensor | None = None,
    penalties: bool = True,
    modality: int = 0,
) -> tuple[dict[str, Tensor], Tensor]:
    """Losses of a discriminator to which real cells are to seem more real, pair by pair, than others; and its logits.

    The logits (B,) are those of the real cells.

    Parameters
    ----------
    real, y_real
        Real cells (B, C, S, S) and their conditions (B,).
    y_other
        What the others are called (B,).
    fake
        Generated cells, taken as they are: no gradient flows back through them. Gives `pairing`.
    mismatched
        Real cells that are not of `y_other` (the matching-aware discriminator of Reed et al., ICML 2016). Gives
        `mismatch`.
    penalties
        Whether to compute `r1` and, of generated cells, `r2`; all in float32 then, as they square gradients, which
        bfloat16 has too few digits for.
    """
    shown, y, losses = [real.detach()], [y_real], {}
    if fake is not None:
        shown, y = [*shown, fake.detach().to(real.dtype)], [y_real, y_other]
    for images in shown:
        images.requires_grad_(penalties)
    with torch.autocast(real.device.type, enabled=False) if penalties else nullcontext():
        logits = nets.discriminator(torch.cat(shown), torch.cat(y), modality, parts=len(shown)).chunk(len(shown))
        if fake is not None:
            losses["pairing"] = paired(*logits)
        if mismatched is not None:
            wrong = nets.discriminator(mismatched.detach(), y_other, modality)
            losses["mismatch"] = paired(logits[0], wrong)
        if penalties:
            slopes = torch.autograd.grad(torch.cat(logits).sum(), shown, create_graph=True)
            losses |= {name: _half_square(slope) for name, slope in zip(("r1", "r2"), slopes, strict=False)}
    return losses, logits[0]


def generator_losses(
    nets: Networks,
    control: Tensor,
    y: Tensor,
    style: Tensor,
    fake: Tensor,
    fake_other: Tensor | None,
    *,
    modality: int = 0,
) -> dict[str, Tensor]:
    """Losses of the published generator, style encoder and mapping network.

    They are `adversarial`, `style`, `diversity` and `cycle`.

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
    """
    losses = {"adversarial": adversarial(nets.discriminator(fake, y, modality), True)}
    losses["style"] = (nets.style_encoder(fake) - style).abs().mean()
    if fake_other is not None:
        losses["diversity"] = (fake - fake_other.detach()).abs().mean()
    losses["cycle"] = (nets.generator(fake, nets.style_encoder(control)) - control).abs().mean()
    return losses
