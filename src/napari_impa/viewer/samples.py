"""Sample data: one control field of the simulated screen, as three channel layers; and the demo on it."""

from __future__ import annotations

from typing import Any

COLORMAPS = {"DNA": "bop blue", "actin": "magenta", "tubulin": "green"}

LayerData = tuple[Any, dict[str, Any], str]


def simulated_screen(condition: str | None = None, *, seed: int = 0, size: int = 512) -> list[LayerData]:
    """Draw a field of the simulated screen.

    Returns
    -------
    One image layer a channel, with pixel size in µm and the well it comes from in the metadata.
    """
    from napari_impa.cells.simulated import CONTROL, simulated_field

    field = simulated_field(condition or CONTROL, seed=seed, size=size)
    layers: list[LayerData] = []
    for name, plane in reversed(list(zip(field.channels, field.pixels, strict=True))):
        low, high = limits_to_show(plane)
        options = {
            "name": name,
            "scale": (field.pixel_size, field.pixel_size),
            "units": ("um", "um"),
            "colormap": COLORMAPS[name],
            "contrast_limits": (low, high),
            "blending": "additive",
            "metadata": dict(field.table),
        }
        layers.append((plane, options, "image"))
    return layers


def show_demo() -> None:
    """Open the demo in the current viewer."""
    import napari

    from napari_impa.viewer.demo import open_demo

    open_demo(napari.current_viewer())


def limits_to_show(plane: Any) -> tuple[float, float]:
    """Contrast limits that show cells, not single hot pixels: the 1 % and 99.8 % quantiles."""
    import numpy as np

    low, high = np.quantile(np.nan_to_num(np.asarray(plane)), (0.01, 0.998))
    return float(low), float(max(high, low + 1e-6))
