"""Files of earlier versions are read with the same predictions and scores; those of later ones are refused in words.

`tests/files_of_this_version.py` wrote them; they are never written anew, and a later version adds its own beside them.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from files_of_this_version import CONDITION, results

import napari_impa as impa
from napari_impa.engine.model import tensor_file

KEPT = sorted(Path(__file__).with_name("data").glob("files_of_*"))


@pytest.fixture(params=KEPT, ids=lambda path: path.name)
def kept(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


def test_predictions_and_scores_are_those_of_then(kept: Path) -> None:
    predicted, scores = results(kept)
    then = np.load(kept / "predicted.npy")
    assert predicted.dtype == then.dtype
    assert np.abs(predicted.astype(int) - then).max() <= 1  # rounding differs from processor to processor
    assert scores == pytest.approx(json.loads((kept / "scores.json").read_text(encoding="utf-8")), abs=0.02)


def test_a_run_says_what_it_said(kept: Path) -> None:
    run = impa.Run(kept / "run")
    assert (run.settings.size, run.settings.steps, run.settings.hold_out) == (24, 2, {"plate": ("sim-B",)})
    assert run.recipe is not None
    assert list(run.history["step"]) == [1, 2]
    assert run.best is not None
    assert run.best[0] == 2
    assert impa.load_model(run.folder).conditions == (CONDITION,)


def test_a_newer_model_is_refused_in_a_sentence(kept: Path, tmp_path: Path) -> None:
    tensors, header = tensor_file.read_tensors(kept / "model.impa")
    tensor_file.write_tensors(tmp_path / "new.impa", tensors, {**header, "format": 99})
    with pytest.raises(impa.ImpaError, match=r"new\.impa was written by a newer napari-impa; update napari-impa"):
        impa.load_model(tmp_path / "new.impa")


def test_newer_cells_are_refused_in_a_sentence(kept: Path, tmp_path: Path) -> None:
    shutil.copytree(kept / "screen.cells", tmp_path / "new.cells")
    meta = json.loads((tmp_path / "new.cells" / "meta.json").read_text(encoding="utf-8"))
    (tmp_path / "new.cells" / "meta.json").write_text(json.dumps({**meta, "format": 99}), encoding="utf-8")
    with pytest.raises(impa.ImpaError, match=r"written by a newer napari-impa \(format 99\); update napari-impa"):
        impa.open_cells(tmp_path / "new.cells")


def test_a_run_of_a_newer_recipe_is_refused_in_a_sentence(kept: Path, tmp_path: Path) -> None:
    config = json.loads((kept / "run" / "config.json").read_text(encoding="utf-8"))
    config["recipe"]["of_the_future"] = 1.0
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(impa.ImpaError, match="begun by another version of napari-impa, whose recipe this one does not"):
        _ = impa.Run(tmp_path).recipe
