"""Muon's steps, against singular value decompositions."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_impa.engine.training.steps.optimizers import Muon, orthogonalised


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 3), st.integers(2, 20), st.integers(2, 20), st.integers(0, 1000))
def test_singular_values_come_near_one_and_vectors_stay(count: int, rows: int, columns: int, seed: int) -> None:
    matrices = torch.randn(count, rows, columns, generator=torch.Generator().manual_seed(seed))
    u, values, vh = torch.linalg.svd(matrices, full_matrices=False)
    found = u.mT @ orthogonalised(matrices) @ vh.mT  # diagonal, where the singular vectors are the same
    diagonal = found.diagonal(dim1=1, dim2=2)
    large = values > 0.05 * values.amax(1, keepdim=True)
    assert ((diagonal > 0.5) & (diagonal < 1.3))[large].all()
    torch.testing.assert_close(found, torch.diag_embed(diagonal), atol=2e-3, rtol=0)


def test_weights_of_one_shape_do_not_mix() -> None:
    generator = torch.Generator().manual_seed(0)
    kernels = [torch.nn.Parameter(torch.randn(16, 8, 3, 3, generator=generator)) for _ in range(3)]
    alone = [torch.nn.Parameter(kernel.detach().clone()) for kernel in kernels]
    together, single = Muon(kernels, 0.02), [Muon([kernel], 0.02) for kernel in alone]
    for step in range(3):
        for kernel, other in zip(kernels, alone, strict=True):
            kernel.grad = torch.sin(kernel.detach() + step)
            other.grad = torch.sin(other.detach() + step)
        together.step()
        for optimizer in single:
            optimizer.step()
    for kernel, other in zip(kernels, alone, strict=True):
        torch.testing.assert_close(kernel, other)


@pytest.mark.parametrize("shape", [(8, 4, 3, 3), (32, 2, 1, 1)])
def test_a_step_goes_down_by_its_rate(shape: tuple[int, ...]) -> None:
    kernel = torch.nn.Parameter(torch.randn(shape, generator=torch.Generator().manual_seed(1)))
    before = kernel.detach().clone()
    kernel.grad = kernel.detach().clone()
    Muon([kernel], 0.1, momentum=0.0).step()
    change = (before - kernel.detach()).flatten(1)
    rows, columns = change.shape
    wanted = 0.1 * max(1.0, rows / columns) ** 0.5
    assert torch.linalg.svdvals(change) == pytest.approx([wanted] * min(rows, columns), rel=0.35)
    assert (change * before.flatten(1)).sum() > 0


def test_what_has_no_gradient_stays() -> None:
    kernel = torch.nn.Parameter(torch.ones(4, 4, 3, 3))
    Muon([kernel], 0.1).step()
    assert torch.equal(kernel, torch.ones(4, 4, 3, 3))


def test_momentum_is_an_average_with_a_look_ahead() -> None:
    first, second = torch.randn(2, 12, 12, generator=torch.Generator().manual_seed(2))
    kernel = torch.nn.Parameter(torch.zeros(12, 12, 1, 1))
    muon = Muon([kernel], 0.1, momentum=0.9)
    for gradient in (first, second):
        kernel.grad = gradient.clone()[:, :, None, None]
        muon.step()
    average = 0.1 * first
    ahead = [0.1 * first + 0.9 * average]
    average = 0.9 * average + 0.1 * second
    ahead.append(0.1 * second + 0.9 * average)
    expected = -0.1 * sum(orthogonalised(one[None])[0] for one in ahead)
    torch.testing.assert_close(kernel.detach()[..., 0, 0], expected, atol=1e-5, rtol=1e-4)
