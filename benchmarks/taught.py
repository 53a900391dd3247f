"""How near a generator comes to the true counterfactual if the truth teaches it: `python -m benchmarks.taught`.

The same generator and style encoder as those of a training, of the width of `tiny`, but taught by pairs of a simulated
cell and what it truly becomes, which no real screen has. Its error is what the control cell does not tell: a network
taught so draws the mean of all that the cell may become. One that draws a single likely cell, as a GAN is to, is off by
its own chance as well as the truth's: at best by √2 times this error, if both are as far from their mean.
"""

from __future__ import annotations

import argparse
import math
import time

import numpy as np
import torch
from torch import Tensor

from napari_impa.analysis.counterfactual import compare
from napari_impa.cells.simulated.scenes import CONTROL
from napari_impa.cells.simulated.screen import simulated_cells, true_counterfactual
from napari_impa.engine.device import choose_device
from napari_impa.engine.model.networks import Networks
from napari_impa.engine.model.shape import Shape
from napari_impa.engine.training.steps.default_recipe import DefaultRecipe

SIZE, WIDTH, RATE, WARM_UP, LEAST = 64, 16, 1e-3, 50, 0.01
SEED = 77
"""Of the cells that are scored; that of no training."""


class Taught:
    """A generator that learns from pairs of a simulated cell and what it truly becomes under each condition.

    Parameters
    ----------
    count
        Pairs of a condition.
    """

    def __init__(self, count: int, device: torch.device) -> None:
        cells = simulated_cells(count, size=SIZE, seed=1, same_cells=True)
        self.conditions, self.device = [CONTROL, *sorted(set(cells.conditions) - {CONTROL})], device
        every = cells.pixels.transpose(1, 0, 2, 3).reshape(len(cells.channels), -1)
        self.limits = np.percentile(every, (0.1, 99.9), axis=1).T
        self._low, self._high = (
            torch.tensor(limit, dtype=torch.float32, device=device)[:, None, None] for limit in self.limits.T
        )
        self._pairs = torch.stack([self._scaled(cells.pixels[cells.conditions == name]) for name in self.conditions])
        upsampling = DefaultRecipe().upsampling
        shape = Shape(SIZE, len(cells.channels), WIDTH, conditions=(len(self.conditions),), upsampling=upsampling)
        self._networks = Networks(shape).initialize(torch.Generator().manual_seed(0)).to(device)

    def learn(self, steps: int, batch_size: int) -> None:
        """Make so many steps, each on a batch of pairs that are turned and mirrored alike."""
        learning = [self._networks.generator, self._networks.style_encoder, self._networks.table()]
        optimizer = torch.optim.Adam([p for part in learning for p in part.parameters()], RATE, betas=(0.9, 0.99))
        random = torch.Generator().manual_seed(0)
        for step in range(steps):
            optimizer.param_groups[0]["lr"] = RATE * min(1.0, (step + 1) / WARM_UP, 2.5 * (1 - step / steps) + LEAST)
            condition = torch.randint(len(self.conditions), (batch_size,), generator=random)
            cell = torch.randint(self._pairs.shape[1], (batch_size,), generator=random)
            pair = (self._pairs[0, cell], self._pairs[condition, cell])
            turned = [torch.rot90(images, step % 4, (2, 3)) for images in pair]
            images, wanted = (image.flip(3) if step % 8 > 3 else image for image in turned)
            difference = self._drawn(images, condition.to(self.device)) - wanted
            loss = difference.square().mean() + 0.3 * difference.abs().mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()

    @torch.no_grad()
    def errors(self, count: int) -> dict[str, float]:
        """Median error of so many cells that it never saw, by condition."""
        before, found = simulated_cells(count, size=SIZE, seed=SEED, conditions=(CONTROL,)), {}
        for number, name in enumerate(self.conditions[1:], 1):
            drawn = self._drawn(self._scaled(before.pixels), torch.full((len(before),), number, device=self.device))
            pixels = ((drawn + 1) / 2 * (self._high - self._low) + self._low).clamp(0).cpu().numpy()
            near = compare(before.pixels, pixels, true_counterfactual(before, name).pixels, self.limits)
            found[name] = float(np.nanmedian(near.error))
        return found

    def _scaled(self, pixels: np.ndarray) -> Tensor:
        """Pixels (n, C, S, S) in the camera's units → about [-1, 1], on the device."""
        images = torch.from_numpy(pixels.astype(np.float32)).to(self.device)
        return (images - self._low) / (self._high - self._low) * 2 - 1

    def _drawn(self, images: Tensor, condition: Tensor) -> Tensor:
        nets = self._networks
        made: Tensor = nets.generator(images, nets.style_encoder(images) + nets.embed(condition))
        return made


def main(arguments: list[str] | None = None) -> None:
    """Teach a generator and print its median error under each condition."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.taught", description=__doc__.split("\n")[0])
    parser.add_argument("--cells", type=int, default=1000, help="pairs of a condition")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--scored", type=int, default=120, help="cells that are scored under each condition")
    parser.add_argument("--device", default="auto")
    given = parser.parse_args(arguments)
    began = time.monotonic()
    taught = Taught(given.cells, choose_device(given.device).device)
    taught.learn(given.steps, given.batch_size)
    errors = taught.errors(given.scored)
    for name, error in errors.items():
        print(f"  {name:<24}{error:.2f}")
    middle = float(np.median(list(errors.values())))
    print(f"  {'median':<24}{middle:.2f}, times √2 {math.sqrt(2) * middle:.2f}")
    print(f"{given.steps} steps of {given.batch_size} pairs on {taught.device} in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
