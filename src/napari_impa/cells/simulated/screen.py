"""A simulated screen: a control and five perturbations in two batches, where each cell's counterfactual is known.

Every cell belongs to a scene (`scenes.py`) that can be drawn again under another condition or in the other batch, so
what each cell would have become is known, which no real data set offers. It is a drawing and says so: use it to learn,
to test and to measure, not to conclude on biology.
"""

from __future__ import annotations

import glob
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tifffile
from numpy.typing import NDArray

from napari_impa.cells.beside import hidden_folder, remove_rests
from napari_impa.cells.crops import cut_at, fits
from napari_impa.cells.fields import Field
from napari_impa.cells.simulated.drawing import BATCHES, batch_name, draw_scene
from napari_impa.cells.simulated.scenes import CHANNELS, CONDITIONS, CONTROL, PIXEL_SIZE, Scene
from napari_impa.cells.store import Cells, concatenate
from napari_impa.errors import CellsError, ConditionError, SourceError
from napari_impa.watch import UNWATCHED, Watch

__all__ = [
    "BATCHES",
    "CHANNELS",
    "CONDITIONS",
    "CONTROL",
    "PIXEL_SIZE",
    "Scene",
    "draw_field",
    "draw_scene",
    "simulated_cells",
    "simulated_field",
    "simulated_screen",
    "true_counterfactual",
    "write_simulated_screen",
]

PLATES = ("sim-A", "sim-B", "sim-C", "sim-D")
"""Plates of a screen; every second one belongs to the same batch, so a batch stays known when a plate is held out."""

_FIELD = 512


def draw_field(
    scene: Scene, condition: str = CONTROL, batch: int = 0, *, name: str = "simulated", strength: float = 1.0,
    noise: bool = True, table: Mapping[str, object] | None = None,
) -> Field:  # fmt: skip
    """Draw a scene as a `Field` with its true nuclei as labels; `table` adds columns of labels to its own."""
    pixels, labels = draw_scene(scene, condition, batch, strength=strength, noise=noise)
    row = {
        **(table or {}),
        "compound": condition,
        "batch": batch_name(batch),
        "control": int(condition == CONTROL),
        "scene": scene.name,
    }
    return Field(name, pixels, CHANNELS, PIXEL_SIZE, row, labels)


def simulated_field(
    condition: str = CONTROL, *, seed: int = 0, batch: int = 0, size: int = _FIELD, n_cells: int | None = None
) -> Field:
    """Draw one field: uint16 (3, size, size) at 0.65 µm a pixel, with its true nuclei as labels.

    Parameters
    ----------
    condition
        A name in `CONDITIONS`.
    seed
        The same seed gives the same cells under any condition and in any batch.
    batch
        0 or 1.
    size, n_cells
        Side in pixels, and about how many nuclei stand in it (as many as look natural where None).
    """
    return draw_field(Scene.random(seed, size=size, n_cells=n_cells), condition, batch, name=f"simulated {condition}")


def simulated_screen(
    *, seed: int = 0, fields: int = 1, size: int = _FIELD, batches: int = 2, plates: int | None = None,
    conditions: Sequence[str] = tuple(CONDITIONS),
) -> list[Field]:  # fmt: skip
    """Draw a screen: on every plate one well a condition and `fields` sites a well, all of different cells.

    The table of each field has `plate`, `well`, `site`, `compound`, `batch`, `control` and `scene` (from which the same
    cells can be drawn again).

    Parameters
    ----------
    batches
        1 or 2; plates take turns.
    plates
        How many plates, one a batch where None.
    """
    count = batches if plates is None else plates
    if not (1 <= batches <= len(BATCHES) and 1 <= count <= len(PLATES)):
        raise CellsError(f"A simulated screen has 1 to {len(BATCHES)} batches and 1 to {len(PLATES)} plates.")
    screen = []
    for plate in range(count):
        for well, condition in enumerate(conditions):
            for site in range(fields):
                scene = Scene.random(scene_seed(seed, plate, well, site), size=size)
                screen.append(_screen_field(scene, condition, plate, plate % batches, well, site))
    return screen


def _screen_field(scene: Scene, condition: str, plate: int, batch: int, well: int, site: int) -> Field:
    at = {"plate": PLATES[plate], "well": f"{'ABCDEFGH'[well // 6 % 8]}{well % 6 + 2:02d}", "site": site + 1}
    return draw_field(scene, condition, batch, name=f"{at['plate']}_{at['well']}_s{at['site']}", table=at)


def scene_seed(*numbers: int) -> int:
    """One number, different for every place of a screen and for every screen."""
    return int(np.random.SeedSequence(list(numbers)).generate_state(1, np.uint32)[0])


def simulated_cells(
    n_per_condition: int,
    *,
    size: int = 64,
    seed: int = 0,
    conditions: Sequence[str] = tuple(CONDITIONS),
    batches: Sequence[int] = (0, 1),
    plates: int = 4,
    same_cells: bool = False,
    progress: Callable[[int, int], None] | None = None,
    watch: Watch = UNWATCHED,
) -> Cells:
    """Cut crops out of as many simulated fields as it takes, centred on the true nuclei.

    Parameters
    ----------
    n_per_condition
        Cells of each condition, as equally many a plate as can be.
    size
        Crop side in pixels.
    seed
        Other seeds give other cells.
    conditions
        Names in `CONDITIONS`; the control is "DMSO".
    batches, plates
        Which batches, and on how many plates (`sim-A`, `sim-B` …, which belong to the batches in turn).
    same_cells
        Whether all conditions show the very same cells, in the same order: the pairs that no real screen has. Otherwise
        every condition has cells of its own.
    progress
        Called with cells drawn so far and cells in all.
    watch
        Hears the same, and may stop it.

    Returns
    -------
    Cells
        With the columns field, y, x, label, plate, well, site, compound, batch, control and scene.
    """
    unknown = [name for name in conditions if name not in CONDITIONS]
    if unknown:
        raise ConditionError(f"There is no simulated condition {unknown[0]!r}; there are: {', '.join(CONDITIONS)}.")
    if not 1 <= plates <= len(PLATES):
        raise CellsError(f"Simulated cells lie on 1 to {len(PLATES)} plates, not {plates}.")
    parts: list[Cells] = []
    done, total = 0, n_per_condition * len(conditions)
    for well, condition in enumerate(conditions):
        for plate in range(plates):
            wanted = n_per_condition // plates + (plate < n_per_condition % plates)
            site = 0
            while wanted > 0:
                scene = Scene.random(scene_seed(seed, plate, 0 if same_cells else well, site, 1), size=_FIELD)
                drawn = _screen_field(scene, condition, plate, batches[plate % len(batches)], well, site)
                part = _cells_of(drawn, scene, size, wanted)
                parts.append(part)
                wanted, site, done = wanted - len(part), site + 1, done + len(part)
                watch.check()
                watch.report(done, total, "cells")
                if progress is not None:
                    progress(done, total)
    if not parts:
        raise CellsError("No simulated cells were asked for; ask for one or more a condition.")
    control = CONTROL if CONTROL in conditions else None
    return replace(concatenate(parts), label=("compound",), control=control, history={"simulated": {"seed": seed}})


def _cells_of(field: Field, scene: Scene, size: int, most: int) -> Cells:
    """Crops around the true centres of the nuclei, which are the same under every condition."""
    centres = np.floor(scene.centres + 0.5).astype(int)
    inside = np.flatnonzero(fits(centres, field.pixels.shape[1:], size))[:most]
    if len(inside) == 0:
        raise CellsError(
            f"A crop of {size} px holds no cell of a simulated field of {scene.size} px; choose a smaller side."
        )
    table = pd.DataFrame({"field": field.name, "y": centres[inside, 0], "x": centres[inside, 1], "label": inside + 1})
    table = table.assign(**field.table)
    return Cells(cut_at(field.pixels, centres[inside], size), table, field.channels, field.pixel_size)


def true_counterfactual(
    cells: Cells, condition: str | None = None, *, batch: int | None = None, strength: float = 1.0, noise: bool = True
) -> Cells:
    """Return what these very simulated cells would have been under another condition, or in the other batch, or both.

    Each cell's scene is drawn again and cut at the same place, row by row. The noise is drawn from the same random
    numbers, and neighbours in a crop are treated as the cell itself is.

    Parameters
    ----------
    cells
        Cells from `simulated_cells`, or cut from a simulated screen in any way that kept its columns.
    condition, batch
        What to change; None keeps each cell's own.
    noise
        False leaves out the camera's noise, the limit of what any model can predict.

    Raises
    ------
    ConditionError
        If the cells are no simulated ones, or the condition does not exist.
    """
    missing = [name for name in ("y", "x", "compound", "batch", "scene") if name not in cells.table.columns]
    if missing:
        raise ConditionError(
            "Only simulated cells have known counterfactuals; these lack the column " + ", ".join(missing) + "."
        )
    names = list(BATCHES)
    table = cells.table.copy()
    if condition is not None:
        table["compound"] = condition
        table["control"] = int(condition == CONTROL)
    if batch is not None:
        table["batch"] = batch_name(batch)
    pixels: NDArray[Any] = np.empty(cells.pixels.shape, np.uint16)
    for (scene, compound, imaged), rows in table.groupby(["scene", "compound", "batch"], sort=False).indices.items():
        if imaged not in names:
            raise ConditionError(f"There is no simulated batch {imaged!r}; there are: {', '.join(names)}.")
        field, _ = draw_scene(Scene.named(scene), compound, names.index(imaged), strength=strength, noise=noise)
        pixels[rows] = cut_at(field, table.iloc[rows][["y", "x"]].to_numpy(), cells.size)
    made = {"condition": condition, "batch": batch, "strength": strength, "noise": noise}
    return replace(cells, pixels=pixels, table=table, history={**cells.history, "true_counterfactual": made})


def write_simulated_screen(
    folder: str | Path, screen: Sequence[Field] | None = None, *, masks: bool = False, **settings: Any
) -> Path:
    """Write a screen as a user's own folder looks: one ImageJ TIFF a field and `metadata.csv`.

    Parameters
    ----------
    folder
        Made anew; what is being written stands beside it and is renamed at the end.
    screen
        Fields of `simulated_screen`; drawn with the further keywords where None.
    masks
        Whether the true nuclei are written too, with a column `mask_file`.

    Raises
    ------
    SourceError
        If the folder exists already or cannot be written.
    """
    folder = Path(folder)
    if folder.exists():
        raise SourceError(f"{folder} exists already; choose another name or remove it first.")
    partial = hidden_folder(folder)
    remove_rests(folder.parent, f".{glob.escape(folder.name)}.*.partial")
    try:
        (partial / "images").mkdir(parents=True)
        if masks:
            (partial / "masks").mkdir()
        rows = []
        for field in simulated_screen(**settings) if screen is None else screen:
            file = f"images/{field.name}.tif"
            size = field.pixel_size or 1.0
            tifffile.imwrite(
                partial / file, field.pixels, imagej=True, resolution=(1 / size, 1 / size),
                metadata={"axes": "CYX", "unit": "um", "Labels": list(field.channels), "mode": "composite"},
            )  # fmt: skip
            row: dict[str, object] = {"file": file}
            if masks and field.labels is not None:
                row["mask_file"] = f"masks/{field.name}.tif"
                tifffile.imwrite(partial / str(row["mask_file"]), field.labels.astype(np.uint16), compression="zlib")
            rows.append({**row, **field.table})
        pd.DataFrame(rows).to_csv(partial / "metadata.csv", index=False)
        partial.rename(folder)
    except OSError as error:
        raise SourceError(f"{folder} cannot be written: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder
