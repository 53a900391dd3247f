"""Trainings that are made to run away: how soon it is seen, that they go back, and that they stop the second time."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace

from benchmarks.measure import Options, Row, row_against
from benchmarks.training import cells
from napari_impa.engine.training.runaway import CHANCE, FAR, LATEST, PLAYERS
from napari_impa.engine.training.settings import TrainingSettings
from napari_impa.engine.training.steps.default_recipe import DefaultRecipe
from napari_impa.engine.training.trainer import Trainer
from napari_impa.errors import TrainingError

SIZE, STEPS = 24, 40
SOON = 2 * LATEST
"""Steps after the first far loss in which it is to be seen that losses run away; some go up and down meanwhile."""


def rows(options: Options) -> Iterator[Row]:
    """The smallest networks with a discriminator that learns 50 times too fast, and one that no lower rate saves."""
    for times, name in ((50, "runs away"), (5_000, "runs away again")):
        far, caught, ending = trial(times, options)
        late = [at - first for first, at in zip(far, caught, strict=False)]
        seen = f"seen {' and '.join(map(str, late))} steps after the first far loss" if late else "not seen"
        said = f"discriminator's rate × {times:,}: {seen}"
        yield row_against(name, late or [1e6], SOON, said, f"{SOON} steps", floor=ending, wanted=1.0)


def trial(times: float, options: Options) -> tuple[list[int], list[int], str]:
    """Train with a discriminator that learns so many times too fast.

    Returns
    -------
    far, caught
        Steps at which its losses were far away first, and at which that was seen, in the beginning and each time after.
    ending
        All that the training said.
    """
    recipe = DefaultRecipe(autoencoder=0.05)
    recipe = replace(recipe, critic_rate=times * recipe.critic_rate)
    settings = TrainingSettings(
        size=SIZE, batch_size=2, style_dim=8, steps=STEPS, device=str(options.device), checkpoint_seconds=0.0
    )
    trainer = Trainer(
        cells(200, SIZE), settings, options.folder / f"runaway-{times}-{time.time_ns()}", recipe=recipe,
        sample_every=10**9,
    )  # fmt: skip
    far, caught, said = list[int](), list[int](), list[str]()
    made = 0
    try:
        for event in trainer:
            if event.message:
                said.append(event.message)
                if not event.finished:
                    caught.append(made + 1)
                continue
            made = event.step
            if len(far) == len(caught) and is_far(event.losses):
                far.append(made)
    except TrainingError as error:
        said.append(str(error))
        caught.append(made + 1)
    return far, caught, " ".join(said)


def is_far(losses: Mapping[str, float]) -> bool:
    """Whether a loss of the discriminator's answers is far from chance."""
    return any(not losses[name] <= FAR * CHANCE for name in losses.keys() & PLAYERS.keys())
