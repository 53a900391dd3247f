from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from napari_impa.engine.model import tensor_file
from napari_impa.errors import ModelError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "last.safetensors"
    tensor_file.write_tensors(path, {"weight": torch.ones(3)}, {"step": 1})
    return path


def test_a_file_that_is_replaced_while_it_is_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, replaced = tensor_file.safe_open, []

    def open_late(*how: Any, **more: Any) -> Any:
        if len(replaced) < 2:
            replaced.append(True)
            tensor_file.write_tensors(path, {"weight": torch.full((3,), 2.0)}, {"step": 2})
            if len(replaced) == 1:
                raise RuntimeError("file is smaller than the required mapping size")
        return opened(*how, **more)

    monkeypatch.setattr(tensor_file, "safe_open", open_late)
    tensors, header = tensor_file.read_tensors(path)
    assert tensors["weight"].tolist() == [2.0, 2.0, 2.0]
    assert header == {"step": 2}


@pytest.mark.parametrize("length", [0, 7, 60])
def test_a_damaged_file(path: Path, length: int) -> None:
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ModelError, match="damaged"):
        tensor_file.read_tensors(path)


@pytest.mark.parametrize("header", ["{", "3", '"text"', "null"])
def test_a_damaged_header(tmp_path: Path, header: str) -> None:
    save_file({"weight": torch.zeros(1)}, tmp_path / "model.impa", {tensor_file.HEADER: header})
    with pytest.raises(ModelError, match="damaged: its header"):
        tensor_file.read_header(tmp_path / "model.impa")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no file modes")
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_files_are_as_readable_as_others(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        tensor_file.write_tensors(tmp_path / "model.impa", {"a": torch.ones(1)}, {})
        tensor_file.write_beside(tmp_path / "config.json", lambda partial: partial.write_text("{}"))
        assert os.umask(umask) == umask
    finally:
        os.umask(before)
    for name in ("model.impa", "config.json"):
        assert (tmp_path / name).stat().st_mode & 0o777 == mode


def test_what_was_there_stays_where_writing_fails(path: Path) -> None:
    def fail(partial: Path) -> None:
        partial.write_text("half")
        raise OSError("full")

    whole = path.read_bytes()
    with pytest.raises(OSError, match="full"):
        tensor_file.write_beside(path, fail)
    assert path.read_bytes() == whole
    assert list(path.parent.iterdir()) == [path]
    left = path.with_name(".model.impa.1.partial")
    left.mkdir()
    (left / ".x.2.partial").write_text("killed while it wrote")
    tensor_file.remove_partial(path.parent)
    assert [*path.parent.rglob("*")] == [left, path] or [*path.parent.rglob("*")] == [path, left]


def test_the_header_is_under_our_key(path: Path) -> None:
    with safe_open(path, framework="pt") as file:
        assert file.metadata() == {"napari_impa": '{"step": 1}'}
    save_file({"weight": torch.zeros(1)}, path, {"another": "{}"})
    with pytest.raises(ModelError, match="not one of napari-impa"):
        tensor_file.read_header(path)


def test_finite_or_not() -> None:
    good = {"a": torch.ones(2), "n": torch.tensor(3)}
    assert tensor_file.all_finite(good)
    assert not tensor_file.all_finite({**good, "b": torch.tensor([1.0, torch.nan])})
    assert not tensor_file.all_finite({**good, "b": torch.tensor([-torch.inf])})
