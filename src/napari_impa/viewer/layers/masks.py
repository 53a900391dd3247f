"""Layers that say where cells are: masks, points and regions, as plain values that a background job may read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from napari.layers import Labels, Layer, Points, Shapes
from numpy.typing import NDArray

from napari_impa.errors import CellsError
from napari_impa.viewer.layers.channels import Plane, plane_of, unit_ratio
from napari_impa.viewer.layers.geometry import Region, moved
from napari_impa.viewer.layers.sources import Channel, Place, place_of, to_world


def labels_plane(layer: Labels, first: Channel, steps: Sequence[int | None] = ()) -> Plane:
    """Take what is needed from a Labels layer to read it on the first channel's pixels.

    Where it has the axes of a layer that holds several channels, they were painted beside one channel: the first that
    has any, or the first channel's own of lazy labels.
    """
    source = Channel(layer)
    if first.axis is not None and layer.ndim == first.layer.ndim:
        position = first.position
        if isinstance(layer.data, np.ndarray):
            others = tuple(axis for axis in range(layer.ndim) if axis != first.axis)
            position = int(layer.data.any(axis=others).argmax())
        source = Channel(layer, position, first.axis)
    return plane_of(source, place_of(first), steps, first)


def lying_elsewhere(labels: Plane, channels: Sequence[Plane], name: str) -> tuple[str, ...]:
    """Say where labels have as many pixels as the first channel but lie otherwise in the viewer.

    So do those that a program made of an image and added without its scale.
    """
    if labels.shape != channels[0].shape or np.allclose(labels.matrix, np.eye(3), atol=1e-3):
        return ()
    return (f"labels that do not lie on {name}, which has as many pixels: give them its scale and place if made of it",)


@dataclass(frozen=True, eq=False)
class Centres:
    """Points: (n, 2) places of cells in the first channel's pixels, and (n,) at which step, or None for every one."""

    points: NDArray[np.float64]
    steps: NDArray[np.intp] | None


def centres_of(layer: Points, first: Channel, steps: Sequence[int | None] = ()) -> Centres:
    """Take the points of a layer: those at the step chosen, or all with their step where all are wanted."""
    data = np.asarray(layer.data, float).reshape(-1, layer.ndim)
    points = _onto(layer, data, place_of(first))
    keep, at_step = np.ones(len(points), bool), None
    for step, at in _steps_at(layer, data, first, steps):
        if step is None:
            at_step = at
        else:
            keep &= at == step
    return Centres(points[keep], None if at_step is None else at_step[keep])


def _steps_at(
    layer: Layer, data: NDArray[np.float64], first: Channel, steps: Sequence[int | None]
) -> Iterator[tuple[int | None, NDArray[np.intp]]]:
    """For each axis of steps that a layer of Points or Shapes has: the step chosen, and (n,) where its points lie."""
    leading = first.axes[:-2]
    for number, step in enumerate(reversed(steps)):
        if number >= len(leading):
            return
        axis = leading[-1 - number]
        own = axis if layer.ndim == first.layer.ndim else layer.ndim - 3 - number
        if own < 0:
            return
        world = data[:, own] * layer.scale[own] + layer.translate[own]
        world *= unit_ratio(layer.units[own], first.layer.units[axis])
        yield step, np.rint((world - first.layer.translate[axis]) / first.layer.scale[axis]).astype(np.intp)


def region_of(layer: Shapes, first: Channel, steps: Sequence[int | None] = ()) -> Region:
    """Take the shapes of a layer as polygons in the first channel's pixels; lines count with the box around them.

    Those that were drawn at another step than the one chosen count for nothing, and where all steps are taken each
    counts at its own.

    Raises
    ------
    CellsError
        If it holds no shape, or none at the step chosen.
    """
    place = place_of(first)
    polygons, at_steps = [], []
    for data, kind in zip(layer.data, layer.shape_type, strict=True):
        corners = np.asarray(data, float)
        at = [(step, int(np.median(there))) for step, there in _steps_at(layer, corners, first, steps)]
        if any(step not in (None, there) for step, there in at):
            continue
        at_steps.append(next((there for step, there in at if step is None), None))
        if kind == "ellipse":  # napari keeps the box around it
            centre, turn = corners.mean(axis=0), np.linspace(0, 2 * np.pi, 64, endpoint=False)[:, None]
            across, down = (corners[1] - corners[0]) / 2, (corners[2] - corners[1]) / 2
            corners = centre + np.cos(turn) * across + np.sin(turn) * down
        points = _onto(layer, corners, place)
        if kind in ("line", "path"):
            (top, left), (bottom, right) = points.min(axis=0), points.max(axis=0)
            points = np.array([[top, left], [top, right], [bottom, right], [bottom, left]])
        polygons.append(points)
    if not polygons:
        here = " at this step" if len(layer.data) else ""
        raise CellsError(
            f"The Shapes layer {layer.name!r} holds no shape{here}; draw one around the cells that you want."
        )
    return Region(tuple(polygons), tuple(at_steps))


def _onto(layer: Layer, data: NDArray[np.float64], place: Place) -> NDArray[np.float64]:
    """(n, 2) pixels of the first channel for coordinates of a layer of Points or Shapes."""
    factors = np.diag(
        [*(unit_ratio(unit, other) for unit, other in zip(layer.units[-2:], place.units, strict=True)), 1.0]
    )
    own = to_world(layer, [layer.ndim - 2, layer.ndim - 1])
    return moved(np.linalg.inv(place.matrix) @ factors @ own, data[:, -2:])
