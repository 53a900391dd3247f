"""Training: one frozen event a step, that a progress bar, a dock and a log can all feed on."""

from __future__ import annotations

import datetime
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_impa.cells.store import Cells
from napari_impa.engine import checkpoint
from napari_impa.engine.data import TrainingCells
from napari_impa.engine.device import choose_device, is_out_of_memory, release_memory
from napari_impa.engine.intensity import from_normalized
from napari_impa.engine.model import IMPA
from napari_impa.engine.networks import Networks, Shape
from napari_impa.engine.run import Run, versions
from napari_impa.engine.settings import RECIPES, TrainingSettings
from napari_impa.engine.steps import Step
from napari_impa.errors import OutOfMemoryError, TrainingError


@dataclass(frozen=True, eq=False)
class Samples:
    """A few cells as the model now draws them, each array (n, C, S, S) in the camera's units."""

    control: NDArray[Any]
    predicted: NDArray[Any]
    real: NDArray[Any]
    conditions: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class TrainingEvent:
    """What happened in one step.

    Parameters
    ----------
    step, steps
        Steps done and to do; `steps` is None where only the time is limited.
    seconds, seconds_left
        Time trained, over all resumptions, and an estimate of what is left.
    stage
        `autoencoder` or `adversarial`.
    losses
        Loss by name.
    samples
        Now and then, a few cells to look at.
    finished
        True in the last event only; then `message` says how it ended.
    """

    step: int
    steps: int | None
    seconds: float
    seconds_left: float | None
    stage: str
    losses: Mapping[str, float]
    samples: Samples | None = None
    message: str | None = None
    finished: bool = False

    @property
    def progress(self) -> float:
        """Fraction done, 0…1."""
        by_time = 0.0 if self.seconds_left is None else self.seconds / max(self.seconds + self.seconds_left, 1e-9)
        return min(1.0, max(by_time, self.step / self.steps if self.steps else 0.0))


class Trainer:
    """Train a model on labelled cells; iterate over it for one `TrainingEvent` a step.

    Parameters
    ----------
    cells
        Labelled cells (`Cells.labelled`).
    settings
        What to train.
    folder
        The run folder; it must be new unless `resume`.
    resume
        Go on where the folder's training stopped; steps, minutes and device may be new, the rest must be the same.
    sample_every
        Steps between samples.
    checkpoint_seconds
        Time between checkpoints.

    Raises
    ------
    TrainingError
        If the folder holds a run and `resume` is off, or the run does not fit the settings.
    ConditionError
        If the cells have no control, nothing treated, or only one batch outside what is held out.
    """

    def __init__(
        self,
        cells: Cells,
        settings: TrainingSettings,
        folder: str | Path,
        *,
        resume: bool = False,
        sample_every: int = 50,
        checkpoint_seconds: float = 60.0,
    ) -> None:
        self.settings, self.recipe = settings, RECIPES[settings.recipe]
        self.run = Run(Path(folder))
        self.sample_every, self.checkpoint_seconds = sample_every, checkpoint_seconds
        self.chosen_device = choose_device(settings.device)
        self.device = self.chosen_device.device
        if self.run.exists and not resume:
            raise TrainingError(f"{self.run.folder} holds a run already; resume it or choose another folder.")
        self.data = TrainingCells(cells, settings, self.device)
        labels, described = self.data.labels, self.data.labels.describe()
        shape = Shape(
            size=settings.size,
            channels=len(cells.channels),
            width=settings.width,
            style_dim=settings.style_dim,
            noise_dim=settings.noise_dim,
            embedding_dims=tuple(settings.embedding_dim if v is None else v.shape[1] for _, v in described),
            conditions=tuple(len(labels.of_modality(number)) for number in range(len(labels.modalities))),
            mapping_layers=1 if settings.dose is None else 2,  # one layer alone adds the same for every compound
            modality_dim=settings.modality_dim,
        )
        networks = Networks(shape).initialize(torch.Generator().manual_seed(settings.seed))
        for number, (_, vectors) in enumerate(described):
            if vectors is not None:
                networks.describe(torch.from_numpy(vectors), number)
        self._step = Step(networks.to(self.device), self.recipe, settings)
        self._about = {
            "channels": cells.channels,
            "conditions": self.data.conditions,
            "descriptions": [description for description, _ in described],
            "task": settings.task,
            "control": cells.control if settings.task == "perturbation" else None,
            "label": cells.label,
            "counts": self.data.counts,
            "pixel_size": cells.pixel_size,
            "name": self.run.folder.resolve().name,
        }
        self._source = {
            "cells": dict(cells.history),
            "count": len(cells),
            "label": list(cells.label),
            "control": cells.control,
        }
        self.limits = self.data.limits
        self.step, self.seconds, self._autoencoder_ended, self._resumed = 0, 0.0, 0, 0.0
        self._stopping = False
        self._rows: list[dict[str, Any]] = []
        if resume and self.run.exists:
            self._resume()
        else:
            self.run.start(settings, self._source)

    def stop(self) -> None:
        """Stop at the end of the step that is being made; may be called from any thread."""
        self._stopping = True

    @property
    def waiting(self) -> float:
        """Fraction of the time trained here that was spent waiting for data, 0…1."""
        return self.data.seconds / max(self.seconds - self._resumed, self.data.seconds, 1e-9)

    @property
    def model(self) -> IMPA:
        """The model as it is now (its weights' running average where the recipe keeps one), on the CPU."""
        networks = Networks(self._step.networks.shape)
        networks.load_state_dict(self._step.averaged_state())
        return IMPA(
            networks,
            limits=self.limits,
            settings=self.settings.to_json(),
            history={
                "steps": self.step,
                "seconds": round(self.seconds, 1),
                "device": self.device.type,
                "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
                "source": self._source,
                "versions": versions(),
            },
            **self._about,  # type: ignore[arg-type]
        )

    # ---- the loop -----------------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[TrainingEvent]:
        saved, before = time.monotonic(), self.seconds
        began = saved
        in_order = True
        try:
            while not self._stopping and self._progress() < 1:
                losses, stage = self._one_step()
                self.seconds = before + time.monotonic() - began
                bad = [name for name, value in losses.items() if not math.isfinite(value)]
                if bad:
                    in_order = False
                    raise TrainingError(
                        f"The training ran to NaN at step {self.step} (loss {', '.join(bad)}); the model of the last "
                        "checkpoint was kept. Resume it with another seed or the recipe default."
                    )
                self._rows.append({"step": self.step, "seconds": round(self.seconds, 3), "stage": stage, **losses})
                sample = self.step % self.sample_every == 0 or self.step == 1
                yield self._event(stage, losses, self.samples() if sample else None)
                if time.monotonic() - saved > self.checkpoint_seconds:
                    self.save()
                    saved = time.monotonic()
            self.save()
            how = "stopped" if self._stopping and self._progress() < 1 else "finished"
            message = f"Training {how} after {self.step} steps; the model is {self.run.model_path}."
            yield replace(self._event(self._stage(), {}, self.samples()), message=message, finished=True)
        except GeneratorExit:
            if in_order:
                self.save()
            raise
        finally:
            self.data.close()

    def _one_step(self) -> tuple[dict[str, float], str]:
        stage = self._stage()
        try:
            batch = self.data.batch(self.step, self.recipe)
            losses = self._step(batch, self.step, stage, progress=self._progress())
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            release_memory(self.device)
            raise OutOfMemoryError(
                f"The device ran out of memory with {self.settings.batch_size} cells a step; train with a batch size "
                f"of {max(1, self.settings.batch_size // 2)} or a smaller preset."
            ) from error
        self.step += 1
        if stage == "autoencoder":
            self._autoencoder_ended = self.step
        return losses, stage

    def _progress(self) -> float:
        by_steps = self.step / self.settings.steps if self.settings.steps else 0.0
        by_time = self.seconds / (60 * self.settings.minutes) if self.settings.minutes else 0.0
        return max(by_steps, by_time)

    def _stage(self) -> str:
        if self._autoencoder_ended < self.step:  # once the second stage has begun, a resumed run stays in it
            return "adversarial"
        return "autoencoder" if self._progress() < self.recipe.autoencoder else "adversarial"

    def _event(self, stage: str, losses: Mapping[str, float], samples: Samples | None) -> TrainingEvent:
        left = []
        if self.settings.steps:
            left.append((self.settings.steps - self.step) * self.seconds / max(1, self.step))
        if self.settings.minutes:
            left.append(60 * self.settings.minutes - self.seconds)
        return TrainingEvent(
            self.step, self.settings.steps, self.seconds, max(0.0, min(left)) if left else None, stage, losses, samples
        )

    def samples(self, count: int = 8) -> Samples:
        """Control, predicted and real cells, the same ones each time."""
        sources, reals, y = self.data.examples(count, self.settings.seed)
        control, real = self.data.images(sources), self.data.images(reals)
        noise = torch.from_numpy(
            np.random.default_rng(0).standard_normal((count, self.settings.noise_dim), np.float32) * 0.1
        )
        labels, predicted = self.data.labels, torch.empty_like(control)
        for modality in set(labels.modality[y].tolist()):
            mine = torch.from_numpy(labels.modality[y] == modality)
            rows = torch.from_numpy(labels.row[y])[mine]
            predicted[mine] = self._step.predict(control[mine], rows, noise[mine], modality)
        dtype = self.data.pixels.dtype
        return Samples(
            control=from_normalized(control, self.limits, dtype),
            predicted=from_normalized(predicted, self.limits, dtype),
            real=from_normalized(real, self.limits, dtype),
            conditions=tuple(self.data.conditions[k] for k in y),
        )

    # ---- files --------------------------------------------------------------------------------------------------

    def save(self) -> None:
        """Write history, checkpoint and model into the run folder."""
        try:
            self.run.append_history(self._rows)
        except OSError as error:
            raise TrainingError(
                f"{self.run.folder} cannot be written ({error.strerror}); free some space and resume."
            ) from error
        self._rows = []
        header = {"step": self.step, "seconds": self.seconds, "autoencoder_ended": self._autoencoder_ended}
        checkpoint.write_tensors(self.run.checkpoint_path, self._step.state(), header)
        self.model.save(self.run.model_path)

    def _resume(self) -> None:
        old = self.run.settings
        same = replace(self.settings, steps=old.steps, minutes=old.minutes, device=old.device)
        if same != old:
            differ = [k for k, v in old.to_json().items() if same.to_json()[k] != v]
            raise TrainingError(
                f"The run in {self.run.folder} was trained with other settings ({', '.join(differ)}); "
                "give the same ones to resume it, or choose another folder."
            )
        if not self.run.checkpoint_path.is_file():
            return
        tensors, header = checkpoint.read_tensors(self.run.checkpoint_path)
        for name, vectors in self._step.networks.named_buffers():
            if not torch.equal(vectors.cpu(), tensors.get(f"networks.{name}", vectors.new_empty(0)).cpu()):
                raise TrainingError(
                    f"The conditions are described by other numbers than when {self.run.folder} was started; "
                    "give the same table, or choose another folder."
                )
        try:
            self._step.restore(tensors)
        except (KeyError, RuntimeError, ValueError) as error:
            raise TrainingError(
                f"The run in {self.run.folder} does not fit these cells ({error}); choose another folder."
            ) from error
        self.step, self.seconds = header["step"], header["seconds"]
        self._resumed = self.seconds
        self._autoencoder_ended = header["autoencoder_ended"]
        self.run.cut_history(self.step)


def train(
    cells: Cells,
    folder: str | Path,
    *,
    hold_out: Mapping[str, Sequence[str]] | None = None,
    resume: bool = False,
    progress: bool = True,
    **settings: Any,
) -> Run:
    """Train a model on labelled cells into a run folder.

    Parameters
    ----------
    cells
        Labelled cells, with a control unless `task="batch"`.
    folder
        The run folder.
    hold_out
        Columns and values of cells to keep out of the training, e.g. `{"plate": ["Week4_27861"]}`.
    resume
        Go on where the folder's training stopped.
    progress
        Show a progress bar.
    **settings
        Fields of `TrainingSettings`: steps, minutes, preset, recipe, batch_size, seed, device, ….  `size` is that of
        the cells where it is not given.

    Returns
    -------
    Run
        The run folder.

    Raises
    ------
    TrainingError, ConditionError, CellsError
        As `Trainer` and `TrainingSettings` do.
    """
    chosen = TrainingSettings(hold_out=hold_out or {}, **{"size": cells.size, **settings})
    trainer = Trainer(cells, chosen, folder, resume=resume)
    follow(trainer, progress=progress)
    return trainer.run


def follow(trainer: Trainer, *, progress: bool = True) -> str:
    """Train to the end under a progress bar; returns the sentence that says how it ended."""
    from tqdm.auto import tqdm

    steps, minutes, message = trainer.settings.steps, trainer.settings.minutes, ""
    with tqdm(total=steps, initial=trainer.step, unit="step", disable=not progress) as bar:
        for event in trainer:
            if event.finished:
                message = event.message or ""
                continue
            shown = {name: f"{value:.3f}" for name, value in event.losses.items() if name in SHOWN}
            if minutes and event.seconds_left is not None:
                shown["min left"] = f"{event.seconds_left / 60:.1f}"
            bar.set_postfix({"stage": event.stage, **shown}, refresh=False)
            bar.update()
    return message


SHOWN = ("reconstruction", "adversarial", "fake", "real", "cycle")
"""Losses shown in the progress bar."""
