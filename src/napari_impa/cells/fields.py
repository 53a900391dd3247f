"""A field: one site of a plate, its pixels with what is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Field:
    """One site of a plate.

    Parameters
    ----------
    name
        Unique in its source.
    pixels
        (C, H, W), in the camera's own units and type.
    channels
        C channel names.
    pixel_size
        Side of a pixel in µm, or None where the image does not say.
    table
        What the source's table says of this field: plate, well, site, compound, …
    labels
        (H, W) whole numbers, 0 the background and each nucleus its own number; or None.
    cells
        What is known of each nucleus, with its number as `label`; or None.
    """

    name: str
    pixels: NDArray[Any]
    channels: tuple[str, ...]
    pixel_size: float | None = None
    table: Mapping[str, object] = field(default_factory=dict)
    labels: NDArray[Any] | None = None
    cells: pd.DataFrame | None = None
