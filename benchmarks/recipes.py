"""Train variants of a recipe for equal minutes and score them on held-out cells: `python -m benchmarks.recipes`.

    python -m benchmarks.recipes plate.cells --label compound dose_um --control DMSO --hold-out plate=P3 --minutes 8 \\
        --variants default paper "default contrast=0" "default muon=0 autoencoder_rates=0.0004,0"

A variant is a recipe's name and fields of it with other values (of `paper` there is only `upsampling`).
Every variant trains with the same seed and the same threads; compare minutes only where nothing else runs.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from napari_impa.analysis.evaluation import DEFAULT_SPACES, evaluate
from napari_impa.analysis.features.space import FAMILIES
from napari_impa.analysis.metrics.gap import family_column
from napari_impa.analysis.pictures.evaluation_montage import save_evaluation_montage
from napari_impa.analysis.selection import ScoredCells, select_cells
from napari_impa.cells.folder import read_cells
from napari_impa.cells.store import Cells
from napari_impa.engine.model.model import IMPA
from napari_impa.engine.training.settings import TrainingSettings
from napari_impa.engine.training.steps import recipe_named
from napari_impa.engine.training.steps.recipe import Recipe
from napari_impa.engine.training.trainer import Trainer
from napari_impa.errors import TrainingError
from napari_impa.work.catalog import load_model
from napari_impa.work.training import follow


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
    parser.add_argument("--features", nargs="+", default=list(DEFAULT_SPACES), help="what cells are compared by")
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
    for number, variant in enumerate(given.variants):
        settings = TrainingSettings(
            size=given.size, preset=given.preset, minutes=given.minutes, batch_size=given.batch_size, seed=given.seed,
            threads=given.threads, hold_out={column: [value]}, recipe=variant.split()[0],
        )  # fmt: skip
        folder = given.out / f"{number + 1:02d}"
        trainer = Trainer(cells, settings, folder, recipe=recipe_of(variant))
        follow(trainer, progress=False)
        model = load_model(folder)
        row, real = scores(model, cells, given.features)
        save_evaluation_montage(folder / "montage.png", model, cells)
        (folder / "scores.json").write_text(json.dumps({"recipe": variant, "steps": trainer.step, **row}, indent=1))
        if number == 0:
            print(f"| recipe | steps | {' | '.join(row)} |\n|{'---|' * (2 + len(row))}", flush=True)
            print(f"| real cells | | {in_cells(real)} |", flush=True)
        print(f"| {variant} | {trainer.step} | {in_cells(row)} |", flush=True)


def in_cells(values: Mapping[str, float]) -> str:
    """Numbers between the bars of a table."""
    return " | ".join(f"{value:.3f}" for value in values.values())


def recipe_of(variant: str) -> Recipe:
    """Read `default contrast=0 autoencoder_rates=0.001,0 upsampling=nearest`.

    Raises
    ------
    TrainingError
        If there is no such recipe, or it has no such value.
    """
    name, *changes = variant.split()
    recipe, given = recipe_named(name), dict(change.split("=", 1) for change in changes)
    known = [field.name for field in dataclasses.fields(recipe)]
    for field in given:
        if field not in known:
            raise TrainingError(f"The recipe {name} has no value {field!r} to choose; it has: {', '.join(known)}.")
    words = {field for field in given if isinstance(getattr(recipe, field), str)}
    values = {field: value if field in words else ast.literal_eval(value) for field, value in given.items()}
    return dataclasses.replace(recipe, **values)


SHOWN = ("gap_closed", *map(family_column, FAMILIES), "told_apart", "right", "treated", "ratio_quick")
"""Columns of `evaluate` that are printed of each variant, means over the conditions."""


def scores(model: IMPA, cells: Cells, features: Sequence[str]) -> tuple[dict[str, float], dict[str, float]]:
    """Held-out scores of a model, and of real cells that are not held out: means over the conditions.

    The columns of `evaluate`, and `given back`: the mean correlation of control cells with themselves at strength 0.
    """
    table = evaluate(model, cells, features=features)
    predicted, real = (
        {name: float(part[name].mean()) for name in SHOWN if name in part}
        for part in (table[table["row"] == row] for row in ("predicted", "real"))
    )
    return predicted | {"given back": given_back(model, select_cells(model, cells))}, real | {"given back": 1.0}


def given_back(model: IMPA, chosen: ScoredCells) -> float:
    """Mean correlation of control cells with themselves at strength 0."""
    controls = chosen.take(chosen.sources(chosen.conditions[0]))
    return correlation(model.predict(controls, chosen.conditions[0], strength=0.0), controls)


def correlation(cells: Cells, others: Cells) -> float:
    """Mean over cells and channels of the correlation of their pixels."""
    one, other = (part.pixels.reshape(len(part), part.pixels.shape[1], -1).astype(float) for part in (cells, others))
    one, other = one - one.mean(2, keepdims=True), other - other.mean(2, keepdims=True)
    return float(((one * other).sum(2) / np.sqrt((one**2).sum(2) * (other**2).sum(2)) + 0).mean())


if __name__ == "__main__":
    main()
