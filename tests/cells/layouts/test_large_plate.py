"""A whole plate of 384 wells is listed in seconds, whoever wrote it, without its pixels in memory."""

from __future__ import annotations

import gc
import os
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from stub_plates import write_large_plate, writer

from napari_impa.cells.layouts import list_source
from napari_impa.cells.simulated.plate_writers import PlateImages, ome_zarr
from napari_impa.cells.source import open_source
from napari_impa.cells.wells import wells_of


@pytest.fixture(scope="module")
def large_plate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_large_plate(tmp_path_factory.mktemp("plate"))


def test_it_is_listed_in_under_five_seconds_and_its_pixels_are_not_read(large_plate: Path) -> None:
    started = time.process_time()
    source = open_source(large_plate)
    assert time.process_time() - started < 5
    assert source.table["well"].nunique() == 384
    assert source.channels == ("DNA", "ER", "RNA", "AGP", "Mito")

    tracemalloc.start()
    listing = list_source(large_plate)
    _, highest = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(listing.entries) == len({entry.files for entry in listing.entries}) == 384 * 9
    assert highest < 40e6  # bytes: names and what they say


@pytest.mark.slow
@pytest.mark.parametrize("name", ["phenix", "cellvoyager", "load_data", "ome-zarr"])  # those that have most to read
def test_whichever_microscope_wrote_it(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """17,280 planes, of which all but the first are links: what is listed are names, and files that tell of them."""
    links_for_all_but_the_first(monkeypatch)
    wells = tuple(wells_of(384))
    channels = ("DNA", "ER", "RNA", "AGP", "Mito")
    plate = PlateImages("P1", wells, channels, lambda *_: np.zeros((5, 8, 8), np.uint16), sites=9)
    writer(name).write(tmp_path, plate)
    for index in tmp_path.rglob("Index.idx.xml"):  # Harmony says three times as much of an image as the writer does
        more = "".join(f'<More{number} Unit="m">1.2345E-05</More{number}>' for number in range(22))
        index.write_text(index.read_text(encoding="utf-8").replace("</Image>", more + "</Image>"), encoding="utf-8")
    started = time.process_time()
    listing = list_source(tmp_path)
    assert time.process_time() - started < 5
    assert len(listing.entries) == 384 * 9
    assert listing.table["well"].nunique() == 384
    assert gc.isenabled()


def links_for_all_but_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let writers write each kind of image once."""
    first: dict[object, Path] = {}

    def instead(write: Callable[..., object], link: Callable[[Path, Path], object]) -> Callable[..., object]:
        def linked(path: Path, *others: Any, **options: Any) -> None:
            pixels = others[-1]
            kind = (write, pixels.shape, *others[:-1])
            if kind in first and first[kind].stat().st_nlink < 50_000:
                link(first[kind], path)
            else:
                write(path, *others, **options)
                first[kind] = path

        return linked

    monkeypatch.setattr(tifffile, "imwrite", instead(tifffile.imwrite, lambda old, new: os.link(old, new)))
    monkeypatch.setattr(ome_zarr, "_array", instead(ome_zarr._array, link_folder))


def link_folder(old: Path, new: Path) -> None:
    new.parent.mkdir(parents=True, exist_ok=True)
    new.symlink_to(old)
