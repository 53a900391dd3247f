"""A plane that is one page of a file with several: the table says which."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tifffile

from napari_impa.cells.layouts.plate_field import PlaneFile
from napari_impa.cells.readers import Image, read_image
from napari_impa.errors import SourceError, brief


@dataclass(frozen=True, slots=True)
class PageOfFile(PlaneFile):
    """A plane file of which one page is read.

    Parameters
    ----------
    series, page
        Of the file, from 0.
    """

    series: int = 0
    page: int = 0

    def image(self) -> Image:
        """Read that page; errors as `read_image`, and where there is no such page."""
        return self._read(header_only=False)

    def probe(self) -> Image:
        """Read all but its pixels; errors as `image`."""
        return self._read(header_only=True)

    def _read(self, *, header_only: bool) -> Image:
        if self.file.suffix.lower() not in (".tif", ".tiff"):
            return self._channel(read_image(self.file))
        try:
            with tifffile.TiffFile(self.file) as tiff:
                pages = list(tiff.series[self.series].pages) if self.series < len(tiff.series) else []
                if self.series == 0 and self.page >= len(pages):
                    pages = list(tiff.pages)  # frames are counted over the file where it has no series of its own
                page = pages[self.page] if self.page < len(pages) else None
                if page is None or len(page.shape) != 2:
                    return self._channel(read_image(self.file))
                shape, dtype = page.shape, np.dtype(page.dtype)
                pixels = np.broadcast_to(np.zeros((), dtype), shape) if header_only else page.asarray()
        except (OSError, ValueError, IndexError) as error:  # a TIFF error is a ValueError
            raise SourceError(
                f"{self.file} cannot be read: the file is damaged or cut short ({brief(error)}); mend or remove it."
            ) from error
        native = pixels.dtype.newbyteorder("=")
        pixels = pixels.astype(native if native in (np.uint8, np.uint16, np.float32) else np.float32, copy=False)
        return Image(pixels[None], ("",))

    def _channel(self, image: Image) -> Image:
        if self.page >= len(image.pixels):
            raise self._no_such(len(image.pixels))
        return Image(image.pixels[self.page][None], (image.channels[self.page],), image.pixel_size)

    def _no_such(self, count: int) -> SourceError:
        return SourceError(
            f"{self.file} has {count} frame{'s' * (count != 1)}, and its table asks for frame {self.page} (from 0) of "
            f"series {self.series}; correct the table."
        )
