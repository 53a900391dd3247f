"""What a budget of minutes or steps gives, from a step that was measured; all in words, without torch."""

from __future__ import annotations

from dataclasses import dataclass

from napari_impa.engine.training.settings import TrainingSettings
from napari_impa.engine.training.steps import entry_of


@dataclass(frozen=True)
class Measured:
    """What a step takes.

    Parameters
    ----------
    seconds_per_step
        On average over both stages, reading the cells and scores left out.
    memory_bytes
        Most memory of the GPU that the steps took; None on a CPU.
    device
        Which it was, in words.
    model_bytes
        Of the trained model's file.
    rough
        Whether steps were so slow that not every kind of them was measured twice.
    """

    seconds_per_step: float
    memory_bytes: int | None
    device: str
    model_bytes: int
    rough: bool = False

    def steps_in(self, minutes: float) -> int:
        """Steps that so many minutes give, at least 1."""
        return max(1, int(60 * minutes / self.seconds_per_step))

    def minutes_for(self, steps: int) -> float:
        """Minutes that so many steps take."""
        return steps * self.seconds_per_step / 60


def steps_of(measured: Measured, settings: TrainingSettings) -> int:
    """Steps that a training will make: what its steps and minutes allow."""
    allowed = [] if settings.steps is None else [settings.steps]
    if settings.minutes is not None:
        allowed.append(measured.steps_in(settings.minutes))
    return min(allowed)


def describe_budget(measured: Measured, settings: TrainingSettings) -> str:
    """Say how many steps the minutes give, or how long the steps take, and what was measured.

    >>> describe_budget(Measured(0.94, None, "CPU, 4 threads", 0), TrainingSettings(minutes=30))
    '30 min ≈ 1,900 steps on the CPU, 4 threads · measured 0.94 s a step'
    """
    steps = rounded(steps_of(measured, settings))
    device = measured.device.partition(":")[0]
    place = f" on the {device}" if device else ""
    if settings.minutes is not None:
        budget = f"{minutes_in_words(settings.minutes)} ≈ {steps:,} steps{place}"
        if settings.steps is not None and settings.steps <= measured.steps_in(settings.minutes):
            budget = f"{settings.steps:,} steps ≈ {minutes_in_words(measured.minutes_for(settings.steps))}{place}"
    else:
        budget = f"{settings.steps:,} steps ≈ {minutes_in_words(measured.minutes_for(settings.steps or 1))}{place}"
    text = f"{budget} · measured {seconds_in_words(measured.seconds_per_step)} a step"
    if measured.rough:
        text += ", roughly"
    if measured.memory_bytes is not None:
        text += f" · {measured.memory_bytes / 2**30:.1f} GB of the GPU's memory"
    return text


def advise(measured: Measured, settings: TrainingSettings, recipe: str | None = None) -> str:
    """Say what so many steps were seen to give: figures of one data set, which promise nothing for another.

    `recipe` is the name of another recipe than the settings'.
    """
    steps, tried = steps_of(measured, settings), entry_of(recipe or settings.recipe)
    if tried.blurred is None or tried.good is None:
        return "This recipe was tried for 900 steps, which did not suffice; none of a longer training was measured."
    enough, good = minutes_in_words(measured.minutes_for(tried.good)), f"{tried.good:,} steps"
    if steps < tried.blurred:
        return f"Enough to try out; below some {tried.blurred:,} steps cells stay blurred. {good} take {enough}."
    if steps < tried.good:
        return f"Enough for a first look. {good}, which gave good cells on our test wells, take {enough}."
    return f"{good} gave good cells on our test wells; your cells may need more, so watch the gap closed."


def rounded(count: int) -> int:
    """Round to two digits, as an estimate deserves."""
    digits = len(str(count)) - 2
    return round(count, -digits) if digits > 0 else count


def seconds_in_words(seconds: float) -> str:
    """Write the time of a step."""
    number, unit = (seconds, "s") if seconds >= 0.1 else (1000 * seconds, "ms")
    return f"{number:.2g} {unit}" if number < 9.5 else f"{number:,.0f} {unit}"


def minutes_in_words(minutes: float) -> str:
    """Write a time as a person would say it."""
    if minutes < 1.5:
        return f"{max(1, round(60 * minutes))} s"
    if minutes < 90:
        return f"{minutes:.0f} min"
    return f"{minutes / 60:.1f} h" if minutes < 72 * 60 else f"{minutes / 1440:.0f} days"
