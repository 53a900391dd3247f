"""Training: one frozen event a step, that a progress bar, a dock and a log can all feed on."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import torch
from torch.nn import Parameter

from napari_impa.cells.store import Cells
from napari_impa.engine.device import (
    choose_device,
    compute_repeatably,
    is_out_of_memory,
    largest_batch,
    release_memory,
    use_threads,
    what_fits,
)
from napari_impa.engine.distributed import Processes
from napari_impa.engine.model import tensor_file
from napari_impa.engine.model.model import IMPA
from napari_impa.engine.one_launch import recorder_for
from napari_impa.engine.steering import Abandoned, Steered, Steering, interruptible
from napari_impa.engine.training.calibration import calibrate, can_calibrate
from napari_impa.engine.training.cells_a_step import cells_in_words, with_cells_a_step
from napari_impa.engine.training.data.drawn_ahead import DrawnAhead
from napari_impa.engine.training.data.labels import alike_in_words
from napari_impa.engine.training.data.training_cells import TrainingCells
from napari_impa.engine.training.events import Samples, TrainingEvent, seconds_left
from napari_impa.engine.training.fine_tuning import go_on_from, recorded
from napari_impa.engine.training.first_networks import first_networks
from napari_impa.engine.training.run_folder.best import BestModel, GapScore
from napari_impa.engine.training.run_folder.checkpoints import (
    Checkpoints,
    Position,
    require_same_cells,
    require_same_settings,
)
from napari_impa.engine.training.run_folder.lock import RunLock
from napari_impa.engine.training.run_folder.run import Run
from napari_impa.engine.training.run_folder.samples import draw_samples
from napari_impa.engine.training.run_folder.trained_model import TrainedModel
from napari_impa.engine.training.runaway import Lost, Runaway
from napari_impa.engine.training.settings import TrainingSettings
from napari_impa.engine.training.steps import make_step, recipe_named
from napari_impa.engine.training.steps.recipe import Recipe, Stage
from napari_impa.engine.training.stopwatch import Stopwatch
from napari_impa.errors import OutOfMemoryError, TrainingError
from napari_impa.watch import UNWATCHED, Watch

__all__ = ["Samples", "Trainer", "TrainingEvent"]

logger = logging.getLogger(__name__)


class Trainer(Steered):
    """Train a model on labelled cells; iterate over it for one `TrainingEvent` a step.

    Its seconds are those of drawing batches, steps, samples, scores and checkpoints. What is done with an event until
    the next is asked for does not count, so that a slow viewer gets as many steps from a training of so many minutes.

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
        going on in it; while iterating, if its losses have run away (`runaway`) for the second time.
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
        self.steering = steering or Steering()
        self.run = Run(Path(folder))
        self._lock = RunLock(self.run.folder)
        self.sample_every = sample_every
        use_threads(settings.threads)
        self.chosen_device = choose_device(self.group.device(settings.device))
        self.device = self.chosen_device.device
        compute_repeatably(self.device)
        resuming = resume and self.run.exists
        if self.run.exists and not resume:
            raise TrainingError(f"{self.run.folder} holds a run already; resume it or choose another folder.")
        given = settings
        if resuming and settings.batch_size is None:
            settings = replace(settings, batch_size=self.run.settings.batch_size)
        settings = with_cells_a_step(settings, self.device if self.group.count == 1 else torch.device("cpu"))
        self.settings, self.cells_a_step = settings, cells_in_words(given, settings)
        self._mine = self.group.share_of(settings.cells_a_step)
        begun = self.run.recipe if resuming else None  # a later version's recipe of that name may differ
        self.recipe = begun or recipe or recipe_named(settings.recipe)
        if resuming and begun is None:  # from before recipes were kept, when there was one kind
            self.recipe = replace(self.recipe, discriminator="published")
        if begun is None and start_from is not None:
            self.recipe = replace(self.recipe, upsampling=start_from.shape.upsampling)
            if start_from.has_discriminator:
                self.recipe = replace(self.recipe, discriminator=start_from.shape.discriminator)
        self.data = TrainingCells(cells, settings, self.recipe, self.device, watch=self.watch)
        labels = self.data.labels
        described = labels.describe(standardized=self.recipe.standardizes_tables)
        descriptions = [description for description, _ in described]
        self.alike = alike_in_words(labels.alike)
        self.started_from = recorded(self.run, start_from) if resuming else None
        networks = first_networks(labels, described, settings, len(cells.channels), self.recipe)
        if start_from is not None and not (resuming and self.run.checkpoint_path.is_file()):
            self.started_from = go_on_from(start_from, networks, labels, settings.task, cells.channels, descriptions)
        if self.started_from is not None and begun is None:
            self.recipe = self.recipe.going_on(new_conditions=bool(self.started_from["new"]))
        self._step = make_step(
            networks.to(self.device),
            self.recipe,
            is_batch_task=settings.task == "batch",
            seed=settings.seed,
            batch_size=settings.cells_a_step,
            share_gradients=self._share_gradients if self.group.count > 1 else None,
            watch=self.watch,
            recorder=recorder_for(self.device) if self.group.count == 1 else None,
        )
        self._batches = DrawnAhead(lambda step: self.data.batch(step, self.group.rank, self.group.count), self.device)
        self._trained = TrainedModel(cells, self.data, descriptions, self.run.folder.resolve().name)
        self.limits = self.data.limits
        self.step, self.seconds, self._autoencoder_ended = 0, 0.0, 0
        self._stopping = self._attempting = False
        self.best = BestModel(self.run)
        self._runaway = Runaway()
        self._checkpoints = Checkpoints(self.run, self._step, self.best, self._runaway)
        self.group.agree()  # every process has looked before the first one writes
        if resuming:
            self._resume()
        elif self.group.is_first:
            self.run.start(settings, self.recipe, self._trained.source, self.started_from)
            if self.alike:
                logger.warning("%s", self.alike)
        self.group.copy_from_first(self._step.state().values())

    def keep_best(self, score: GapScore, *, every: int, floor: float = math.nan) -> None:
        """Score the model every so many steps and at the end, and keep the best beside the last.

        Only models of the second stage count. Where scores would take more than 5 % of the time, some are left out.
        What is kept has no effect on the training: its weights are the same to the bit, scored or not.
        """
        self.best.score, self.best.every, self.best.floor = score, every, floor

    @property
    def watch(self) -> Watch:
        """What says, by an `Abandoned`, that the training is to be left and its time to end the step is over."""
        return self.steering if self.group.count == 1 else UNWATCHED  # several stop together, at the end of a step

    @property
    def model(self) -> IMPA:
        """The model as it is now (its weights' running average where the recipe keeps one), on the CPU.

        It is not calibrated yet, as those that are scored are, and the one that a training ends with.
        """
        return self._trained.make(
            self._step, steps=self.step, seconds=self.seconds, started_from=self.started_from
        )  # fmt: skip

    # ---- the loop -----------------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[TrainingEvent]:
        with self.group.together():
            yield from self._events()

    def _events(self) -> Iterator[TrainingEvent]:
        if self.group.is_first:
            self._lock.acquire()
        try:
            if self.steering.abandoned:
                raise Abandoned
            if self.group.is_first and not self.run.checkpoint_path.is_file():
                self._checkpoints.write(self._position)  # what a training that fails early goes back to
            yield from self._steps()
        except GeneratorExit:
            if self.run.exists:  # else there is nothing to keep it in, which has been said
                self.save()
            raise
        except Abandoned:
            self._checkpoints.rows = []  # which come after the checkpoint
        finally:
            self.data.close()
            self._lock.release()
        if self.steering.abandoned:
            at, saved = self.step, self._checkpoints.saved
            text = f"Training was left at step {at:,}; the run goes on from step {saved:,} when resumed."
            yield replace(self._event(self._stage(), {}, None, {}), message=text, finished=True)

    def _steps(self) -> Iterator[TrainingEvent]:
        clock, saved = Stopwatch(self.seconds), time.monotonic()
        while self._goes_on():
            if self.steering.paused and self.group.count == 1:
                with clock.stopped():
                    self.save()
                    release_memory(self.device)
                    yield replace(self._event(self._stage(), {}, None, {}), paused=True)
                    self.steering.wait()
                saved = time.monotonic()
                continue
            losses, stage = self._one_step()
            self.seconds = clock.seconds
            lost = self._runaway.look(losses)
            if lost is not None:
                said = self._lower_rates(lost)
                with clock.stopped():
                    yield replace(self._event(self._stage(), {}, None, {}), message=said)
                saved = time.monotonic()
                continue
            row = {"step": self.step, "seconds": round(self.seconds, 3), "stage": stage, **losses}
            self._checkpoints.rows.append(row)
            due = stage == "adversarial" and self.best.is_due(self.step, self.seconds) and self._progress() < 1
            gaps = self._scored() if due else {}
            sample = self.step % self.sample_every == 0 or self.step == 1
            event = self._event(stage, losses, self.samples() if sample and self.group.is_first else None, gaps)
            with clock.stopped():
                yield event
            if time.monotonic() - saved > self.settings.checkpoint_seconds and not self._runaway.suspects:
                self._save(lambda: self.model, is_last=False)
                saved = time.monotonic()
        if self.steering.abandoned:
            if self.group.is_first and self._checkpoints.seconds < self.steering.seconds_left:
                self.save()
            return
        gaps = {} if self._stopping or self._stage() == "autoencoder" else self._scored(is_last=True)
        quickly = self._stopping and not self.best.is_last
        self._save((lambda: self.model) if quickly else self._calibrated)
        event = self._event(self._stage(), {}, self.samples() if self.group.is_first else None, gaps)
        text = f"Training {'stopped' if self._stopping else 'finished'} after {self.step} steps; {self.best.where}"
        text += f" {self._runaway.warning}" * self._runaway.suspects
        yield replace(event, message=text, finished=True)

    def _goes_on(self) -> bool:
        """Whether there is another step to make; all processes come to the same answer, by the first one's clock."""
        stop, self.seconds = self.group.total([self.steering.stopped, self.seconds if self.group.is_first else 0.0])
        done = self._progress() >= 1
        self._stopping = bool(stop) and not done
        return not (stop or done)

    def _one_step(self) -> tuple[dict[str, float], Stage]:
        stage = self._stage()
        losses: dict[str, float] = {}
        try:
            batch = self._batches.take(self.step)  # kept until the losses are there
            following = self.step + 1
            losses = self._step(
                batch, self.step, stage, progress=self._progress(), meanwhile=lambda: self._batches.prepare(following)
            )  # fmt: skip
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        if not losses:  # only here are the tensors of the failed step free
            raise OutOfMemoryError(self._what_fits())
        shares = self.group.total([value * self._mine.weight for value in losses.values()])
        losses = dict(zip(losses, shares, strict=True))
        self.step += 1
        if stage == "autoencoder":
            self._autoencoder_ended = self.step
        return losses, stage

    def _share_gradients(self, parameters: Sequence[Parameter]) -> None:
        if not self._attempting:
            self.group.average_gradients(parameters, self._mine.weight)

    def _lower_rates(self, lost: Lost) -> str:
        """Go back to the checkpoint, to go on with lower rates; returns a sentence that says so. The clock goes on.

        Raises
        ------
        TrainingError
            If that was done before.
        """
        at, rates, seconds, scoring = self.step, self._step.lowered, self.seconds, self.best.seconds
        if self._checkpoints.went_back:
            self._give_up(lost)
        self._load_checkpoint()  # every process, as when it is resumed
        self.seconds, self.best.seconds = seconds, scoring
        self._runaway.restore({})
        self._step.lowered = lost.lowered(rates)
        self.group.copy_from_first(self._step.state().values())
        said = lost.going_on(at, self.step)
        self._checkpoints.went_back = [{"at": at, "to": self.step, "message": said}]
        if self.group.is_first:
            self.run.cut(self.step)
            self._checkpoints.write(self._position)
            self.run.note(went_back=self._checkpoints.went_back)
            logger.warning("%s", said)
        return said

    def _give_up(self, lost: Lost) -> NoReturn:
        before = self._checkpoints.went_back
        at, back = self.step, self._go_back()
        raise TrainingError(lost.stopping(at, back, before[-1]["to"] if before else None))

    def _what_fits(self) -> str:
        """Find the batch that the memory does suffice for, by steps that are undone afterwards."""

        self._step.one_launch.forget()

        def attempt(count: int) -> None:
            batch = self.data.batch(self.step).part(slice(0, count))
            self._step(batch, self.recipe.dearest(self.step), "adversarial", progress=self._progress())

        self._attempting = True
        fits = largest_batch(self._mine.cells, attempt, self.device)
        self._attempting = False
        fits = None if fits is None else fits * self.group.count
        return what_fits(self.device, self.settings.cells_a_step, fits, self._go_back())

    def _progress(self) -> float:
        by_steps = self.step / self.settings.steps if self.settings.steps else 0.0
        by_time = self.seconds / (60 * self.settings.minutes) if self.settings.minutes else 0.0
        return max(by_steps, by_time)

    def _stage(self) -> Stage:
        if self._autoencoder_ended < self.step:  # once the second stage has begun, a resumed run stays in it
            return "adversarial"
        return self.recipe.stage(self._progress())

    # ---- what is told -------------------------------------------------------------------------------------------

    def _event(
        self, stage: str, losses: Mapping[str, float], samples: Samples | None, gaps: Mapping[str, float]
    ) -> TrainingEvent:
        remaining = seconds_left(self.settings, self.step, self.seconds)
        return TrainingEvent(self.step, self.settings.steps, self.seconds, remaining, stage, losses, samples, gaps=gaps)

    def samples(self, count: int = 8) -> Samples:
        """Control, predicted and real cells, the same ones each time."""
        return draw_samples(self._step, self.data, count)

    # ---- files --------------------------------------------------------------------------------------------------

    def save(self) -> None:
        """Write history, checkpoint and last model into the run folder, and while none is scored the model too."""
        self._save(lambda: self.model)

    def _save(self, model: Callable[[], IMPA], *, is_last: bool = True) -> None:
        if not self.group.is_first:
            return
        self.run.require_there()
        if self._is_finite(is_last=is_last):
            self._checkpoints.save(self._position, model)

    def _scored(self, *, is_last: bool = False) -> dict[str, float]:
        if self.best.score is None:
            return {}
        self.run.require_there()
        if not self._is_finite(is_last=is_last):
            return {}
        return self.best.consider(self._calibrated, self.step, self.seconds)

    def _is_finite(self, *, is_last: bool) -> bool:
        """Whether all weights are numbers. Where not, the next losses will say so; where none follow, it gives up."""
        finite = tensor_file.all_finite(self._step.state())
        if is_last and not finite:
            self._give_up(Lost("weights", to_nan=True))
        return finite

    def _calibrated(self) -> IMPA:
        """Make the model as it is now, its mean styles those of the cells where they can be computed, on the device."""
        model = self.model.to(self.device)
        interruptible(model.networks, self.watch)
        if can_calibrate(model.shape):
            calibrate(model, self.data)
        return model

    @property
    def _position(self) -> Position:
        return Position(self.step, self.seconds, self._autoencoder_ended)

    def _resume(self) -> None:
        require_same_settings(self.run, self.settings)
        require_same_cells(self.run, self._trained.source)
        self.best.resume()
        if self.run.checkpoint_path.is_file():
            self._load_checkpoint()
        self.group.agree()
        if self.group.is_first:
            self._lock.acquire()
            self.run.cut(self.step)
            self._lock.release()

    def _load_checkpoint(self) -> None:
        self.step, self.seconds, self._autoencoder_ended = self._checkpoints.load()

    def _go_back(self) -> int:
        """Be again as at the last checkpoint, of the step returned; what came after it is not written."""
        if self.group.is_first:
            self._load_checkpoint()
        return self.step
