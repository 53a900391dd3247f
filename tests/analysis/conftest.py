"""Cells with an obvious phenotype, and models that do not have to be trained to score them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from types import MappingProxyType

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter

from napari_impa.cells.store import Cells

EFFECTS = {"DMSO": (2.0, 1.0), "swell": (3.5, 1.0), "dim": (2.0, 0.6)}  # nucleus radius factor, brightness


def screen(count: int = 30, plates: tuple[str, ...] = ("P1", "P2"), seed: int = 0) -> Cells:
    """`count` cells a condition and plate, 16 px, two channels."""
    rng = np.random.default_rng(seed)
    rows, pixels = [], []
    y, x = np.mgrid[:16, :16] - 7.5
    for plate in plates:
        for name, (radius, brightness) in EFFECTS.items():
            for _ in range(count):
                size = radius * rng.uniform(0.8, 1.2)
                nucleus = gaussian_filter((np.hypot(y, x) < size).astype(float), 0.7)
                body = gaussian_filter(rng.random((16, 16)), 1.5) * 1.5
                image = np.stack([nucleus, body]) * brightness * rng.uniform(0.9, 1.1)
                pixels.append(200 + 1000 * image + rng.normal(0, 10, image.shape))
                rows.append({"plate": plate, "compound": name, "batch": plates.index(plate)})
    stack = np.clip(np.array(pixels), 0, 65535).astype(np.uint16)
    return Cells(stack, pd.DataFrame(rows), ("DNA", "actin"), 0.5, ("compound",), "DMSO")


class ModelDouble:
    """What scores need of a model; `answer` is (cells, condition) -> pixels."""

    unseen: tuple[str, ...] = ()
    card = ""
    descriptions = ()
    where: Mapping[str, Sequence[str]] = MappingProxyType({})
    name, hash, size, channels, pixel_size = "double", "0", 16, ("DNA", "actin"), None
    history: Mapping[str, object] = MappingProxyType({})
    limits = np.array([[200.0, 1300.0], [200.0, 1300.0]])

    def __init__(self, answer, *, task="perturbation", label=("compound",), control="DMSO", hold_out=None, names=None):
        self.answer, self.task, self.label, self.control = answer, task, label, control
        self.conditions = names or ("dim", "swell")
        self.hold_out = hold_out or {}

    def fit(self, cells):
        return cells

    def predict(self, cells, condition, *, strength, variability, seed):
        return replace(cells, pixels=self.answer(cells, condition))


def unchanged(cells, condition):
    return cells.pixels


@cache
def others() -> Cells:
    return screen(seed=9)


def oracle(cells, condition):
    """Other real cells of the condition."""
    pool = others()
    pool = pool.pixels[pool.conditions == condition]
    return pool[np.arange(len(cells)) % len(pool)]


@pytest.fixture(scope="session")
def cells() -> Cells:
    return screen()


@pytest.fixture(scope="session")
def double():
    """Make a model: `double(double.oracle)`, `double(double.unchanged)` or any other answer."""

    def make(answer, **options):
        return ModelDouble(answer, **options)

    make.oracle, make.unchanged = oracle, unchanged
    return make


@pytest.fixture(scope="module")
def without_replicates() -> Iterator[None]:
    """Leave out how well replicates find each other, a fifth of an evaluation; tests/analysis/metrics is about it."""
    from napari_impa.analysis import evaluation

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "METRICS", tuple(one for one in evaluation.METRICS if one.name != "replicates"))
        yield


@pytest.fixture(scope="session")
def cells_of_screen():
    """Make other cells with the same phenotypes, so many a condition and plate."""
    return screen
