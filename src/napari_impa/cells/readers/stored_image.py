"""One image of a file or store that may hold several (scenes, positions), before any of its planes is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_impa.cells.readers.image import Image, as_camera, blank_image
from napari_impa.errors import ImpaError, SourceError


@dataclass(frozen=True)
class StoredImage:
    """One image of a file or store.

    Each format has a subclass that overrides `read`.

    Parameters
    ----------
    file
        Where it is.
    channels
        C names, "" where the file gives none.
    shape, dtype
        (H, W) and type of its planes.
    pixel_size
        µm, or None where the file does not say.
    z_planes, times
        How many it has.
    name
        What it is called in its file; empty where it has no name there.
    """

    file: Path
    channels: tuple[str, ...]
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    pixel_size: float | None = None
    z_planes: int = 1
    times: int = 1
    name: str = ""

    def read(self, z: int, time: int) -> NDArray[Any]:
        """Read a plane of all channels, (C, H, W); numbers from 0."""
        raise NotImplementedError

    def image(self, z: int, time: int) -> Image:
        """Read a plane of all channels, numbers from 0, as cameras write it.

        Raises
        ------
        SourceError
            If the file is damaged, or has changed since it was listed.
        """
        try:
            pixels = self.read(z, time)
        except ImpaError:
            raise
        except MemoryError as error:
            raise SourceError(f"{self.file} does not fit into memory; split it first.") from error
        except Exception as error:  # decoders raise all kinds on damaged files
            reason = " ".join(str(error).split())[:120] or type(error).__name__
            raise SourceError(
                f"{self.file} cannot be read: it is damaged or cut short ({reason}); mend or remove it."
            ) from error
        if pixels.shape != (len(self.channels), *self.shape):
            raise SourceError(f"{self.file} has changed since it was opened; open it again.")
        return Image(as_camera(pixels), self.channels, self.pixel_size)

    def probe(self) -> Image:
        """All of a plane but its pixels."""
        return blank_image((len(self.channels), *self.shape), self.dtype, self.channels, self.pixel_size)
