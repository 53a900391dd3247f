"""OME-Zarr 0.4 and 0.5: what the JSON files of a group say, and one image of a store; zarr reads its pixels alone.

After the specification, ome/ngff-spec. Zarr 2 keeps a group's attributes in `.zattrs`, Zarr 3 in `zarr.json`, there
under `ome`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from itertools import count, takewhile
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from napari_impa.cells.readers.image import StoredImage
from napari_impa.errors import MissingDependencyError, SourceError, brief

KNOWN = ("0.4", "0.5")
"""Versions of the specification that are read."""

_MARKS = frozenset(["zarr.json", ".zgroup", ".zarray", ".zattrs"])
_MICROMETRES = {
    "angstrom": 1e-4, "picometer": 1e-6, "nanometer": 1e-3, "micrometer": 1.0, "millimeter": 1e3, "centimeter": 1e4,
    "meter": 1e6, "inch": 25400.0,
}  # fmt: skip
_LONGEST = 1 << 31  # pixels along an axis that any image may have
_SERIES = "bioformats2raw.layout"
_BY_TYPE = {"time": "t", "channel": "c"}
_FAULTS = (KeyError, IndexError, TypeError, ValueError, AttributeError)


def is_store(folder: str, files: Iterable[str]) -> bool:
    """Whether a folder that holds these files is a zarr store, whose folders hold chunks."""
    return folder.lower().endswith(".zarr") or not _MARKS.isdisjoint(files)


def require_zarr(store: Path) -> None:
    """Check that zarr is installed, before anything is said of a store.

    Raises
    ------
    MissingDependencyError
        If it is not, with the line that brings it.
    """
    if find_spec("zarr") is None:
        raise MissingDependencyError(
            f'{store.name} is a zarr store, which zarr reads: pip install "napari-impa[zarr]".'
        )


def is_written(group: Path) -> bool:
    """Whether a group that another one names is there."""
    return any((group / name).is_file() for name in (".zattrs", "zarr.json"))


def described(group: Path) -> dict[str, Any]:
    """What OME-Zarr says of a group: `plate`, `well`, `multiscales`, `omero`, …; empty where it says nothing.

    Raises
    ------
    SourceError
        If a file is damaged, or of a version that is not known.
    """
    newer = _json(group / "zarr.json")
    try:
        if newer is not None:
            ome = dict(newer.get("attributes", {}).get("ome", {}))
            version = ome.get("version")
        else:
            ome = _json(group / ".zattrs") or {}
            parts = [ome.get("plate"), ome.get("well"), *ome.get("multiscales", [])]
            version = next((part["version"] for part in parts if part and "version" in part), None)
    except _FAULTS as error:
        raise _not_so(group) from error
    if version is not None and not re.fullmatch(r"0\.[45](\.\d+)?", str(version)):
        raise SourceError(
            f"{group} is OME-Zarr {version}, and this version reads {' and '.join(KNOWN)}; convert it, or update "
            "napari-impa."
        )
    return ome


def store_kind(store: Path) -> str:
    """What a store is: a `plate` or a `well` of one, an image (`multiscales`), `series`, `damaged`, or "", not ours."""
    try:
        says = described(store)
    except SourceError:
        return "damaged"  # which is said when it is listed
    kind = next((kind for kind in ("plate", "well", "multiscales") if kind in says), "")
    return kind or ("series" if _SERIES in says else "")


def images_of(store: Path) -> list[ZarrImage]:
    """The images of a store that is no plate: itself, or the series that bioformats2raw makes of a file.

    Raises
    ------
    SourceError
        If an image or its description is damaged or missing.
    """
    says = described(store)
    names = [""]
    if "multiscales" not in says:
        listed = described(store / "OME").get("series")
        names = list(map(str, listed or takewhile(lambda number: is_written(store / str(number)), count())))
    images = [ZarrImage.of(store / name) for name in names]
    for name, image in zip(names, images, strict=True):
        if image is None:
            raise SourceError(f"{store / name} has no pixels; convert the image again.")
    return [replace(image, name=name) for name, image in zip(names, images, strict=True) if image is not None]


@dataclass(frozen=True)
class ZarrImage(StoredImage):
    """One image of a store, at its full resolution.

    Parameters
    ----------
    axes
        Of its array, in order: `tczyx`; `?` for one that has no other name and a single position.
    group
        The group that describes it, beside whose array its labels are.
    """

    axes: str = ""
    group: Path | None = None

    @classmethod
    def of(cls, group: Path) -> Self | None:
        """The image of a group; None where its array is not there.

        Raises
        ------
        SourceError
            If its description is damaged, of another version, or has axes that no image of cells has.
        """
        ome = described(group)
        try:
            first = ome["multiscales"][0]
            finest = first["datasets"][0]
            array = group / finest["path"]
            header = _json(array / "zarr.json") or _json(array / ".zarray")
            if header is None:
                return None
            shape = tuple(map(int, header["shape"]))
            if not all(0 <= length <= _LONGEST for length in shape):
                raise _not_so(group)
            dtype = np.dtype(header["data_type"] if "data_type" in header else header["dtype"])
            axes = "".join(map(_letter, first["axes"]))
            sizes = dict(zip(axes, shape, strict=True))
            names = _labels(ome.get("omero"), sizes.get("c", 1))
            if len(sizes) != len(axes) or not {"y", "x"} <= sizes.keys() or sizes.get("?", 1) != 1:
                raise SourceError(
                    f"{group} has the axes {_said(first['axes'])} of {'×'.join(map(str, shape))}; save it with axes of "
                    "t, c, z, y, x."
                )
            at = axes.index("x")
            size = _scale(finest, at) * _scale(first, at) * _MICROMETRES.get(str(first["axes"][at].get("unit")), 0.0)
        except _FAULTS as error:
            raise _not_so(group) from error
        return cls(
            array, names, (sizes["y"], sizes["x"]), dtype, float(f"{size:.6g}") if size > 0 else None,
            sizes.get("z", 1), sizes.get("t", 1), axes=axes, group=group,
        )  # fmt: skip

    def labels(self) -> list[Self]:
        """The label images of its group `labels`, each with its name; errors as `of`."""
        listed = described(self.group / "labels").get("labels", ()) if self.group is not None else ()
        if self.group is None or not listed:
            return []
        if not isinstance(listed, list):
            raise _not_so(self.group / "labels")
        images = [(str(name), type(self).of(self.group / "labels" / str(name))) for name in listed]
        return [replace(image, name=name) for name, image in images if image is not None]

    def read(self, z: int, time: int) -> NDArray[Any]:
        """Read a plane of all channels; what was never written has the array's fill value."""
        require_zarr(self.file)
        import zarr

        array = zarr.open_array(str(self.file), mode="r")
        fixed = {"t": time, "z": z, "?": 0}
        pixels = np.asarray(array[tuple(fixed.get(axis, slice(None)) for axis in self.axes)])
        left = [axis for axis in self.axes if axis not in fixed]
        pixels = pixels.transpose([left.index(axis) for axis in "cyx" if axis in left])
        return pixels if "c" in left else pixels[None]


def _json(file: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(file.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError(f"{file} cannot be read ({brief(error)}); mend it, or convert the images again.") from error
    if not isinstance(content, dict):
        raise SourceError(f"{file} holds no description of a zarr store; mend it, or convert the images again.")
    return content


def _not_so(group: Path) -> SourceError:
    return SourceError(f"{group} is not described as OME-Zarr {' or '.join(KNOWN)} is; convert the images again.")


def _letter(axis: Mapping[str, Any]) -> str:
    name = str(axis["name"]).casefold()
    return name if name in ("t", "c", "z", "y", "x") else _BY_TYPE.get(str(axis.get("type")), "?")


def _said(axes: Iterable[Mapping[str, Any]]) -> str:
    return ", ".join(str(axis["name"]) for axis in axes)


def _labels(omero: Mapping[str, Any] | None, count: int) -> tuple[str, ...]:
    """The channels' names, where there is one for each."""
    labels = tuple(str(channel.get("label") or "") for channel in (omero or {}).get("channels", ()))
    return labels if len(labels) == count else ("",) * count


def _scale(part: Mapping[str, Any], axis: int) -> float:
    """The factor along an axis in a list of transformations; 1 where none is a scale."""
    scales = [one["scale"][axis] for one in part.get("coordinateTransformations", ()) if one.get("type") == "scale"]
    return float(np.prod(scales)) if scales else 1.0
