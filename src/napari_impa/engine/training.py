"""Training: one frozen event a step, that a progress bar, a dock and a log can all feed on."""

from __future__ import annotations

import datetime
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import Parameter

from napari_impa.cells.store import Cells
from napari_impa.engine import checkpoint
from napari_impa.engine.best import BestModel, Score
from napari_impa.engine.data import Batch, TrainingCells
from napari_impa.engine.device import (
    choose_device,
    compute_repeatably,
    is_out_of_memory,
    largest_batch,
    release_memory,
    use_threads,
)
from napari_impa.engine.distributed import Processes
from napari_impa.engine.events import Samples, TrainingEvent
from napari_impa.engine.fine_tuning import recipe_after, recorded, require_fit, take_over
from napari_impa.engine.intensity import from_normalized
from napari_impa.engine.lock import RunLock
from napari_impa.engine.model import IMPA
from napari_impa.engine.networks import Networks, Shape
from napari_impa.engine.run import Run, versions
from napari_impa.engine.settings import MAY_CHANGE, RECIPES, Recipe, TrainingSettings
from napari_impa.engine.steering import Abandoned, Steering
from napari_impa.engine.steps import Step
from napari_impa.errors import OutOfMemoryError, TrainingError

__all__ = ["Samples", "Trainer", "TrainingEvent"]


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
        Go on where the folder's training stopped; what `MAY_CHANGE` names may be new, the rest must be the same.
    sample_every
        Steps between samples.
    group
        The processes that train this model together, each on its part of every batch; the first alone writes files.
    recipe
        Another recipe than the settings name, to try it.
    start_from
        A trained model to go on from (`fine_tuning.take_over`). A run that was started so is resumed without it.
    steering
        What another thread steers the training by.

    Raises
    ------
    TrainingError
        If the folder holds a run and `resume` is off, or the run does not fit the settings, or another training is
        going on in it; while iterating, if a loss or a weight is not finite.
    ModelError
        If the model to go on from does not fit the cells or the settings.
    OutOfMemoryError
        While iterating, if the memory does not suffice; it says which batch size would fit.
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
        group: Processes | None = None,
        recipe: Recipe | None = None,
        start_from: IMPA | None = None,
        steering: Steering | None = None,
    ) -> None:
        self.group = group or Processes()
        self.settings, self.recipe = settings, recipe or RECIPES[settings.recipe]
        self.steering = steering or Steering()
        self.run = Run(Path(folder))
        self._lock = RunLock(self.run.folder)
        self.sample_every = sample_every
        use_threads(settings.threads)
        self.chosen_device = choose_device(self.group.device(settings.device))
        self.device = self.chosen_device.device
        compute_repeatably(self.device)
        self._mine = self.group.rows(settings.batch_size)
        if settings.batch_size < self.group.count:
            raise TrainingError(
                f"{self.group.count} processes cannot share {settings.batch_size} cells a step; "
                f"take a batch size of at least {self.group.count}."
            )
        resuming = resume and self.run.exists
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
            relative_style=self._starts() if self.recipe.relative_style else 0,
        )
        networks = Networks(shape).initialize(torch.Generator().manual_seed(settings.seed))
        for number, (_, vectors) in enumerate(described):
            if vectors is not None:
                networks.describe(torch.from_numpy(vectors), number)
                if settings.recipe != "paper":
                    networks.forget_absent(number)
        self.started_from = recorded(self.run, start_from) if resuming else None
        if start_from is not None and not (resuming and self.run.checkpoint_path.is_file()):
            descriptions = [description for description, _ in described]
            require_fit(
                start_from, networks, task=settings.task, channels=cells.channels, descriptions=descriptions
            )  # fmt: skip
            self.started_from = take_over(networks, start_from, labels)
        if self.started_from is not None:
            self.recipe = recipe_after(self.recipe, self.started_from)
        share = self._share_gradients if self.group.count > 1 else None
        self._step = Step(networks.to(self.device), self.recipe, settings, share)
        if self.group.count == 1:  # several processes stop together, at the end of a step
            for watched in (self._step.networks, self._step.average):
                if watched is not None:
                    self.steering.watch(watched)
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
        self._stopping = self._attempting = False
        self._saved, self._saving = 0, 0.0  # step of the checkpoint, and seconds that it took to write
        self._rows: list[dict[str, Any]] = []
        self.best = BestModel(self.run)
        self.group.agree()  # every process has looked before the first one writes
        if resuming:
            self._resume()
        elif self.group.is_first:
            self.run.start(settings, self._source, self.started_from)
        self.group.copy_from_first(self._step.state().values())

    def _starts(self) -> int:
        """Mean styles that conditions are relative to: each batch's, or those of each modality's controls."""
        return len(self.data.conditions if self.settings.task == "batch" else self.data.labels.modalities)

    def keep_best(self, score: Score, *, every: int) -> None:
        """Score the model every so many steps and at the end, and keep the best beside the last.

        Only models of the second stage count. Where scores would take more than 5 % of the time, some are left out.
        """
        self.best.score, self.best.every = score, every

    def stop(self) -> None:
        """Stop at the end of the step that is being made; may be called from any thread."""
        self.steering.stop()

    def pause(self) -> None:
        """Save after the step that is being made and wait for `go_on`; may be called from any thread.

        The time until then does not count. Not for a training that several processes share.
        """
        self.steering.pause()

    def go_on(self) -> None:
        """Go on after a pause; may be called from any thread."""
        self.steering.go_on()

    def abandon(self) -> None:
        """Leave within a second, even a step that takes longer; may be called from any thread.

        Where step and checkpoint can be ended in this time, they are; otherwise the run goes on from the checkpoint
        before when it is resumed.
        """
        self.steering.abandon()

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
                **({"start_from": self.started_from} if self.started_from else {}),
            },
            **self._about,  # type: ignore[arg-type]
        )

    # ---- the loop -----------------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[TrainingEvent]:
        with self.group.together():
            yield from self._events()

    def _events(self) -> Iterator[TrainingEvent]:
        if self.group.is_first:
            self._lock.acquire()
        try:
            if self.group.is_first and not self.run.checkpoint_path.is_file():
                self._write_checkpoint()  # what a training that fails early goes back to
            yield from self._steps()
        except GeneratorExit:
            self.save()
            raise
        except Abandoned:
            self._rows = []  # which come after the checkpoint
        finally:
            self.data.close()
            self._lock.release()
        if self.steering.abandoned:
            text = f"Training was left at step {self.step:,}; the run goes on from step {self._saved:,} when resumed."
            yield replace(self._event(self._stage(), {}, None, {}), message=text, finished=True)

    def _steps(self) -> Iterator[TrainingEvent]:
        began, before = time.monotonic(), self.seconds
        saved = began
        while self._goes_on():
            if self.steering.paused and self.group.count == 1:
                pausing = time.monotonic()
                self.save()
                release_memory(self.device)
                yield replace(self._event(self._stage(), {}, None, {}), paused=True)
                self.steering.wait()
                saved = time.monotonic()
                began += saved - pausing
                continue
            losses, stage = self._one_step()
            self.seconds = before + time.monotonic() - began
            self._rows.append({"step": self.step, "seconds": round(self.seconds, 3), "stage": stage, **losses})
            due = stage == "adversarial" and self.best.is_due(self.step, self.seconds) and self._progress() < 1
            scores = self._scored() if due else {}
            sample = self.step % self.sample_every == 0 or self.step == 1
            yield self._event(stage, losses, self.samples() if sample and self.group.is_first else None, scores)
            if time.monotonic() - saved > self.settings.checkpoint_seconds:
                self.save()
                saved = time.monotonic()
        if self.steering.abandoned:
            if self.group.is_first and self._saving < self.steering.seconds_left:
                self.save()
            return
        scores = {} if self._stopping or self._stage() == "autoencoder" else self._scored()
        self.save()
        event = self._event(self._stage(), {}, self.samples() if self.group.is_first else None, scores)
        yield replace(event, message=self._message(), finished=True)

    def _goes_on(self) -> bool:
        """Whether there is another step to make; all processes come to the same answer, by the first one's clock."""
        stop, self.seconds = self.group.total([self.steering.stopped, self.seconds if self.group.is_first else 0.0])
        done = self._progress() >= 1
        self._stopping = bool(stop) and not done
        return not (stop or done)

    def _one_step(self) -> tuple[dict[str, float], str]:
        stage = self._stage()
        losses: dict[str, float] = {}
        try:
            batch = self.data.batch(self.step, self.recipe, self.group.rank, self.group.count)
            losses = self._step(batch, self.step, stage, progress=self._progress())
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        if not losses:  # only here are the tensors of the failed step free
            raise OutOfMemoryError(self._what_fits())
        shares = self.group.total([value * self._weight for value in losses.values()])
        losses = dict(zip(losses, shares, strict=True))
        self.step += 1
        if stage == "autoencoder":
            self._autoencoder_ended = self.step
        bad = [name for name, value in losses.items() if not math.isfinite(value)]
        if bad:
            self._give_up(f"loss {', '.join(bad)}")
        return losses, stage

    @property
    def _weight(self) -> float:
        """Fraction of the batch that is this process's."""
        return (self._mine.stop - self._mine.start) / self.settings.batch_size

    def _share_gradients(self, parameters: Sequence[Parameter]) -> None:
        if not self._attempting:
            self.group.average_gradients(parameters, self._weight)

    def _give_up(self, reason: str) -> None:
        at, back = self.step, self._go_back()
        where = f"its checkpoint of step {back:,}, whose model is kept" if back else "its start"
        raise TrainingError(
            f"The training ran to NaN at step {at:,} ({reason}) and went back to {where}; "
            "train anew with another seed, a larger batch size or another recipe."
        )

    def _what_fits(self) -> str:
        """Find the batch that the memory does suffice for, by steps that are undone afterwards."""

        def attempt(count: int) -> None:
            batch = _part(self.data.batch(self.step, self.recipe), slice(0, count))
            with_r1 = self.step - self.step % self.recipe.r1_every  # the step and the stage that take the most
            self._step(batch, with_r1, "adversarial", progress=self._progress())

        self._attempting = True
        fits = largest_batch(self._mine.stop - self._mine.start, attempt, self.device)
        self._attempting = False
        back = self._go_back()
        text = f"{self.device.type.upper()} ran out of memory with {self.settings.batch_size} cells a step"
        text += f" and the run went back to its checkpoint of step {back:,}; " if back else "; "
        if fits is None:
            return f"{text}not even one cell a step fits: train a smaller preset or crop side."
        return f"{text}train with a batch size of {fits * self.group.count}, which fits, or a smaller preset."

    def _progress(self) -> float:
        by_steps = self.step / self.settings.steps if self.settings.steps else 0.0
        by_time = self.seconds / (60 * self.settings.minutes) if self.settings.minutes else 0.0
        return max(by_steps, by_time)

    def _stage(self) -> str:
        if self._autoencoder_ended < self.step:  # once the second stage has begun, a resumed run stays in it
            return "adversarial"
        return "autoencoder" if self._progress() < self.recipe.autoencoder else "adversarial"

    # ---- what is told -------------------------------------------------------------------------------------------

    def _event(
        self, stage: str, losses: Mapping[str, float], samples: Samples | None, scores: Mapping[str, float]
    ) -> TrainingEvent:
        left = []
        if self.settings.steps:
            left.append((self.settings.steps - self.step) * self.seconds / max(1, self.step))
        if self.settings.minutes:
            left.append(60 * self.settings.minutes - self.seconds)
        remaining = max(0.0, min(left)) if left else None
        return TrainingEvent(
            self.step, self.settings.steps, self.seconds, remaining, stage, losses, samples, scores=scores
        )

    def _message(self) -> str:
        text = f"Training {'stopped' if self._stopping else 'finished'} after {self.step} steps; "
        if self.best.kept is None:
            return f"{text}the model is {self.run.model_path}."
        step, score = self.best.kept
        return (
            f"{text}the best model, of step {step} (held-out score {score:.3f}), is {self.run.model_path}, "
            f"the last {self.run.last_path}."
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
        """Write history, checkpoint and last model into the run folder, and while none is scored the model too."""
        if not self.group.is_first:
            return
        began = time.monotonic()
        self.run.require_there()
        self._require_finite()
        self.run.append_history(self._rows)
        self._rows = []
        self._write_checkpoint()
        model = self.model
        model.save(self.run.last_path)
        if self.best.kept is None:
            model.save(self.run.model_path)
        self._saving = time.monotonic() - began

    def _scored(self) -> dict[str, float]:
        if self.best.score is None:
            return {}
        self.run.require_there()
        self._require_finite()
        model = self.model.to(self.device)
        self.steering.watch(model.networks)
        return self.best.consider(model, self.step, self.seconds)

    def _write_checkpoint(self) -> None:
        began = time.monotonic()
        header = {"step": self.step, "seconds": self.seconds, "autoencoder_ended": self._autoencoder_ended}
        checkpoint.write_tensors(self.run.checkpoint_path, self._step.state(), header | {"scoring": self.best.seconds})
        self._saved, self._saving = self.step, 2 * (time.monotonic() - began)  # the models take less than the rest

    def _require_finite(self) -> None:
        if not checkpoint.all_finite(self._step.state()):
            self._give_up("weights")

    def _resume(self) -> None:
        old = self.run.settings
        same = replace(self.settings, **{name: getattr(old, name) for name in MAY_CHANGE})
        if same != old:
            differ = [k for k, v in old.to_json().items() if same.to_json()[k] != v]
            raise TrainingError(
                f"The run in {self.run.folder} was trained with other settings ({', '.join(differ)}); "
                "give the same ones to resume it, or choose another folder."
            )
        self.best.kept = self.run.best
        if self.run.checkpoint_path.is_file():
            self._load_checkpoint()
        self.group.agree()
        if self.group.is_first:
            self._lock.acquire()
            self.run.cut(self.step)
            self._lock.release()

    def _load_checkpoint(self) -> None:
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
        self.step, self.seconds, self.best.seconds = header["step"], header["seconds"], header.get("scoring", 0.0)
        self._resumed, self._saved = self.seconds, self.step
        self._autoencoder_ended = header["autoencoder_ended"]

    def _go_back(self) -> int:
        """Be again as at the last checkpoint, of the step returned; what came after it is not written."""
        self._rows = []
        if self.group.is_first:
            self._load_checkpoint()
        return self.step


def _part(batch: Batch, rows: slice) -> Batch:
    """One process's cells of a batch."""
    return replace(
        batch,
        control=batch.control[rows],
        treated=batch.treated[rows],
        y_treated=batch.y_treated[rows],
        y_target=batch.y_target[rows],
        first=batch.first + rows.start,
    )
