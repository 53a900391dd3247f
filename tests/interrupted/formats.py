"""What is written: an old version, a new one in its place, and reading what is there."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import tifffile
import torch

from napari_impa.analysis.pictures.montage import save_montage
from napari_impa.analysis.report.files import write_together
from napari_impa.cells.plate_maps.table_of_files import write_table_of_files
from napari_impa.cells.sheets.typed_table import read_table
from napari_impa.cells.source import open_source
from napari_impa.cells.store import Cells, CellsWriter, open_cells
from napari_impa.cells.tiff import read_ome_tiff, save_cells_ome_tiff, save_cells_tiff
from napari_impa.cli.console import save_json
from napari_impa.engine.model import tensor_file
from napari_impa.engine.model.model import IMPA
from napari_impa.engine.model.networks import Networks
from napari_impa.engine.model.shape import Shape
from napari_impa.engine.training.run_folder.best import BestModel
from napari_impa.engine.training.run_folder.checkpoints import Checkpoints, Position
from napari_impa.engine.training.run_folder.run import Run
from napari_impa.engine.training.runaway import Runaway
from napari_impa.engine.training.settings import TrainingSettings
from napari_impa.engine.training.steps import recipe_named
from napari_impa.engine.training.steps.rates import RateFactors
from napari_impa.work.exploring.profile import write_profiles
from napari_impa.work.exploring.table_file import write_table_file
from napari_impa.work.predicting.predict_into import predict_into

OLD, NEW = 1, 2

Write = Callable[[Path, int], object]


@dataclass(frozen=True)
class Format:
    """Something that is written.

    Parameters
    ----------
    name
        What it is called.
    write
        Writes the old (1) or the new (2) into a folder.
    read
        Reads what is there, as users' next command does: parts by name, each of which is old or new. The first of
        several is new only when all are.
    keeps
        Whether what is half done stays, hidden, and is gone on with.
    """

    name: str
    write: Write
    read: Callable[[Path], Mapping[str, Any]]
    keeps: bool = False


def _cells(version: int, count: int = 4) -> Cells:
    table = pd.DataFrame({"drug": ["DMSO", "x"] * (count // 2), "plate": [f"P{version}"] * count})
    pixels = np.random.default_rng(version).integers(200, 2000, (count, 3, 24, 24)).astype(np.uint16)
    return Cells(pixels, table, ("DNA", "tubulin", "actin"), 0.5, ("drug",), "DMSO")


def _whole(path: Path) -> Mapping[str, Any]:
    cells = open_cells(path)
    assert set(cells.table["plate"]) == {cells.history.get("plate", cells.table["plate"][0])}
    return {path.name: (len(cells), int(np.asarray(cells.pixels, np.int64).sum()))}


def _cut(folder: Path, version: int) -> None:
    cells = _cells(version)
    with CellsWriter(
        folder / "x", cells.channels, cells.size, cells.pixels.dtype, overwrite=True, keep={"version": version}
    ) as writer:
        for row in range(writer.so_far.get("rows", 0), len(cells)):
            one = cells.take([row])
            writer.append(one.pixels, one.table, {"rows": row + 1})


@cache
def _model() -> IMPA:
    shape = Shape(size=24, channels=3, width=4, embedding_dims=(4,), conditions=(1,))
    networks = Networks(shape).initialize(torch.Generator().manual_seed(0))
    limits = np.array([[100.0, 3000.0]] * 3)
    return IMPA(
        networks, channels=("DNA", "tubulin", "actin"), conditions=("x",), limits=limits, control="DMSO",
        label=("drug",), name="m",
    )  # fmt: skip


def _predict(folder: Path, version: int) -> None:
    predict_into(folder / "x", _model(), _cells(version), "x", overwrite=True, batch_size=1, keep={"images": version})


def _save_weights(path: Path, version: int) -> None:
    tensor_file.write_tensors(path, {"weight": torch.full((64,), float(version))}, {"steps": version, "history": {}})


def _weights(path: Path) -> int:
    tensors, header = tensor_file.read_tensors(path)
    assert set(tensors["weight"].tolist()) == {float(header["steps"])}
    return int(header["steps"])


def _train(folder: Path, version: int) -> None:
    """What a training leaves at its first checkpoint, and at the second: the very functions, without the training."""
    run = Run(folder / "run")
    if not run.exists:
        run.start(TrainingSettings(size=24), recipe_named("default"), {"count": 3})
        run.keep_source(folder, ["drug"], "DMSO")
    began = _resume(run)
    step: Any = SimpleNamespace(
        lowered=RateFactors(), state=lambda: {"weight": torch.full((8,), float(version))}, networks=torch.nn.Identity()
    )
    checkpoints = Checkpoints(run, step, BestModel(run), Runaway())
    checkpoints.rows = [
        {"step": number, "seconds": number / 3, "stage": "adversarial", "cycle": 1 / number}
        for number in range(began + 1, version + 1)
    ]
    model: Any = SimpleNamespace(save=lambda path: _save_weights(path, version))
    checkpoints.save(Position(version, version / 3, 0), lambda: model)
    run.append_gaps(version, version / 3, 0.5, {"x": 0.5})


def _resume(run: Run) -> int:
    """Step of the checkpoint; what came after it is dropped, as when a training goes on."""
    if not run.checkpoint_path.is_file():
        return 0
    tensors, header = tensor_file.read_tensors(run.checkpoint_path)
    assert set(tensors["weight"].tolist()) == {float(header["step"])}
    run.cut(header["step"])
    return int(header["step"])


def _run(folder: Path) -> Mapping[str, Any]:
    run = Run(folder / "run")
    step = _resume(run)
    assert run.config["source"] == {"count": 3}
    assert run.settings == TrainingSettings(size=24)
    assert run.history["step"].tolist() == list(range(1, step + 1))
    assert set(run.gaps["step"]) <= {1, 2}
    for path in (run.last_path, run.model_path):
        assert _weights(path) in (OLD, NEW)
    return {"checkpoint": step}


def _metadata(folder: Path, version: int) -> None:
    """Of images that lie beside the folder, so that writing them is not interrupted."""
    images = folder.parent / f"P{version}"
    for name in ("DMSO", "x"):
        if not (images / name).exists():
            (images / name).mkdir(parents=True)
            tifffile.imwrite(images / name / "1.tif", np.full((2, 24, 24), version, np.uint16))
    write_table_of_files(open_source(images), folder / "metadata.csv", overwrite=True)


def _files_named(folder: Path) -> Mapping[str, Any]:
    """What the table names, wherever it lies."""
    table = read_table(folder / "metadata.csv")
    assert len(table) == 2
    return {"metadata.csv": [Path(file).parts[-3:] for file in table["file"]]}


def _table(folder: Path, version: int) -> None:
    write_table_file(folder / "screen.csv", pd.DataFrame({"condition": ["x"] * 500, "effect": [version] * 500}))


def _profile(folder: Path, version: int) -> None:
    write_profiles(folder / "profile.csv", _cells(version), by="fast", overwrite=True)


REPORT = ("report.html", "report.json", "scores.csv")


def _report(folder: Path, version: int) -> None:
    write_together(folder, dict.fromkeys(REPORT, f"{version} " * 9000))


def _texts(*names: str) -> Callable[[Path], Mapping[str, Any]]:
    return lambda folder: {name: (folder / name).read_text() for name in names}


def _picture(folder: Path, version: int) -> None:
    save_montage(folder / "p.png", np.random.default_rng(version).integers(0, 255, (64, 64, 3)).astype(np.uint8))


def _read_tables(name: str) -> Callable[[Path], Mapping[str, Any]]:
    return lambda folder: {name: read_table(folder / name).to_csv()}


FORMATS = (
    Format(".cells", lambda folder, version: _cells(version).save(folder / "x", overwrite=True),
           lambda folder: _whole(folder / "x.cells")),
    Format(".cells gone on with", _cut, lambda folder: _whole(folder / "x.cells"), keeps=True),
    Format("predicted cells", _predict, lambda folder: _whole(folder / "x.cells"), keeps=True),
    Format(".impa", lambda folder, version: _save_weights(folder / "m.impa", version),
           lambda folder: {"m.impa": _weights(folder / "m.impa")}),
    Format("training run", _train, _run),
    Format("report", _report, _texts(*REPORT)),
    Format("scores (JSON)", lambda folder, version: save_json(folder / "j.json", [version] * 9000),
           lambda folder: {"j.json": sum(json.loads((folder / "j.json").read_text()))}),
    Format("metadata.csv", _metadata, _files_named),
    Format("screen", _table, _read_tables("screen.csv")),
    Format("profile", _profile, _read_tables("profile.csv")),
    Format("picture", _picture, lambda folder: {"p.png": (folder / "p.png").read_bytes()}),
    Format("ImageJ stack", lambda folder, version: save_cells_tiff(_cells(version), folder / "x"),
           lambda folder: {"x.tif": int(tifffile.imread(folder / "x.tif").astype(int).sum())}),
    Format("OME-TIFF", lambda folder, version: save_cells_ome_tiff(_cells(version), folder / "x"),
           lambda folder: {"x.ome.tif": int(np.asarray(read_ome_tiff(folder / "x.ome.tif").pixels, int).sum())}),
)  # fmt: skip
