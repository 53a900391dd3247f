"""Small OME-Zarr images, with any axes, in either version."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr

TYPES = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}


def write_group(group: Path, version: str, attributes: Mapping[str, Any]) -> None:
    group.mkdir(parents=True, exist_ok=True)
    if version == "0.4":
        (group / ".zgroup").write_text('{"zarr_format": 2}')
        (group / ".zattrs").write_text(json.dumps(attributes))
    else:
        about = {"zarr_format": 3, "node_type": "group", "attributes": {"ome": {"version": version, **attributes}}}
        (group / "zarr.json").write_text(json.dumps(about))


def write_image(
    group: Path, pixels: np.ndarray, axes: str, *, version: str = "0.5", labels: Sequence[str] = (),
    unit: str = "micrometer", side: float = 0.5,
) -> Path:  # fmt: skip
    """Write an image whose pixels have a side in a unit."""
    format_: Any = 2 if version == "0.4" else 3
    keys: Any = {"name": "v2", "separator": "/"} if version == "0.4" else None
    chunks = (*(1 for _ in axes[:-2]), *pixels.shape[-2:])
    array = zarr.create_array(
        str(group / "0"), shape=pixels.shape, dtype=pixels.dtype, chunks=chunks, zarr_format=format_,
        chunk_key_encoding=keys,
    )  # fmt: skip
    array[...] = pixels
    described = [
        {"name": axis, "type": TYPES[axis], **({"unit": unit} if TYPES[axis] == "space" and unit else {})}
        for axis in axes
    ]
    scale = [side if axis in "yx" else 1.0 for axis in axes]
    datasets = [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": scale}]}]
    image: dict[str, Any] = {"axes": described, "datasets": datasets}
    if version == "0.4":
        image["version"] = version
    about: dict[str, Any] = {"multiscales": [image]}
    if labels:
        about["omero"] = {"channels": [{"label": name} for name in labels]}
    write_group(group, version, about)
    return group
