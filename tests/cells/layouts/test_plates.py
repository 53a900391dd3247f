"""Every layout of plates: fields, channels, wells, sites, plates, pixel size; and what damaged ones say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from stub_plates import CHANNELS, stub_plate, value, write_plates, writer

from napari_impa.cells.folder import crop_source, read_cells
from napari_impa.cells.layouts import LAYOUTS, Fit, LayoutChoice, SourceFiles
from napari_impa.cells.simulated.plate_writers import PLATE_WRITERS, PlateWriter
from napari_impa.cells.source import Source, open_source
from napari_impa.cells.wells import Well


def every(*keeps: str) -> pytest.MarkDecorator:
    """All layouts that can keep this of a plate."""
    able = [layout for layout in PLATE_WRITERS if layout.keeps.issuperset(keeps)]
    return pytest.mark.parametrize("layout", able, ids=lambda layout: layout.name)


every_layout = every()


def values(source: Source) -> list[list[int]]:
    """The value of each channel of each field, channels as they were written."""
    order = [source.channels.index(name) for name in CHANNELS] if set(source.channels) == set(CHANNELS) else [0, 1, 2]
    return [source.image(row).pixels[order, 0, 0].tolist() for row in range(len(source))]


def expected(wells: list[str], sites: int, z: int = 1, time: int = 1, plate: int = 1) -> list[list[int]]:
    return [
        [value(Well.parse(well), site, z, time, channel, plate) for channel in (1, 2, 3)]
        for well in wells
        for site in range(1, sites + 1)
    ]


@every_layout
def test_a_plate_is_read_as_it_was_written(tmp_path: Path, layout: PlateWriter) -> None:
    write_plates(tmp_path, layout.name, stub_plate(wells=["A01", "B02", "C03"], sites=2))
    source = open_source(tmp_path, kind="fields")
    if "channels" in layout.keeps:
        assert set(source.channels) == set(CHANNELS)
    else:
        assert all(name.startswith("channel ") for name in source.channels)
    assert len(source.channels) == 3
    assert source.shape == (8, 8)
    assert source.table["well"].tolist() == ["A01", "A01", "B02", "B02", "C03", "C03"]
    assert len(set(source.table["site"])) == 2
    assert source.pixel_size == (0.65 if "pixel_size" in layout.keeps else None)
    if "plate" in layout.keeps:
        assert set(source.table["plate"]) == {"BR1"}
    assert values(source) == expected(["A01", "B02", "C03"], 2)
    assert source.image(3).channels == source.channels
    assert all("guessed" in note for note in source.notes)
    assert open_source(tmp_path).kind == "fields"


@every_layout
def test_its_layout_alone_fits_best(tmp_path: Path, layout: PlateWriter) -> None:
    write_plates(tmp_path, layout.name)
    fits = {one.name: one.fits(SourceFiles(tmp_path)) for one in LAYOUTS}
    best = max(fits.values())
    assert [name for name, fit in fits.items() if fit is best] == [layout.read_as]
    assert best >= Fit.LOOSELY


@every_layout
def test_two_plates_are_plates_and_no_conditions(tmp_path: Path, layout: PlateWriter) -> None:
    write_plates(tmp_path, layout.name, stub_plate("BR1", ["A01", "B02"]), stub_plate("BR2", ["A01", "B02"], plate=2))
    source = open_source(tmp_path, kind="fields")
    names = ["BR1", "BR2"] if "plate" in layout.keeps else sorted(set(source.table["plate"]))
    assert source.table["plate"].tolist() == [names[0]] * 4 + [names[1]] * 4
    assert "condition" not in source.table
    assert values(source) == expected(["A01", "B02"], 2) + expected(["A01", "B02"], 2, plate=2)


@every("z")
def test_of_several_z_planes_what_is_read_is_chosen_and_said(tmp_path: Path, layout: PlateWriter) -> None:
    write_plates(tmp_path, layout.name, stub_plate(z=3, wells=["A01", "H12"]))
    source = open_source(tmp_path, kind="fields")
    assert values(source) == expected(["A01", "H12"], 2, z=3)  # the brightest
    assert "maximum projection of 3 Z planes" in source.layout
    first = min(plane.z for plane in source.entries[0].planes[0])  # type: ignore[attr-defined]
    source = open_source(tmp_path, kind="fields", choice=LayoutChoice(z=first + 1))
    assert values(source) == expected(["A01", "H12"], 2, z=2)
    assert f"Z plane {first + 1} of 3" in source.layout
    source = open_source(tmp_path, kind="fields", choice=LayoutChoice(z="sharpest"))
    assert "the sharpest of 3 Z planes" in source.layout


@every("time")
def test_of_several_times_one_or_all_are_read(tmp_path: Path, layout: PlateWriter) -> None:
    write_plates(tmp_path, layout.name, stub_plate(times=2, wells=["A01", "H12"]))
    source = open_source(tmp_path, kind="fields")
    assert values(source) == expected(["A01", "H12"], 2)
    assert "the first of 2 times" in source.layout
    assert list(source.skipped.values()).count("not named as the images of this layout are") == 0
    source = open_source(tmp_path, kind="fields", choice=LayoutChoice(time="all"))
    assert len(source) == 8
    times = sorted(set(source.table["time"]))
    assert [sorted(part) for part in values(source)] == [
        row
        for pair in zip(expected(["A01", "H12"], 2), expected(["A01", "H12"], 2, time=2), strict=True)
        for row in pair
    ]
    later = open_source(tmp_path, kind="fields", choice=LayoutChoice(time=times[1]))
    assert values(later) == expected(["A01", "H12"], 2, time=2)


def test_every_writer_is_of_a_layout() -> None:
    names = [one.name for one in PLATE_WRITERS]
    assert len(set(names)) == len(names)
    assert {one.read_as for one in PLATE_WRITERS} <= {one.name for one in LAYOUTS}
    assert writer("imagexpress").name == "imagexpress"


def test_what_is_chosen_reaches_the_cells_and_is_kept_with_them(tmp_path: Path) -> None:
    write_plates(tmp_path / "plate", "imagexpress", stub_plate(z=3, wells=["A01"], size=16))
    choice = LayoutChoice(z=2, plate="BR7")
    cells = crop_source(tmp_path / "plate", tmp_path / "a.cells", kind="crops", choice=choice)
    assert cells.pixels[:, :, 0, 0].tolist() == expected(["A01"], 2, z=2)
    assert cells.table["plate"].tolist() == ["BR7", "BR7"]
    assert cells.history["read_with"] == {"z": 2, "plate": "BR7"}
    assert np.array_equal(read_cells(tmp_path / "plate", kind="crops", choice=choice).pixels, cells.pixels)
    assert "read_with" not in read_cells(tmp_path / "plate", kind="crops").history
