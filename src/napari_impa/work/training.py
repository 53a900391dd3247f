"""Training: a plan run to its end, one stream of events for a progress bar, a dock and a script alike."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from napari_impa.analysis.held_out import HeldOutScore
from napari_impa.analysis.pictures.composite import display_limits
from napari_impa.analysis.pictures.montage import montage, sample_rows, save_montage
from napari_impa.cells.segmenters import as_segmenter
from napari_impa.cells.store import Cells
from napari_impa.engine.distributed import Processes, processes
from napari_impa.engine.model.model import IMPA
from napari_impa.engine.steering import Abandoned, Steering
from napari_impa.engine.training.events import TrainingEvent
from napari_impa.engine.training.fine_tuning import settings_of, words_of
from napari_impa.engine.training.run_folder.run import Run
from napari_impa.engine.training.settings import TrainingSettings
from napari_impa.engine.training.steps.terms import TERMS
from napari_impa.engine.training.trainer import Trainer
from napari_impa.errors import ConditionError
from napari_impa.watch import UNWATCHED, CancelledError, Watch
from napari_impa.work.catalog import load_model
from napari_impa.work.source_survey import concerns_of
from napari_impa.work.training_outcome import Trained, TrainingStart
from napari_impa.work.training_plan import Plan, cells_of, files_in_words, with_drawn_wells

logger = logging.getLogger("napari_impa")

SELDOM = 1.25
"""Samples are drawn into the run's folder at steps that grow by this factor: often at first, some dozens in all."""

SCORE_STEPS = 10
"""Steps from score to score for as many scored cells as a batch has; scores and the calibration of what is scored then
take about 2 % of the time on a CPU (measured with `tiny`, 64 px). On a GPU some are left out, see `BestModel`."""


def train(
    cells: Cells,
    folder: str | Path,
    *,
    hold_out: Mapping[str, Sequence[str]] | None = None,
    resume: bool = False,
    start_from: IMPA | str | Path | None = None,
    progress: bool = True,
    **settings: Any,
) -> Run:
    """Train a model on labelled cells into a run folder.

    Where cells are held out, the run's `model.impa` is the best by the gap that it closes on them, else the last.
    Started by torchrun, all processes train one model together.

    Parameters
    ----------
    cells
        Labelled cells, with a control unless `task="batch"`.
    folder
        The run folder.
    hold_out
        Columns and values of cells to keep out of the training, e.g. `{"plate": ["Week4_27861"]}`; a name may join
        columns, `{"plate+well": ["P1 A01"]}`. `{"wells": "half"}` draws half of the wells of each condition by the
        seed, and the run keeps which they are.
    resume
        Go on where the folder's training stopped.
    start_from
        A trained model to go on from: a model, a `.impa` file, a run folder, or the name of a bundled one; its weights
        are the first ones of this training, as far as conditions are the same (`engine.training.fine_tuning`).
    progress
        Show a progress bar.
    **settings
        Fields of `TrainingSettings`: steps, minutes, preset, recipe, batch_size, seed, device, ….  Where they are not
        given, `size` is that of the cells, or what shapes the networks is as in the model to go on from.

    Returns
    -------
    Run
        The run folder.

    Raises
    ------
    TrainingError, ConditionError, CellsError, ModelError
        As `Trainer` and `TrainingSettings` do.
    """
    with processes() as group:
        model = load_model(start_from) if isinstance(start_from, (str, Path)) else start_from
        shared = {"size": cells.size} if model is None else settings_of(model)
        chosen = TrainingSettings(hold_out=hold_out or {}, **{**shared, **settings})
        named = Path(str(cells.history.get("source", "cells")))
        plan = Plan(
            named, cells.label, cells.control, chosen, Path(folder), start_from=model, cells=cells, keep_crops=False
        )  # fmt: skip
        training = Training(plan, resume=resume, group=group)
        del model
        for concern in concerns_of(cells, training.plan.settings) if group.is_first else ():
            logger.warning(concern.message)
        training.follow(progress=progress)
        return training.trainer.run


class Training:
    """A training of a plan that is ready to begin, or to go on; iterate over it once for its events.

    Parameters
    ----------
    plan
        What is trained. Unless its crops are in memory only, the run folder says where they came from.
    resume
        Go on where the folder's training stopped; where not given, if it holds a run.
    cells
        Those of the plan (`cells_of`), where they were read already.
    steering
        What another thread steers the training by.
    group
        The processes that train this model together.
    watch
        Told how many images are read. One that is to stop leaves what comes before the first step, and stops the
        training after its step, with its model kept.

    Raises
    ------
    ImpaError
        As `cells_of` and `Trainer`, also while iterating; other errors of files in words.
    CancelledError
        If it was stopped before the training, or abandoned.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        resume: bool | None = None,
        cells: Cells | None = None,
        steering: Steering | None = None,
        group: Processes | None = None,
        watch: Watch = UNWATCHED,
    ) -> None:
        self.plan, self._watch, self._message = plan, watch, ""
        self._steering = steering or Steering()
        watch.check()  # the first import of torch takes seconds
        with self._leaving():
            run = Run(plan.folder)
            resume = run.exists if resume is None else resume
            self.cells = cells_of(plan, reuse=resume, watch=watch) if cells is None else cells
            watch.check()
            self.plan, held = with_drawn_wells(plan, self.cells)
            self.trainer, kept = make_trainer(
                self.cells, self.plan.settings, plan.folder, resume=resume, group=group,
                start_from=self._model(plan.start_from), steering=self._steering,
            )  # fmt: skip
            if self._steering.abandoned:
                raise CancelledError
            if self.trainer.group.is_first:
                self._keep_source(run)
        self.start = self._start(f"{held} {kept}".strip())

    def _model(self, given: IMPA | str | Path | None) -> IMPA | None:
        model = load_model(given, self.plan.cache) if isinstance(given, str | Path) else given
        self._watch.check()
        return model

    def _keep_source(self, run: Run) -> None:
        """Write down where the cells came from, where that is known."""
        plan = self.plan
        if plan.cells is None or plan.keep_crops:
            source = plan.source if plan.cells is None else plan.cells_path
            how: dict[str, Any] = {"segment": None, "nuclei_channel": plan.nuclei_channel, "kind": plan.kind}
            if plan.channels:
                how["channels"] = list(plan.channels)
            if plan.choice.changed:
                how["choice"] = plan.choice.changed
            if plan.segment is not None:
                found_by = as_segmenter(plan.segment)
                how["segment"] = found_by.name
                if found_by.changed:
                    how["segmenter_settings"] = found_by.changed
            run.keep_source(source, self.cells.label, self.cells.control, **how)

    def _start(self, kept: str) -> TrainingStart:
        trainer, cells = self.trainer, self.cells
        taken = None if self.plan.start_from is None else trainer.started_from
        return TrainingStart(
            len(cells), cells.channels, cells.pixel_size, f"{trainer.chosen_device.reason}; {trainer.cells_a_step}",
            trainer.step, kept,
            trainer.best.score is not None, trainer.best.floor, trainer.data.counts,
            "" if taken is None else words_of(taken),
        )  # fmt: skip

    def __iter__(self) -> Iterator[TrainingEvent]:
        with self._leaving():
            for event in events(self.trainer):
                if _is_to_stop(self._watch):
                    self.trainer.stop()
                self._message = event.message or self._message
                yield event
        if self._steering.abandoned:
            raise CancelledError

    @contextmanager
    def _leaving(self) -> Iterator[None]:
        try:
            with files_in_words(self.plan):
                yield
        except Abandoned:
            raise CancelledError from None

    @property
    def outcome(self) -> Trained:
        """How it ended, once all events have come."""
        whole = not self._steering.stopped
        return Trained(self.trainer.run.model_path, self._message, self.cells, self.plan.settings.hold_out, whole)

    def stop(self) -> None:
        """Stop after the step that is being made."""
        self.trainer.stop()

    def follow(self, *, progress: bool = True) -> str:
        """Train to the end under a progress bar; returns the sentence that says how it ended."""
        return follow(self.trainer, self, progress=progress)


def train_plan(plan: Plan, *, watch: Watch = UNWATCHED, steering: Steering | None = None) -> Trained:
    """Run a plan to its end; where its folder holds a run already, that is resumed.

    Raises
    ------
    ImpaError, CancelledError
        As `Training`.
    """
    training = Training(plan, steering=steering, watch=watch)
    for event in training:
        watch.report(event.step, event.steps or 0, event.stage)
    return training.outcome


def _is_to_stop(watch: Watch) -> bool:
    try:
        watch.check()
    except CancelledError:
        return True
    return False


def make_trainer(
    cells: Cells,
    settings: TrainingSettings,
    folder: str | Path,
    *,
    resume: bool = False,
    group: Processes | None = None,
    start_from: IMPA | None = None,
    steering: Steering | None = None,
) -> tuple[Trainer, str]:
    """Make a trainer that keeps the best model by the gap closed, where cells are held out; arguments as of `Trainer`.

    Returns
    -------
    The trainer, and a sentence that says by what the model is kept.
    """
    trainer = Trainer(
        cells, settings, folder, resume=resume, group=group, start_from=start_from, steering=steering
    )  # fmt: skip
    if not settings.hold_out:
        return trainer, "Nothing is held out, so the last model is kept."
    if not trainer.group.is_first:
        return trainer, ""
    try:
        score = HeldOutScore(trainer.model, cells, seed=settings.seed, watch=trainer.watch)
    except ConditionError as error:
        return trainer, f"The last model is kept, as there is nothing to score it by. {error}"
    every = math.ceil(SCORE_STEPS * score.cells / trainer.settings.cells_a_step)
    trainer.keep_best(score, every=every, floor=score.floor)
    return trainer, f"The best model is kept by the gap that it closes on {score.cells} held-out cells ({score.where})."


def events(trainer: Trainer) -> Iterator[TrainingEvent]:
    """Train, giving the trainer's events, and draw its samples into the run's `samples/`, ever more seldom.

    Raises
    ------
    ImpaError
        As `Trainer`; and a `CellsError` where a picture cannot be written.
    """
    folder, limits = trainer.run.folder / "samples", None
    drawn = max((int(path.stem) for path in folder.glob("*.png") if path.stem.isdecimal()), default=0)
    for event in trainer:
        if event.samples is not None and (event.finished or event.step >= SELDOM * drawn):
            if limits is None:  # the same contrast from the first picture to the last
                limits = display_limits(np.concatenate([event.samples.control, event.samples.real]))
            trainer.run.require_there()
            picture = montage(sample_rows(event.samples), trainer.model.channels, limits)
            save_montage(folder / f"{event.step:06d}.png", picture)
            drawn = event.step
        yield event


LAST = "scoring the last model"
"""What a bar says between the last step and the end."""


def follow(trainer: Trainer, told: Iterable[TrainingEvent] | None = None, *, progress: bool = True) -> str:
    """Train to the end under a progress bar; returns the sentence that says how it ended.

    Parameters
    ----------
    trainer
        Of the training.
    told
        Its events; those of `events` where not given.
    progress
        Show the bar.
    """
    from tqdm.auto import tqdm

    steps, minutes, message = trainer.settings.steps, trainer.settings.minutes, ""
    shown: dict[str, str] = {}
    shown_losses = {term.name for term in TERMS if term.in_bar}
    show = progress and trainer.group.is_first
    with tqdm(total=steps, initial=trainer.step, unit="step", disable=not show) as bar:
        for event in events(trainer) if told is None else told:
            if gaps := [gap for gap in event.gaps.values() if math.isfinite(gap)]:
                shown["gap closed"] = f"{sum(gaps) / len(gaps):.2f}"
            if event.finished:
                message = event.message or ""
            if event.finished or event.paused:
                continue
            if event.message:  # it went back
                bar.n = event.step
                bar.refresh()
                continue
            shown |= {name: f"{value:.3f}" for name, value in event.losses.items() if name in shown_losses}
            if minutes and event.seconds_left is not None:
                shown["min left"] = f"{event.seconds_left / 60:.1f}"
            bar.set_postfix({"stage": event.stage, **shown}, refresh=False)
            bar.update()
            if event.step == steps or event.seconds_left == 0:  # what comes now takes seconds
                bar.set_description(LAST)
    return message
