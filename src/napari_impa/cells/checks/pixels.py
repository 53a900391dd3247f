"""What is doubtful about the pixels of some cells: channels that are empty, saturated or look exchanged."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_impa.cells.checks.concern import Concern, listed, ranked

SATURATED = 0.005
"""Share of a channel's pixels at the camera's maximum from which it is called saturated."""

BITS = (8, 10, 12, 14, 16)
"""Depths of cameras; an image of 16 bits may hold values up to 4095 only."""

SWAPPED = 0.65
"""From here, on the way from its own channel (0) to another one (1), a plate's channel is called exchanged."""

SWAPPED_CONDITION = 0.75
"""The same for a condition, which may well change how a channel looks."""

FEWEST = 8
"""Images of a plate or condition below which its channels are not compared with those of the others."""

_DISTINCT = 1.5  # distance of two channels in standard deviations from which they can be told apart
_NOISE = 0.2  # 3×3 means leave 1/9 of the variance of pure noise
_SIGMAS = (1, 2, 4, 8)
_FEWEST_BRIGHT, _BRIGHTER = 3, 4  # images of a group, and times as bright, from which it is said


def pixel_concerns(
    pixels: NDArray[np.generic],
    channels: Sequence[str],
    plates: NDArray[np.object_] | None = None,
    conditions: NDArray[np.object_] | None = None,
    fields: NDArray[np.object_] | None = None,
    *,
    control: str | None = None,
    plate: str = "plate",
) -> tuple[Concern, ...]:
    """Look for what is doubtful about the channels of a sample of cells.

    Parameters
    ----------
    pixels
        (n, C, S, S) in the camera's own units and type.
    channels
        C names.
    plates, conditions, fields
        (n,) of each; None where they are not known.
    control
        The control's name: plates are compared on their controls where all have enough.
    plate
        What a plate is called.
    """
    if not len(pixels):
        return ()
    empty = [name for name, bare in zip(channels, empty_channels(pixels), strict=True) if bare]
    found = [Concern("empty", _empty(empty))] if empty else []
    shares = dict(zip(channels, saturated_share(pixels), strict=True))
    bright = {name: share for name, share in shares.items() if share >= SATURATED and name not in empty}
    if bright:
        found.append(Concern("saturated", _saturated(bright)))
    if conditions is not None:
        found += _repeated(pixels, conditions)
    found += _same_channels(pixels, channels)
    for groups, what in ((plates, f"{plate} "), (conditions, ""), (fields, "field ")):
        if groups is not None and not any(one.kind == "empty" for one in found):
            found += _one_valued(pixels, channels, groups, what)
        if groups is not None and not any(one.kind == "brightness" for one in found):
            found += other_brightness(pixels, groups, what)
    swaps: list[Swap] = []
    if plates is not None:
        chosen = _controls(plates, conditions, control)
        swaps = swapped_channels(pixels[chosen], plates[chosen])
        found += [Concern("swapped", _swapped(swap, channels, f"{plate} ", len(set(plates)))) for swap in swaps]
    if not swaps and conditions is not None:
        swaps = swapped_channels(pixels, conditions, SWAPPED_CONDITION)
        found += [Concern("swapped", _swapped(swap, channels, "", len(set(conditions)))) for swap in swaps]
    return ranked(found)


def other_brightness(pixels: NDArray[np.generic], groups: NDArray[np.object_], what: str = "") -> list[Concern]:
    """Say where all channels of a group, background and all, are many times as bright as in the others.

    No compound does that, but another bit depth, a scale of 0 to 1, or another exposure.

    Parameters
    ----------
    pixels
        (n, C, S, S).
    groups
        (n,) plate or condition of each.
    what
        What a group is called.
    """
    names = [name for name in sorted(set(groups)) if np.sum(groups == name) >= _FEWEST_BRIGHT]
    if len(names) < 2:
        return []
    flat = _finite(pixels).reshape(*pixels.shape[:2], -1)
    low, high = np.quantile(flat, (0.05, 0.98), axis=2)
    lows = np.stack([np.median(low[groups == name], axis=0) for name in names])
    spans = np.stack([np.median((high - low)[groups == name], axis=0) for name in names])
    found = []
    for number, name in enumerate(names):
        rest = [np.median(np.delete(part, number, axis=0), axis=0) for part in (lows, spans)]
        if (spans[number] <= 0).any() or (rest[1] <= 0).any():
            continue
        factors = spans[number] / rest[1]
        grounds = [
            mine / other for mine, other in zip(lows[number], rest[0], strict=True) if mine > 0 and other > 0
        ] or list(factors)
        both = [*factors, *grounds]
        if min(both) >= _BRIGHTER or max(both) <= 1 / _BRIGHTER:
            found.append((float(np.median(factors)), name))
    if len(names) == 2:  # of which each is brighter or darker than the other
        found = [one for one in found if one[0] > 1]
    return [
        Concern(
            "brightness",
            f"{_in(what)}{name} all channels, their background too, are about "
            f"{max(factor, 1 / factor):.3g} times as {'bright' if factor > 1 else 'dark'} as in the others: "
            "another bit depth, scale or exposure; bring all images to one.",
        )
        for factor, name in found
    ]


def _same_channels(pixels: NDArray[np.generic], channels: Sequence[str]) -> list[Concern]:
    """Say which channels are the same to the bit in all cells, as those of grey images that were saved in colours."""
    same = [
        {channels[one], channels[other]}
        for one, other in combinations(range(len(channels)), 2)
        if np.array_equal(pixels[:, one], pixels[:, other]) and pixels[:, one].min() < pixels[:, one].max()
    ]
    if not same:
        return []
    names = [name for name in channels if name in set().union(*same)]
    text = (
        f"The channels {listed(names)} are the same to the bit: grey images that were saved in colours, or one file "
        "taken for two channels; save them in grey, or give the right files."
    )
    return [Concern("repeated", text)]


def _one_valued(
    pixels: NDArray[np.generic], channels: Sequence[str], groups: NDArray[np.object_], what: str
) -> list[Concern]:
    """Say in which groups a channel has nothing but one value, which it has not in the others: no image of it."""
    names = [name for name in sorted(set(groups)) if np.sum(groups == name) >= _FEWEST_BRIGHT]
    found = []
    for number, channel in enumerate(channels):
        flat = pixels[:, number].reshape(len(pixels), -1)
        bare = flat.min(axis=1) == flat.max(axis=1)
        without = [name for name in names if bare[groups == name].all()]
        if without and not bare.all():
            text = (
                f"{_in(what)}{listed(without)} the channel {channel} is one value all over, and an "
                "image in the others: bring what was not imaged or not exported, or leave these out."
            )
            found.append(Concern("empty", text))
    return found


def _repeated(pixels: NDArray[np.generic], conditions: NDArray[np.object_]) -> list[Concern]:
    """Say where one and the same image is in two conditions, or several times in one."""
    seen: dict[bytes, str] = {}
    again: dict[str, int] = {}
    for image, name in zip(pixels, conditions, strict=True):
        if image.min() == image.max():
            continue
        key = hashlib.sha256(np.ascontiguousarray(image).tobytes()).digest()
        if seen.get(key, name) != name:
            text = f"Cells of {seen[key]} and {name} are the same to the bit: one image has two names; remove one."
            return [Concern("repeated", text)]
        if key in seen:
            again[name] = again.get(name, 0) + 1
        seen[key] = name
    if not again:
        return []
    text = (
        f"Of the cells looked at, {sum(again.values()):,} of {listed(list(again))} are there twice to the bit, as of "
        "files that were copied or lie there in two formats: remove one of each."
    )
    return [Concern("repeated", text)]


def empty_channels(pixels: NDArray[np.generic]) -> NDArray[np.bool_]:
    """(C,) whether a channel shows nothing: one value, or noise alone, in nine images of ten."""
    images = _finite(pixels)
    whole = images.var(axis=(2, 3))
    smooth = ndi.uniform_filter(images, (1, 1, 3, 3))[:, :, 1:-1, 1:-1].var(axis=(2, 3))
    return np.asarray(np.mean(smooth <= _NOISE * whole, axis=0) > 0.9)


def saturated_share(pixels: NDArray[np.generic]) -> NDArray[np.float64]:
    """(C,) share of pixels at the maximum, where that is the largest value that a camera or the type can give.

    Values must pile up there: a brightest value that only a few pixels happen to have is none.
    """
    shares = np.zeros(pixels.shape[1])
    for number in range(pixels.shape[1]):
        values = np.asarray(pixels[:, number], np.float64).ravel()
        top = float(np.nanmax(values))
        at_top = float(np.mean(values == top))
        below = float(np.mean((values < top) & (values >= 0.98 * top))) / max(1.0, 0.02 * abs(top))
        limits = {2.0**bits - 1 for bits in BITS} if pixels.dtype.kind == "u" else {1.0, *(2.0**b - 1 for b in BITS)}
        if top in limits and at_top > 3 * below:
            shares[number] = at_top
    return shares


@dataclass(frozen=True)
class Swap:
    """Two channels (numbers) that look exchanged in a group, and how sure that is (0.5 to about 1)."""

    group: str
    first: int
    second: int
    score: float


def swapped_channels(pixels: NDArray[np.generic], groups: NDArray[np.object_], least: float = SWAPPED) -> list[Swap]:
    """Find groups in which two channels look exchanged.

    For each two channels a linear discriminant (Fisher 1936) is fitted on the other groups, from texture and
    correlation with further channels, which do not change with exposure. Of a group whose channels are exchanged, the
    images of *both* lie at the other's place; what a compound does moves one of them, or both the same way.

    Parameters
    ----------
    pixels
        (n, C, S, S).
    groups
        (n,) plate or condition of each image.
    least
        Where, from its own place (0) to the other's (1), both must lie on average.

    Returns
    -------
    One swap a group at most, the surest first; of two groups that differ, both.
    """
    names = [name for name in sorted(set(groups)) if np.sum(groups == name) >= FEWEST]
    count = pixels.shape[1]
    if len(names) < 2 or count < 2:
        return []
    kept = np.isin(groups, names)
    groups = groups[kept]
    own, shared = describe_channels(pixels[kept])
    best: dict[str, Swap] = {}
    for first, second in combinations(range(count), 2):
        others = [number for number in range(count) if number not in (first, second)]
        one, other = (np.concatenate([own[:, c], shared[:, c][:, others]], axis=1) for c in (first, second))
        for name, score in _scores(one, other, groups, names):
            if score >= least and score > best.get(name, Swap(name, 0, 0, 0.0)).score:
                best[name] = Swap(name, first, second, score)
    return sorted(best.values(), key=lambda swap: -swap.score)


def _scores(
    one: NDArray[np.float64], other: NDArray[np.float64], groups: NDArray[np.object_], names: Sequence[str]
) -> list[tuple[str, float]]:
    """How far, in each group, both channels (n, D) lie towards each other's place; 0 where that is not sure."""
    means = np.stack([[each[groups == name].mean(0) for each in (one, other)] for name in names])
    found = []
    for number, name in enumerate(names):
        mine = groups == name
        here, there = np.median(np.delete(means, number, axis=0), axis=0)
        rest = np.concatenate([one[~mine] - here, other[~mine] - there])
        spread = rest.T @ rest / len(rest)
        spread += 0.1 * np.diag(np.diag(spread)) + 1e-4 * np.eye(len(spread))
        direction = np.linalg.solve(spread, there - here)
        distance = float((there - here) @ direction)
        if distance < _DISTINCT**2:
            continue
        moved = ((one[mine] - here) @ direction / distance, (there - other[mine]) @ direction / distance)
        error = float(np.hypot(*(part.std() for part in moved)) / np.sqrt(mine.sum()))
        score = float(min(part.mean() for part in moved))
        found.append((name, score if score - 1.5 * error > 0.5 else 0.0))
    return found


def describe_channels(pixels: NDArray[np.generic]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Describe each channel of images (n, C, S, S) by numbers that do not change with exposure or background.

    Returns
    -------
    (n, C, D): detail in octaves, quantiles, and the mean in the middle, around it and at the corners.
    (n, C, C): correlation with each channel.
    """
    count, channels, *side = pixels.shape
    images = _finite(pixels).reshape(count * channels, *side)
    flat = images.reshape(len(images), -1)
    low, high = np.quantile(flat, (0.02, 0.98), axis=1)[:, :, None, None]
    images = np.clip((images - low) / np.maximum(high - low, 1e-6), -0.5, 1.5)
    numbers, coarse, fine = [], images, images
    for sigma in _SIGMAS:
        smooth = ndi.gaussian_filter(images, (0, sigma, sigma))
        numbers.append(np.log((coarse - smooth).std(axis=(1, 2)) + 0.01))
        coarse, fine = smooth, smooth if sigma == 1 else fine
    numbers.append(np.log(coarse.std(axis=(1, 2)) + 0.01))
    numbers += list(np.quantile(images.reshape(len(images), -1), (0.25, 0.5, 0.75, 0.9), axis=1))
    y, x = (np.arange(length) / length - 0.5 for length in side)
    away = np.hypot(y[:, None], x[None])
    for ring in (away < 0.12, (away >= 0.12) & (away < 0.3), away >= 0.4):
        numbers.append(images[:, ring].mean(axis=1))
    flat = fine.reshape(count, channels, -1)
    flat = flat - flat.mean(axis=2, keepdims=True)
    flat /= np.sqrt((flat**2).sum(axis=2, keepdims=True)) + 1e-9
    return np.stack(numbers, axis=1).reshape(count, channels, -1), np.einsum("ncp,ndp->ncd", flat, flat)


def _finite(pixels: NDArray[np.generic]) -> NDArray[np.float32]:
    return np.nan_to_num(np.asarray(pixels).astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)


def _controls(
    plates: NDArray[np.object_], conditions: NDArray[np.object_] | None, control: str | None
) -> NDArray[np.bool_]:
    """(n,) the controls, where every plate has enough of them; else all."""
    if conditions is None or control is None:
        return np.ones(len(plates), bool)
    controls = conditions == control
    enough = all(np.sum(controls & (plates == name)) >= FEWEST for name in set(plates))
    return controls if enough else np.ones(len(plates), bool)


def _swapped(swap: Swap, channels: Sequence[str], what: str, groups: int) -> str:
    where = f"{_in(what)}{swap.group}" + (" compared with the other" if groups == 2 else "")
    return (
        f"{where}, the channels {channels[swap.first]} and {channels[swap.second]} look exchanged: "
        "check the order of the channels in these files."
    )


def _in(what: str) -> str:
    return f"{'In' if what in ('', 'field ') else 'On'} {what}"


def _saturated(shares: Mapping[str, float]) -> str:
    each, several = listed([f"{name} ({100 * share:.1f} %)" for name, share in shares.items()]), len(shares) > 1
    return (
        f"The channel{'s' * several} {each} {'are' if several else 'is'} saturated: so many of the pixels are at the "
        "maximum, and the brightest parts are lost to the model; image with less exposure if you can."
    )


def _empty(names: Sequence[str]) -> str:
    return (
        f"The channel{'s' * (len(names) > 1)} {listed(names)} show{'s' * (len(names) == 1)} nothing but noise: "
        "leave it out when you export the images, or check the exposure."
    )
