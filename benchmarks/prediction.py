"""Predicting 10 conditions for 200 cells, whose content is computed once, against 10 whole passes of the networks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from benchmarks.measure import Options, Row, alternately, row_of, timed
from napari_impa.engine.model.intensity import normalize, to_levels
from napari_impa.engine.model.model import IMPA
from napari_impa.engine.model.networks import Networks
from napari_impa.engine.model.prediction import DEFAULT_BATCH
from napari_impa.engine.model.shape import Shape

CHANNELS = ("DNA", "actin", "tubulin")


def rows(options: Options) -> Iterator[Row]:
    """Time of both, and the largest difference of their images in [-1, 1]."""
    size, width, count, conditions = (24, 4, 8, 3) if options.quick else (96, 16, 200, 10)
    model = random_model(size, width, conditions).to(options.device)
    pixels = np.random.default_rng(0).integers(0, 256, (count, len(CHANNELS), size, size), dtype=np.uint8)
    noise = model.noise(count)
    results: list[torch.Tensor] = []

    def once() -> None:
        results.clear()
        for first in range(0, count, DEFAULT_BATCH):
            part = slice(first, first + DEFAULT_BATCH)
            encoded = model.encode(pixels[part], style=False)
            results.extend(model.decode(encoded, name, noise[part]) for name in model.conditions)

    def whole() -> None:
        results.clear()
        for first in range(0, count, DEFAULT_BATCH):
            part = slice(first, first + DEFAULT_BATCH)
            for number in range(conditions):
                results.append(whole_pass(model, pixels[part], number, noise[part]))

    images = []
    for work in (once, whole):  # unmeasured, and to compare
        work()
        images.append([result.cpu() for result in results])
    difference = max(float((a - b).abs().max()) for a, b in zip(*images, strict=True))
    measured = alternately(lambda: timed(once, options.device), lambda: timed(whole, options.device), options.repeats)
    what = ("content once", f"{conditions} whole passes")
    row = row_of("predict", *measured, what, wanted=0.65, extra={"largest_difference": difference})
    row.floor = f"largest difference {difference:.1g}"
    yield row


def random_model(size: int, width: int, conditions: int) -> IMPA:
    """A model of random weights."""
    shape = Shape(size, len(CHANNELS), width, 64, 16, (64,), (conditions,))
    networks = Networks(shape).initialize(torch.Generator().manual_seed(0))
    names = [f"condition {number + 1}" for number in range(conditions)]
    limits = np.tile([0.0, 255.0], (len(CHANNELS), 1))
    return IMPA(networks, channels=CHANNELS, conditions=names, limits=limits)


@torch.inference_mode()
def whole_pass(model: IMPA, pixels: np.ndarray, number: int, noise: torch.Tensor) -> torch.Tensor:
    """Images of some cells under a condition, from their pixels on."""
    images = normalize(to_levels(pixels, model.limits)).to(model.device)
    y = torch.full((len(images),), number, device=model.device)
    return model.networks.generator(images, model.networks.style(y, noise.to(model.device)))
