"""Plates whose files alone, or little beside them, say what they are: words as channels, Cellomics, RxRx1, and more."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import tifffile
from PIL import Image

from napari_impa.cells.simulated.plate_writers.plate_writer import PlateImages, PlateWriter, uint16


def _write_words(folder: Path, plate: PlateImages) -> None:
    (folder / plate.name).mkdir(parents=True)
    for plane in plate.planes():
        z = f"_z{plane.z}" if plate.z_planes > 1 else ""
        time = f"_t{plane.time}" if plate.times > 1 else ""
        name = f"{plane.well.name}_s{plane.site}{z}{time}_{plate.channels[plane.channel - 1]}.tif"
        tifffile.imwrite(folder / plate.name / name, uint16(plane.pixels), metadata=None)


def _write_cellomics(folder: Path, plate: PlateImages) -> None:
    (folder / plate.name).mkdir(parents=True)
    for plane in plate.planes():
        name = f"MFGTMP_150713120001_{plane.well.name}f{plane.site - 1:02d}d{plane.channel - 1}.TIF"
        tifffile.imwrite(folder / plate.name / name, uint16(plane.pixels), metadata=None)


def _write_rxrx1(folder: Path, plate: PlateImages) -> None:
    """Plates of one experiment, numbered as they are written; the table of sites grows."""
    experiment = folder / "images" / "HUVEC-01"
    experiment.mkdir(parents=True, exist_ok=True)
    number = 1 + len(list(experiment.iterdir()))
    own = experiment / f"Plate{number}"
    own.mkdir()
    for plane in plate.planes():
        name = f"{plane.well.name}_s{plane.site}_w{plane.channel}.png"
        Image.fromarray(uint16(plane.pixels)).save(own / name)
    rows = [
        {
            "site_id": f"HUVEC-01_{number}_{well.name}_{site}",
            "well_id": f"HUVEC-01_{number}_{well.name}",
            "cell_type": "HUVEC",
            "dataset": "train",
            "experiment": "HUVEC-01",
            "plate": number,
            "well": well.name,
            "site": site,
        }
        for well, site, time, z in plate.places()
        if time == z == 1
    ]
    table = folder / "metadata.csv"
    before = [pd.read_csv(table)] if table.exists() else []
    pd.concat([*before, pd.DataFrame(rows)]).to_csv(table, index=False)


def _write_micromanager(folder: Path, plate: PlateImages) -> None:
    summary = {"ChNames": list(plate.channels), "PixelSize_um": plate.pixel_size}
    for plane in plate.planes():
        own = folder / plate.name / f"{plane.well.name[0]}{plane.well.column + 1}-Site_{plane.site - 1}"
        own.mkdir(parents=True, exist_ok=True)
        name = f"img_channel{plane.channel - 1:03d}_position000_time{plane.time - 1:09d}_z{plane.z - 1:03d}.tif"
        tifffile.imwrite(own / name, uint16(plane.pixels), metadata=None)
        (own / "metadata.txt").write_text(json.dumps({"Summary": summary}), encoding="utf-8")


NAMED_PLATES: tuple[PlateWriter, ...] = (
    PlateWriter("names", _write_words, frozenset({"channels", "plate", "wells", "z", "time"})),
    PlateWriter("cellomics", _write_cellomics, frozenset({"plate", "wells"})),
    PlateWriter("rxrx1", _write_rxrx1, frozenset({"wells"})),
    PlateWriter("micromanager", _write_micromanager),
)
