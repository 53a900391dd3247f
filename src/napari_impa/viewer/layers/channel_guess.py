"""A guess, by names, which of the layers on offer shows each channel of a model."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

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


def guess_channels(channels: Sequence[str], layers: Sequence[str]) -> list[int | None]:
    """Guess which of the layers, by name, shows each channel of a model.

    The same name counts most, then the same stain under another name, then a name within a name.  Where nothing fits
    by name and there are as many layers as channels, the order decides, but for a layer named after another stain.

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
    if len(layers) == len(channels):
        free = iter(i for i in range(len(layers)) if i not in found)
        found = [next(free) if at is None else at for at in found]
        for number, at in enumerate(found):
            if at is not None and _of_another_stain(channels[number], layers[at]):
                found[number] = None
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


def guess_sources(channels: Sequence[str], offered: Sequence[Channel]) -> list[Channel | None]:
    """Guess which of the channels on offer shows each channel of a model.

    As `guess_channels`, layers whose metadata says that they show no control last; where no name says anything, one
    layer that holds as many channels, or more, gives them in their order.
    """
    offered = sorted(offered, key=lambda one: one.layer.metadata.get("control") in (0, False))
    names = ["" if one.position is not None else one.name for one in offered]
    found = guess_channels(channels, names)
    if found.count(None) == len(found):
        for first in (one for one in offered if one.position == 0):
            of_layer = [one for one in offered if one.layer is first.layer]
            if len(of_layer) >= len(channels):
                return list(of_layer[: len(channels)])
    return [None if at is None else offered[at] for at in found]
