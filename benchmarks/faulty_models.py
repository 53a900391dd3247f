"""Models with one known fault each, to see that the scores name it: `python -m benchmarks.faulty_models RUN SOURCE`.

    python -m benchmarks.faulty_models runs/chx plate/ --label compound dose_um --control DMSO --also shuffled=runs/s

Each is made of a trained model and the cells of its training; what was trained badly (on shuffled labels, say) is given
by `--also NAME=RUN`. Prints the first line of each verdict.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_impa.analysis.beside.mean_effect import apply_effect, mean_effect
from napari_impa.analysis.evaluation import DEFAULT_SPACES, evaluation
from napari_impa.cells.folder import read_cells
from napari_impa.cells.store import Cells
from napari_impa.engine.model.model import IMPA
from napari_impa.work.catalog import load_model

Answer = Callable[[Cells, str], Any]


class Answering:
    """A model in all but its predictions.

    Parameters
    ----------
    model
        Says all else.
    answer
        Gives the pixels (n, C, S, S) of cells under a condition.
    """

    def __init__(self, model: IMPA, answer: Answer) -> None:
        self._model, self._answer = model, answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def predict(self, cells: Cells, to: str, *, strength: float = 1.0, **how: Any) -> Cells:
        """Answer; in between at other strengths."""
        before = self._model.fit(cells)
        after = np.asarray(self._answer(before, to), float)
        mixed = before.pixels + strength * (after - before.pixels)
        limit = np.iinfo(before.pixels.dtype).max
        return replace(before, pixels=np.clip(np.rint(mixed), 0, limit).astype(before.pixels.dtype))


def training_cells(model: IMPA, cells: Cells) -> Cells:
    """Those that the training did not hold out, as the model takes them."""
    cells = model.fit(cells.labelled(model.label, model.control))
    held = np.zeros(len(cells), bool)
    for column, values in model.hold_out.items():
        held |= cells.table[column].astype(str).isin([str(value) for value in values]).to_numpy()
    return cells.take(~held)


def identity(model: IMPA, seen: Cells) -> Answer:
    """Leaves cells as they are."""
    return lambda cells, to: cells.pixels


def average(model: IMPA, seen: Cells) -> Answer:
    """Moves intensities by the mean effect, nothing else."""
    control = seen.pixels[seen.is_control]
    effects = {to: mean_effect(control, seen.pixels[seen.conditions == to]) for to in set(seen.conditions)}
    return lambda cells, to: apply_effect(cells.pixels, effects[to])


def blind(model: IMPA, seen: Cells) -> Answer:
    """Makes the same of a cell, whatever the condition."""
    always = [name for name in model.conditions if name != model.control][-1]
    return lambda cells, to: model.predict(cells, always).pixels


def copying(model: IMPA, seen: Cells) -> Answer:
    """Gives back real treated cells drawn at random."""
    rng = np.random.default_rng(0)
    return lambda cells, to: seen.pixels[rng.choice(np.flatnonzero(seen.conditions == to), len(cells))]


def by_heart(model: IMPA, seen: Cells) -> Answer:
    """Knows what cells of its training become (another cell of the training, as bright as it likes), no others.

    A cell is known by its pixels. The treated cell that it becomes is blended with the cell, so that it is its own.
    """
    known = {cell.tobytes(): number for number, cell in enumerate(seen.pixels)}

    def answer(cells: Cells, to: str) -> Any:
        treated = seen.pixels[seen.conditions == to]
        out = cells.pixels.astype(float)
        for number, cell in enumerate(cells.pixels):
            place = known.get(cell.tobytes())
            if place is not None:
                out[number] = 0.1 * out[number] + 0.9 * treated[place % len(treated)]
        return out

    return answer


FAULTS: dict[str, Callable[[IMPA, Cells], Answer]] = {
    "identity": identity,
    "intensity only": average,
    "condition-blind": blind,
    "copying": copying,
    "by heart": by_heart,
}


def main(arguments: list[str] | None = None) -> None:
    """Print the first line of the verdict of each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faulty_models", description=__doc__.split("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("source", type=Path)
    parser.add_argument("--label", nargs="+", required=True)
    parser.add_argument("--control", required=True)
    parser.add_argument("--also", nargs="*", default=[], metavar="NAME=RUN")
    parser.add_argument("--features", nargs="+", default=list(DEFAULT_SPACES))
    parser.add_argument("--most", type=int, default=500)
    given = parser.parse_args(arguments)
    model = load_model(given.run)
    cells = read_cells(given.source, label=given.label, control=given.control, size=model.size)
    seen = training_cells(model, cells)
    models: dict[str, Any] = {"as trained": model}
    models |= {name: Answering(model, make(model, seen)) for name, make in FAULTS.items()}
    models |= {name: load_model(Path(path)) for name, path in (also.split("=", 1) for also in given.also)}
    for name, one in models.items():
        result = evaluation(one, cells, features=given.features, most=given.most)
        print(f"{name}: [{', '.join(finding.name for finding in result.verdict.findings)}]", flush=True)
        print(f"  {result.verdict.first}", flush=True)


if __name__ == "__main__":
    main()
