"""Losses that run away: when a training is known to have lost its way, and what is said of it.

A training whose losses run away goes back to its checkpoint and goes on with lower rates, once; the second time it
stops. What counts was set by some forty trainings on real cells, of 900 to 2,000 steps: spikes of a few steps are
common and mend themselves (the highest 1,080, of `real`; no median of 16 steps above 7), in those that were lost the
same median came to 240 and more.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median, median_low

from napari_impa.engine.training.steps.rates import RateFactors
from napari_impa.engine.training.steps.terms import TERMS

LATEST = 16
"""Values of a loss whose median tells whether it has run away."""

USUAL = 256
"""Values before these, whose median is what is usual; and values for which a discriminator is always right."""

ENOUGH = 64
"""Values without which nothing is usual yet."""

FAR = 50.0
"""Times the usual that a loss is far away."""

CHANCE = math.log(2)
"""Loss of answers that tell nothing apart: what is usual of the discriminator's answers at first, and at least."""

RIGHT = 0.01
"""Loss below which the discriminator is as good as always right: wrong about one cell in a hundred."""

A_FIFTH = 0.2
"""Of the rates before a training goes on: at width 64 a fifth of the discriminator's held."""

PLAYERS = {term.name: term.player for term in TERMS if term.player}


@dataclass(frozen=True)
class Lost:
    """What went wrong.

    Parameters
    ----------
    reason
        In words.
    to_nan
        Whether a loss or a weight is not a number any more.
    of_discriminator
        Whether the discriminator's answers ran away, so that its rate alone is to be lower.
    """

    reason: str
    to_nan: bool = False
    of_discriminator: bool = False

    def lowered(self, factors: RateFactors) -> RateFactors:
        """Return what rates are multiplied by from now on."""
        makers = factors.makers * (1.0 if self.of_discriminator else A_FIFTH)
        return RateFactors(factors.critic * A_FIFTH, makers)

    def going_on(self, at: int, back: int) -> str:
        """Say that the training went back from a step to its checkpoint of another, and goes on."""
        where = f"step {back:,}" if back else "its start"
        whose = "the discriminator's learning rate" if self.of_discriminator else "all learning rates"
        ran = f"The training {self._ran} at step {at:,} ({self.reason})"
        return f"{ran}; it went back to {where} and goes on with a fifth of {whose}."

    def stopping(self, at: int, back: int, lowered_at: int | None) -> str:
        """Say that it went back and stops; rates are lower since some step, if they are."""
        again = "" if lowered_at is None else f" again, with lower learning rates since step {lowered_at:,},"
        where = f"its checkpoint of step {back:,}, whose model is kept" if back else "its start"
        return (
            f"The training {self._ran}{again} at step {at:,} ({self.reason}) and went back to {where}; "
            "train anew with another seed, a larger batch size or another recipe."
        )

    @property
    def _ran(self) -> str:
        return "ran to NaN" if self.to_nan else "ran away"


class Runaway:
    """Follows the losses of a training, to say when it is lost.

    - A loss is no number, or infinite.
    - A loss has **run away**: the median of its last `LATEST` values is more than `FAR` times what is usual, the median
      of up to `USUAL` values before them, at least `CHANCE`. With fewer than `ENOUGH` before them, losses of the
      discriminator's answers are held against `CHANCE`, others not yet.
    - The discriminator is **always right**: while it plays against the generator, the median of the last `USUAL` values
      of each of its losses is below `RIGHT`.
    """

    def __init__(self) -> None:
        self._values: dict[str, deque[float]] = {}
        self._calm = LATEST

    def look(self, losses: Mapping[str, float]) -> Lost | None:
        """Take the losses of the next step; returns what went wrong, if anything did."""
        bad = [name for name, value in losses.items() if not math.isfinite(value)]
        if bad:
            return Lost(f"loss {', '.join(bad)}", to_nan=True)
        self._calm += 1
        lost: list[Lost] = []
        for name, value in losses.items():
            values = self._values.setdefault(name, deque(maxlen=LATEST + USUAL))
            values.append(value)
            lost += self._run_away(name, list(values))
        return lost[0] if lost else self._always_right(losses)

    @property
    def suspects(self) -> bool:
        """Whether a loss was far away at one of the last `LATEST` steps, so that their weights may be worth nothing."""
        return self._calm < LATEST

    @property
    def warning(self) -> str:
        """What is said where a training ends before it is known whether losses that are far away come back."""
        return f"Losses were far above the usual in its last {LATEST} steps, so the last model may be worth little."

    def values(self) -> dict[str, list[float]]:
        """The last values of each loss, on which further answers depend."""
        return {name: list(values) for name, values in self._values.items()}

    def restore(self, values: Mapping[str, Sequence[float]]) -> None:
        """Be as when `values` gave these; none: begin anew."""
        self._values = {name: deque(some, maxlen=LATEST + USUAL) for name, some in values.items()}
        self._calm = LATEST

    def _run_away(self, name: str, values: Sequence[float]) -> list[Lost]:
        before, latest = values[:-LATEST], values[-LATEST:]
        if max(latest) <= FAR * CHANCE:  # which is nearly always so
            return []
        known = len(before) >= ENOUGH
        usual = max(CHANCE, median(before)) if known else CHANCE if name in PLAYERS else math.inf
        if values[-1] > FAR * usual:
            self._calm = 0
        level = median_low(latest)
        if len(latest) < LATEST or level <= FAR * usual:
            return []
        beside = f"usually {median(before):.2g}" if known else f"where {CHANCE:.2g} is chance"
        return [Lost(f"loss {name} at {level:,.0f}, {beside}", of_discriminator=name in PLAYERS)]

    def _always_right(self, losses: Mapping[str, float]) -> Lost | None:
        players = {name: PLAYERS[name] for name in losses if name in PLAYERS}
        own = [name for name, player in players.items() if player == "discriminator"]
        if not own or len(own) == len(players) or not all(losses[name] < RIGHT for name in own):
            return None
        latest = [list(self._values[name])[-USUAL:] for name in own]
        if not all(len(values) == USUAL and median(values) < RIGHT for values in latest):
            return None
        return Lost("the discriminator is as good as always right", of_discriminator=True)
