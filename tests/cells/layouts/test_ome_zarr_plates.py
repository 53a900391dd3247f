"""OME-Zarr plates: what a plate's attributes say, images that are not there, and that stores are not walked through."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stub_plates import stub_plate, write_plates
from zarr_stores import write_image

from napari_impa.cells.layouts import LayoutChoice, SourceFiles, list_source
from napari_impa.cells.readers import ome_zarr
from napari_impa.cells.source import open_source
from napari_impa.errors import MissingDependencyError, SourceError


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Two wells of two sites, three channels, 0.5."""
    return write_plates(tmp_path / "plates", "ome-zarr", stub_plate("BR1", ["A01", "B12"])) / "BR1.zarr"


def change(group: Path, mend: Callable[[dict[str, Any]], object]) -> None:
    """Change what a group says of itself."""
    about = json.loads((group / "zarr.json").read_text())
    mend(about["attributes"]["ome"])
    (group / "zarr.json").write_text(json.dumps(about))


def test_a_store_given_itself_is_read_as_one_in_a_folder(store: Path) -> None:
    alone, within = open_source(store, kind="fields"), open_source(store.parent, kind="fields")
    assert alone.table.equals(within.table)
    assert alone.table["well"].tolist() == ["A01", "A01", "B12", "B12"]
    assert alone.table["site"].tolist() == [0, 1, 0, 1]
    assert alone.layout == "OME-Zarr (1 plate, 2 wells)"
    assert alone.entries[0].name == "BR1_A01_s0"
    assert np.array_equal(alone.image(3).pixels, within.image(3).pixels)
    conditions = open_source(store, kind="fields", choice=LayoutChoice(folders="conditions"))
    assert "condition" not in conditions.table  # rows of a plate are none


def test_a_single_well_is_read(store: Path) -> None:
    source = open_source(store / "B" / "12", kind="fields")
    assert source.table[["plate", "well", "site"]].values.tolist() == [["BR1", "B12", 0], ["BR1", "B12", 1]]


def test_stores_are_no_folders_to_walk_through(store: Path) -> None:
    (store.parent / "notes.pdf").touch()
    unnamed = store.parent / "a store of another name"
    shutil.copytree(store, unnamed)
    source = SourceFiles(store.parent)
    assert source.files == [store.parent / "notes.pdf", store, unnamed]
    assert source.stores == [store, unnamed]
    assert SourceFiles(store).files == []


def test_what_lies_beside_a_plate_is_said(store: Path) -> None:
    (store.parent / "map.csv").write_text("well,compound\nA1,DMSO\nB12,taxol\n")
    write_image(store.parent / "x.zarr", np.zeros((4, 4), np.uint8), "yx")
    source = open_source(store.parent, kind="fields")
    assert {file.name: reason for file, reason in source.skipped.items()} == {"x.zarr": "no plate of OME-Zarr"}
    assert source.table["compound"].tolist() == ["DMSO", "DMSO", "taxol", "taxol"]  # of the plate map


def test_plates_are_called_as_their_folders_where_their_own_names_are_one(store: Path) -> None:
    shutil.copytree(store, store.with_name("BR2.ome.zarr"))
    assert set(list_source(store.parent).table["plate"]) == {"BR1", "BR2"}
    change(store, lambda says: says["plate"].update(name="P7.zarr"))
    assert set(list_source(store.parent).table["plate"]) == {"BR1", "P7"}


def test_wells_are_named_by_their_paths_whatever_their_index(store: Path) -> None:
    change(store, lambda says: [well.update(rowIndex=0, columnIndex=0) for well in says["plate"]["wells"]])
    assert set(list_source(store).table["well"]) == {"A01", "B12"}


def test_several_acquisitions_are_kept_apart(store: Path) -> None:
    change(store, lambda says: says["plate"].update(acquisitions=[{"id": 1, "name": "day 1"}, {"id": 2}]))
    for well in ("A/1", "B/12"):
        change(
            store / well, lambda says: [one.update(acquisition=at + 1) for at, one in enumerate(says["well"]["images"])]
        )
    table = list_source(store).table
    assert table["acquisition"].tolist() == ["2", "2", "day 1", "day 1"]


def test_images_that_the_plate_names_and_that_are_not_there_are_left_out_and_said(store: Path) -> None:
    shutil.rmtree(store / "A" / "1" / "1")
    (store / "B" / "12" / "0" / "0" / "zarr.json").unlink()
    source = open_source(store, kind="fields")
    assert source.table[["well", "site"]].values.tolist() == [["A01", 0], ["B12", 1]]
    assert source.notes == (
        "2 sites left out, whose images the plate names but which are not there: BR1 A01 (1), BR1 B12 (0).",
    )
    shutil.rmtree(store / "B")
    assert "BR1 B12 (12)" in list_source(store).notes[0]
    shutil.rmtree(store / "A")
    with pytest.raises(SourceError, match=r"BR1\.zarr is a plate of OME-Zarr without any image: .* is not there; conv"):
        list_source(store)


def test_images_of_other_channels_are_left_out_and_said(store: Path) -> None:
    image = store / "A" / "1" / "1"
    change(image, lambda says: says["omero"]["channels"][0].update(label="ER"))
    listing = list_source(store)
    assert len(listing.entries) == 3
    assert listing.notes == (
        f"1 of 4 images left out, whose channels are not DNA, actin, tubulin: {image / '0'} has ER, actin, tubulin.",
    )


def test_channels_in_another_order_are_brought_into_one(store: Path) -> None:
    change(store / "A" / "1" / "1", lambda says: says["omero"]["channels"].reverse())
    first, other = (open_source(store, kind="fields").image(row).pixels[:, 0, 0].tolist() for row in (0, 1))
    assert [value - 50 for value in other] == first[::-1]  # as 50 is between the sites


@pytest.mark.parametrize(
    ("where", "mend", "said"),
    [
        ("", lambda says: says["plate"].pop("wells"), r"BR1\.zarr is not described as a plate of OME-Zarr is"),
        ("", lambda says: says.update(plate=[1, 2, 3]), r"BR1\.zarr is not described as a plate of OME-Zarr is"),
        ("", lambda says: says.update(version="0.9"), r"BR1\.zarr is OME-Zarr 0\.9, and this version reads"),
        ("A/1", lambda says: says.pop("well"), r"A.1 is not described as a plate of OME-Zarr is"),
        ("A/1/0", lambda says: says["multiscales"].clear(), r"A.1.0 is not described as OME-Zarr 0\.4 or 0\.5 is"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_description_names_its_group(
    store: Path, where: str, mend: Callable[[dict[str, Any]], object], said: str
) -> None:
    change(store / where, mend)
    with pytest.raises(SourceError, match=said):
        list_source(store.parent)


def test_a_broken_file_is_named(store: Path) -> None:
    (store / "zarr.json").write_text('{"attributes": ')
    with pytest.raises(SourceError, match=r"BR1.zarr.zarr\.json cannot be read"):
        list_source(store.parent)


def test_a_store_of_something_else_is_no_plate(tmp_path: Path) -> None:
    table = tmp_path / "table.zarr"
    table.mkdir()
    (table / "zarr.json").write_text('{"node_type": "group", "zarr_format": 3, "attributes": {}}')
    with pytest.raises(SourceError, match=r"table\.zarr is no plate of OME-Zarr"):
        list_source(table)
    with pytest.raises(SourceError, match="holds no images"):
        list_source(tmp_path)


def test_without_zarr_listing_says_how_to_install_it(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ome_zarr, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r'BR1\.zarr is a zarr store.*pip install "napari-impa\[zarr\]"'):
        list_source(store)


def test_the_sharpest_plane_counts_each_channel_alike(tmp_path: Path) -> None:
    """One channel is a hundred times as bright, and says nothing of where the others are sharp."""
    noise = np.random.default_rng(0).integers(0, 100, (3, 2, 32, 32)).astype(np.uint16)
    noise[:, 1] = 50 + noise[:, 1] // 50  # all planes of the second channel are nearly flat, …
    noise[2, 1] = 50 + np.arange(32) % 2 * 40  # … but the last
    noise[1, 0] += 10  # the first channel hardly differs
    store = write_plates(tmp_path, "ome-zarr", stub_plate("P", ["A01"], sites=1, channels=("a", "b"))) / "P.zarr"
    shutil.rmtree(store / "A" / "1" / "0")
    write_image(store / "A" / "1" / "0", np.moveaxis(noise, 1, 0), "czyx", labels=["a", "b"])
    read = open_source(store, kind="fields", choice=LayoutChoice(z="sharpest")).image(0).pixels
    assert np.array_equal(read, noise[2])
