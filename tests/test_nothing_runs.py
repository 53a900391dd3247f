"""Files that carry a command, of every kind that is read: it is never run, and a sentence says what is wrong."""

from __future__ import annotations

import io
import os
import pickle
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_impa.cells.readers import read_image, read_masks
from napari_impa.cells.source import open_source
from napari_impa.cells.store import Cells, open_cells
from napari_impa.engine.model.model import IMPA
from napari_impa.errors import ImpaError
from napari_impa.work.catalog import load_model


class Command:
    """What a pickle runs that is loaded."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch '{self.marker}'",)


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """The file that is there once a command was run."""
    return tmp_path / "ran"


@pytest.fixture
def payload(marker: Path) -> bytes:
    """A pickle with a command; it does run where it is unpickled."""
    data = pickle.dumps(Command(marker))
    pickle.loads(data)
    assert marker.exists()
    marker.unlink()
    return data


def torch_zip(marker: Path) -> bytes:
    """What `torch.save` writes of it: a zip with a pickle."""
    file = io.BytesIO()
    torch.save({"generator": Command(marker)}, file)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["pickle", "zip", "torch"])
@pytest.mark.parametrize("name", ["model.impa", "run/model.impa", "published/000200_nets.ckpt"])
def test_of_models(tmp_path: Path, marker: Path, payload: bytes, name: str, kind: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", payload)
    else:
        path.write_bytes(payload if kind == "pickle" else torch_zip(marker))
    if path.suffix == ".ckpt":
        shutil.copy(path, path.with_name("000200_embeddings.ckpt"))
    for read in (load_model, IMPA.load):
        with pytest.raises(ImpaError) as told:
            read(path.parent if path.parent != tmp_path and read is load_model else path)
        assert "\n" not in str(told.value)
    assert not marker.exists()


def test_of_arrays(tmp_path: Path, marker: Path, payload: bytes) -> None:
    np.save(tmp_path / "a.npy", np.array([[Command(marker)]], object), allow_pickle=True)
    (tmp_path / "b.npy").write_bytes(payload)
    (tmp_path / "c_seg.npy").write_bytes(payload)
    for name in ("a.npy", "b.npy", "c_seg.npy"):
        for read in (read_image, read_masks, open_source):
            with pytest.raises(ImpaError):
                read(tmp_path / name)
    with pytest.raises(ImpaError):
        open_source(tmp_path)
    assert not marker.exists()


def test_of_cells(tmp_path: Path, marker: Path, payload: bytes) -> None:
    import pandas as pd

    cells = Cells(np.zeros((2, 1, 8, 8), np.uint8), pd.DataFrame({"compound": ["a", "b"]}), ("DNA",))
    path = cells.save(tmp_path / "x.cells")
    np.save(path / "pixels.npy", np.array([Command(marker)] * 2, object), allow_pickle=True)
    with pytest.raises(ImpaError):
        open_cells(path)
    (path / "pixels.npy").write_bytes(payload)
    with pytest.raises(ImpaError):
        open_cells(path, in_memory=True)
    assert not marker.exists()


@pytest.mark.parametrize("ending", [".tif", ".png", ".nd2", ".czi", ".lif", ".csv", ".xlsx", ".parquet"])
def test_of_other_files(tmp_path: Path, marker: Path, payload: bytes, ending: str) -> None:
    (tmp_path / f"a{ending}").write_bytes(payload)
    with pytest.raises(ImpaError):
        open_source(tmp_path / f"a{ending}")
    np.save(tmp_path / "image.npy", np.zeros((1, 300, 300), np.uint8))
    with pytest.raises(ImpaError):
        open_source(tmp_path / "image.npy", plate_map=tmp_path / f"a{ending}")
    assert not marker.exists()
