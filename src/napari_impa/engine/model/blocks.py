"""The residual blocks that the networks are made of, and how they double their maps."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SLOPE = 0.2


class ResBlk(nn.Module):
    """Pre-activation residual block, optionally normalised and halving the image."""

    def __init__(self, dim_in: int, dim_out: int, *, normalize: bool = False, down: bool = False) -> None:
        super().__init__()
        self.down = down
        self.conv1 = nn.Conv2d(dim_in, dim_in, 3, padding=1)
        self.conv2 = nn.Conv2d(dim_in, dim_out, 3, padding=1)
        self.norm1: nn.Module = nn.InstanceNorm2d(dim_in, affine=True) if normalize else nn.Identity()
        self.norm2: nn.Module = nn.InstanceNorm2d(dim_in, affine=True) if normalize else nn.Identity()
        self.conv1x1: nn.Module = nn.Conv2d(dim_in, dim_out, 1, bias=False) if dim_in != dim_out else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, H, W) → (B, out, H, W), or half of H and W."""
        residual = self.conv1(F.leaky_relu(self.norm1(x), SLOPE))
        shortcut = self.conv1x1(x)
        if self.down:
            residual, shortcut = F.avg_pool2d(residual, 2), F.avg_pool2d(shortcut, 2)
        residual = self.conv2(F.leaky_relu(self.norm2(residual), SLOPE))
        out: Tensor = (residual + shortcut) / math.sqrt(2)
        return out


def doubled(x: Tensor) -> Tensor:
    """(B, C, H, W) → (B, C, 2H, 2W), each value four times; on a CPU ten times as fast as `F.interpolate`."""
    if x.device.type != "cpu" or x.is_contiguous(memory_format=torch.channels_last):
        return F.interpolate(x, scale_factor=2.0)
    return x.repeat_interleave(2, dim=3).repeat_interleave(2, dim=2)


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

UPSAMPLING: dict[str, tuple[Doubling, Doubling]] = {
    "nearest": (doubled, doubled),
    "bilinear": (doubled_smoothly, doubled_smoothly),
    "bilinear_skip": (doubled, doubled_smoothly),
}
"""How maps are doubled before a block's convolutions and on its skip connection, by `Shape.upsampling`."""


class AdaIN(nn.Module):
    """Adaptive instance normalisation: (1 + γ) · IN(x) + β with γ, β from the style; the bare IN without a style."""

    def __init__(self, style_dim: int, features: int) -> None:
        super().__init__()
        self.fc = nn.Linear(style_dim, 2 * features)

    def forward(self, x: Tensor, style: Tensor | None) -> Tensor:
        """(B, features, H, W), (B, d) → (B, features, H, W)."""
        x = F.instance_norm(x)
        if style is None:
            return x
        gamma, beta = self.fc(style)[:, :, None, None].chunk(2, dim=1)
        out: Tensor = (1 + gamma) * x + beta
        return out


class AdainResBlk(nn.Module):
    """Residual block whose normalisation is steered by the style, optionally doubling the image."""

    def __init__(
        self, dim_in: int, dim_out: int, style_dim: int, *, up: tuple[Doubling, Doubling] | None = None
    ) -> None:
        super().__init__()
        self.up = up
        self.conv1 = nn.Conv2d(dim_in, dim_out, 3, padding=1)
        self.conv2 = nn.Conv2d(dim_out, dim_out, 3, padding=1)
        self.norm1 = AdaIN(style_dim, dim_in)
        self.norm2 = AdaIN(style_dim, dim_out)
        self.conv1x1: nn.Module = nn.Conv2d(dim_in, dim_out, 1, bias=False) if dim_in != dim_out else nn.Identity()

    def forward(self, x: Tensor, style: Tensor | None) -> Tensor:
        """(B, in, H, W), (B, d) → (B, out, H, W), or twice H and W."""
        residual, shortcut = F.leaky_relu(self.norm1(x, style), SLOPE), self.conv1x1(x)
        if self.up is not None:
            residual, shortcut = self.up[0](residual), self.up[1](shortcut)
        residual = self.conv2(F.leaky_relu(self.norm2(self.conv1(residual), style), SLOPE))
        out: Tensor = (residual + shortcut) / math.sqrt(2)
        return out
