"""Layers chosen as channels, as plain values that a background job may read."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from napari.layers import Layer
from numpy.typing import NDArray

from napari_impa.cells.tables import shortest
from napari_impa.errors import CellsError
from napari_impa.viewer.layers.geometry import Matrix, Window, inside, read_on_grid, shared, whole_step
from napari_impa.viewer.layers.sources import Channel, Look, Place, axis_name, place_of, to_world


@dataclass(frozen=True, eq=False)
class Plane:
    """One image of an array that may be lazy, and how it lies on the pixels of the first channel.

    Parameters
    ----------
    data
        Array of any kind that can be sliced.
    fixed
        Axis and position for every axis but rows, columns and `free`.
    free
        The axis of steps, or of cells, or None.
    rows, columns
        The axes of the image.
    matrix
        From pixels of the first channel to its own.
    at
        Its own number of each step of the first channel along `free`, -1 where it has none there; None where steps are
        counted alike.
    """

    data: Any
    fixed: tuple[tuple[int, int], ...]
    free: int | None
    rows: int
    columns: int
    matrix: Matrix
    at: tuple[int, ...] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return int(self.data.shape[self.rows]), int(self.data.shape[self.columns])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the pixels; truth values are read as numbers."""
        kind = np.dtype(self.data.dtype)
        return np.dtype(np.uint8) if kind.kind == "b" else kind

    def cut(self, slices: tuple[slice, slice], step: Any = None) -> NDArray[Any]:
        """Read a part of the image, at one step or at several."""
        index: list[Any] = [slice(None)] * self.data.ndim
        for axis, position in self.fixed:
            index[axis] = position
        if self.free is not None and isinstance(step, int):
            own = step if self.at is None else self.at[step]
            index[self.free] = min(own, self.data.shape[self.free] - 1)
        elif self.free is not None:
            index[self.free] = step
        index[self.rows], index[self.columns] = slices
        return np.asarray(self.data[tuple(index)]).astype(self.dtype, copy=False)

    def read(self, window: Window, step: int | None = None, *, nearest: bool = False) -> NDArray[Any]:
        """Read what lies on a window of the first channel's pixels."""
        return read_on_grid(lambda slices: self.cut(slices, step), self.shape, self.matrix, window, nearest=nearest)


@dataclass(frozen=True)
class SeriesAxis:
    """An axis of a series: how many steps it has, and where they lie in the viewer."""

    count: int
    scale: float
    translate: float
    unit: str


@dataclass(frozen=True, eq=False)
class ChannelLayers:
    """The layers chosen as channels, as plain values that a background job may read.

    Parameters
    ----------
    planes
        One a channel, of fields (H, W) or of stacks (N, H, W).
    names
        Their layers' names.
    looks
        How each is shown.
    place
        Where the first of them lies; all are read on its pixels.
    window
        The part of it in which all of them lie.
    steps
        How many steps there are along the axis of which all are taken, or None.
    axis
        That axis's name.
    series
        That axis and those behind it, but rows and columns, as the viewer has them.
    remarks
        What was done to make them fit, in a few words each.
    table, label, control
        Of stacks that were opened from `.cells`: what its metadata says of the cells.
    says
        What the first layer's metadata, a row of a plate's table perhaps, says of the field or step.
    guessed
        Of stacks: nothing but their size says that their planes are crops, which could be Z planes or times.
    """

    planes: tuple[Plane, ...]
    names: tuple[str, ...]
    looks: tuple[Look, ...]
    place: Place
    window: Window
    steps: int | None = None
    axis: str = ""
    series: tuple[SeriesAxis, ...] = ()
    remarks: tuple[str, ...] = ()
    are_stacks: bool = False
    table: pd.DataFrame | None = None
    label: tuple[str, ...] = ()
    control: str | None = None
    says: Mapping[str, str] = dataclasses.field(default_factory=dict)
    guessed: bool = False

    @property
    def of_controls(self) -> bool:
        """Whether the layers are said to show controls."""
        from napari_impa.cells.words import CONTROL_MARK, CONTROL_MARKS, CONTROLS, TREATMENT

        for word, marks in ((CONTROL_MARK, CONTROL_MARKS), (TREATMENT, frozenset(CONTROLS))):
            name = word.find(self.says)
            if name is not None:
                return self.says[name].casefold() in marks
        return False

    @property
    def dtype(self) -> np.dtype[Any]:
        """The smallest type that holds all channels' values."""
        return np.result_type(*(plane.dtype for plane in self.planes))

    def in_series(self, data: NDArray[Any]) -> tuple[NDArray[Any], dict[str, Any]]:
        """Lay (H, W), or (T, H, W) of all steps, where it came from: the array, and a layer's options.

        Along the axes behind that of the steps (that of the channels, say) the array repeats without being copied.
        """
        if data.ndim == 2 or not self.series:
            return data, self.place.options(data.ndim - 2)
        behind = self.series[1:]
        data = data.reshape(len(data), *(1,) * len(behind), *data.shape[1:])
        data = np.broadcast_to(data, (len(data), *(axis.count for axis in behind), *data.shape[-2:]))
        return data, self.place.options(len(self.series)) | {
            "scale": (*(axis.scale for axis in self.series), *self.place.scale),
            "translate": (*(axis.translate for axis in self.series), *self.place.translate),
            "units": (*(axis.unit for axis in self.series), *(str(unit) for unit in self.place.units)),
        }

    def read(self, window: Window | None = None, step: int | None = None) -> NDArray[Any]:
        """Read (C, H, W) pixels of a window, all there is by default, at a step."""
        window = window or self.window
        pixels = np.empty((len(self.planes), *window.shape), self.dtype)
        for into, plane in zip(pixels, self.planes, strict=True):
            into[...] = plane.read(window, step)
        return pixels

    def read_cells(self, rows: NDArray[np.intp], size: int) -> NDArray[Any]:
        """Read (n, C, size, size) of some rows of stacks, cut at the centre."""
        side = self.planes[0].shape[0]
        part = slice(side // 2 - size // 2, side // 2 - size // 2 + size)
        pixels = np.empty((len(rows), len(self.planes), size, size), self.dtype)
        for number, plane in enumerate(self.planes):
            if len(rows):
                first = int(rows.min())
                stack = plane.cut((part, part), slice(first, int(rows.max()) + 1))
                pixels[:, number] = stack[rows - first]
        return pixels

    def holds_crops(self, centres: NDArray[Any], size: int) -> NDArray[np.bool_]:
        """(n,) whether crops around pixels of the first channel lie in all channels, which may be rotated."""
        first = np.asarray(centres, float).reshape(-1, 2) - size // 2
        held = np.ones(len(first), bool)
        for plane in self.planes[1:]:
            for corner in ((0, 0), (0, size - 1), (size - 1, size - 1), (size - 1, 0)):
                held &= inside(plane.matrix, plane.shape, first + corner)
        return held


def channel_layers(
    channels: Sequence[Channel | Layer], *, steps: Sequence[int | None] = (), stacks: bool = False
) -> ChannelLayers:
    """Take what is needed from the layers chosen as channels; no pixel is read.

    Parameters
    ----------
    channels
        One for each of the model's channels.
    steps
        For each leading axis, the last of them last, which step is meant, or None for all, of one axis at most.
    stacks
        The layers are stacks of crops: the axis before rows and columns counts cells.

    Raises
    ------
    CellsError
        If a layer is no grey image, or the layers have nothing in common.
    """
    if not channels:
        raise CellsError("No layer is chosen; open an image and choose its channels.")
    sources = [one if isinstance(one, Channel) else Channel(one) for one in channels]
    for source in sources:
        _check(source, stacks)
    place = place_of(sources[0])
    wanted = [*steps, None] if stacks else list(steps)
    planes = [plane_of(source, place, wanted, None if stacks else sources[0]) for source in sources]
    names = tuple(source.name for source in sources)
    looks = tuple(look_of(source.layer) for source in sources)
    if stacks:
        return _stacks(planes, names, looks, place, sources[0])
    axis = next((number for number, step in enumerate(reversed(wanted)) if step is None), None)
    count = _steps_of(planes, names) if axis is not None else None
    window = shared(planes[0].shape, [(plane.matrix, plane.shape) for plane in planes[1:]])
    if 0 in window.shape:
        raise CellsError(f"The layers {_listed(names)} do not overlap; choose channels of one image.")
    leading = sources[0].axes[:-2]
    label = "" if axis is None or axis >= len(leading) else str(sources[0].layer.axis_labels[leading[-1 - axis]])
    series = () if not label else _series(sources[0], leading[-1 - (axis or 0)])
    remarks = (*_remarks(planes, names, window), *_of_layers(sources, place))
    says = _said(sources[0], planes[0])
    return ChannelLayers(tuple(planes), names, looks, place, window, count, label, series, remarks, says=says)


def _series(source: Channel, first: int) -> tuple[SeriesAxis, ...]:
    layer = source.layer
    axes = [axis for axis in range(first, source.data.ndim) if axis not in source.axes[-2:]]
    return tuple(
        SeriesAxis(
            source.data.shape[axis], float(layer.scale[axis]), float(layer.translate[axis]), str(layer.units[axis])
        )
        for axis in axes
    )


def _said(source: Channel, plane: Plane) -> dict[str, str]:
    """What a layer's metadata says, as texts; of a list that has one entry a step, that of the step meant."""
    said: dict[str, str] = {}
    steps = {int(source.data.shape[axis]): step for axis, step in plane.fixed if axis != source.axis}
    for name, value in source.layer.metadata.items():
        if isinstance(value, list | tuple) and len(value) in steps:
            value = value[steps[len(value)]]
        if isinstance(value, str | int | float | np.generic):
            said[str(name)] = shortest(value)
    return said


def _check(source: Channel, stacks: bool) -> None:
    layer = source.layer
    if layer.rgb:
        raise CellsError(f"The layer {layer.name!r} is a colour picture (RGB); split it into channels first.")
    if len(source.axes) < (3 if stacks else 2):
        raise CellsError(f"The layer {layer.name!r} is no stack of crops; choose how its cells are found.")


def plane_of(source: Channel, place: Place, steps: Sequence[int | None], first: Channel | None = None) -> Plane:
    """Take what is needed to read a channel, at the steps given, on the pixels of a place.

    Parameters
    ----------
    first
        Whose steps they are: the channel is read at what lies there in the viewer, by offsets and scales of the axes.

    Raises
    ------
    CellsError
        If the channel has nothing at a step that is chosen.
    """
    data, (*leading, rows, columns) = source.data, source.axes
    fixed = [(source.axis, source.position)] if source.axis is not None else []
    free, at, wanted = None, None, [0] * len(leading) + list(steps)
    for number, (axis, step) in enumerate(zip(leading, wanted[len(wanted) - len(leading) :], strict=True)):
        count, own = data.shape[axis], _own_steps(source, axis, first, len(leading) - number)
        if step is None:
            free, at = axis, own
        elif own is None:
            fixed.append((axis, min(max(step, 0), count - 1)))
        else:
            here = own[min(max(step, 0), len(own) - 1)]
            if here < 0:
                raise CellsError(
                    f"The layer {source.layer.name!r} has nothing at step {step} of {first.name!r}; choose another "  # type: ignore[union-attr]
                    "step, or move it in the viewer to where it belongs."
                )
            fixed.append((axis, here))
    own_matrix = to_world(source.layer, [rows, columns])
    units = [source.layer.units[axis] for axis in (rows, columns)]
    factors = np.diag([*(unit_ratio(unit, other) for unit, other in zip(units, place.units, strict=True)), 1.0])
    matrix = np.linalg.inv(factors @ own_matrix) @ place.matrix
    return Plane(data, tuple(fixed), free, rows, columns, matrix, at)  # type: ignore[arg-type]


def _own_steps(source: Channel, axis: int, first: Channel | None, behind: int) -> tuple[int, ...] | None:
    """A layer's own number of each step of another's axis, the n-th before rows and columns; -1 where it has none.

    None where that is all the same: it is that layer, has a single step, or the other one has no such axis.
    """
    count = int(source.data.shape[axis])
    if first is None or first.layer is source.layer or count == 1 or behind > len(first.axes) - 2:
        return None
    layer, theirs = first.layer, first.axes[-2 - behind]
    ratio = unit_ratio(layer.units[theirs], source.layer.units[axis])
    world = (layer.translate[theirs] + np.arange(first.data.shape[theirs]) * layer.scale[theirs]) * ratio
    own = np.rint((world - source.layer.translate[axis]) / source.layer.scale[axis]).astype(int)
    return tuple(np.where((own >= 0) & (own < count), own, -1).tolist())


def unit_ratio(unit: Any, other: Any) -> float:
    """How many of another unit make one; 1 where they have nothing to do with each other, as napari draws them."""
    return float((1 * unit).to(other).magnitude) if unit.is_compatible_with(other) else 1.0


def _steps_of(planes: Sequence[Plane], names: Sequence[str]) -> int:
    counts = [1 if plane.free is None else int(plane.data.shape[plane.free]) for plane in planes]
    for name, count in zip(names, counts, strict=True):
        if count not in (1, max(counts)):
            raise CellsError(
                f"The layers {names[counts.index(max(counts))]!r} and {name!r} have {max(counts)} and {count} steps; "
                "choose one step, or channels of one series."
            )
    for name, plane in zip(names, planes, strict=True):
        if plane.free is not None and plane.at is not None and -1 in plane.at:
            raise CellsError(
                f"The layers {names[0]!r} and {name!r} do not lie at the same steps in the viewer; choose one step, or "
                "move them to where they belong."
            )
    return max(counts)


def _stacks(
    planes: Sequence[Plane], names: tuple[str, ...], looks: tuple[Look, ...], place: Place, source: Channel
) -> ChannelLayers:
    shapes = [(plane.data.shape[plane.free], *plane.shape) for plane in planes if plane.free is not None]
    for name, shape in zip(names, shapes, strict=True):
        if shape != shapes[0]:
            raise CellsError(
                f"The stacks {names[0]!r} and {name!r} differ in size ({_by(shapes[0])} and {_by(shape)}); "
                "choose channels of the same cells."
            )
    count, first = int(shapes[0][0]), source.layer
    table = first.metadata.get("table")
    if not isinstance(table, pd.DataFrame) or len(table) != count:
        table = None
    label = first.metadata.get("label") if table is not None else None
    control = first.metadata.get("control") if table is not None else None
    window = Window(0, 0, *planes[0].shape)
    remarks = _remarks(planes[:1], names, window) if len({plane.dtype for plane in planes}) == 1 else ("types mixed",)
    guessed = table is None and not axis_name(first, source.axes[-3])
    if guessed:
        remarks += (
            f"the planes of {names[0]} have no axis name: they were taken for crops; where they are Z planes or times, "
            "choose how nuclei are found",
        )
    return ChannelLayers(
        tuple(planes), names, looks, place, window, count, "cell", (), remarks, True, table, tuple(label or ()),
        control, guessed=guessed,
    )  # fmt: skip


def _remarks(planes: Sequence[Plane], names: Sequence[str], window: Window) -> tuple[str, ...]:
    remarks = []
    end = (window.top + window.height, window.left + window.width)
    other = [name for name, plane in zip(names, planes, strict=False) if whole_step(plane.matrix, end) is None]
    if other:
        remarks.append(f"{_listed(other)} resampled to the pixels of {names[0]}")
    if window.shape != planes[0].shape:
        remarks.append(f"only the {_by(window.shape)} px that all channels show")
    kinds = {plane.dtype for plane in planes}
    if len(kinds) > 1:
        remarks.append(f"channels converted to {np.result_type(*kinds)}")
    return tuple(remarks)


def _of_layers(sources: Sequence[Channel], place: Place) -> tuple[str, ...]:
    """Say which layer stands for two channels, and that pixels are no squares."""
    chosen = [(source.layer, source.axis, source.position) for source in sources]
    twice = [one[0].name for number, one in enumerate(chosen) if one in chosen[:number]]
    high, wide = (abs(side) for side in place.scale)
    said: tuple[str, ...] = (f"{_listed(twice)} taken for several channels",) if twice else ()
    if place.pixel_size is not None and abs(high / wide - 1) > 0.02:
        said += (f"pixels {place.pixel_size * high / wide:.3g} µm high and {place.pixel_size:.3g} µm wide",)
    return said


def look_of(layer: Layer) -> Look:
    """How a layer is shown."""
    low, high = (float(value) for value in layer.contrast_limits)
    return Look(layer.colormap, (low, high), float(layer.gamma))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(names))


def _by(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape))
