"""What is no file in a folder of a checkpoint or a run is not waited for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from napari_impa.engine.published.checkpoint_folder import read_published
from napari_impa.engine.training.run_folder.run import Run
from napari_impa.errors import ModelError, TrainingError

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")


def test_a_pipe_called_a_checkpoint(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "000010_nets.ckpt")
    (tmp_path / "000010_embeddings.ckpt").write_bytes(b"")
    with pytest.raises(ModelError, match="is no file"):
        read_published(tmp_path)


def test_a_pipe_called_a_run(tmp_path: Path) -> None:
    for name in ("config.json", "source.json", "history.csv"):
        os.mkfifo(tmp_path / name)
    run = Run(tmp_path)
    with pytest.raises(TrainingError, match="holds no run"):
        _ = run.config
    assert run.source == {}
    assert run.history.empty
