"""What a training leaves in its run folder whenever it is saved, and going on from there or going back to it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch

from napari_impa.engine.model import tensor_file
from napari_impa.engine.model.model import IMPA
from napari_impa.engine.training.run_folder.best import BestModel
from napari_impa.engine.training.run_folder.run import Run
from napari_impa.engine.training.runaway import Runaway
from napari_impa.engine.training.settings import MAY_CHANGE, TrainingSettings
from napari_impa.engine.training.steps.rates import RateFactors
from napari_impa.engine.training.steps.step import Step
from napari_impa.errors import TrainingError

_OF_CELLS = {"labels": "their labels or their order", "pixels": "their pixels", "limits": "their intensity limits"}

LOSSES = "losses."
"""Beginning of the names of tensors that hold the last losses."""


class Position(NamedTuple):
    """How far a training has come: steps made, seconds they took, and the step after which the first stage ended."""

    step: int
    seconds: float
    autoencoder_ended: int


class Checkpoints:
    """History, checkpoint and last model of a run.

    Parameters
    ----------
    run
        The run folder.
    step
        The networks and optimisers, which a checkpoint holds whole.
    best
        The best model; while there is none, the last model takes its place.
    runaway
        What follows the losses, and goes on as it was.

    Attributes
    ----------
    went_back
        Times that the training went back to a checkpoint and went on with lower rates, JSON-able.
    saved
        Step of the checkpoint that is there.
    seconds
        What the next save will take, going by those before.
    rows
        Steps for the history that are not written yet.
    """

    def __init__(self, run: Run, step: Step[Any], best: BestModel, runaway: Runaway) -> None:
        self.run, self.best, self._step, self._runaway = run, best, step, runaway
        self.saved, self.seconds = 0, 0.0
        self.went_back: list[dict[str, Any]] = []
        self.rows: list[dict[str, Any]] = []

    def save(self, position: Position, model: Callable[[], IMPA]) -> None:
        """Write history, checkpoint and last model, and while none is scored the best model too."""
        began = time.monotonic()
        self.run.append_history(self.rows)
        self.rows = []
        self.write(position)
        last = model()
        last.save(self.run.last_path)
        if self.best.is_last:
            last.save(self.run.model_path)
        self.seconds = time.monotonic() - began

    def write(self, position: Position) -> None:
        """Write the checkpoint alone."""
        began = time.monotonic()
        header = {**position._asdict(), "scoring": self.best.seconds, "went_back": self.went_back}
        header["rates"] = self._step.lowered._asdict()
        losses = {
            f"{LOSSES}{name}": torch.tensor(some, dtype=torch.float64) for name, some in self._runaway.values().items()
        }
        tensor_file.write_tensors(self.run.checkpoint_path, self._step.state() | losses, header)
        self.saved = position.step
        self.seconds = 4 * (time.monotonic() - began)  # with the models, and at first without the optimisers' state

    def load(self) -> Position:
        """Be again as at the checkpoint; history that came after it is not written.

        Raises
        ------
        TrainingError
            If the conditions are described by other numbers, or the networks are others.
        """
        self.rows = []
        tensors, header = tensor_file.read_tensors(self.run.checkpoint_path)
        for name, vectors in self._step.networks.named_buffers():
            if not torch.equal(vectors.cpu(), tensors.get(f"networks.{name}", vectors.new_empty(0)).cpu()):
                raise TrainingError(
                    f"The conditions are described by other numbers than when {self.run.folder} was started; "
                    "give the same table, or, where an earlier version of napari-impa began it, choose another folder."
                )
        try:
            self._step.restore(tensors)
        except (KeyError, RuntimeError, ValueError) as error:
            raise TrainingError(
                f"The run in {self.run.folder} does not fit these cells ({error}); choose another folder."
            ) from error
        values = {name.removeprefix(LOSSES): some.tolist() for name, some in tensors.items() if name.startswith(LOSSES)}
        self._runaway.restore(values)
        self._step.lowered = RateFactors(**header.get("rates", {}))
        self.went_back = header.get("went_back", [])
        self.best.seconds, self.saved = header.get("scoring", 0.0), header["step"]
        return Position(header["step"], header["seconds"], header["autoencoder_ended"])


def require_same_settings(run: Run, settings: TrainingSettings) -> None:
    """Check that a run can be resumed with these settings.

    Raises
    ------
    TrainingError
        If any differs that is not in `MAY_CHANGE`.
    """
    old = run.settings
    same = replace(settings, **{name: getattr(old, name) for name in MAY_CHANGE})
    if same != old:
        differ = [k for k, v in old.to_json().items() if same.to_json()[k] != v]
        raise TrainingError(
            f"The run in {run.folder} was trained with other settings ({', '.join(differ)}); "
            "give the same ones to resume it, or choose another folder."
        )


def require_same_cells(run: Run, source: Mapping[str, Any]) -> None:
    """Check that a run can be resumed with these cells (`TrainedModel.source`).

    Raises
    ------
    TrainingError
        If there are more or fewer of them, in another order, with other labels or pixels (`data.fingerprint`).
    """
    old = run.config.get("source", {})
    if any(old.get(name, source[name]) != source[name] for name in ("count", "label", "control")):
        before, now = (
            f"{one['count']:,} cells, {' '.join(one['label'])}, control {one['control'] or 'none'}"
            for one in (source | old, source)
        )
        raise TrainingError(
            f"The run in {run.folder} was trained with other cells ({before}; now {now}); "
            "give the same ones to resume it, or choose another folder and start from its model."
        )
    prints, now = old.get("fingerprint") or {}, source["fingerprint"]  # none where an earlier version began the run
    differ = [what for key, what in _OF_CELLS.items() if key in prints and not _same(prints[key], now[key])]
    if differ:
        raise TrainingError(
            f"The run in {run.folder} was trained with other cells ({' and '.join(differ)} differ); "
            "give the same ones to resume it, or choose another folder and start from its model."
        )


def _same(old: Any, new: Any) -> bool:
    if isinstance(new, str):
        return bool(old == new)
    return np.shape(old) == np.shape(new) and bool(np.allclose(old, new, rtol=1e-6, atol=0, equal_nan=True))
