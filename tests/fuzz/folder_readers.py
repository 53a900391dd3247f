"""What reads folders: cells, plates, folders of images, runs."""

from __future__ import annotations

import io
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .hostile import Input, of_folder
from .image_readers import pixels_of
from .model_readers import small_model
from .reader import MEGABYTE, Reader
from .table_readers import MAP


def _cells(folder: Path) -> list[Input]:
    from napari_impa.cells.store import Cells

    table = pd.DataFrame({"field": ["a"] * 4, "y": [1.5] * 4, "drug": ["DMSO", "x"] * 2, "dose_um": [0, 1.5, 0, 10]})
    cells = Cells(pixels_of(4, 2, 24, 24), table, ("DNA", "actin"), 0.5, ("drug", "dose_um"), "DMSO", {"source": "s"})
    cells.save(folder / "x")
    inside = of_folder(folder / "x.cells")
    # changed by hand or not: without checksums a change is met by what reads it
    bare = dict(inside.files)
    meta = json.loads(bare["meta.json"])
    del meta["checksums"]
    bare["meta.json"] = json.dumps(meta).encode()
    return [
        Input({f"x.cells/{name}": data for name, data in files.items()}, "x.cells")
        for files in (bare, bare, inside.files)
    ]


def _use_cells(path: Path) -> None:
    from napari_impa.cells.source import open_source
    from napari_impa.cells.store import open_cells

    cells = open_cells(path)
    repr(cells)
    if cells.label:
        cells.counts()
    cells.take([0] if len(cells) else [])
    open_source(path).describe()
    open_cells(path, in_memory=True)


def _plates(folder: Path) -> list[Input]:
    from napari_impa.cells.simulated.plate import write_simulated_plate
    from napari_impa.cells.simulated.plate_writers import PLATE_WRITERS

    found = []
    for writer in PLATE_WRITERS:
        with suppress(ImportError):
            found.append(of_folder(write_simulated_plate(folder / writer.name, writer.name, wells=2, size=32)))
    return [one for one in found if one.size < MEGABYTE]


def _folders(folder: Path) -> list[Input]:
    import tifffile

    images = io.BytesIO()
    tifffile.imwrite(images, pixels_of(2, 32, 32), photometric="minisblack", compression="zlib")
    image = images.getvalue()
    table = "file,compound,plate,well\na.tif,DMSO,P1,A01\nb.tif,x,P1,A02\n"
    index = "SAMPLE_KEY,DOSE,CPD_NAME,SMILES,STATE,ANNOT,PLATE,WELL\nP1_A_1,0,DMSO,C,control,x,P1,A\n"
    npy = io.BytesIO()
    np.save(npy, pixels_of(32, 32, 3, dtype=np.uint8))
    plate = {f"P1_{well}_s1_w{channel}.tif": image for well in ("A01", "A02") for channel in (1, 2)}
    return [
        Input({"metadata.csv": table.encode(), "a.tif": image, "b.tif": image}),
        Input({"DMSO/a.tif": image, "x/b.tif": image, "x/b_mask.tif": image}),
        Input({"metadata/index.csv": index.encode(), "P1/P1_A_1.npy": npy.getvalue()}),
        Input({**plate, "plate_map.csv": MAP.encode()}),
    ]


def _folder(path: Path) -> None:
    from napari_impa.cells.source import open_source

    source = open_source(path)
    source.describe()
    if source.entries:
        source.entries[0].image()
        source.entries[0].labels()
        source.entries[0].cells()


def _runs(folder: Path) -> list[Input]:
    from napari_impa.engine.model import tensor_file
    from napari_impa.engine.training.run_folder.run import Run
    from napari_impa.engine.training.settings import TrainingSettings
    from napari_impa.engine.training.steps import recipe_named

    run = Run(folder / "run")
    run.start(TrainingSettings(size=24), recipe_named("default"), {"count": 3, "label": ["drug"], "control": "DMSO"})
    run.keep_source(folder, ["drug"], "DMSO")
    run.append_history([{"step": n, "seconds": n / 3, "stage": "adversarial", "cycle": 1 / n} for n in (1, 2, 3)])
    run.append_gaps(2, 1.0, 0.5, {"x": 0.5})
    small_model().save(run.model_path, compact=True)
    position = {"step": 3, "seconds": 1.0, "autoencoder_ended": 1, "scoring": 0.1}
    tensor_file.write_tensors(run.checkpoint_path, {}, position)
    return [of_folder(folder)]


def _listed_runs(path: Path) -> None:
    from napari_impa.cli.runs import runs
    from napari_impa.engine.training.run_folder.run import Run

    runs(path)
    run = Run(path / "run")
    for name in ("settings", "recipe", "history", "gaps", "best", "source", "started_from"):
        with suppress_typed():
            getattr(run, name)


def suppress_typed() -> Any:
    from napari_impa.errors import ImpaError

    return suppress(ImpaError)


FOLDERS = (
    Reader("cells", _cells, _use_cells),
    Reader("plate", _plates, _folder),
    Reader("folder", _folders, _folder),
    Reader("run", _runs, _listed_runs),
)
"""Readers of folders."""
