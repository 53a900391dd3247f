"""Train variants of a recipe for equal minutes and score them on held-out cells: `python -m benchmarks.recipes`.

    python -m benchmarks.recipes plate.cells --label compound dose_um --control DMSO --hold-out plate=P3 --minutes 8 \\
        --variants default paper "default contrast=0" "default muon=0 autoencoder_rates=0.0004,0"

A variant is a recipe's name and fields of `Recipe` with other values.  Every variant trains with the same seed and the
same threads; compare minutes only where nothing else runs.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from napari_impa.analysis.features import deep_features
from napari_impa.analysis.frechet import frechet_distance
from napari_impa.analysis.montage import save_evaluation_montage
from napari_impa.analysis.scores import evaluate
from napari_impa.analysis.selection import select_cells
from napari_impa.catalog import load_model
from napari_impa.cells.folder import read_cells
from napari_impa.cells.store import Cells
from napari_impa.engine.intensity import normalize, to_levels
from napari_impa.engine.model import IMPA
from napari_impa.engine.settings import RECIPES, Recipe, TrainingSettings
from napari_impa.engine.training import Trainer
from napari_impa.training import follow


def main(arguments: list[str] | None = None) -> None:
    """Train and score every variant; print one row each as soon as it is there."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recipes", description=__doc__.split("\n")[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("--variants", nargs="+", default=["default", "paper"], help='such as "default contrast=0"')
    parser.add_argument("--label", nargs="+", required=True)
    parser.add_argument("--control", required=True)
    parser.add_argument("--hold-out", required=True, metavar="COLUMN=VALUE")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--preset", default="tiny")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, default=Path("recipes"), help="folder for runs, montages and scores")
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    column, value = given.hold_out.split("=", 1)
    cells = read_cells(given.source, label=given.label, control=given.control, size=given.size)
    print(
        f"{given.preset}, {given.size} px, batch {given.batch_size}, {given.minutes:g} minutes on {given.threads} "
        f"threads, seed {given.seed}; {given.hold_out} held out\n"
    )
    header = None
    for number, variant in enumerate(given.variants):
        settings = TrainingSettings(
            size=given.size, preset=given.preset, minutes=given.minutes, batch_size=given.batch_size, seed=given.seed,
            hold_out={column: [value]}, recipe=variant.split()[0],
        )  # fmt: skip
        folder = given.out / f"{number + 1:02d}"
        trainer = Trainer(cells, settings, folder, recipe=recipe_of(variant))
        follow(trainer, progress=False)
        model = load_model(folder)
        row: dict[str, Any] = {"recipe": variant, "steps": trainer.step, **scores(model, cells)}
        save_evaluation_montage(folder / "montage.png", model, cells)
        (folder / "scores.json").write_text(json.dumps(row, indent=1), encoding="utf-8")
        if header is None:
            header = list(row)
            print(f"| {' | '.join(header)} |\n|{'---|' * len(header)}", flush=True)
        shown = (f"{entry:.3f}" if isinstance(entry, float) else str(entry) for entry in row.values())
        print(f"| {' | '.join(shown)} |", flush=True)


def recipe_of(variant: str) -> Recipe:
    """Read `default contrast=0 autoencoder_rates=0.001,0`."""
    name, *changes = variant.split()
    values = {field: ast.literal_eval(value) for field, value in (change.split("=", 1) for change in changes)}
    return dataclasses.replace(RECIPES[name], **values)


def scores(model: IMPA, cells: Cells) -> dict[str, float]:
    """Held-out scores: means over the conditions, then those of each condition.

    `distance` and `texture` are Fréchet distances of predicted to real cells over the untransformed control's: of the
    cells as they are, and of their detail alone, brightness and contrast evened out.  `treated` is the fraction taken
    for treated.  `given back` is the mean correlation of control cells with themselves at strength 0.
    """
    table = evaluate(model, cells)
    chosen = select_cells(model, cells)
    textures = []
    for condition in chosen.conditions:
        sources = chosen.take(chosen.sources(condition))
        predicted = model.predict(sources, condition)
        real = chosen.take(chosen.real(condition))
        count = min(len(sources), len(real))
        one, control, other = (texture(part, model, count) for part in (predicted, sources, real))
        textures.append(frechet_distance(one, other) / frechet_distance(control, other))
    controls = chosen.take(chosen.sources(chosen.conditions[0]))
    back = model.predict(controls, chosen.conditions[0], strength=0.0)
    found = {
        "distance": float(table["ratio"].mean()),
        "texture": float(np.mean(textures)),
        "treated": float(table["treated_predicted"].mean()),
        "given back": correlation(back, controls),
    }
    for condition, ratio, detail in zip(chosen.conditions, table["ratio"], textures, strict=True):
        found |= {f"distance {condition}": float(ratio), f"texture {condition}": float(detail)}
    return found


def texture(cells: Cells, model: IMPA, count: int) -> np.ndarray:
    """(count, D) features of the cells' detail, of equal contrast in every channel of every cell."""
    images = normalize(to_levels(cells.pixels[:count], model.limits))
    detail = images - F.avg_pool2d(F.pad(images, (4, 4, 4, 4), mode="replicate"), 9, 1)
    detail = detail / (detail.flatten(2).std(2)[:, :, None, None] + 0.02)
    return deep_features((detail / 8 + 0.5).numpy(), np.tile([0.0, 1.0], (images.shape[1], 1)))


def correlation(cells: Cells, others: Cells) -> float:
    """Mean over cells and channels of the correlation of their pixels."""
    one, other = (part.pixels.reshape(len(part), part.pixels.shape[1], -1).astype(float) for part in (cells, others))
    one, other = one - one.mean(2, keepdims=True), other - other.mean(2, keepdims=True)
    return float(((one * other).sum(2) / np.sqrt((one**2).sum(2) * (other**2).sum(2)) + 0).mean())


if __name__ == "__main__":
    main()
