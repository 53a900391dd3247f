"""Which layer shows which channel of a model, and the pixels, place and colours of those layers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.layers import Image, Labels, Layer
from numpy.typing import NDArray

from napari_impa.errors import CellsError

MADE_BY = "napari-impa"
"""Key in a layer's metadata: layers that have it were made here, and are no source of cells."""

_ALIKE: tuple[tuple[str, ...], ...] = (
    ("dna", "dapi", "hoechst", "nuclei", "nucleus", "nuclear", "draq5", "h2b"),
    ("actin", "phalloidin", "f-actin", "lifeact"),
    ("tubulin", "microtubule", "microtubules", "tub"),
    ("er", "concanavalin", "cona", "endoplasmic"),
    ("rna", "syto", "nucleoli"),
    ("mito", "mitochondria", "mitotracker", "tmrm"),
    ("agp", "golgi", "wga", "membrane"),
)
_DISTINCT = ("blue", "red", "green", "yellow", "magenta", "cyan")


def is_source(layer: Layer) -> bool:
    """Whether a layer can be a channel: a grey image that was not made here."""
    return isinstance(layer, Image) and not layer.rgb and not layer.multiscale and MADE_BY not in layer.metadata


def is_mask(layer: Layer) -> bool:
    """Whether a layer can say where cells are: Labels that were not made here."""
    return isinstance(layer, Labels) and not layer.multiscale and MADE_BY not in layer.metadata


def guess_channels(channels: Sequence[str], layers: Sequence[str]) -> list[int | None]:
    """Guess which of the layers, by name, shows each channel of a model.

    The same name counts most, then the same stain under another name, then a name within a name.  Where nothing fits
    by name and there are as many layers as channels, the order decides.

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
    return found


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
    words = set(re.split(r"[^a-z0-9-]+", name)) - {"", "channel", "image", "control"}
    return {word for word in words if not word.isdecimal()}


@dataclass(frozen=True)
class Look:
    """How a channel is shown: colormap, contrast limits and gamma."""

    colormap: Any
    contrast_limits: tuple[float, float]
    gamma: float = 1.0


@dataclass(frozen=True)
class Place:
    """Where the rows and columns of a layer lie in the world, last two axes only."""

    scale: tuple[float, float]
    translate: tuple[float, float]
    units: tuple[Any, Any]

    @property
    def pixel_size(self) -> float | None:
        """µm a pixel, or None where the layer's unit is no length."""
        unit = self.units[-1]
        if not unit.is_compatible_with("micrometer"):
            return None
        return float(self.scale[-1] * (1 * unit).to("micrometer").magnitude)


@dataclass(frozen=True, eq=False)
class ChannelLayers:
    """The layers chosen as channels, as plain values that a background job may read.

    Parameters
    ----------
    data
        C arrays (H, W), or stacks (N, H, W), of one shape; possibly lazy.
    names
        The layers' names.
    looks
        How each is shown.
    place
        Where the first of them lies.
    """

    data: tuple[Any, ...]
    names: tuple[str, ...]
    looks: tuple[Look, ...]
    place: Place

    @property
    def are_stacks(self) -> bool:
        """Whether the layers are stacks (N, H, W)."""
        return self.data[0].ndim == 3

    def read(self) -> NDArray[Any]:
        """Read the pixels: (C, H, W), or (N, C, H, W) of stacks."""
        planes = [np.asarray(data) for data in self.data]
        return np.stack(planes, axis=-3)


def channel_layers(layers: Sequence[Layer], *, step: Sequence[int] = (), stacks: bool = False) -> ChannelLayers:
    """Take what is needed from the layers chosen as channels.

    Parameters
    ----------
    layers
        One a channel.
    step
        The viewer's current step, which says which plane of layers with more than two axes is meant.
    stacks
        Keep the axis before the last two: the layers are stacks of crops.

    Raises
    ------
    CellsError
        If the layers differ in size, type, scale or position.
    """
    if not layers:
        raise CellsError("No layer is chosen; open an image and choose its channels.")
    first, axes = layers[0], 3 if stacks else 2
    data = tuple(_planes(layer, step, axes) for layer in layers)
    for layer, planes in zip(layers, data, strict=True):
        if planes.shape != data[0].shape:
            raise CellsError(
                f"The layers {first.name!r} and {layer.name!r} differ in size "
                f"({_by(data[0].shape)} and {_by(planes.shape)}); choose channels of one image."
            )
        if planes.dtype != data[0].dtype:
            raise CellsError(
                f"The layers {first.name!r} and {layer.name!r} differ in type ({data[0].dtype} and {planes.dtype}); "
                "convert them to one type."
            )
        if not (
            np.allclose(layer.scale[-2:], first.scale[-2:]) and np.allclose(layer.translate[-2:], first.translate[-2:])
        ):
            raise CellsError(
                f"The layers {first.name!r} and {layer.name!r} differ in scale or position; "
                "choose channels of one image."
            )
    looks = tuple(_look(layer) for layer in layers)
    colours = [look.colormap.name for look in looks]
    if len(set(colours)) < len(colours):  # several channels of one colour could not be told apart
        looks = tuple(
            Look(_DISTINCT[i % len(_DISTINCT)], look.contrast_limits, look.gamma) for i, look in enumerate(looks)
        )
    return ChannelLayers(data, tuple(layer.name for layer in layers), looks, place_of(first))


def place_of(layer: Layer) -> Place:
    """Where a layer's last two axes lie."""
    scale, translate = layer.scale[-2:], layer.translate[-2:]
    return Place(
        (float(scale[0]), float(scale[1])), (float(translate[0]), float(translate[1])), tuple(layer.units[-2:])
    )


def are_crops(layers: Sequence[Layer], size: int) -> bool:
    """Whether the layers look like stacks of crops: three axes, square, at least `size`, at most 256 px."""
    return bool(layers) and all(
        layer.ndim == 3 and layer.data.shape[-1] == layer.data.shape[-2] and size <= layer.data.shape[-1] <= 256
        for layer in layers
    )


def mask_plane(layer: Labels, *, step: Sequence[int] = ()) -> Any:
    """(H, W) labels of a Labels layer at the viewer's current step."""
    return _planes(layer, step, 2)


def _look(layer: Layer) -> Look:
    low, high = (float(value) for value in layer.contrast_limits)
    return Look(layer.colormap, (low, high), float(layer.gamma))


def _planes(layer: Layer, step: Sequence[int], axes: int) -> Any:
    data = layer.data
    if data.ndim < axes:
        raise CellsError(f"The layer {layer.name!r} is no stack of crops; choose how its cells are found.")
    leading = data.ndim - axes
    steps = [0] * data.ndim + list(step)
    for number in steps[len(steps) - data.ndim :][:leading]:
        data = data[min(max(int(number), 0), data.shape[0] - 1)]
    return data


def _by(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape))
