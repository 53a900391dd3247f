from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from napari_impa.engine.model.blocks import UPSAMPLING, doubled, doubled_smoothly
from napari_impa.engine.model.networks import Networks, spread
from napari_impa.engine.model.shape import Shape, is_valid_size, valid_sizes


@pytest.mark.parametrize("size", [24, 32, 48, 64, 96])
@torch.no_grad()
def test_every_valid_size_goes_through_all_networks(size: int) -> None:
    nets = Networks(Shape(size, channels=2, width=4, style_dim=8, noise_dim=3, embedding_dims=(5,), conditions=(3,)))
    x, y = torch.randn(2, 2, size, size), torch.tensor([0, 2])
    style = nets.style(y, torch.randn(2, 3))
    assert style.shape == (2, 8)
    fake = nets.generator(x, style)
    assert fake.shape == x.shape
    assert nets.style_encoder(fake).shape == (2, 8)
    assert nets.discriminator(fake, y).shape == (2,)
    assert nets.generator.content(x).shape[-1] == size // 2**nets.shape.generator_downs


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 9), st.integers(1, 9), st.booleans())
def test_maps_are_doubled_as_torch_does(count: int, channels: int, height: int, width: int, last: bool) -> None:
    layout = torch.channels_last if last else torch.contiguous_format
    x = torch.randn(count, channels, height, width, dtype=torch.float64).contiguous(memory_format=layout)
    torch.testing.assert_close(doubled(x), F.interpolate(x, scale_factor=2.0), rtol=0, atol=0)
    smooth = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
    torch.testing.assert_close(doubled_smoothly(x), smooth)


def test_a_smooth_decoder_has_no_blocks() -> None:
    """Where pixels are doubled as they are, four and four, they differ more between blocks than within."""
    torch.manual_seed(0)
    x, style = torch.randn(4, 2, 64, 64), torch.randn(4, 8)
    shape = Shape(64, channels=2, width=8, style_dim=8)
    edges = {}
    for upsampling in UPSAMPLING:
        nets = Networks(replace(shape, upsampling=upsampling)).initialize(torch.Generator().manual_seed(1))
        with torch.no_grad():
            image = nets.generator(x, style)
        steps = image.diff(dim=-1).abs().mean((0, 1, 2))
        edges[upsampling] = float(steps[3::4].mean() / steps[1::4].mean())
    assert edges["nearest"] > 1.5
    assert edges["bilinear_skip"] < 1.2


def test_valid_sizes_are_three_or_four_times_a_power_of_two() -> None:
    assert valid_sizes(256) == [24, 32, 48, 64, 96, 128, 192, 256]


@given(st.integers(-3, 2000))
def test_a_size_is_valid_where_halving_ends_at_three_or_four(size: int) -> None:
    rest = size
    while rest > 4 and rest % 2 == 0:
        rest //= 2
    assert is_valid_size(size) == (size >= 24 and rest in (3, 4))


def test_published_sizes_have_the_published_number_of_weights() -> None:
    nets = Networks(Shape(96, channels=3, width=64, conditions=(5,)))
    count = sum(p.numel() for p in nets.generator.parameters())
    assert count == pytest.approx(24.3e6, rel=0.01)
    assert sum(p.numel() for p in nets.style_encoder.parameters()) == pytest.approx(14.3e6, rel=0.02)
    assert sum(p.numel() for p in nets.discriminator.parameters()) == pytest.approx(14.3e6, rel=0.02)


def test_the_spread_is_that_of_four_cells_that_follow_each_other() -> None:
    maps = torch.randn((10, 3, 2, 2), generator=torch.Generator().manual_seed(0))
    found = spread(maps)
    assert found.shape == (10, 1, 2, 2)
    for cells in (slice(0, 4), slice(4, 8), slice(8, 10)):
        wanted = maps[cells].std(0, correction=0).mean()
        torch.testing.assert_close(found[cells], wanted.expand(len(maps[cells]), 1, 2, 2))
    assert spread(maps[:1]).max() < 1e-3  # a cell alone differs from none


@given(st.integers(1, 9), st.integers(1, 3))
def test_batches_one_behind_the_other_are_looked_at_apart(count: int, parts: int) -> None:
    shape = Shape(24, channels=2, width=4, conditions=(3, 2), embedding_dims=(4, 4), discriminator="spread")
    nets = Networks(shape).initialize(torch.Generator().manual_seed(1))
    random = torch.Generator().manual_seed(count)
    batches = torch.randn((parts, count, 2, 24, 24), generator=random)
    y = torch.randint(0, 2, (parts, count), generator=random)
    with torch.no_grad():
        together = nets.discriminator(batches.flatten(0, 1), y.flatten(), 1, parts=parts)
        apart = [nets.discriminator(cells, labels, 1) for cells, labels in zip(batches, y, strict=True)]
    torch.testing.assert_close(together, torch.cat(apart))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**31))
def test_initialisation_follows_its_seed(seed: int) -> None:
    shape = Shape(24, channels=1, width=2, style_dim=2, noise_dim=1, embedding_dims=(2,), conditions=(1,))
    one, two, other = (
        Networks(shape).initialize(torch.Generator().manual_seed(s)).generator.from_rgb.weight
        for s in (seed, seed, seed + 1)
    )
    assert torch.equal(one, two)
    assert not torch.equal(one, other)
