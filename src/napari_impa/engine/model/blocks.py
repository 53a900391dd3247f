"""The residual blocks that the networks are made of, and how they double their maps."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_impa.engine.model.layers import (
    DoubledConv,
    HalvedConv,
    InstanceNorm,
    doubled,
    instance_norm,
    is_folded,
)

SLOPE = 0.2


class ResBlk(nn.Module):
    """Pre-activation residual block, optionally normalised and halving the image."""

    def __init__(self, dim_in: int, dim_out: int, *, normalize: bool = False, down: bool = False) -> None:
        super().__init__()
        self.down, self.normalize = down, normalize
        self.conv1 = HalvedConv(dim_in, dim_in) if down else nn.Conv2d(dim_in, dim_in, 3, padding=1)
        self.conv2 = nn.Conv2d(dim_in, dim_out, 3, padding=1)
        self.norm1: nn.Module = InstanceNorm(dim_in) if normalize else nn.Identity()
        self.norm2: nn.Module = InstanceNorm(dim_in) if normalize else nn.Identity()
        self.conv1x1: nn.Module = nn.Conv2d(dim_in, dim_out, 1, bias=False) if dim_in != dim_out else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, H, W) → (B, out, H, W), or half of H and W."""
        residual = self.conv1(F.leaky_relu(self.norm1(x), SLOPE, inplace=self.normalize))
        if not self.down:
            shortcut = self.conv1x1(x)
        elif is_folded(x):  # the same in either order
            shortcut = self.conv1x1(F.avg_pool2d(x, 2))
        else:
            shortcut = F.avg_pool2d(self.conv1x1(x), 2)
        residual = self.conv2(F.leaky_relu(self.norm2(residual), SLOPE, inplace=True))
        return joined(residual, shortcut)


def joined(residual: Tensor, shortcut: Tensor) -> Tensor:
    """Residual and shortcut together, of the variance that each has; in the memory of the residual."""
    return residual.add_(shortcut).div_(math.sqrt(2))


def doubled_smoothly(x: Tensor) -> Tensor:
    """(B, C, H, W) → (B, C, 2H, 2W), bilinear.

    By sums, as the gradient of `F.interpolate` differs from run to run on a GPU. Pixels lie at the centres of their
    squares and the border is repeated: a new value is 3/4 of its pixel and 1/4 of the neighbour's on its side, along
    rows and columns.
    """
    if x.device.type == "cpu" and x.is_contiguous(memory_format=torch.channels_last):  # there it is exact, and faster
        return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
    layout = torch.channels_last if x.is_contiguous(memory_format=torch.channels_last) else torch.contiguous_format
    for axis in (3, 2):
        before = torch.cat([x.narrow(axis, 0, 1), x.narrow(axis, 0, x.shape[axis] - 1)], axis)
        behind = torch.cat([x.narrow(axis, 1, x.shape[axis] - 1), x.narrow(axis, x.shape[axis] - 1, 1)], axis)
        x = torch.stack([torch.lerp(x, before, 0.25), torch.lerp(x, behind, 0.25)], axis + 1).flatten(axis, axis + 1)
    return x.contiguous(memory_format=layout)


Doubling = Callable[[Tensor], Tensor]
"""(B, C, H, W) → (B, C, 2H, 2W)."""

UPSAMPLING: dict[str, Doubling] = {"nearest": doubled, "bilinear_skip": doubled_smoothly}
"""How maps are doubled on a block's skip connection, by `Shape.upsampling`; before its convolutions, which smooth them,
each value is repeated."""


class AdaIN(nn.Module):
    """Adaptive instance normalisation: (1 + γ) · IN(x) + β with γ, β from the style; the bare IN without a style."""

    def __init__(self, style_dim: int, features: int) -> None:
        super().__init__()
        self.fc = nn.Linear(style_dim, 2 * features)

    def forward(self, x: Tensor, style: Tensor | None) -> Tensor:
        """(B, features, H, W), (B, d) → (B, features, H, W)."""
        if style is None:
            return instance_norm(x)
        gamma, beta = self.fc(style)[:, :, None, None].chunk(2, dim=1)
        return instance_norm(x, 1 + gamma, beta)


class AdainResBlk(nn.Module):
    """Residual block whose normalisation is steered by the style, optionally doubling the image."""

    def __init__(self, dim_in: int, dim_out: int, style_dim: int, *, up: Doubling | None = None) -> None:
        super().__init__()
        self.up = up
        self.conv1 = nn.Conv2d(dim_in, dim_out, 3, padding=1) if up is None else DoubledConv(dim_in, dim_out)
        self.conv2 = nn.Conv2d(dim_out, dim_out, 3, padding=1)
        self.norm1 = AdaIN(style_dim, dim_in)
        self.norm2 = AdaIN(style_dim, dim_out)
        self.conv1x1: nn.Module = nn.Conv2d(dim_in, dim_out, 1, bias=False) if dim_in != dim_out else nn.Identity()

    def forward(self, x: Tensor, style: Tensor | None) -> Tensor:
        """(B, in, H, W), (B, d) → (B, out, H, W), or twice H and W."""
        residual, shortcut = F.leaky_relu(self.norm1(x, style), SLOPE, inplace=True), self.conv1x1(x)
        if self.up is not None:
            shortcut = self.up(shortcut)
        residual = self.conv2(F.leaky_relu(self.norm2(self.conv1(residual), style), SLOPE, inplace=True))
        return joined(residual, shortcut)
