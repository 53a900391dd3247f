"""Muon: momentum whose steps are orthogonalised, for the convolutions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from napari_impa.watch import UNWATCHED, Watch

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients of the quintic iteration; singular values end between about 0.7 and 1.2."""

ITERATIONS = 5


class Muon(torch.optim.Optimizer):
    """Steepest descent in the spectral norm, with momentum (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon).

    Every step of a weight matrix is its averaged gradient with all singular values brought near 1, so that directions
    with small gradients are learnt as fast as the others.  `torch.optim.Muon` takes matrices only; this one takes the
    weights of convolutions, (out, in, k, k), as matrices (out, in·k·k).

    Parameters
    ----------
    parameters
        Weights with two dimensions or more.
    lr
        Root mean square of a step's entries is about lr / √(in·k·k). A tensor where a replayed step reads it.
    momentum
        Of the averaged gradient, with Nesterov's look ahead; 0 for the gradient alone.
    watch
        Asked before every product of matrices; what it raises leaves the step, with some weights changed.
    """

    def __init__(
        self,
        parameters: Iterable[Parameter],
        lr: float | Tensor,
        momentum: float = 0.95,
        *,
        watch: Watch = UNWATCHED,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum})
        self._watch = watch

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Make one step with the gradients as they are."""
        for group in self.param_groups:
            alike: dict[torch.Size, list[Parameter]] = {}
            for weight in group["params"]:
                if weight.grad is not None:
                    alike.setdefault(weight.shape, []).append(weight)
            for shape, weights in alike.items():  # weights of one shape together: fewer, larger products
                ahead = torch.stack([self._ahead(weight, group["momentum"]) for weight in weights])
                steps = orthogonalised(ahead, watch=self._watch)
                rows, columns = steps.shape[1:]
                size = group["lr"] * max(1.0, rows / columns) ** 0.5
                if isinstance(size, Tensor):
                    changes = [change.view(shape) for change in steps * size]
                    torch._foreach_sub_(list[Tensor](weights), changes)
                    continue
                for weight, change in zip(weights, steps, strict=True):
                    weight.add_(change.view(shape), alpha=-size)

    def _ahead(self, weight: Parameter, momentum: float) -> Tensor:
        """Averaged gradient with Nesterov's look ahead, (out, in·k·k)."""
        state, gradient = self.state[weight], weight.grad
        assert gradient is not None
        if "average" not in state:
            state["average"] = torch.zeros_like(gradient)
        average = state["average"].lerp_(gradient, 1 - momentum)
        return gradient.lerp(average, momentum).contiguous().flatten(1)


def orthogonalised(matrices: Tensor, *, watch: Watch = UNWATCHED) -> Tensor:
    """Return the nearest matrices with all singular values about 1, by Newton–Schulz iteration.

    It runs in bfloat16 on a GPU, which has matrix units for it, and in float32 elsewhere.

    Parameters
    ----------
    matrices
        (n, rows, columns).
    watch
        Asked before every product of matrices; what it raises ends the iteration.
    """
    a, b, c = NEWTON_SCHULZ
    x = matrices.bfloat16() if matrices.is_cuda else matrices.float()
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    flipped = x.shape[1] > x.shape[2]
    x = x.mT if flipped else x
    for _ in range(ITERATIONS):
        watch.check()
        square = x @ x.mT
        watch.check()
        factor = b * square + c * square @ square
        watch.check()
        x = a * x + factor @ x
    found: Tensor = (x.mT if flipped else x).to(matrices.dtype).contiguous()
    return found
