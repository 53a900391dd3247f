"""What of a viewer's layers can be a channel, a mask or a region, where it lies and how it looks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from napari.layers import Image, Labels, Layer, Points, Shapes
from napari.utils import Colormap
from napari.utils.colormaps import ensure_colormap
from numpy.typing import NDArray

from napari_impa.analysis.pictures.composite import (
    channel_colours,
    colours_to_add,
    display_limits,
    mixed,
    shown_between,
)
from napari_impa.viewer.layers.geometry import Matrix, Window

_MOST_CHANNELS = 8
"""An axis without a name that is longer holds time, sites or planes."""

_MOST_LOOKED_AT = 300
"""Cells from which the contrast is taken, evenly spread over all."""

_HALF_WAY = 0.7
"""Share of a channel's colour that half its intensity has."""

THUMBNAIL = 480
"""No thumbnail is wider or higher, in pixels."""

MADE_BY = "napari-impa"
"""Key in a layer's metadata: layers that have it were made here, and are no source of cells."""


def is_source(layer: Layer) -> bool:
    """Whether a layer can be a channel, or hold several: a grey image that was not made here."""
    return isinstance(layer, Image) and not layer.rgb and MADE_BY not in layer.metadata


def is_mask(layer: Layer) -> bool:
    """Whether a layer can say where cells are: Labels or Points that were not made here."""
    return isinstance(layer, Labels | Points) and MADE_BY not in layer.metadata


def is_region(layer: Layer) -> bool:
    """Whether a layer can say where cells are wanted: Shapes that were not made here."""
    return isinstance(layer, Shapes) and MADE_BY not in layer.metadata


@dataclass(frozen=True)
class Channel:
    """What can be a channel: a layer, or one position on a layer's channel axis."""

    layer: Layer
    position: int | None = None
    axis: int | None = None

    @property
    def name(self) -> str:
        """The layer's name, and the channel's number where it holds several."""
        return self.layer.name if self.position is None else f"{self.layer.name} · channel {self.position + 1}"

    @property
    def data(self) -> Any:
        """The pixels, unread; of several resolutions the finest."""
        return self.layer.data[0] if self.layer.multiscale else self.layer.data

    @property
    def axes(self) -> list[int]:
        """Axes but the channel's: leading ones, rows, columns."""
        return [axis for axis in range(self.data.ndim) if axis != self.axis]


def offered_channels(layers: Sequence[Layer]) -> list[Channel]:
    """List what can be a channel: layers, and each channel of those that hold several."""
    sources = [layer for layer in layers if is_source(layer)]
    offered = []
    for layer in sources:
        axis = channel_axis(layer, sources)
        if axis is None:
            offered.append(Channel(layer))
        else:
            count = Channel(layer).data.shape[axis]
            offered += [Channel(layer, position, axis) for position in range(count)]
    return offered


def axis_name(layer: Image, axis: int) -> str:
    """Return the name that an axis was given, or an empty text."""
    label = str(layer.axis_labels[axis]).strip()
    return "" if re.fullmatch(r"(axis )?-?\d*", label) else label


def channel_axis(layer: Image, others: Sequence[Image] = ()) -> int | None:
    """Guess which axis of a grey image holds its channels.

    One that is named so, or else, where no axis is named, the shortest of 2 to 8 before rows and columns, or a last
    one behind them.  Layers of one shape are channels of each other, so that an axis without a name is none of theirs.
    """
    shape = layer.level_shapes[0] if layer.multiscale else layer.data.shape
    if len(shape) < 3:
        return None
    names = [axis_name(layer, axis).casefold() for axis in range(len(shape))]
    for axis, name in enumerate(names):
        if name in ("c", "ch", "channel", "channels"):
            return axis
    if any(names) or any(other is not layer and other.data.shape == layer.data.shape for other in others):
        return None
    if shape[-1] <= _MOST_CHANNELS < min(shape[-3:-1]):
        return len(shape) - 1
    short = [axis for axis in range(len(shape) - 2) if 2 <= shape[axis] <= _MOST_CHANNELS]
    return min(short, key=lambda axis: (shape[axis], -axis), default=None)


@dataclass(frozen=True)
class Look:
    """How a channel is shown: colormap, contrast limits and gamma."""

    colormap: Any
    contrast_limits: tuple[float, float]
    gamma: float = 1.0

    @property
    def kept(self) -> dict[str, Any]:
        """JSON-able, as it stands in files."""
        colormap: Any = self.colormap
        if isinstance(colormap, Colormap):  # its name may be known to this window alone
            parts = {"colors": colormap.colors, "controls": colormap.controls}
            colormap = {key: np.round(values, 4).tolist() for key, values in parts.items()}
            colormap |= {"name": self.colormap.name, "interpolation": str(self.colormap.interpolation)}
        limits = [float(value) for value in self.contrast_limits]
        return {"colormap": colormap, "contrast_limits": limits, "gamma": self.gamma}


def channel_colormaps(channels: Sequence[str]) -> list[Colormap]:
    """From black to the colour that each channel has in all pictures (`analysis.pictures.composite`).

    Colours to be added up are dark, so that half the intensity has more than half of them: what is dim is seen, and
    what is bright in all channels is not white.
    """
    names = channel_colours(channels)
    return [
        Colormap([np.zeros(3), _HALF_WAY * colour, colour], controls=[0.0, 0.5, 1.0], name=f"impa {name}")
        for name, colour in zip(names, colours_to_add(names), strict=True)
    ]


def pure_colours(looks: Sequence[Look]) -> NDArray[np.float64]:
    """(C, 3) what each channel is at full intensity, as bright as its hue can be: for pictures that are mixed."""
    colours = np.array([ensure_colormap(look.colormap).map(np.array([1.0]))[0, :3] for look in looks], np.float64)
    return np.asarray(colours / np.maximum(colours.max(axis=1, keepdims=True), 1e-6))


def channel_looks(channels: Sequence[str], pixels: NDArray[Any], gammas: Sequence[float]) -> tuple[Look, ...]:
    """Looks of channels in their colours, on the contrast of cells (N, C, S, S)."""
    some = pixels[:: max(1, len(pixels) // _MOST_LOOKED_AT), :, ::2, ::2]
    limits = zip(channel_colormaps(channels), display_limits(some).tolist(), gammas, strict=True)
    return tuple(Look(colormap, (low, high), gamma) for colormap, (low, high), gamma in limits)


def thumbnail(field: NDArray[np.generic], looks: Sequence[Look]) -> NDArray[np.uint8]:
    """Return (h, w, 3) colours of a field (C, H, W): every n-th pixel, its channels mixed as in all pictures."""
    every = max(1, -(-max(field.shape[1:]) // THUMBNAIL))
    small = field[:, ::every, ::every]
    limits = np.array([look.contrast_limits for look in looks])
    shown = shown_between(small, limits) ** np.array([look.gamma for look in looks], np.float32)[:, None, None]
    picture: NDArray[np.uint8] = mixed(shown[None], pure_colours(looks))[0]
    return picture


@dataclass(frozen=True)
class Place:
    """Where the rows and columns of a layer lie in the world, last two axes only.

    Parameters
    ----------
    scale, translate, units
        As napari's.
    affine
        What rotates or shears the layer besides, row by row, or None.
    """

    scale: tuple[float, float]
    translate: tuple[float, float]
    units: tuple[Any, Any]
    affine: tuple[tuple[float, ...], ...] | None = None

    @property
    def pixel_size(self) -> float | None:
        """µm a pixel, or None where the layer's unit is no length."""
        unit = self.units[-1]
        if not unit.is_compatible_with("micrometer"):
            return None
        return abs(float(self.scale[-1] * (1 * unit).to("micrometer").magnitude))

    @property
    def matrix(self) -> Matrix:
        """From (row, column) to the world."""
        matrix = np.diag([*self.scale, 1.0])
        matrix[:2, 2] = self.translate
        return matrix if self.affine is None else np.array(self.affine) @ matrix

    @property
    def kept(self) -> dict[str, Any]:
        """JSON-able, as it stands in files."""
        affine = None if self.affine is None else np.asarray(self.affine).tolist()
        units = [str(unit) for unit in self.units]
        return {"scale": list(self.scale), "translate": list(self.translate), "units": units, "affine": affine}

    def at(self, window: Window) -> Place:
        """Return the place of a part of the layer."""
        corner = (window.top, window.left)
        start = [at + side * pixel for at, side, pixel in zip(self.translate, self.scale, corner, strict=True)]
        return replace(self, translate=(float(start[0]), float(start[1])))

    def options(self, leading: int = 0) -> dict[str, Any]:
        """What makes a napari layer lie here, after so many leading axes."""
        options: dict[str, Any] = {
            "scale": (1.0,) * leading + self.scale,
            "translate": (0.0,) * leading + self.translate,
            "units": ("pixel",) * leading + tuple(str(unit) for unit in self.units),
        }
        if self.affine is not None:
            affine = np.eye(leading + 3)
            affine[leading:, leading:] = self.affine
            options["affine"] = affine
        return options


def place_of(channel: Channel) -> Place:
    """Where a channel's rows and columns lie."""
    layer, axes = channel.layer, channel.axes[-2:]
    scale, translate = layer.scale[axes], layer.translate[axes]
    place = Place(
        (float(scale[0]), float(scale[1])),
        (float(translate[0]), float(translate[1])),
        tuple(layer.units[axis] for axis in axes),
    )
    besides = to_world(layer, axes) @ np.linalg.inv(place.matrix)
    if np.allclose(besides, np.eye(3)):
        return place
    return replace(place, affine=tuple(tuple(map(float, row)) for row in besides))


def are_crops(channels: Sequence[Channel | Layer], size: int) -> bool:
    """Whether channels look like stacks of crops: one leading axis, square, at least `size`, at most 256 px."""
    sources = [one if isinstance(one, Channel) else Channel(one) for one in channels]
    return bool(sources) and all(_is_stack(source, size) for source in sources)


def _is_stack(source: Channel, size: int) -> bool:
    if len(source.axes) != 3:
        return False
    height, width = (source.data.shape[axis] for axis in source.axes[-2:])
    name = str(source.layer.axis_labels[source.axes[0]]).casefold()
    return height == width and size <= width <= 256 and name not in ("t", "time", "z", "site", "scene", "position")


def to_world(layer: Layer, axes: Sequence[int]) -> Matrix:
    """3×3 from rows and columns of a layer to the world's last two axes, rotation and shear included."""
    origin = np.zeros(layer.ndim)
    start = np.array(layer.data_to_world(origin))[list(axes)]
    matrix = np.eye(3)
    matrix[:2, 2] = start
    for column, axis in enumerate(axes):
        step = origin.copy()
        step[axis] = 1
        matrix[:2, column] = np.array(layer.data_to_world(step))[list(axes)] - start
    return matrix
