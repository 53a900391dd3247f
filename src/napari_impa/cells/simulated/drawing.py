"""Draw a scene of simulated cells under a condition: first what the dyes emit, then what a camera records of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_impa.cells.simulated.scenes import CHANNELS, CONTROL, Blend, Scene, blended_traits, generator
from napari_impa.errors import ConditionError

_PAD = 12  # pixels drawn around the field, so that blur has no edge
_FIBRES, _FIBRE_POINTS = 64, 90
_BUNDLES, _BUNDLE_POINTS = 12, 72
_SPINDLE, _NUCLEOLI, _ARMS = 40, 3, 6
_PUNCTUM = 9  # points of a bundle that fall into one dot
_FAN = 0.6  # radians that an arm may stand off the long axis


@dataclass(frozen=True)
class BatchLook:
    """How one batch was imaged: counts a unit of signal, haze and darkening towards the corners, a value a channel."""

    gain: tuple[float, float, float]
    haze: tuple[float, float, float]
    vignetting: tuple[float, float, float]
    tilt: tuple[float, float]  # relative change of light down and across the field
    offset: float = 100.0
    counts_per_photon: float = 6.0
    read_noise: float = 9.0


BATCHES: dict[str, BatchLook] = {
    "batch 1": BatchLook((2600.0, 2300.0, 2200.0), (140.0, 190.0, 170.0), (0.12, 0.14, 0.12), (0.02, 0.05)),
    "batch 2": BatchLook((1700.0, 3300.0, 2900.0), (230.0, 330.0, 240.0), (0.30, 0.24, 0.32), (-0.14, 0.10)),
}


def batch_name(batch: int) -> str:
    """Name of a batch by its number."""
    if batch not in range(len(BATCHES)):
        raise ConditionError(f"There is no simulated batch {batch!r}; use a number from 0 to {len(BATCHES) - 1}.")
    return list(BATCHES)[batch]


@dataclass(eq=False)
class _Ownership:
    """Per pixel: whose cell it is (-1 for none), where in that cell, and what nuclei cover it."""

    owner: NDArray[np.int32]
    nuclear: NDArray[np.float32]  # distance from the owner's nucleus centre in nucleus radii
    direction: NDArray[np.float32]
    labels: NDArray[np.int32]
    dna: NDArray[np.float32]


def _outlines(scene: Scene, traits: Blend, rng: np.random.Generator) -> NDArray[np.float64]:
    """(n, 360) radius of every cell a degree, with room around it."""
    n = len(scene.centres)
    degree = np.deg2rad(np.arange(360))[None]
    cell_round, arm = np.clip(traits["cell_round"], 0, 1)[:, None], traits["cell_arms"][:, None]
    turned = degree - scene.angle[:, None]
    stretch = 1 + (scene.stretch[:, None] - 1) * (1 - 0.9 * cell_round)
    ellipse = 1 / np.sqrt(np.cos(turned) ** 2 / stretch + np.sin(turned) ** 2 * stretch)
    order = np.arange(2, 2 + scene.waves.shape[1])[:, None]
    wave = (scene.waves[..., :1] * np.cos(order * degree[:, None] + scene.waves[..., 1:])).sum(1)
    spread = np.clip(ellipse * (1 + wave * (1 - 0.85 * cell_round)), 0.55, 1.5)
    # Arms stay where stress fibres held the cell: at the two ends of its long axis.
    end = np.pi * (np.arange(_ARMS) % 2)[:, None]
    at = scene.angle[:, None, None] + end + rng.uniform(-_FAN, _FAN, (n, _ARMS, 1))
    long = rng.uniform(0.25, 0.85, (n, _ARMS, 1))
    narrow = rng.uniform(25, 70, (n, _ARMS, 1))
    arms = 0.5 + (long * np.exp(narrow * (np.cos(degree[:, None] - at) - 1))).max(1)
    shape = spread * (1 - arm) + arms * (0.6 + 0.4 * spread) * arm
    floor = 1.12 * traits["nucleus_scale"][:, None] * scene.nucleus[:, :1]
    return np.asarray(np.maximum(scene.radius[:, None] * traits["cell_scale"][:, None] * shape, floor))


def _layout(scene: Scene, traits: Blend) -> _Ownership:
    side = scene.size + 2 * _PAD
    rng = generator(scene.seed, 1)
    n = len(scene.centres)
    radius = _outlines(scene, traits, rng)
    spots = rng.normal(0, 0.42, (n, _NUCLEOLI, 2))
    depth = rng.uniform(0.15, 0.5, (n, _NUCLEOLI)) * traits["nucleoli"][:, None]
    width = rng.uniform(0.12, 0.24, (n, _NUCLEOLI))
    lobes = rng.normal(0, 0.035, (n, 3)), rng.uniform(0, 2 * np.pi, (n, 3))
    grain = _texture(rng, side, (1.3, 3.0), (0.8, 1.0))
    shape = (side, side)
    best = np.full(shape, 1.0, np.float32)
    owner = np.full(shape, -1, np.int32)
    nuclear = np.full(shape, 9.0, np.float32)
    direction = np.zeros(shape, np.float32)
    nearest = np.full(shape, 1.0, np.float32)
    labels = np.zeros(shape, np.int32)
    dna = np.zeros(shape, np.float32)
    for k, (cy, cx) in enumerate(scene.centres + _PAD):
        reach = int(radius[k].max()) + 2
        y0, y1 = max(0, int(cy) - reach), min(side, int(cy) + reach + 1)
        x0, x1 = max(0, int(cx) - reach), min(side, int(cx) + reach + 1)
        if y0 >= y1 or x0 >= x1:
            continue
        window = np.s_[y0:y1, x0:x1]
        dy = (np.arange(y0, y1, dtype=np.float32) - np.float32(cy))[:, None]
        dx = (np.arange(x0, x1, dtype=np.float32) - np.float32(cx))[None]
        distance = np.sqrt(dy * dy + dx * dx)
        theta = np.arctan2(dy, dx)
        a, b, tilt = scene.nucleus[k]
        a, b = a * traits["nucleus_scale"][k], b * traits["nucleus_scale"][k] * traits["nucleus_width"][k]
        u = (np.cos(tilt) * dx + np.sin(tilt) * dy).astype(np.float32) / np.float32(a)
        v = (np.cos(tilt) * dy - np.sin(tilt) * dx).astype(np.float32) / np.float32(b)
        rho = np.sqrt(u * u + v * v)
        wobble = sum(lobes[0][k, m] * np.cos((m + 2) * theta + lobes[1][k, m]) for m in range(3))
        rho = rho * (1 + wobble).astype(np.float32)
        # A cell's ground is measured from its nucleus outwards, so that no neighbour takes what covers a nucleus.
        core = np.float32(0.9 * np.sqrt(a * b))
        outline = radius[k].astype(np.float32)[np.rint(np.rad2deg(theta)).astype(np.int32) % 360]
        share = np.maximum(distance - core, 0) / np.maximum(outline - core, 1)
        mine = share < best[window]
        best[window][mine] = share[mine]
        owner[window][mine] = k
        nuclear[window][mine] = rho[mine]
        direction[window][mine] = theta[mine]
        inside = (rho < 1) & (rho < nearest[window])
        nearest[window][inside] = rho[inside]
        labels[window][inside] = k + 1
        cover = np.clip(1 - rho**3, 0, 1) ** 0.5
        holes = np.zeros_like(rho)
        for m in range(_NUCLEOLI):
            gap = (u - spots[k, m, 1]) ** 2 + (v - spots[k, m, 0]) ** 2
            holes += depth[k, m] * np.exp(-gap / (2 * width[k, m] ** 2))
        body = (1 + 0.24 * traits["chromatin"][k] * grain[window]) * np.clip(1 - holes, 0.3, 1)
        dna[window] += (scene.amounts[k, 0] * traits["dna"][k] * cover * body).astype(np.float32)
    return _Ownership(owner, nuclear, direction, labels, dna)


def _texture(
    rng: np.random.Generator, side: int, scales: tuple[float, ...], weights: tuple[float, ...]
) -> NDArray[np.float32]:
    """Noise of mean 0 and deviation 1 at the given scales in pixels."""
    total = np.zeros((side, side), np.float32)
    for scale, weight in zip(scales, weights, strict=True):
        layer = ndi.gaussian_filter(rng.standard_normal((side, side), dtype=np.float32), scale, mode="wrap")
        total += weight * layer / layer.std()
    return np.asarray(total / total.std())


def _deposit(
    shape: tuple[int, ...], y: NDArray[np.float64], x: NDArray[np.float64], weight: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Add points to an empty image, each spread over the four pixels around it."""
    y, x, weight = (np.broadcast_to(part, weight.shape).ravel() for part in (y, x, weight))
    keep = (weight > 1e-4) & (y >= 0) & (x >= 0) & (y < shape[0] - 1) & (x < shape[1] - 1)
    y, x, weight = y[keep], x[keep], weight[keep]
    iy, ix = y.astype(np.intp), x.astype(np.intp)
    fy, fx = y - iy, x - ix
    flat = iy * shape[1] + ix
    image = np.zeros(shape[0] * shape[1])
    for step, part in (
        (0, (1 - fy) * (1 - fx)),
        (1, (1 - fy) * fx),
        (shape[1], fy * (1 - fx)),
        (shape[1] + 1, fy * fx),
    ):
        image += np.bincount(flat + step, weight * part, minlength=image.size)
    return image.reshape(shape).astype(np.float32)


def _owned(layout: _Ownership, y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(n, lines, points) whether a line has stayed on its own cell's ground up to each of its points."""
    side = layout.owner.shape[0]
    iy, ix = np.rint(y).astype(np.intp), np.rint(x).astype(np.intp)
    outside = (iy < 0) | (ix < 0) | (iy >= side) | (ix >= side)
    owner = layout.owner[np.clip(iy, 0, side - 1), np.clip(ix, 0, side - 1)]
    return np.asarray((owner == np.arange(len(y))[:, None, None]) & ~outside)


def _microtubules(scene: Scene, traits: Blend, layout: _Ownership) -> NDArray[np.float32]:
    """Fibres that grow from a centrosome beside the nucleus and bend on their way out."""
    rng = generator(scene.seed, 2)
    n = len(scene.centres)
    lines = (n, _FIBRES, 1)
    envelope = traits["nucleus_scale"][:, None, None] * scene.nucleus[:, 1, None, None]
    pole = rng.uniform(0, 2 * np.pi, (n, 1, 1))
    # Most fibres grow from the centrosome, the others from anywhere around the nucleus.
    free = rng.uniform(size=lines) < 0.45
    root = np.where(free, rng.uniform(0, 2 * np.pi, lines), pole + rng.normal(0, 0.15, lines))
    out = envelope * np.where(free, rng.uniform(0.8, 1.2, lines), 0.85)
    start = np.where(free, root + rng.normal(0, 0.9, lines), rng.uniform(0, 2 * np.pi, lines))
    bend = rng.normal(0, 0.022, lines) + rng.normal(0, 0.06, (n, _FIBRES, _FIBRE_POINTS))
    heading = start + np.cumsum(bend, axis=-1)
    scale = np.sqrt(np.maximum(traits["cell_scale"], 0.3))[:, None, None] * scene.radius[:, None, None] / 38
    step = 0.8 * rng.uniform(0.35, 1.0, lines) * scale
    origin = scene.centres[:, None, :] + _PAD
    y = origin[..., :1] + out * np.sin(root) + np.cumsum(step * np.sin(heading), axis=-1)
    x = origin[..., 1:] + out * np.cos(root) + np.cumsum(step * np.cos(heading), axis=-1)
    inside = np.logical_and.accumulate(_owned(layout, y, x), axis=-1)
    grown = np.linspace(0, 1, _FIBRE_POINTS)
    fade = np.minimum(1, 0.25 + 4 * grown) * (1 - 0.4 * grown)
    weight = inside * fade * step * rng.uniform(0.5, 1.5, lines) * traits["fibres"][:, None, None]
    weight = weight * scene.amounts[:, 2, None, None]
    return _deposit(layout.owner.shape, y, x, weight)


def _spindles(scene: Scene, traits: Blend, layout: _Ownership) -> NDArray[np.float32]:
    """Two poles, one on either side of the chromatin plate, joined by arcs, with short rays outwards."""
    if not np.any(traits["spindle"]):
        return np.zeros(layout.owner.shape, np.float32)
    rng = generator(scene.seed, 3)
    n = len(scene.centres)
    along = np.linspace(-1, 1, 36)[None, None]
    rank = np.linspace(-0.72, 0.72, _SPINDLE)[None, :, None] + rng.normal(0, 0.03, (n, _SPINDLE, 1))
    belly = rank * (1 - along**2) ** 0.7
    half = 0.8 * scene.nucleus[:, 1, None, None] + 1.0
    axis = scene.nucleus[:, 2, None, None] + np.pi / 2
    u, v = half * along, scene.nucleus[:, 0, None, None] * belly
    origin = scene.centres[:, None, :] + _PAD
    y = origin[..., :1] + u * np.sin(axis) + v * np.cos(axis)
    x = origin[..., 1:] + u * np.cos(axis) - v * np.sin(axis)
    weight = 0.5 * traits["spindle"][:, None, None] * scene.amounts[:, 2, None, None] * (1 - 0.6 * along**2)
    return _deposit(layout.owner.shape, y, x, np.broadcast_to(weight, y.shape))


def _bundles(scene: Scene, traits: Blend) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Rows and columns (n, bundles, points) of slightly bowed bundles along the cell's long axis, and their amounts."""
    rng = generator(scene.seed, 4)
    n = len(scene.centres)
    lines = (n, _BUNDLES, 1)
    angle = scene.angle[:, None, None] + rng.normal(0, 0.2, lines)
    scale = scene.radius[:, None, None] * traits["cell_scale"][:, None, None]
    across = np.linspace(-0.8, 0.8, _BUNDLES)[None, :, None] + rng.normal(0, 0.08, lines)
    along = rng.normal(0, 0.15, lines) + rng.uniform(0.5, 1.0, lines) * np.linspace(-1, 1, _BUNDLE_POINTS)
    bow = across * (1 - 0.3 * along**2) + rng.normal(0, 0.05, lines) * along**2
    u, v = scale * along, 0.85 * scale * bow
    origin = scene.centres[:, None, :] + _PAD
    y = origin[..., :1] + u * np.sin(angle) + v * np.cos(angle)
    x = origin[..., 1:] + u * np.cos(angle) - v * np.sin(angle)
    return y, x, rng.gamma(0.8, 0.75, lines) * scene.amounts[:, 1, None, None]


def _stress_fibres(scene: Scene, traits: Blend, layout: _Ownership) -> NDArray[np.float32]:
    """The cell's bundles, drawn through."""
    y, x, amount = _bundles(scene, traits)
    return _deposit(layout.owner.shape, y, x, _owned(layout, y, x) * amount * traits["bundles"][:, None, None])


def _actin_puncta(scene: Scene, traits: Blend, layout: _Ownership) -> NDArray[np.float32]:
    """Bright dots that the cell's bundles fall into."""
    y, x, amount = (part[..., ::_PUNCTUM] for part in _bundles(scene, traits))
    grown = generator(scene.seed, 5).gamma(1.0, 4.0, y.shape)
    weight = _owned(layout, y, x) * amount * grown * traits["puncta"][:, None, None]
    return np.asarray(ndi.gaussian_filter(_deposit(layout.owner.shape, y, x, weight), 0.7))


def draw_signal(
    scene: Scene, condition: str = CONTROL, *, strength: float = 1.0
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Draw what the dyes emit, (3, H, W), 1 for an ordinary bright place, and the (H, W) nuclei (cell k is k + 1)."""
    traits = blended_traits(scene, condition, strength)
    layout = _layout(scene, traits)
    rng = generator(scene.seed, 6)
    owner, side = layout.owner, layout.owner.shape[0]
    patchy, fine = _texture(rng, side, (5.0, 12.0), (1.0, 0.7)), _texture(rng, side, (1.0, 2.2), (0.6, 1.0))
    front, ruffle = rng.uniform(0, 2 * np.pi, len(scene.centres)), rng.uniform(0.2, 1.5, len(scene.centres))

    def of(values: NDArray[np.float64]) -> NDArray[np.float32]:
        """A value a cell, put on every pixel of the cell; 0 outside."""
        return np.append(np.ravel(values), 0.0).astype(np.float32)[owner]

    rim = (owner != ndi.minimum_filter(owner, 3)) | (owner < 0)
    depth = ndi.gaussian_filter(ndi.distance_transform_edt(~rim).astype(np.float32), 0.7)
    covered = (owner >= 0).astype(np.float32)
    nucleus = 1 / (1 + np.exp(np.clip((layout.nuclear - 0.97) * 12, -30, 30)))
    dome = np.exp(-(np.maximum(layout.nuclear - 0.6, 0) ** 2) / 1.6)
    height = covered * (1 - np.exp(-depth / 2.2)) * (0.32 + 0.68 * dome) * of(traits["thickness"])

    edge = np.exp(-((depth / 1.5) ** 2)) * covered
    leading = 0.7 + of(ruffle) * np.exp(3 * (np.cos(layout.direction - of(front)) - 1)) + 0.25 * patchy
    actin = 0.42 * of(traits["actin_diffuse"]) * height * (1 + 0.16 * patchy + 0.08 * fine)
    actin *= 1 + (of(traits["actin_nuclear"]) - 1) * nucleus
    actin += 0.5 * of(traits["cortex"]) * edge * np.maximum(leading, 0.15)
    actin *= of(scene.amounts[:, 1])
    actin += 0.42 * _stress_fibres(scene, traits, layout) * (1 - 0.5 * nucleus) + 0.8 * _actin_puncta(
        scene, traits, layout
    )

    tubulin = 0.4 * of(traits["tubulin_diffuse"]) * height * (1 + 0.12 * patchy + 0.1 * fine)
    tubulin *= (1 + (of(traits["tubulin_nuclear"]) - 1) * nucleus) * of(scene.amounts[:, 2])
    tubulin += 0.75 * _microtubules(scene, traits, layout) * (1 - 0.6 * nucleus)
    tubulin += 0.62 * _spindles(scene, traits, layout)

    signal = np.stack([layout.dna, actin, tubulin])
    sharp = ndi.gaussian_filter(signal, (0, 0.85, 0.85))
    glow = ndi.gaussian_filter(sharp, (0, 6, 6))
    middle = np.s_[_PAD : _PAD + scene.size, _PAD : _PAD + scene.size]
    return (0.84 * sharp + 0.16 * glow)[(slice(None), *middle)], layout.labels[middle]


def draw_scene(
    scene: Scene, condition: str = CONTROL, batch: int = 0, *, strength: float = 1.0, noise: bool = True
) -> tuple[NDArray[np.uint16], NDArray[np.int32]]:
    """Draw a scene as a 16-bit camera records it in one batch.

    The same random numbers make the noise under every condition (its size follows the light), so that two drawings of a
    scene differ by the condition alone.

    Parameters
    ----------
    condition
        A name in `CONDITIONS`.
    batch
        0 or 1, the number of the batch in `BATCHES`.
    strength
        0 leaves the control, 1 is the full effect; the drawing changes smoothly between.
    noise
        Whether shot and read noise are added.

    Returns
    -------
    pixels, labels
        (3, H, W) uint16 counts and (H, W) nuclei; cell k of the scene has label k + 1.

    Raises
    ------
    ConditionError
        If there is no such condition or batch.
    """
    camera = BATCHES[batch_name(batch)]
    signal, labels = draw_signal(scene, condition, strength=strength)
    place = np.linspace(-1, 1, scene.size, dtype=np.float32)
    y, x = place[:, None], place[None]
    counts = np.empty_like(signal)
    for c in range(len(CHANNELS)):
        light = 1 - camera.vignetting[c] * (y**2 + x**2) / 2 + camera.tilt[0] * y + camera.tilt[1] * x
        counts[c] = (camera.gain[c] * signal[c] + camera.haze[c]) * light
    if noise:
        # Shot noise is drawn as a normal of Poisson's variance, so that it follows the light smoothly.
        grain = generator(scene.seed, 7).standard_normal(counts.shape, dtype=np.float32)
        counts += np.sqrt(np.maximum(counts, 0) * camera.counts_per_photon + camera.read_noise**2) * grain
    return np.clip(np.rint(counts + camera.offset), 0, 65535).astype(np.uint16), labels
