"""A whole plate of 384 wells is listed in seconds, without its pixels in memory."""

from __future__ import annotations

import os
import time
import tracemalloc
from pathlib import Path

import pytest
from stub_plates import stub_plate, write_plates

from napari_impa.cells.layouts import list_source
from napari_impa.cells.source import open_source
from napari_impa.cells.wells import wells_of


@pytest.fixture(scope="module")
def large_plate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """384 wells × 9 sites × 5 channels: 17,280 files, hard links to a few (a link is made a hundred times as fast)."""
    channels = ("DNA", "ER", "RNA", "AGP", "Mito")
    small = write_plates(
        tmp_path_factory.mktemp("small"), "imagexpress", stub_plate(wells=["A01"], sites=9, channels=channels)
    )
    large = tmp_path_factory.mktemp("large") / "BR1" / "TimePoint_1"
    large.mkdir(parents=True)
    for file in (small / "BR1" / "TimePoint_1").iterdir():
        if "thumb" not in file.name:
            for well in wells_of(384):
                os.link(file, large / file.name.replace("A01", well.name))
    (small / "BR1" / "BR1.HTD").rename(large.parent / "BR1.HTD")
    return large.parent.parent


@pytest.mark.slow
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
