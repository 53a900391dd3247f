from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from worker_tasks import cut_and_tell

from napari_impa.cells import blocks as cutting
from napari_impa.cells.blocks import Cutting, workers_for
from napari_impa.cells.folder import crop_source, crop_summary
from napari_impa.cells.parts import Share
from napari_impa.cells.segmenters import Nuclei
from napari_impa.cells.simulated.screen import simulated_cells, write_simulated_screen
from napari_impa.cells.source import open_source
from napari_impa.cells.store import concatenate
from napari_impa.errors import CellsError, SourceError
from napari_impa.workers import Workers


def together(count: int, work: Callable[[Share], object]) -> list[BaseException]:
    """Do the work once for every rank, in threads; returns the errors."""
    barrier, errors = threading.Barrier(count, timeout=30), []

    def run(rank: int) -> None:
        try:
            work(Share(rank, count, barrier.wait))
        except BaseException as error:
            errors.append(error)
            barrier.abort()

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@given(st.integers(0, 200), st.integers(1, 9), st.integers(1, 40))
def test_ranks_share_all_rows_in_order_and_in_whole_blocks(total: int, count: int, block: int) -> None:
    parts = [Share(rank, count).rows(total, block=block) for rank in range(count)]
    assert [row for part in parts for row in part] == list(range(total))
    assert all(part.start % block == 0 for part in parts if len(part))
    sizes = [-(-len(part) // block) for part in parts]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("count", [2, 5])
def test_fields_cropped_together_are_those_cropped_alone(tmp_path: Path, count: int) -> None:
    source = write_simulated_screen(
        tmp_path / "screen", size=160, batches=2, conditions=("DMSO", "shrinkage"), masks=True
    )
    table = pd.read_csv(source / "metadata.csv")
    table["note"] = ["", "seen, twice", "007", "ä"][: len(table)]
    table.to_csv(source / "metadata.csv", index=False)
    alone = crop_source(source, tmp_path / "alone", size=32)
    errors = together(count, lambda share: crop_source(source, tmp_path / "shared", size=32, share=share))
    assert not errors
    assert files(tmp_path / "alone.cells") == files(tmp_path / "shared.cells")
    assert crop_summary(alone).startswith(f"{len(alone)} cells")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alone.cells", "screen", "shared.cells"]


def test_stored_cells_cut_together(tmp_path: Path) -> None:
    few = simulated_cells(10, size=32, conditions=("DMSO", "shrinkage"))
    source = concatenate([few] * 30).save(tmp_path / "all.cells")
    crop_source(source, tmp_path / "alone", size=24)
    assert not together(2, lambda share: crop_source(source, tmp_path / "shared", size=24, share=share))
    assert files(tmp_path / "alone.cells") == files(tmp_path / "shared.cells")


def test_an_error_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = simulated_cells(6, size=32, conditions=("DMSO", "shrinkage")).save(tmp_path / "all.cells")
    (tmp_path / "there.cells").mkdir()
    errors = together(2, lambda share: crop_source(source, tmp_path / "there", share=share))
    assert all(isinstance(error, CellsError) for error in errors)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    errors = together(2, lambda share: crop_source(source, tmp_path / "full", share=share))
    assert any("No space left" in str(error) for error in errors)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all.cells", "there.cells"]


def test_no_cell_at_all_is_said_once_for_all(tmp_path: Path) -> None:
    folder = tmp_path / "blank"
    folder.mkdir()
    for number in range(3):
        np.save(folder / f"{number}.npy", np.zeros((2, 32, 32), np.uint16))
    pd.DataFrame({"file": [f"{n}.npy" for n in range(3)], "compound": "DMSO"}).to_csv(folder / "metadata.csv")
    errors = together(2, lambda share: crop_source(folder, tmp_path / "out", share=share))
    assert any("black" in str(error) for error in errors)
    assert [path.name for path in tmp_path.iterdir()] == ["blank"]


def test_a_part_without_cells_is_no_obstacle(tmp_path: Path) -> None:
    source = simulated_cells(4, size=32, conditions=("DMSO",)).save(tmp_path / "few.cells")
    assert not together(3, lambda share: crop_source(source, tmp_path / "shared", share=share))
    crop_source(source, tmp_path / "alone")
    assert files(tmp_path / "alone.cells") == files(tmp_path / "shared.cells")


def test_fields_that_several_processes_cut_are_the_same_to_the_bit(tmp_path: Path) -> None:
    source = write_simulated_screen(tmp_path / "screen", size=160, batches=2, conditions=("DMSO", "shrinkage"))
    image = max(source.rglob("*.tif"))
    tifffile.imwrite(image, np.zeros_like(tifffile.imread(image)), photometric="minisblack")  # one field is blank
    alone = crop_source(source, tmp_path / "alone", size=32, kind="fields")
    shared = crop_source(source, tmp_path / "shared", size=32, kind="fields", workers=Workers(2))
    assert files(tmp_path / "shared.cells") == files(tmp_path / "alone.cells")
    assert len(alone.history["blank_fields"]) == 1
    assert shared.history["left_out_at_border"] > 0


def test_who_cuts_fields_imports_no_more_than_that_takes(tmp_path: Path) -> None:
    source = open_source(
        write_simulated_screen(tmp_path / "screen", size=96, batches=1, conditions=("DMSO",)), kind="fields"
    )
    (packages,) = Workers(2).in_order(cut_and_tell, [(source.alone(0), 0, Cutting(32, Nuclei()))])
    assert {"napari_impa", "skimage"} <= packages
    assert not packages & {"torch", "napari", "qtpy", "dask", "sklearn", "matplotlib"}


def test_a_damaged_field_is_named_by_whoever_cuts_it(tmp_path: Path) -> None:
    source = write_simulated_screen(tmp_path / "screen", size=160, batches=2, conditions=("DMSO", "shrinkage"))
    image = max(source.rglob("*.tif"))
    image.write_bytes(image.read_bytes()[:2000])
    with pytest.raises(SourceError, match=image.name):
        crop_source(source, tmp_path / "out", size=32, kind="fields", workers=Workers(2))
    assert not (tmp_path / "out.cells").exists()


def test_a_core_each_where_there_are_many_fields(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutting, "cores", lambda: 6)
    source = open_source(
        write_simulated_screen(tmp_path / "screen", size=96, batches=2, conditions=("DMSO", "shrinkage")), kind="fields"
    )
    assert len(source) < 8
    assert workers_for(source) == Workers(1)
    many = replace(source, table=pd.concat([source.table] * 4), entries=[*source.entries] * 4)
    assert workers_for(many) == Workers(6)
    assert workers_for(many, 3) == Workers(3)
    assert workers_for(many, None, "tcp://there:8786") == Workers(1, "tcp://there:8786")
    assert workers_for(replace(many, kind="crops")) == Workers(1)
