"""Scenes of simulated cells: what each cell is by itself, and how a camera sees all of them under any condition.

A `Scene` holds what belongs to the cells (places, sizes, orientations, textures, fibres, how strongly each responds)
and to nobody's treatment. `drawing.draw_scene` draws it under a condition, in a batch. Drawing the same scene under two
conditions therefore gives the true counterfactual of every cell. A condition treats the whole field, so neighbours
change too; the centre of every nucleus stays where it is.

These are drawings, not physics: shapes and contrasts follow what fluorescence micrographs of adherent cells look like
at 20×, and the words on each condition in `CONDITIONS` say what was drawn.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from napari_impa.errors import ConditionError

CHANNELS = ("DNA", "actin", "tubulin")
PIXEL_SIZE = 0.65
CONTROL = "DMSO"
_REACH = 48  # pixels around the field in which cells stand that reach into it
_NON_RESPONDERS = 0.06
_WAVES = 5


@dataclass(frozen=True)
class Traits:
    """What a condition changes; the defaults are the untreated control's."""

    cell_scale: float = 1.0
    cell_round: float = 0.0
    cell_arms: float = 0.0
    thickness: float = 1.0
    nucleus_scale: float = 1.0
    nucleus_width: float = 1.0
    dna: float = 1.0
    chromatin: float = 1.0
    nucleoli: float = 1.0
    actin_diffuse: float = 1.0
    actin_nuclear: float = 0.35
    cortex: float = 1.0
    bundles: float = 1.0
    puncta: float = 0.0
    tubulin_diffuse: float = 1.0
    tubulin_nuclear: float = 0.3
    fibres: float = 1.0
    spindle: float = 0.0


TREATED: dict[str, Traits] = {
    CONTROL: Traits(),
    "nuclear translocation": Traits(actin_diffuse=0.62, actin_nuclear=3.8, bundles=0.5, cortex=0.75),
    "microtubule poison": Traits(
        cell_scale=0.84, cell_round=0.85, thickness=1.2, tubulin_diffuse=2.1, tubulin_nuclear=0.75, fibres=0.03
    ),
    "actin inhibitor": Traits(
        cell_scale=1.0, cell_arms=1.0, cortex=0.12, bundles=0.03, puncta=1.0, actin_diffuse=0.85, nucleus_scale=0.94
    ),
    "shrinkage": Traits(
        cell_scale=0.52, cell_round=0.7, cell_arms=0.25, thickness=1.7, nucleus_scale=0.64, dna=2.3, chromatin=0.3,
        nucleoli=0.0, cortex=1.3, bundles=0.25, puncta=0.35, fibres=0.5, actin_nuclear=0.8, tubulin_nuclear=0.7,
        tubulin_diffuse=1.3,
    ),
    "mitotic arrest": Traits(
        cell_scale=0.52, cell_round=1.0, thickness=1.6, nucleus_scale=0.9, nucleus_width=0.42, dna=2.5, chromatin=1.3,
        nucleoli=0.0, cortex=1.9, bundles=0.0, fibres=0.05, spindle=1.0, actin_nuclear=0.9, tubulin_nuclear=0.9,
    ),
}  # fmt: skip

CONDITIONS: dict[str, str] = {
    CONTROL: "untreated control: spread cells with stress fibres and a radiating microtubule network",
    "nuclear translocation": "soluble actin moves from cytoplasm to nucleus, as when nuclear export is blocked",
    "microtubule poison": "microtubule fibres are lost to a diffuse haze and cells round up, as under nocodazole",
    "actin inhibitor": "stress fibres and cortex give way to actin puncta and cells arborise, as under cytochalasin",
    "shrinkage": "cells shrink and detach, nuclei are small, smooth and bright, as under a cytotoxic compound",
    "mitotic arrest": "cells are round, chromatin is a condensed plate between the poles of a spindle, as in metaphase",
}


@dataclass(frozen=True, eq=False)
class Scene:
    """The cells of one simulated field, before any treatment; make one with `Scene.random`.

    Parameters
    ----------
    seed, size, n_cells
        What the scene was drawn from; `name` writes them as text, `Scene.named` reads them back.
    centres
        (n, 2) row and column of every nucleus in field pixels; some stand outside and reach in. Cell k has label k + 1.
    radius, stretch, angle, waves
        Outline of a cell with room around it: radius in pixels, long to short axis, direction, (n, waves, 2) wobble.
    nucleus
        (n, 3) half axes in pixels and direction.
    amounts
        (n, 3) brightness of each channel.
    response
        (n,) how far each cell goes from control to treated; a few hardly do.
    """

    seed: int
    size: int
    n_cells: int
    centres: NDArray[np.float64]
    radius: NDArray[np.float64]
    stretch: NDArray[np.float64]
    angle: NDArray[np.float64]
    waves: NDArray[np.float64]
    nucleus: NDArray[np.float64]
    amounts: NDArray[np.float64]
    response: NDArray[np.float64]

    @property
    def name(self) -> str:
        """The scene as text, e.g. `s7-512px-70c`."""
        return f"s{self.seed}-{self.size}px-{self.n_cells}c"

    @classmethod
    def named(cls, name: str) -> Scene:
        """Make again the scene that had this `name`."""
        match = re.fullmatch(r"s(\d+)-(\d+)px-(\d+)c", name)
        if match is None:
            raise ConditionError(
                f"{name!r} names no simulated scene; use cells from simulated_cells or a simulated screen."
            )
        seed, size, n_cells = map(int, match.groups())
        return cls.random(seed, size=size, n_cells=n_cells)

    @classmethod
    def random(cls, seed: int, *, size: int = 512, n_cells: int | None = None) -> Scene:
        """Draw a scene in which about `n_cells` nuclei stand in the field (default: one per 3,700 px²).

        Fewer stand there where no room is left.
        """
        wanted = max(1, round(size * size / 3700)) if n_cells is None else int(n_cells)
        rng = generator(seed, 0)
        centres = _places(rng, size, wanted)
        n = len(centres)
        elongation = rng.gamma(3.0, 0.13, n)
        phase = rng.choice([1.0, 1.0, 1.32], n)  # G1 or, larger, G2
        area = 12.0 * phase**0.4 * rng.lognormal(0.0, 0.07, n)
        aspect = 1.0 + rng.gamma(2.0, 0.09, n)
        angle = rng.uniform(0, np.pi, n)
        waves = np.stack([rng.normal(0, 1, (n, _WAVES)), rng.uniform(0, 2 * np.pi, (n, _WAVES))], axis=-1)
        waves[..., 0] *= 0.16 / np.arange(2, 2 + _WAVES) ** 0.7
        nucleus = np.stack([area * np.sqrt(aspect), area / np.sqrt(aspect), angle + rng.normal(0, 0.5, n)], axis=-1)
        amounts = np.stack([phase**0.5 * rng.lognormal(0, 0.12, n), *rng.lognormal(0, 0.22, (2, n))], axis=-1)
        resists = rng.uniform(size=n) < _NON_RESPONDERS
        response = np.where(resists, 0.1, np.clip(rng.normal(0.95, 0.09, n), 0.7, 1.1))
        radius = 38.0 * rng.lognormal(0, 0.1, n)
        return cls(int(seed), size, wanted, centres, radius, 1 + elongation, angle, waves, nucleus, amounts, response)


def generator(seed: int, stream: int) -> np.random.Generator:
    """One of the independent streams of random numbers that a scene is drawn with."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([int(seed), stream])))


def _places(rng: np.random.Generator, size: int, n_cells: int) -> NDArray[np.float64]:
    """Scatter nuclei that do not overlap over the field and its surroundings, thinner in some places than in others."""
    side = size + 2 * _REACH
    wanted = round(n_cells * side * side / (size * size))
    clearings = rng.uniform(0, side, (max(1, round(side * side / 90_000)), 2))
    found: list[NDArray[np.float64]] = []
    for candidate, luck, distance in zip(
        rng.uniform(0, side, (40 * wanted, 2)),
        rng.uniform(size=40 * wanted),
        rng.uniform(24, 40, 40 * wanted),
        strict=True,
    ):
        if luck < 0.93 * np.exp(-((clearings - candidate) ** 2).sum(1).min() / (2 * 55.0**2)):
            continue
        if found and ((np.asarray(found) - candidate) ** 2).sum(1).min() < distance**2:
            continue
        found.append(candidate)
        if len(found) == wanted:
            break
    return np.asarray(found).reshape(-1, 2) - _REACH


Blend = dict[str, NDArray[np.float64]]
"""The traits of every cell of a scene, (n,) each, by the names in `Traits`."""


def blended_traits(scene: Scene, condition: str, strength: float) -> Blend:
    """Place each cell between control and treated by strength times its own response."""
    if condition not in TREATED:
        raise ConditionError(f"There is no simulated condition {condition!r}; there are: {', '.join(TREATED)}.")
    control, treated = asdict(TREATED[CONTROL]), asdict(TREATED[condition])
    weight = strength * scene.response
    return {name: np.maximum(value + weight * (treated[name] - value), 0.0) for name, value in control.items()}
