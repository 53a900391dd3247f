"""Labels that OME-Zarr images hold are their masks: those of nuclei, or those that are chosen by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from zarr_stores import write_group, write_image

from napari_impa.cells.folder import crop_source
from napari_impa.cells.layouts import LayoutChoice
from napari_impa.cells.source import open_source
from napari_impa.cells.words import guess_nuclei_masks
from napari_impa.errors import SourceError

IMAGE = np.arange(2 * 12 * 12, dtype=np.uint16).reshape(2, 12, 12)
NUCLEI, CELLS = np.zeros((12, 12), np.uint16), np.zeros((12, 12), np.uint16)
NUCLEI[3:5, 3:5], NUCLEI[8:10, 8:10] = 1, 2
CELLS[2:6, 2:6], CELLS[7:11, 7:11] = 1, 2
DRAWN = {"cells": CELLS, "nuclei": NUCLEI, "cyto": CELLS}


def labelled(group: Path, *names: str, version: str = "0.5", image: np.ndarray = IMAGE, axes: str = "cyx") -> Path:
    """An image with labels."""
    write_image(group, image, axes, version=version, labels=("DAPI", "GFP"))
    for name in names:
        planes = np.stack([DRAWN[name]] * image.shape[1]) if "z" in axes else DRAWN[name]
        write_image(group / "labels" / name, planes, "zyx" if "z" in axes else "yx", version=version)
    write_group(group / "labels", version, {"labels": list(names)})
    return group


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_of_several_labels_nuclei_are_the_masks_and_others_are_chosen_by_name(tmp_path: Path, version: str) -> None:
    store = labelled(tmp_path / "a.zarr", "cells", "nuclei", version=version)
    source = open_source(store)
    assert source.has_masks
    assert "Of the labels cells, nuclei that the images hold, nuclei are taken for masks (guessed)." in source.notes
    assert np.array_equal(source.field(0).labels, NUCLEI)
    assert np.array_equal(open_source(store, mask_channel="cells").field(0).labels, CELLS)
    assert len(crop_source(source, size=4)) == 2


def test_the_labels_of_the_images_of_a_plate(tmp_path: Path) -> None:
    well = tmp_path / "p.zarr" / "A" / "1"
    about = {"wells": [{"path": "A/1", "rowIndex": 0, "columnIndex": 0}]}
    write_group(tmp_path / "p.zarr", "0.5", {"plate": about})
    write_group(well, "0.5", {"well": {"images": [{"path": "0"}, {"path": "1"}]}})
    labelled(well / "0", "cyto")
    write_image(well / "1", IMAGE, "cyx", labels=("DAPI", "GFP"))
    source = open_source(tmp_path / "p.zarr")
    assert source.notes == (
        "Masks are the labels cyto that the images hold.",
        "Only 1 of 2 images hold labels, p_A01_s1 for one has none: unless all have, nuclei are found anew.",
    )
    assert np.array_equal(source.field(0).labels, CELLS)
    assert source.field(1).labels is None


def test_where_none_is_called_nuclei_the_likest_to_their_channel_is_taken(tmp_path: Path) -> None:
    bright = np.stack([NUCLEI * 100, CELLS * 100])
    store = labelled(tmp_path / "a.zarr", "cells", "cyto", image=bright)
    source = open_source(store)
    assert "those most like the nuclear channel are taken for masks (guessed)" in source.notes[0]
    assert source.field(0).labels is not None


def test_labels_of_planes_are_of_one_plane(tmp_path: Path) -> None:
    store = labelled(tmp_path / "a.zarr", "nuclei", image=np.stack([IMAGE, IMAGE + 1], axis=1), axes="czyx")
    source = open_source(store)
    assert not source.has_masks
    assert "choose one with --z to use them" in source.notes[0]
    assert np.array_equal(open_source(store, choice=LayoutChoice(z=1)).field(0).labels, NUCLEI)


def test_labels_that_are_not_whole_numbers_are_refused(tmp_path: Path) -> None:
    store = labelled(tmp_path / "a.zarr", "nuclei")
    write_image(tmp_path / "b", NUCLEI + np.float32(0.5), "yx")
    (store / "labels" / "nuclei").rename(tmp_path / "c")
    (tmp_path / "b").rename(store / "labels" / "nuclei")
    with pytest.raises(SourceError, match=r"nuclei.* is no label image: its values are not whole numbers"):
        open_source(store).field(0)


def test_labels_of_two_sizes_are_refused_by_name(tmp_path: Path) -> None:
    store = labelled(tmp_path / "a.zarr", "cells")
    write_image(store / "labels" / "nuclei", NUCLEI[:10], "yx", version="0.5")
    write_group(store / "labels", "0.5", {"labels": ["cells", "nuclei"]})
    with pytest.raises(SourceError, match=r"The labels nuclei and cells of .* differ in size; remove one"):
        open_source(store).field(0)


def test_where_several_are_called_nuclei_none_is_by_its_name() -> None:
    assert guess_nuclei_masks(["cells", "nuclei"]) == 1
    assert guess_nuclei_masks(["nuclei", "nuclei 2", "cells"]) is None
    assert guess_nuclei_masks(["nucleoli", "Nucleus"]) == 1
    assert guess_nuclei_masks(["cells"]) is None
