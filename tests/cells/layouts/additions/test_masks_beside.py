"""Masks beside their images, by name: they are no images, and cells are cut by them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_impa.cells.folder import crop_source
from napari_impa.cells.source import Source, open_source


def field(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(len(path.name)).integers(90, 110, (48, 48)).astype(np.uint16)
    pixels[8:18, 8:18] += 400
    tifffile.imwrite(path, pixels)


def masks(path: Path, cells: int = 2) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    labels = np.zeros((48, 48), np.uint16)
    for cell in range(cells):
        labels[10 + 10 * cell : 16 + 10 * cell, 10:16] = cell + 1
    tifffile.imwrite(path, labels)


def masks_of(source: Source) -> dict[str, str | None]:
    return {
        entry.name: None if entry.masks is None else entry.masks.relative_to(source.path).as_posix()
        for entry in source.entries
    }


@pytest.mark.parametrize("ending", ["_masks", "_cp_masks", "_mask", "-label", ".labels", "_seg", "_nuclei_mask"])
def test_masks_are_known_by_their_names(tmp_path: Path, ending: str) -> None:
    for condition in ("DMSO", "taxol"):
        for name in ("im0", "im1"):
            field(tmp_path / condition / f"{name}.tif")
            masks(tmp_path / condition / f"{name}{ending}.tif")
    source = open_source(tmp_path)
    assert masks_of(source) == {
        f"{c}/{n}.tif": f"{c}/{n}{ending}.tif" for c in ("DMSO", "taxol") for n in ("im0", "im1")
    }
    assert source.kind == "fields"
    assert not source.skipped
    assert not source.notes
    cells = crop_source(source, size=8)
    assert len(cells) == 8
    assert cells.history["segmenter"] == "labels"
    assert dict(cells.counts()) == {"DMSO": 4, "taxol": 4}


def test_masks_in_a_folder_of_their_own(tmp_path: Path) -> None:
    for name in ("a", "b"):
        field(tmp_path / "images" / f"{name}.tif")
        masks(tmp_path / "masks" / f"{name}.tif")
    assert masks_of(open_source(tmp_path)) == {f"images/{n}.tif": f"masks/{n}.tif" for n in ("a", "b")}
    for name in ("a", "b"):
        (tmp_path / "images" / f"{name}.tif").rename(tmp_path / f"{name}.tif")
    assert masks_of(open_source(tmp_path)) == {f"{n}.tif": f"masks/{n}.tif" for n in ("a", "b")}


def test_masks_of_a_field_whose_channels_are_files(tmp_path: Path) -> None:
    for site in (1, 2):
        for channel in (1, 2):
            field(tmp_path / f"BR1_A01_s{site}_w{channel}.tif")
        masks(tmp_path / f"BR1_A01_s{site}_masks.tif")
    source = open_source(tmp_path)
    assert [entry.masks.name for entry in source.entries if entry.masks] == [f"BR1_A01_s{s}_masks.tif" for s in (1, 2)]
    assert len(source.channels) == 2
    for site in (1, 2):
        (tmp_path / f"BR1_A01_s{site}_masks.tif").rename(tmp_path / f"BR1_A01_s{site}_w2_cp_masks.tif")
    assert open_source(tmp_path).has_masks


def test_of_several_masks_those_of_nuclei_are_taken(tmp_path: Path) -> None:
    field(tmp_path / "a.tif")
    masks(tmp_path / "a_cell_masks.tif")
    masks(tmp_path / "a_nuclei_masks.tif")
    source = open_source(tmp_path)
    assert masks_of(source) == {"a.tif": "a_nuclei_masks.tif"}
    assert source.skipped == {tmp_path / "a_cell_masks.tif": "other masks of a field"}


def test_where_some_have_no_masks_that_is_said(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        field(tmp_path / f"{name}.tif")
    masks(tmp_path / "a_masks.tif")
    source = open_source(tmp_path)
    assert len(source) == 3
    assert not source.has_masks
    assert source.notes == (
        "Only 1 of 3 fields have masks beside them, b.tif for one has none: unless all have, nuclei are found anew.",
    )


def test_names_without_an_image_are_images_and_pickles_are_never_opened(tmp_path: Path) -> None:
    field(tmp_path / "x_mask.tif")
    field(tmp_path / "y.tif")
    np.save(tmp_path / "y_seg.npy", np.array({"masks": 1}, object), allow_pickle=True)
    source = open_source(tmp_path, kind="fields")
    assert masks_of(source) == {"x_mask.tif": None, "y.tif": None}
    assert "is not opened; save its masks as TIFF" in source.skipped[tmp_path / "y_seg.npy"]


def test_masks_that_could_be_of_two_fields_are_of_none(tmp_path: Path) -> None:
    field(tmp_path / "plate_1.tif")
    field(tmp_path / "plate_2.tif")
    masks(tmp_path / "plate_mask.tif")
    source = open_source(tmp_path, kind="fields")
    assert masks_of(source) == {"plate_1.tif": None, "plate_2.tif": None}
    assert source.skipped == {tmp_path / "plate_mask.tif": "masks that are of no one field by their name"}
