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


def main(arguments: list[str] | None = None) -> None:
    """Train on true pairs and print the median error of each condition."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.taught", description=__doc__.split("\n")[0])
    parser.add_argument("--cells", type=int, default=1000, help="pairs of a condition")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--scored", type=int, default=120, help="cells that are scored under each condition")
    parser.add_argument("--device", default="auto")
    given = parser.parse_args(arguments)
    device, began = choose_device(given.device).device, time.monotonic()
    cells = simulated_cells(given.cells, size=SIZE, seed=1, same_cells=True)
    names = [CONTROL, *sorted(set(cells.conditions) - {CONTROL})]
    limits = np.percentile(cells.pixels.transpose(1, 0, 2, 3).reshape(len(cells.channels), -1), (0.1, 99.9), axis=1).T
    low, high = (torch.tensor(limit, dtype=torch.float32, device=device)[:, None, None] for limit in limits.T)

    def scaled(pixels: np.ndarray) -> Tensor:
        """Pixels (n, C, S, S) in the camera's units → about [-1, 1], on the device."""
        return (torch.from_numpy(pixels.astype(np.float32)).to(device) - low) / (high - low) * 2 - 1

    pairs = torch.stack([scaled(cells.pixels[cells.conditions == name]) for name in names])  # (K, n, C, S, S)
    shape = Shape(SIZE, len(cells.channels), WIDTH, conditions=(len(names),), upsampling=DefaultRecipe().upsampling)
    networks = Networks(shape).initialize(torch.Generator().manual_seed(0)).to(device)

    def predicted(images: Tensor, condition: Tensor) -> Tensor:
        return networks.generator(images, networks.style_encoder(images) + networks.embed(condition))  # type: ignore[no-any-return]

    learning = [networks.generator, networks.style_encoder, networks.table()]
    optimizer = torch.optim.Adam([p for part in learning for p in part.parameters()], RATE, betas=(0.9, 0.99))
    random = torch.Generator().manual_seed(0)
    for step in range(given.steps):
        optimizer.param_groups[0]["lr"] = RATE * min(1.0, (step + 1) / WARM_UP, 2.5 * (1 - step / given.steps) + LEAST)
        condition = torch.randint(len(names), (given.batch_size,), generator=random)
        cell = torch.randint(pairs.shape[1], (given.batch_size,), generator=random)
        turned = [torch.rot90(images, step % 4, (2, 3)) for images in (pairs[0, cell], pairs[condition, cell])]
        images, wanted = (image.flip(3) if step % 8 > 3 else image for image in turned)
        difference = predicted(images, condition.to(device)) - wanted
        loss = difference.square().mean() + 0.3 * difference.abs().mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    before = simulated_cells(given.scored, size=SIZE, seed=SEED, conditions=(CONTROL,))
    errors = []
    for number, name in enumerate(names[1:], 1):
        with torch.no_grad():
            drawn = predicted(scaled(before.pixels), torch.full((len(before),), number, device=device))
        pixels = ((drawn + 1) / 2 * (high - low) + low).clamp(0).cpu().numpy()
        near = compare(before.pixels, pixels, true_counterfactual(before, name).pixels, limits)
        errors.append(float(np.nanmedian(near.error)))
        print(f"  {name:<24}{errors[-1]:.2f}", flush=True)
    middle = float(np.median(errors))
    print(f"  {'median':<24}{middle:.2f}, times √2 {math.sqrt(2) * middle:.2f}")
    print(f"{given.steps} steps of {given.batch_size} pairs on {device} in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
