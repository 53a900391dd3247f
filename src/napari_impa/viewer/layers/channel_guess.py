"""A guess which of the layers on offer shows each channel of a model: by names, and for nuclei by what they show."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from napari.layers import Layer

from napari_impa.cells.words import guess_nuclei_channel
from napari_impa.viewer.layers.sources import Channel

_ALIKE: tuple[tuple[str, ...], ...] = (
    ("dna", "dapi", "hoechst", "nuclei", "nucleus", "nuclear", "draq5", "h2b"),
    ("actin", "phalloidin", "f-actin", "lifeact"),
    ("tubulin", "microtubule", "microtubules", "tub"),
    ("er", "concanavalin", "cona", "endoplasmic"),
    ("rna", "syto", "nucleoli"),
    ("mito", "mitochondria", "mitotracker", "tmrm"),
    ("agp", "golgi", "wga", "membrane"),
    ("nfkb", "nf-kb", "p65", "rela", "fitc"),
)

LOOKED_AT = 512
"""Of a larger plane only the middle, so many pixels wide and high, is looked at."""

CROPS_LOOKED_AT = 16
"""Of a stack so many images, evenly spread."""


@dataclass(frozen=True)
class SourceGuess:
    """The channel on offer that seems to show one of a model's; `by_name` where its name says so."""

    channel: Channel
    by_name: bool = True


def guess_channels(channels: Sequence[str], layers: Sequence[str]) -> list[int | None]:
    """Find out which of the layers, by name, shows each channel of a model.

    The same name counts most, then the same stain under another name, then a name within a name.

    Returns
    -------
    For each channel the position of its layer, or None; no layer is taken twice.
    """
    scores = np.array([[_likeness(channel, layer) for layer in layers] for channel in channels])
    scores = scores.reshape(len(channels), len(layers))
    found: list[int | None] = [None] * len(channels)
    while scores.size and scores.max() > 0:
        row, column = np.unravel_index(int(scores.argmax()), scores.shape)
        found[int(row)] = int(column)
        scores[row, :] = scores[:, column] = 0
    return found


def _of_another_stain(channel: str, layer: str) -> bool:
    """Whether two names are of stains that are told apart here."""
    one, other = ({group for group in _ALIKE if _words(name.casefold()) & set(group)} for name in (channel, layer))
    return bool(one and other and not one & other)


def _likeness(channel: str, layer: str) -> int:
    a, b = channel.casefold().strip(), layer.casefold().strip()
    if a == b:
        return 4
    words_a, words_b = _words(a), _words(b)
    if words_a & words_b:
        return 3
    if any(words_a & set(group) and words_b & set(group) for group in _ALIKE):
        return 2
    return 1 if len(a) > 2 and len(b) > 2 and (a in b or b in a) else 0


def _words(name: str) -> set[str]:
    words = set(re.split(r"[^a-z0-9-]+", name.replace("κ", "k"))) - {"", "channel", "image", "control"}
    return {word for word in words if not word.isdecimal()}


def guess_sources(
    channels: Sequence[str], offered: Sequence[Channel], chosen: Sequence[Channel | None] = ()
) -> list[SourceGuess | None]:
    """Guess which of the channels on offer shows each channel of a model that has none yet.

    By name, layers whose metadata says that they show no control last. Where names do not decide: nuclei are what looks
    like nuclei among those that are left, and one that alone is left over stands for the one that is missing. The
    order of layers says nothing.

    Parameters
    ----------
    channels
        The model's.
    offered
        What may show them.
    chosen
        For each of the model's channels what is chosen already, or None; none by default.

    Returns
    -------
    For each of the model's channels a guess, or None where it has one already or nothing decides.
    """
    held: list[Channel | None] = [*chosen] or [None] * len(channels)
    open_ones = [number for number, one in enumerate(held) if one is None]
    free = [one for one in offered if one not in held]
    free.sort(key=lambda one: one.layer.metadata.get("control") in (0, False))
    found: list[SourceGuess | None] = [None] * len(channels)
    by_name = guess_channels([channels[number] for number in open_ones], [_name(one) for one in free])
    for number, at in zip(open_ones, by_name, strict=True):
        found[number] = None if at is None else SourceGuess(free[at])
    if not any(held) and not any(found):
        free = _of_one_layer(free, len(channels))
    _guess_rest(channels, found, [number for number in open_ones if found[number] is None], free)
    return found


def _guess_rest(
    channels: Sequence[str], found: list[SourceGuess | None], missing: list[int], free: Sequence[Channel]
) -> None:
    """Fill in what no name has decided, as far as pictures do."""
    taken = [one.channel for one in found if one is not None]
    left = [one for one in free if one not in taken]
    nuclei = guess_nuclei_channel(channels)
    if nuclei in missing and len(left) > 1:
        from napari_impa.cells.checks.nuclear_look import clearest

        fitting = [one for one in left if not _of_another_stain(channels[nuclei], _name(one))]
        at = clearest([look_of_nuclei(one) for one in fitting])
        if at is None:
            return
        found[nuclei] = SourceGuess(fitting[at], by_name=False)
        missing, left = [one for one in missing if one != nuclei], [one for one in left if one != fitting[at]]
    if len(missing) == len(left) == 1 and not _of_another_stain(channels[missing[0]], _name(left[0])):
        found[missing[0]] = SourceGuess(left[0], by_name=False)


def _name(channel: Channel) -> str:
    """What a channel is called by itself: a position of a layer has its number only."""
    return channel.name if channel.position is None else f"channel {channel.position + 1}"


def _of_one_layer(offered: list[Channel], count: int) -> list[Channel]:
    """The channels of the first layer that holds enough of them; all where none does."""
    for first in (one for one in offered if one.position == 0):
        of_layer = [one for one in offered if one.layer is first.layer]
        if len(of_layer) >= count:
            return of_layer
    return offered


_LOOKS: WeakKeyDictionary[Layer, dict[int | None, float]] = WeakKeyDictionary()


def look_of_nuclei(channel: Channel) -> float:
    """How much the middle of a channel looks like nuclei (`nuclear_look`); each is looked at once."""
    from napari_impa.cells.checks.nuclear_look import nuclear_look

    looks = _LOOKS.setdefault(channel.layer, {})
    if channel.position not in looks:
        images = _middle(channel)
        looks[channel.position] = float(np.mean([nuclear_look(image) for image in images])) if len(images) else 0.0
    return looks[channel.position]


def _middle(channel: Channel) -> list[np.ndarray]:
    """Read the middle of a plane, or of some of the images of a stack."""
    data, (*leading, rows, columns) = channel.data, channel.axes
    index: list[int | slice] = [0] * data.ndim
    if channel.axis is not None and channel.position is not None:
        index[channel.axis] = channel.position
    for axis in (rows, columns):
        start = max(0, (data.shape[axis] - LOOKED_AT) // 2)
        index[axis] = slice(start, start + LOOKED_AT)
    images, count = [], data.shape[leading[-1]] if leading else 1
    for step in np.unique(np.linspace(0, count - 1, min(count, CROPS_LOOKED_AT)).astype(int)):
        if leading:
            index[leading[-1]] = int(step)
        images.append(np.asarray(data[tuple(index)]))
    return images
