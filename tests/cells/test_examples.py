from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_impa.cells.checks import damaged_concerns
from napari_impa.cells.examples import EXAMPLES, WINDOW, joined, read_examples, rows_to_compare, rows_to_read
from napari_impa.cells.simulated.screen import simulated_cells, write_simulated_screen
from napari_impa.cells.source import open_source
from napari_impa.errors import SourceError

NAMES = np.array(["DMSO"] * 50 + ["taxol"] * 50 + ["rare"] * 2, object)
PLATES = np.array(["p1", "p2"] * 50 + ["p3", "p3"], object)


def test_some_rows_of_every_condition_come_first() -> None:
    rows = rows_to_read(NAMES, None, "DMSO")
    assert NAMES[rows].tolist() == ["DMSO"] * EXAMPLES + ["rare"] * 2 + ["taxol"] * EXAMPLES
    assert rows == rows_to_read(NAMES, None, "DMSO")
    assert rows != rows_to_read(NAMES, None, "DMSO", seed=1)


def test_then_rows_of_every_plate() -> None:
    rows = rows_to_read(NAMES, PLATES, "DMSO")
    assert rows[: 2 + 2 * EXAMPLES] == rows_to_read(NAMES, None, "DMSO")
    assert len(set(rows)) == len(rows)
    read = PLATES[rows][NAMES[rows] == "DMSO"]
    assert (np.sum(read == "p1"), np.sum(read == "p2")) == (24, 24)


def test_of_whole_fields_one_a_condition_and_one_a_plate() -> None:
    rows = rows_to_read(NAMES, PLATES, "DMSO", fields=True)
    assert NAMES[rows[:3]].tolist() == ["DMSO", "rare", "taxol"]
    assert len(rows) <= 6
    assert set(PLATES[rows]) == {"p1", "p2", "p3"}


def test_fewer_rows_to_compare_are_of_some_conditions_and_of_every_plate() -> None:
    names = np.repeat(np.array(["DMSO", *(f"c{number:03}" for number in range(999))], object), 8)
    plates = np.array([f"p{number % 5}" for number in range(len(names))], object)
    rows = rows_to_compare(names, plates, "DMSO", most=90)
    assert len(set(rows)) == len(rows) == 90
    found, counts = np.unique(names[rows[:45]].astype(str), return_counts=True)
    assert found[0] == "DMSO"
    assert found[-1] == "c998"
    assert set(counts) == {3}  # fewer of more conditions would say nothing
    assert min(np.unique(plates[rows[45:]].astype(str), return_counts=True)[1]) >= 8
    assert len(rows_to_compare(names, None, "DMSO", most=90)) == 90
    assert rows_to_compare(NAMES, PLATES, "DMSO") == rows_to_read(NAMES, PLATES, "DMSO")


def test_cells(tmp_path: Path) -> None:
    cells = simulated_cells(2, size=48, conditions=("DMSO", "shrinkage"))
    source = open_source(cells.save(tmp_path / "a.cells"))
    read = list(read_examples(source, [3, 0]))
    assert np.array_equal(joined([one.pixels for one in read]), np.asarray(cells.pixels)[[3, 0]])
    again = list(read_examples(source, [1], cells=cells.take([2, 3])))
    assert np.array_equal(again[0].pixels[0], cells.pixels[3])


def test_ready_crops_of_several_sizes_are_cut_to_the_smallest(tmp_path: Path) -> None:
    for number, side in enumerate((40, 48)):
        (tmp_path / "a").mkdir(exist_ok=True)
        image = np.zeros((side, side, 3), np.uint16)
        image[side // 2, side // 2] = number + 1
        np.save(tmp_path / "a" / f"{number}.npy", image)
    source = open_source(tmp_path, kind="crops")
    read = list(read_examples(source, [0, 1]))
    assert [one.pixels.shape[-1] for one in read] == [40, 48]
    pixels = joined([one.pixels for one in read])
    assert pixels.shape == (2, 3, 40, 40)
    assert pixels[:, 0, 20, 20].tolist() == [1, 2]


@pytest.mark.parametrize("masks", [True, False])
def test_nuclei_of_whole_fields(tmp_path: Path, masks: bool) -> None:
    conditions = ("DMSO", "shrinkage")
    folder = write_simulated_screen(tmp_path / "s", size=256, batches=1, conditions=conditions, masks=masks)
    read = list(read_examples(open_source(folder, kind="fields"), [0, 1], size=48))
    for one in read:
        assert one.pixels.shape[1:] == (3, 48, 48)
        assert len(one.pixels) >= 2
        assert one.cells >= len(one.pixels)
        nuclei = one.pixels[:, 0].astype(float)
        assert np.all(nuclei[:, 20:28, 20:28].mean(axis=(1, 2)) > nuclei.mean(axis=(1, 2)))


def test_of_a_large_field_the_middle_only(tmp_path: Path) -> None:
    side = 2 * WINDOW
    pixels, labels = np.zeros((2, side, side), np.uint16), np.zeros((side, side), np.uint16)
    for number, place in enumerate((100, side // 2), 1):
        labels[place : place + 20, place : place + 20] = number
        pixels[:, place : place + 20, place : place + 20] = number
    np.save(tmp_path / "f.npy", pixels)
    np.save(tmp_path / "m.npy", labels)
    (tmp_path / "metadata.csv").write_text("file,mask_file,compound\nf.npy,m.npy,DMSO\n")
    (one,) = read_examples(open_source(tmp_path), [0], size=32, nuclei_channel="0")
    assert one.pixels.shape == (1, 2, 32, 32)
    assert one.pixels.max() == 2
    assert one.cells == 4  # as many as there would be, were it the same everywhere


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    for number in range(2):
        np.save(tmp_path / f"{number}.npy", np.ones((32, 32, 3), np.uint16))
    source = open_source(tmp_path, kind="crops")
    (tmp_path / "1.npy").write_bytes((tmp_path / "1.npy").read_bytes()[:-500])
    with pytest.raises(SourceError, match=r"1\.npy"):
        list(read_examples(source, [0, 1]))
    damaged: list[SourceError] = []
    assert [one.row for one in read_examples(source, [1, 0], damaged=damaged)] == [0]
    (concern,) = damaged_concerns(damaged, 2)
    assert concern.kind == "damaged"
    assert "1.npy" in concern.message
    assert damaged_concerns(damaged * 2, 9)[0].message.startswith("2 of 9 images looked at cannot be read; the first: ")
    assert damaged_concerns([], 9) == ()
