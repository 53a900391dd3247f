"""LIF, Leica's files: each of their images. The package liffile reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_impa.cells.readers.image import ImageReader, StoredImage, only_image
from napari_impa.errors import MissingDependencyError

_READ = frozenset("TCZYXS")


@dataclass(frozen=True)
class LifImage(StoredImage):
    """One image of a LIF file, by its place among the file's images."""

    number: int = 0

    def read(self, z: int, time: int) -> NDArray[Any]:
        """Read a Z plane and time, channel by channel."""
        with _package(self.file).LifFile(self.file) as file:
            image = file.images[self.number]
            at = {axis: index for axis, index in (("T", time), ("Z", z)) if axis in image.dims}
            if "C" in image.dims:
                return np.stack([np.asarray(image.frame(C=c, **at)) for c in range(len(self.channels))])
            frame = np.asarray(image.frame(**at))
            return np.moveaxis(frame, -1, 0) if "S" in image.dims else frame[None]


def _scenes(path: Path) -> Sequence[LifImage]:
    with _package(path).LifFile(path) as file:
        found = [_image(path, number, image) for number, image in enumerate(file.images)]
    return [image for image in found if image is not None]


def _image(path: Path, number: int, image: Any) -> LifImage | None:
    """An image of the file; None of what is none of cells: line scans, lifetimes, tiles not yet merged."""
    sizes = dict(image.sizes)
    if not {"Y", "X"} <= sizes.keys() <= _READ:
        return None
    count = sizes.get("S") or sizes.get("C", 1)
    described = image.xml_element.findall("./Data/Image/ImageDescription/Channels/ChannelDescription")
    names = tuple(str(one.get("LUTName") or "") for one in described)
    across = image.coords.get("X")
    size = None if across is None or len(across) < 2 else float(f"{abs(across[1] - across[0]) * 1e6:.6g}")
    return LifImage(
        path, names if len(names) == count else ("",) * count, (sizes["Y"], sizes["X"]), np.dtype(image.dtype),
        size or None, sizes.get("Z", 1), sizes.get("T", 1), str(image.path or number + 1), number,
    )  # fmt: skip


def _package(path: Path) -> Any:
    try:
        import liffile
    except ImportError as error:
        raise MissingDependencyError(
            f'{path.name} is read by the package liffile: pip install "napari-impa[lif]".'
        ) from error
    return liffile


LIF = ImageReader("LIF", (".lif",), only_image(_scenes), scenes=_scenes)
