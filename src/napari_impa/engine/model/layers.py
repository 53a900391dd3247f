"""Normalised maps, and convolutions of maps that are halved or doubled: the same functions, in fewer operations.

Where maps lie channels last in a CPU's memory, as the recipe `default` has them, there are quicker ways to the same
numbers, up to rounding; in any other layout and on any other device they are computed as torch would.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

EPSILON = 1e-5
"""Added to variances, as torch does."""


FOLDED = {"cpu"}
"""Devices on which convolutions are one with the means or the doubling beside them; `python -m benchmarks folded`."""


def is_channels_last(x: Tensor) -> bool:
    """Whether maps (B, C, H, W) lie channels last in memory, and only so."""
    return x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()


def is_folded(x: Tensor) -> bool:
    """Whether convolutions of these maps are one with the means or the doubling beside them."""
    return x.device.type in FOLDED and is_channels_last(x)


def is_summed(x: Tensor) -> bool:
    """Whether maps are normalised by sums over places: of numbers that do not lose digits in them."""
    return x.device.type == "cpu" and x.dtype in (torch.float32, torch.float64) and is_channels_last(x)


def instance_norm(x: Tensor, scale: Tensor | None = None, shift: Tensor | None = None) -> Tensor:
    """scale · (x − mean) / standard deviation + shift, each of every map of (B, C, H, W); scale and shift (B, C, 1, 1).

    torch's own takes maps that lie channels last apart and leaves the result so, which the operations before and after
    have to mend.
    """
    if not is_summed(x):
        x = F.instance_norm(x)
        return x if scale is None or shift is None else scale * x + shift
    if scale is None or shift is None:
        scale, shift = x.new_ones((*x.shape[:2], 1, 1)), x.new_zeros((*x.shape[:2], 1, 1))
    out: Tensor = _InstanceNorm.apply(x, scale, shift)  # type: ignore[no-untyped-call]
    return out


class _InstanceNorm(torch.autograd.Function):
    """Sums over places, which torch takes quickly channels last, and products of whole maps."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        centred = x - x.mean((2, 3), keepdim=True)
        factor = (centred.square().mean((2, 3), keepdim=True) + EPSILON).rsqrt()
        ctx.save_for_backward(centred, factor, scale)
        return torch.addcmul(shift, centred, scale * factor)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """By the chain rule, with n places and the normalised maps y: (g − mean(g) − y · mean(g · y)) · scale / std."""
        centred, factor, scale = ctx.saved_tensors
        of_shift = gradient.sum((2, 3), keepdim=True)
        of_scale = (gradient * centred).sum((2, 3), keepdim=True) * factor
        outer = scale * factor
        inner = -outer / (centred.shape[2] * centred.shape[3])
        of_x = torch.addcmul(inner * of_shift, gradient, outer).addcmul_(centred, inner * factor * of_scale)
        return of_x, of_scale, of_shift


class InstanceNorm(nn.InstanceNorm2d):
    """Instance normalisation with a weight and a bias for each channel."""

    def __init__(self, features: int) -> None:
        super().__init__(features, eps=EPSILON, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        """(B, features, H, W) → the same."""
        if not is_summed(x):
            return super().forward(x)
        scale, shift = (one[None, :, None, None].expand(len(x), -1, 1, 1) for one in (self.weight, self.bias))
        return instance_norm(x, scale, shift)


class HalvedConv(nn.Conv2d):
    """A 3×3 convolution whose maps are halved to the means of 2×2 pixels: one of 4×4 at every second pixel."""

    def __init__(self, dim_in: int, dim_out: int) -> None:
        super().__init__(dim_in, dim_out, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, H, W) → (B, out, H/2, W/2)."""
        if not is_folded(x):
            return F.avg_pool2d(super().forward(x), 2)
        return F.conv2d(x, four_by_four(self.weight) / 4, self.bias, stride=2, padding=1)


class DoubledConv(nn.Conv2d):
    """A 3×3 convolution of maps of which each value stands four times: a transposed one of 4×4, from every pixel."""

    def __init__(self, dim_in: int, dim_out: int) -> None:
        super().__init__(dim_in, dim_out, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, H, W) → (B, out, 2H, 2W)."""
        if not is_folded(x):
            return super().forward(doubled(x))
        kernel = four_by_four(self.weight.flip(2, 3)).transpose(0, 1)
        return F.conv_transpose2d(x, kernel, self.bias, stride=2, padding=1)


def four_by_four(kernel: Tensor) -> Tensor:
    """Kernels (out, in, 3, 3) followed by sums of 2×2 pixels: (out, in, 4, 4)."""
    parts = [F.pad(kernel, (left, 1 - left, above, 1 - above)) for left in (0, 1) for above in (0, 1)]
    return parts[0] + parts[1] + parts[2] + parts[3]


def doubled(x: Tensor) -> Tensor:
    """(B, C, H, W) → (B, C, 2H, 2W), each value four times; on a CPU ten times as fast as `F.interpolate`."""
    if x.device.type != "cpu" or x.is_contiguous(memory_format=torch.channels_last):
        return F.interpolate(x, scale_factor=2.0)
    return x.repeat_interleave(2, dim=3).repeat_interleave(2, dim=2)
