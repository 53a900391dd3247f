"""The writer: layers of a stack of cells go back into a `.cells` folder, as they are in the viewer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from napari.layers import Image, Layer

from napari_impa.analysis.kept_prediction import VIEW
from napari_impa.cells.writer import CellsWriter
from napari_impa.errors import CellsError
from napari_impa.viewer.layers.as_layers import LayerData
from napari_impa.viewer.layers.channels import look_of
from napari_impa.viewer.layers.sources import Channel, place_of

_BLOCK_BYTES = 64 << 20
"""Most pixels that are in memory at a time."""


def write_cells(path: str, layers: list[LayerData]) -> list[str]:
    """Write layers (N, S, S), one a channel, into a new `.cells` folder with the table in their metadata.

    Channels are called as their layers, and lie in the order that they were opened in; renamed ones, the top one first.

    Raises
    ------
    CellsError
        If the layers are not channels of one stack of cells, or the folder exists already or cannot be written.
    """
    stacks = [Layer.create(*layer) for layer in reversed(layers)]
    for layer in stacks:
        _check_stack(layer)
    for other in stacks[1:]:
        _check_alike(stacks[0], other)
    stacks, names = _in_order(stacks)
    first, place = stacks[0], place_of(Channel(stacks[0]))
    table, said, dtype = first.metadata["table"], first.metadata, np.dtype(first.data.dtype).newbyteorder("=")
    history = dict(said["history"])
    if isinstance(history.get(VIEW), Mapping):
        history[VIEW] = {**history[VIEW], **place.kept, "looks": [look_of(layer).kept for layer in stacks]}
    writer = CellsWriter(
        path, names, first.data.shape[-1], dtype, pixel_size=place.pixel_size, label=said["label"],
        control=said["control"], history=history,
    )  # fmt: skip
    step = max(1, _BLOCK_BYTES // max(1, len(stacks) * dtype.itemsize * first.data.shape[-1] ** 2))
    with writer:
        for start in range(0, len(table), step):
            rows = slice(start, start + step)
            planes = [np.asarray(layer.data[rows], dtype) for layer in stacks]
            writer.append(np.stack(planes, axis=1), table.iloc[rows])
    return [str(writer.path)]


def _check_stack(layer: Layer) -> None:
    """Refuse what is no stack of cells with a table of its own."""
    said = layer.metadata
    opened = isinstance(said.get("table"), pd.DataFrame) and {"label", "control", "channels", "history"} <= set(said)
    plain = isinstance(layer, Image) and not layer.rgb and not layer.multiscale
    shape = tuple(layer.data.shape) if plain else ()
    if not opened or len(shape) != 3 or shape[1] != shape[2]:
        raise CellsError(
            f"The layer {layer.name!r} is no stack of cells that was opened from a .cells folder; select the channels "
            "of one, or choose another type of file."
        )
    if np.dtype(layer.data.dtype).kind not in "uif":
        raise CellsError(f"The layer {layer.name!r} has pixels of type {layer.data.dtype}; convert them to numbers.")
    if shape[0] != len(said["table"]):
        raise CellsError(
            f"The layer {layer.name!r} has {shape[0]} cells, but the table in its metadata has {len(said['table'])} "
            "rows; leave the same cells out of both."
        )


def _check_alike(one: Image, other: Image) -> None:
    """Refuse two layers that are not channels of the same cells."""
    same = {
        "shapes": one.data.shape == other.data.shape,
        "pixel types": one.data.dtype == other.data.dtype,
        "pixel sizes": place_of(Channel(one)).pixel_size == place_of(Channel(other)).pixel_size,
        "tables": one.metadata["table"].equals(other.metadata["table"]),
        "conditions": all(one.metadata[key] == other.metadata[key] for key in ("label", "control")),
    }
    differ = [name for name, equal in same.items() if not equal]
    if differ:
        raise CellsError(
            f"The layers {one.name!r} and {other.name!r} differ in their {' and '.join(differ)}; select the channels "
            "of one stack of cells."
        )


def _in_order(stacks: Sequence[Image]) -> tuple[list[Image], list[str]]:
    """Layers in the order of their channels, and the names of these, of which no two may be equal."""
    channels = list(stacks[0].metadata["channels"])
    names: dict[str, Image] = {}
    for layer in stacks:
        name = _channel_name(layer.name, channels)
        if name in names:
            raise CellsError(
                f"The layers {names[name].name!r} and {layer.name!r} are both called {name!r}; give each channel a "
                "name of its own."
            )
        names[name] = layer
    order = sorted(names, key=channels.index) if set(names) <= set(channels) else list(names)
    return [names[name] for name in order], order


def _channel_name(layer: str, channels: Sequence[Any]) -> str:
    """What a layer calls its channel: behind the name of the folder, before the number that napari gives equal names.

    >>> _channel_name("screen · DNA [1]", ["DNA"]), _channel_name("screen · nuclei", ["DNA"])
    ('DNA', 'nuclei')
    """
    for text in (layer, re.sub(r" \[\d+\]$", "", layer)):
        known = [name for name in channels if text == name or text.endswith(f" · {name}")]
        if known:
            return str(max(known, key=len))
    return text.rpartition(" · ")[2].strip()
