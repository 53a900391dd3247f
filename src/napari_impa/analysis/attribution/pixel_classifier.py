"""A small convolutional network that tells treated from control cells by their pixels, trained on real cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_impa.errors import CellsError
from napari_impa.watch import UNWATCHED, Watch

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn

WIDTHS = (16, 32, 48)
"""Maps of each layer; the first sees every second pixel, each other half as many a side as the one before."""

STEPS, BATCH = 200, 32
RATE, DECAY = 3e-3, 1e-2
"""Learning rate at its height, and weight decay (AdamW; Loshchilov & Hutter, ICLR 2019)."""

BRIGHTER, GROUND = 2.0, 0.1
"""How far a channel of a cell is made brighter or darker at random, as a factor, and how far its ground is shifted, in
parts of the channel's range: how a well was stained, exposed and washed is to decide nothing."""

ROWS = 256
"""Cells at a time where nothing is trained."""


@dataclass(frozen=True, eq=False)
class PixelClassifier:
    """Tells treated from control cells.

    Parameters
    ----------
    network
        (n, C, S, S) standardised cells → (n, 1) log-odds that a cell is treated.
    mean, sd
        (C, 1, 1) each, what cells are standardised by.
    limits
        (C, 2) lower and upper intensity of each channel, that 0 and 1 stand for.
    """

    network: nn.Module
    mean: Tensor
    sd: Tensor
    limits: NDArray[np.float64]

    @classmethod
    def fit(
        cls,
        control: NDArray[Any],
        treated: NDArray[Any],
        limits: NDArray[np.float64],
        *,
        seed: int = 0,
        watch: Watch = UNWATCHED,
    ) -> PixelClassifier:
        """Train a classifier; both sides count the same, however many cells they have.

        Cells are turned and mirrored at random, and each channel's brightness and ground are changed.

        Parameters
        ----------
        control, treated
            (n, C, S, S) and (m, C, S, S) in the camera's units.
        limits
            (C, 2) lower and upper intensity of each channel.
        seed
            Of the first weights and of what is drawn.
        watch
            Hears the steps, and is asked before each whether to go on.
        """
        import torch
        from torch.nn import functional as F

        sides = [scaled(cells, limits) for cells in (control, treated)]
        random = torch.Generator().manual_seed(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = _network(sides[0].shape[1])
        pixels = torch.cat([side.transpose(0, 1).flatten(1) for side in sides], 1)
        mean, sd = (one[:, None, None] for one in (pixels.mean(1), pixels.std(1).clamp_min(1e-3)))
        optimiser = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=STEPS)
        wanted = torch.cat([torch.zeros(BATCH // 2), torch.ones(BATCH // 2)])
        network.train()
        for step in range(STEPS):
            watch.check()
            rows = [torch.randint(len(side), (BATCH // 2,), generator=random) for side in sides]
            images = _varied(torch.cat([side[some] for side, some in zip(sides, rows, strict=True)]), random)
            loss = F.binary_cross_entropy_with_logits(network((images - mean) / sd)[:, 0], wanted)
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
            schedule.step()
            watch.report(step + 1, STEPS, "learning to tell treated from control cells")
        return cls(network.eval().requires_grad_(False), mean, sd, np.asarray(limits, np.float64))

    def log_odds(self, images: Tensor) -> Tensor:
        """(n,) log-odds that cells are treated, of (n, C, S, S) as `scaled` gives them."""
        odds: Tensor = self.network((images - self.mean) / self.sd)[:, 0]
        return odds

    def probability(self, images: Tensor, *, watch: Watch = UNWATCHED) -> NDArray[np.float64]:
        """(n,) probability that cells are treated, of (n, C, S, S) as `scaled` gives them."""
        import torch

        out = np.empty(len(images))
        with torch.inference_mode():
            for start in range(0, len(images), ROWS):
                watch.check()
                rows = slice(start, start + ROWS)
                out[rows] = self.log_odds(images[rows]).sigmoid().double().numpy()
        return out


def scaled(cells: NDArray[Any], limits: NDArray[np.float64]) -> Tensor:
    """Cells (n, C, S, S) in the camera's units as float32 from 0 to 1 between the limits, not clipped; NaN is 0.

    Raises
    ------
    CellsError
        If the limits do not fit the channels.
    """
    import torch

    cells, limits = np.asarray(cells), np.asarray(limits, np.float64)
    if cells.ndim != 4 or limits.shape != (cells.shape[1], 2) or not (limits[:, 1] > limits[:, 0]).all():
        raise CellsError(
            f"Cells of shape {cells.shape} need a lower and a higher limit for each channel, not {limits.shape}."
        )
    lower, span = limits[:, 0, None, None], limits[:, 1, None, None] - limits[:, 0, None, None]
    return torch.from_numpy(np.nan_to_num((cells - lower) / span, nan=0.0).astype(np.float32))


def _network(channels: int) -> nn.Module:
    from torch import nn

    layers: list[nn.Module] = []
    for number, (before, width) in enumerate(zip((channels, *WIDTHS), WIDTHS, strict=False)):
        side, stride = (3, 1) if number else (5, 2)
        convolution = nn.Conv2d(before, width, side, stride=stride, padding=side // 2, bias=False)
        layers += [convolution, nn.BatchNorm2d(width), nn.ReLU()]
        layers += [nn.AvgPool2d(2)] if number < len(WIDTHS) - 1 else []
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(WIDTHS[-1], 1))


def _varied(images: Tensor, random: Generator) -> Tensor:
    """Cells turned and mirrored at random, each channel brighter or darker, on another ground."""
    import torch

    turns = torch.rand(3, len(images), 1, 1, 1, generator=random) < 0.5
    for turn, axis in zip(turns[:2], (2, 3), strict=True):
        images = torch.where(turn, images.flip(axis), images)
    images = torch.where(turns[2], images.mT, images)
    factor, shift = (2 * torch.rand(2, *images.shape[:2], 1, 1, generator=random) - 1).unbind()
    return images * BRIGHTER**factor + GROUND * shift
