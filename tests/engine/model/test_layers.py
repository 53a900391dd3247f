"""Layers that take a quicker way where maps lie channels last: the same functions, to the last digits of doubles."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_impa.engine.model import layers
from napari_impa.engine.model.blocks import AdainResBlk, ResBlk
from napari_impa.engine.model.layers import DoubledConv, HalvedConv, InstanceNorm, instance_norm, is_folded
from napari_impa.engine.model.networks import UPSAMPLING

LAYOUTS = (torch.contiguous_format, torch.channels_last)


def drawn(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)


def both_ways(module: nn.Module, x: Tensor, *others: Tensor) -> list[list[Tensor]]:
    """Result, and gradients of what is given and of all weights, in both layouts."""
    found = []
    module = module.double()
    for p in module.parameters():
        nn.init.normal_(p, generator=torch.Generator().manual_seed(p.numel()))
    for layout in LAYOUTS:
        module.zero_grad()
        given = [
            x.detach().contiguous(memory_format=layout).requires_grad_(),
            *(one.clone().requires_grad_() for one in others),
        ]
        out = module.to(memory_format=layout)(*given)  # type: ignore[call-overload]
        (out * drawn(*out.shape)).sum().backward()
        found.append([out.detach(), *(one.grad for one in [*given, *module.parameters()] if one.grad is not None)])
    return found


MODULES: dict[str, Callable[[], nn.Module]] = {
    "normalised": lambda: InstanceNorm(4),
    "halved": lambda: HalvedConv(4, 6),
    "doubled": lambda: DoubledConv(4, 6),
    "block": lambda: ResBlk(4, 6),
    "block that halves": lambda: ResBlk(4, 6, down=True),
    "block that normalises and halves": lambda: ResBlk(4, 4, normalize=True, down=True),
}


@pytest.mark.parametrize("side", [8, 7])
@pytest.mark.parametrize("name", MODULES)
def test_a_layer_and_its_gradients_are_the_same_in_both_layouts(name: str, side: int) -> None:
    one, other = both_ways(MODULES[name](), drawn(3, 4, side, side))
    assert len(one) == len(other) > 1
    for a, b in zip(one, other, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("up", [None, *UPSAMPLING])
def test_a_styled_block_is_the_same_in_both_layouts(up: str | None) -> None:
    block = AdainResBlk(4, 6, 5, up=None if up is None else UPSAMPLING[up])
    one, other = both_ways(block, drawn(3, 4, 8, 8), drawn(3, 5))
    for a, b in zip(one, other, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


def test_normalised_maps_without_a_style_are_torch_s() -> None:
    x = drawn(2, 4, 6, 6)
    torch.testing.assert_close(instance_norm(x.contiguous(memory_format=torch.channels_last)), F.instance_norm(x))


def test_maps_far_from_zero_are_normalised_as_exactly_as_torch_does() -> None:
    x = 1e4 + drawn(2, 4, 16, 16)
    single = x.float().contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(instance_norm(single).double(), F.instance_norm(x), rtol=0, atol=2e-3)


def test_a_halving_convolution_can_be_differentiated_twice() -> None:
    def squared_slope(layout: torch.memory_format) -> Tensor:
        torch.manual_seed(0)
        block = ResBlk(3, 5, down=True).double().to(memory_format=layout)  # type: ignore[call-overload]
        x = drawn(2, 3, 8, 8).contiguous(memory_format=layout).requires_grad_()
        (slope,) = torch.autograd.grad(block(x).square().sum(), x, create_graph=True)
        (found,) = torch.autograd.grad(slope.square().sum(), block.conv1.weight)
        return found

    torch.testing.assert_close(*(squared_slope(layout) for layout in LAYOUTS))


def test_any_other_layout_is_computed_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models predict, and the paper's step trains, with the very bits that they always had."""

    def quicker(*given: object) -> Tensor:
        raise AssertionError

    monkeypatch.setattr(layers, "four_by_four", quicker)
    x = drawn(2, 4, 8, 8).float()
    assert not is_folded(x)
    torch.manual_seed(0)
    block = ResBlk(4, 6, normalize=True, down=True)
    torch.manual_seed(0)
    convs = [nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 6, 3, padding=1), nn.Conv2d(4, 6, 1, bias=False)]
    residual = F.avg_pool2d(convs[0](F.leaky_relu(F.instance_norm(x), 0.2)), 2)
    residual = convs[1](F.leaky_relu(F.instance_norm(residual), 0.2))
    assert torch.equal(block(x), (residual + F.avg_pool2d(convs[2](x), 2)) / 2**0.5)
