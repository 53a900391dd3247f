"""CZI, Zeiss's files: each of their scenes, put together from its tiles. The package czifile reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_impa.cells.readers.image import ImageReader, StoredImage, only_image
from napari_impa.errors import MissingDependencyError, SourceError

_READ = frozenset("TCZYXS")


@dataclass(frozen=True)
class CziImage(StoredImage):
    """One scene of a CZI file, by the number that it has there."""

    scene: int = 0

    def read(self, z: int, time: int) -> NDArray[Any]:
        """Read a Z plane and time; the file counts its planes from where it likes."""
        with _package(self.file).CziFile(self.file) as file:
            image = file.scenes[self.scene]
            starts = dict(zip(image.dims, image.start, strict=True))
            wanted = {axis: starts[axis] + at for axis, at in (("T", time), ("Z", z)) if axis in starts}
            part = image(**wanted) if wanted else image
            pixels, axes = np.asarray(part.asarray()), list(part.dims)
        if "S" in axes:  # colours
            return np.moveaxis(pixels, axes.index("S"), 0)
        return pixels if "C" in axes else pixels[None]


def _scenes(path: Path) -> Sequence[CziImage]:
    with _package(path).CziFile(path) as file:
        root = file.xml_element
        named = [] if root is None else root.findall(".//Information/Image/Dimensions/S/Scenes/Scene")
        names = {int(one.get("Index", at)): one.get("Name") or "" for at, one in enumerate(named)}
        return [_scene(path, number, image, names.get(number, "")) for number, image in file.scenes.items()]


def _scene(path: Path, number: int, image: Any, name: str) -> CziImage:
    sizes = dict(image.sizes)
    if not sizes.keys() <= _READ:
        raise SourceError(
            f"{path} has the axes {', '.join(sizes)}; save it with axes of {', '.join('TCZYX')} in the microscope's "
            "program."
        )
    channels = tuple(map(str, image.channels))
    count = sizes.get("S") or sizes.get("C", 1)
    size = image.mpp
    return CziImage(
        path, channels if len(channels) == count else ("",) * count, (sizes["Y"], sizes["X"]), np.dtype(image.dtype),
        None if size is None else float(size[0]), sizes.get("Z", 1), sizes.get("T", 1), name or str(number + 1), number,
    )  # fmt: skip


def _package(path: Path) -> Any:
    try:
        import czifile
    except ImportError as error:
        raise MissingDependencyError(
            f'{path.name} is read by the package czifile: pip install "napari-impa[czi]" (Python 3.12 or later).'
        ) from error
    if not hasattr(czifile.CziFile, "scenes"):
        raise MissingDependencyError(
            f'{path.name} needs a newer czifile than the one that is installed: pip install -U "napari-impa[czi]" '
            "(Python 3.12 or later)."
        )
    return czifile


CZI = ImageReader("CZI", (".czi",), only_image(_scenes), scenes=_scenes)
