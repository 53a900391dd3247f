"""The simulated screen as plates that a microscope has left: its layout, its files, and a plate map beside them.

To practise on, and to test that every layout is read as it is written. Cells and conditions are those of `scenes`.
"""

from __future__ import annotations

import glob
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

from napari_impa.cells.beside import hidden_folder, remove_rests
from napari_impa.cells.simulated.drawing import draw_scene
from napari_impa.cells.simulated.plate_writers import PLATE_WRITERS, PlateImages, PlateWriter
from napari_impa.cells.simulated.scenes import CHANNELS, CONDITIONS, CONTROL, PIXEL_SIZE, Scene
from napari_impa.cells.simulated.screen import scene_seed
from napari_impa.cells.wells import PLATE_FORMATS, Well, wells_of
from napari_impa.errors import SourceError
from napari_impa.watch import UNWATCHED, Watch

PLATE_MAP_NAME = "plate_map.csv"
_BLUR = 1.5  # pixels of blur for each Z plane away from the middle


def write_simulated_plate(
    folder: str | Path,
    layout: str,
    *,
    wells: int = 24,
    sites: int = 1,
    plates: int = 1,
    z_planes: int = 1,
    times: int = 1,
    size: int = 512,
    seed: int = 0,
    watch: Watch = UNWATCHED,
) -> Path:
    """Write plates of the simulated screen into a new folder, as the microscope of a layout does.

    Every well holds one condition of `CONDITIONS`, which take turns along the rows; the plate map
    (`plate_map.csv`: plate, well, compound, control_type) says which. Of several Z planes the middle one is sharp; over
    several times the effect grows.

    Parameters
    ----------
    folder
        Made anew; what is being written stands beside it and is renamed at the end.
    layout
        Name of a `PlateWriter`.
    wells
        How many wells are filled, from A01 on, of the smallest plate that has so many.
    sites, plates, z_planes, times
        How many of each.
    size
        Side of a field in pixels.
    seed
        Other seeds give other cells.
    watch
        Hears of every well, and may stop it.

    Raises
    ------
    SourceError
        If there is no such layout or plate, or the folder exists already or cannot be written.
    """
    folder = Path(folder)
    writer = _writer(layout)
    for what, number, most in (
        ("wells", wells, max(PLATE_FORMATS)), ("sites", sites, 99), ("plates", plates, 99),
        ("Z planes", z_planes, 99), ("times", times, 99),
    ):  # fmt: skip
        if not 1 <= number <= most:
            raise SourceError(f"A simulated screen has 1 to {most} {what}, not {number}.")
    if folder.exists():
        raise SourceError(f"{folder} exists already; choose another name or remove it first.")
    plate_of = [well for _, well in zip(range(wells), wells_of(_plate_for(wells)), strict=False)]
    partial = hidden_folder(folder)
    remove_rests(folder.parent, f".{glob.escape(folder.name)}.*.partial")
    rows: list[dict[str, str]] = []
    try:
        partial.mkdir(parents=True)
        for number in range(plates):
            drawn = _Drawn(number, sites, z_planes, times, size, seed, plates * wells, watch)
            name = f"SIM{number + 1:03d}"
            writer.write(partial, PlateImages(
                name, tuple(plate_of), CHANNELS, drawn, sites, z_planes, times, PIXEL_SIZE,
            ))  # fmt: skip
            rows += [_row(name, well) for well in plate_of]
        pd.DataFrame(rows).to_csv(partial / PLATE_MAP_NAME, index=False)
        partial.rename(folder)
    except OSError as error:
        raise SourceError(f"{folder} cannot be written: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def condition_of(well: Well) -> str:
    """What a well of a simulated plate holds: conditions take turns along a row, and each row begins one later."""
    names = list(CONDITIONS)
    return names[(well.row + well.column) % len(names)]


def _row(plate: str, well: Well) -> dict[str, str]:
    condition = condition_of(well)
    mark = "negcon" if condition == CONTROL else "trt"
    return {"plate": plate, "well": well.name, "compound": condition, "control_type": mark}


def _writer(layout: str) -> PlateWriter:
    writer = next((one for one in PLATE_WRITERS if one.name == layout), None)
    if writer is None:
        names = ", ".join(one.name for one in PLATE_WRITERS)
        raise SourceError(f"No simulated plate can be written as {layout!r}; there are: {names}.")
    return writer


def _plate_for(wells: int) -> int:
    return next(count for count in PLATE_FORMATS if count >= wells)


class _Drawn:
    """Draws the sites of one plate; a site's planes come one after the other and are drawn once."""

    def __init__(
        self, plate: int, sites: int, z_planes: int, times: int, size: int, seed: int, wells: int, watch: Watch
    ) -> None:
        self._plate, self._z_planes, self._times, self._size, self._seed = plate, z_planes, times, size, seed
        self._wells, self._watch = wells, watch
        self._drawn: tuple[tuple[Well, int, int], NDArray[Any]] | None = None
        self._done: dict[Well, None] = {}

    def __call__(self, well: Well, site: int, z: int, time: int) -> NDArray[Any]:
        self._watch.check()
        if well not in self._done:
            self._done[well] = None
            self._watch.report(len(self._done), self._wells, f"well {well.name}")
        key = (well, site, time)
        if self._drawn is None or self._drawn[0] != key:
            scene = Scene.random(scene_seed(self._seed, self._plate, well.row, well.column, site), size=self._size)
            strength = time / self._times
            pixels, _ = draw_scene(scene, condition_of(well), self._plate % 2, strength=strength)
            self._drawn = (key, pixels)
        pixels = self._drawn[1]
        away = abs(z - 1 - (self._z_planes - 1) // 2)
        if not away:
            return pixels
        blurred = ndimage.gaussian_filter(pixels.astype(np.float32), (0, away * _BLUR, away * _BLUR))
        return np.asarray(np.rint(blurred), np.uint16)
