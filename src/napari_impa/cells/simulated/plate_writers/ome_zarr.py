"""A plate as a converter writes it in OME-Zarr: 0.5 in Zarr 3, 0.4 in Zarr 2; wells, fields, two levels an image."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from napari_impa.cells.simulated.plate_writers.plate_writer import PlateImages, PlateWriter, uint16
from napari_impa.cells.wells import Well
from napari_impa.errors import MissingDependencyError

_COLOURS = ("0000FF", "00FF00", "FF0000", "FFFF00", "FF00FF")


def _write(version: str, folder: Path, plate: PlateImages) -> None:
    store = folder / f"{plate.name}.zarr"
    rows, columns = sorted({well.row for well in plate.wells}), sorted({well.column for well in plate.wells})
    wells = [
        {"path": _path(well), "rowIndex": rows.index(well.row), "columnIndex": columns.index(well.column)}
        for well in plate.wells
    ]
    about = {
        "name": plate.name,
        "rows": [{"name": Well(row, 0).name[:-2]} for row in rows],
        "columns": [{"name": str(column + 1)} for column in columns],
        "wells": wells,
        "field_count": plate.sites,
    }
    _group(store, version, {"plate": about})
    for row in rows:
        _group(store / Well(row, 0).name[:-2], version, {})
    for well in plate.wells:
        here = store / _path(well)
        _group(here, version, {"well": {"images": [{"path": str(site)} for site in range(plate.sites)]}})
        for site in range(plate.sites):
            _image(here / str(site), version, plate, well, site + 1)


def _image(group: Path, version: str, plate: PlateImages, well: Well, site: int) -> None:
    planes = [
        [plate.pixels(well, site, z, time) for z in range(1, plate.z_planes + 1)] for time in range(1, plate.times + 1)
    ]
    pixels = uint16(np.moveaxis(np.array(planes), 2, 1))  # t, c, z, y, x
    axes = [{"name": "t", "type": "time", "unit": "second"}, {"name": "c", "type": "channel"}]
    axes += [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
    datasets = []
    for level in range(2):
        _array(group / str(level), version, pixels[..., :: 2**level, :: 2**level])
        side = plate.pixel_size * 2**level
        scale = {"type": "scale", "scale": [1.0, 1.0, 1.0, side, side]}
        datasets.append({"path": str(level), "coordinateTransformations": [scale]})
    end = int(np.iinfo(pixels.dtype).max)
    channels = [
        {
            "label": name,
            "color": _COLOURS[number % len(_COLOURS)],
            "window": {"min": 0, "max": end, "start": 0, "end": end},
        }
        for number, name in enumerate(plate.channels)
    ]
    _group(group, version, {"multiscales": [{"axes": axes, "datasets": datasets}], "omero": {"channels": channels}})


def _array(folder: Path, version: str, pixels: Any) -> None:
    try:
        import zarr
    except ImportError as error:
        raise MissingDependencyError('OME-Zarr is written by zarr: pip install "napari-impa[zarr]".') from error
    chunks = (1, 1, 1, *pixels.shape[-2:])
    # the specification wants a folder an axis, which Zarr 2 does not do by itself
    keys: Any = {"name": "v2", "separator": "/"} if version == "0.4" else None
    array = zarr.create_array(
        str(folder), shape=pixels.shape, dtype=pixels.dtype, chunks=chunks, zarr_format=2 if version == "0.4" else 3,
        chunk_key_encoding=keys,
    )  # fmt: skip
    array[...] = pixels


def _group(folder: Path, version: str, attributes: Mapping[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if version == "0.4":
        _json(folder / ".zgroup", {"zarr_format": 2})
        parts = {name: _with_version(part, version) for name, part in attributes.items()}
        if parts:
            _json(folder / ".zattrs", parts)
    else:
        ome = {"ome": {"version": version, **attributes}} if attributes else {}
        _json(folder / "zarr.json", {"zarr_format": 3, "node_type": "group", "attributes": ome})


def _with_version(part: Any, version: str) -> Any:
    return [{"version": version, **one} for one in part] if isinstance(part, list) else {"version": version, **part}


def _json(file: Path, content: Any) -> None:
    file.write_text(json.dumps(content, indent=1), encoding="utf-8")


def _path(well: Well) -> str:
    return f"{well.name[:-2]}/{well.column + 1}"


OME_ZARR_PLATE = PlateWriter("ome-zarr", partial(_write, "0.5"))
OME_ZARR_04_PLATE = PlateWriter("ome-zarr-0.4", partial(_write, "0.4"), layout="ome-zarr")
