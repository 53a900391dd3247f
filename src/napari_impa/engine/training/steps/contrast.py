"""Cells at another contrast: pairs of one content under two styles, for which the right answer is known."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

NEIGHBOURHOOD = 9
"""Side of the square, in pixels, whose mean parts detail from its surroundings."""

CHANGED = 0.75
"""Fraction of the cells that are changed; the others stay as they are."""

OFFSET = 0.03
"""Standard deviation of the change in darkness, as a fraction of the intensity range."""


def at_other_contrast(images: Tensor, strength: float, normal: Tensor, uniform: Tensor) -> Tensor:
    """Change brightness and detail of each channel of each cell by random factors.

    Real data are trained on as they are, because intensity is the phenotype.  These images are for the generator
    alone: the content of a cell with the style of its changed image has to give the changed image, which teaches that
    brightness and sharpness belong to the style.

    Parameters
    ----------
    images
        (B, C, S, S) in [-1, 1].
    strength
        Standard deviation of the logarithms of both factors.
    normal, uniform
        Random numbers, (3, B, C) standard normal and (B,) uniform.

    Returns
    -------
    (B, C, S, S) in [-1, 1].
    """
    gain, detail, offset = normal[..., None, None] * (uniform < CHANGED).to(images.dtype)[:, None, None, None]
    levels: Tensor = (images + 1) / 2
    margin = NEIGHBOURHOOD // 2
    smooth = F.avg_pool2d(F.pad(levels, (margin,) * 4, mode="replicate"), NEIGHBOURHOOD, 1)
    changed = torch.exp(strength * gain) * (smooth + torch.exp(strength * detail) * (levels - smooth))
    levels = (changed + OFFSET * offset).clamp(0, 1)
    return levels * 2 - 1
