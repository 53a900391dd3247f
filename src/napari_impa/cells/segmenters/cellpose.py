"""Cellpose (Stringer et al. 2021; its weights are fetched by it at the first use)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_impa.cells.segmenters.base import Segmenter
from napari_impa.cells.segmenters.settings import setting


@dataclass(frozen=True, kw_only=True)
class Cellpose(Segmenter):
    """Cellpose on the channel that shows nuclei."""

    name = "cellpose"
    title = "Cellpose"
    package = "cellpose"
    hint = 'install it with: pip install "napari-impa[cellpose]"'

    diameter: float = setting(
        "Diameter", 0, 0, 1000, 1, "Diameter of a typical nucleus; measured in the image where it is not given.",
        unit="px", automatic="measured",
    )  # fmt: skip
    cellprob_threshold: float = setting(
        "Cell probability", 0.0, -6.0, 6.0, 0.5, "More takes fewer and smaller cells, less takes dim ones too."
    )
    flow_threshold: float = setting(
        "Flow error", 0.4, 0.1, 3.0, 0.1, "The greatest error of a cell's flows: more takes cells of odd shapes too."
    )

    def find(
        self, pixels: NDArray[Any], nuclei_channel: int, pixel_size: float | None, masks: NDArray[Any] | None
    ) -> NDArray[Any]:
        """Let it work with its own defaults but for what was changed."""
        image = np.nan_to_num(pixels[nuclei_channel].astype(np.float32), posinf=0, neginf=0)
        changed = {name: value for name, value in self.changed.items() if name != "minimum_area"}
        return np.asarray(_model().eval(image, **changed)[0])


@lru_cache(maxsize=1)
def _model() -> Any:
    from cellpose.models import CellposeModel

    return CellposeModel(gpu=True)  # falls back to the CPU by itself
