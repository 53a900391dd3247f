"""A whole plate of 384 wells is listed in seconds, without its pixels in memory."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path

import pytest
from stub_plates import write_large_plate

from napari_impa.cells.layouts import list_source
from napari_impa.cells.source import open_source


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
