"""ND2, Nikon's files: a stage position is a scene. The package nd2 reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_impa.cells.readers.image import ImageReader, StoredImage, only_image
from napari_impa.errors import MissingDependencyError


@dataclass(frozen=True)
class Nd2Image(StoredImage):
    """One stage position of an ND2 file, by its number."""

    position: int = 0

    def read(self, z: int, time: int) -> NDArray[Any]:
        """Read the frame of a Z plane and time."""
        wanted = {"P": self.position, "Z": z, "T": time}
        with _package(self.file).ND2File(self.file) as file:
            loops = enumerate(file.loop_indices or ({},))
            number = next(
                number for number, at in loops if all(at.get(axis, 0) == index for axis, index in wanted.items())
            )
            frame = np.asarray(file.read_frame(number))
            if file.is_rgb:  # (Y, X, colour)
                return np.moveaxis(frame, -1, 0).copy()
        return frame.reshape(-1, *frame.shape[-2:]).copy()  # which may lie in the file, that is shut now


def _scenes(path: Path) -> Sequence[Nd2Image]:
    with _package(path).ND2File(path) as file:
        sizes = dict(file.sizes)
        names = tuple(str(one.channel.name or "") for one in file.metadata.channels or ())
        count = 3 * file.is_rgb or sizes.get("C", 1)
        if len(names) != count:
            names = ("red", "green", "blue") if file.is_rgb else ("",) * count
        points = [
            point.name for loop in file.experiment if loop.type == "XYPosLoop" for point in loop.parameters.points
        ]
        pixel_size = float(file.voxel_size().x)
        positions = sizes.get("P", 1)
        return [
            Nd2Image(
                path, names, (sizes["Y"], sizes["X"]), np.dtype(file.dtype), pixel_size if pixel_size > 0 else None,
                sizes.get("Z", 1), sizes.get("T", 1),
                str((points[number] if len(points) == positions else "") or number + 1), number,
            )
            for number in range(positions)
        ]  # fmt: skip


def _package(path: Path) -> Any:
    try:
        import nd2
    except ImportError as error:
        raise MissingDependencyError(
            f'{path.name} is read by the package nd2: pip install "napari-impa[nd2]".'
        ) from error
    return nd2


ND2 = ImageReader("ND2", (".nd2",), only_image(_scenes), scenes=_scenes)
