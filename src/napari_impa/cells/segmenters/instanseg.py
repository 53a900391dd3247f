"""InstanSeg (Goldsborough et al. 2024; its weights are fetched by it at the first use)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_impa.cells.segmenters.base import Segmenter
from napari_impa.cells.segmenters.settings import setting


@dataclass(frozen=True, kw_only=True)
class InstanSeg(Segmenter):
    """InstanSeg's nuclei on the channel that shows them."""

    name = "instanseg"
    title = "InstanSeg"
    package = "instanseg"
    hint = 'install it with: pip install "napari-impa[instanseg]"'

    pixel_um: float = setting(
        "Pixel size", 0.0, 0.0, 5.0, 0.05, "What the image is rescaled by; the layer's own where it is not given.",
        unit="µm", automatic="the layer's",
    )  # fmt: skip
    seed_threshold: float = setting(
        "Seed threshold", 0.0, 0.0, 1.0, 0.05, "How sure a nucleus's middle must be: more takes fewer nuclei.",
        automatic="the model's",
    )  # fmt: skip
    mask_threshold: float = setting(
        "Mask threshold", 0.0, 0.0, 1.0, 0.05,
        "How sure a pixel must be to belong to a nucleus: more makes them smaller.", automatic="the model's",
    )  # fmt: skip

    def find(
        self, pixels: NDArray[Any], nuclei_channel: int, pixel_size: float | None, masks: NDArray[Any] | None
    ) -> NDArray[Any]:
        """Let it work with its model's own settings but for what was changed."""
        image = np.nan_to_num(pixels[nuclei_channel].astype(np.float32), posinf=0, neginf=0)
        model = _model()
        # Its own limit between the two: larger images are worked on in tiles.
        evaluate = model.eval_small_image if image.size <= 1500 * 1500 else model.eval_medium_image
        changed = {name: value for name, value in self.changed.items() if name not in ("minimum_area", "pixel_um")}
        pixel_size = self.pixel_um or pixel_size
        labels = evaluate(image, pixel_size=pixel_size, return_image_tensor=False, target="nuclei", **changed)
        found: NDArray[Any] = np.asarray(labels.cpu()).reshape(-1, *image.shape)[0]
        return found


@lru_cache(maxsize=1)
def _model() -> Any:
    from instanseg import InstanSeg as Model

    return Model("fluorescence_nuclei_and_cells", verbosity=0)
