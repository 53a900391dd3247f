"""Rules that find the faults of a model: each looks at the scores and gives a finding or nothing."""

from __future__ import annotations

import numpy as np

from napari_impa.analysis.features.space import FAMILIES
from napari_impa.analysis.verdict.brief import LEFT, ScoresInBrief, in_share, in_words, plural
from napari_impa.analysis.verdict.finding import Finding

MOVED = 0.4
"""Gap closed from which on a family counts as moved."""

STILL = 0.1
"""Share of the true shifts up to which the cells count as unchanged."""

BLIND = 0.2
"""Share of the difference between conditions up to which a model counts as not telling them apart."""

IDENTITY = 0.65
"""Mean rank of the own cell (0.5 is chance, 1 always the nearest) up to which predictions count as other cells."""

BY_HEART = 0.3
"""Gap closed on cells of the training above that on unseen cells from which on cells count as known by heart."""

LOST = 0.15
"""Share of cells with a nucleus below that of real ones from which on it is said that nuclei were lost."""

FEWEST_NUCLEI = 0.7
"""Share of real cells with a nucleus under which it is asked whether the right channel is looked at."""


def _nothing_moves(of: ScoresInBrief) -> Finding | None:
    """Nothing to judge: real treated cells do not differ from the control."""
    if np.isfinite(of.gap):
        return None
    return Finding(
        "nothing moves", "against",
        f"Nothing can be said of this model: by no measurement do real cells of a {of.what} differ from the "
        f"{'uncorrected' if of.what == 'batch' else 'untreated'} ones here.",
    )  # fmt: skip


def _other_cells(of: ScoresInBrief) -> Finding | None:
    """It gives back other cells than those it was given."""
    own = of.of("predicted", "identity")
    if not own < IDENTITY:
        return None
    return Finding(
        "other cells", "against",
        f"What it draws are other cells, not the ones it was given: a predicted cell is more like its own than like "
        f"another in {in_share(own)} of comparisons (50 % is chance), as copies of real cells are. No figure says "
        "anything of what a cell would become.",
    )  # fmt: skip


def _by_heart(of: ScoresInBrief) -> Finding | None:
    """It closes far more of the gap on cells of its training than on others."""
    seen = of.of("seen", "gap_closed")
    if not seen - of.gap >= BY_HEART:
        return None
    return Finding(
        "by heart", "against",
        f"It has learned the cells of its training by heart: on those it closes {in_share(seen)} of the gap, on cells "
        f"it never saw {in_share(of.gap)}.",
    )  # fmt: skip


def _nuclei_lost(of: ScoresInBrief) -> Finding | None:
    """Whether as many predicted cells have a nucleus as real ones: those without drop out of half the measurements."""
    predicted, real, control = (of.of(row, "with_nucleus") for row in ("predicted", "real", "control"))
    if real - predicted >= LOST:
        return Finding(
            "nuclei lost", "against",
            f"Of its cells {in_share(predicted)} have a nucleus, of real ones {in_share(real)}: what is measured of "
            "nuclei says nothing of those that lost theirs.",
        )  # fmt: skip
    if min(real, control) < FEWEST_NUCLEI:
        return Finding(
            "few nuclei", "about",
            f"Only in {in_share(min(real, control))} of real cells was a nucleus found ({of.made['nuclei']}): is that "
            "the channel of nuclei, and are crops centred on them? Measurements of nuclei rest on the others.",
        )  # fmt: skip
    return None


def _unchanged(of: ScoresInBrief) -> Finding | None:
    """It leaves the cells as they are: no true shift is followed by a tenth, no gap is closed."""
    if not (of.gap < LEFT and of.progress <= STILL):
        return None
    return Finding(
        "unchanged", "against",
        f"The model leaves cells as they are: it closes {in_share(of.gap)} of the gap to real cells, and moves "
        f"measurements by {in_share(of.progress)} of what they truly move.",
    )  # fmt: skip


def _brightness_alone(of: ScoresInBrief) -> Finding | None:
    """It moves intensities and nothing else, though more moves."""
    others = [family for family in FAMILIES if family != "intensity" and np.isfinite(of.family(family))]
    if not (of.family("intensity") >= MOVED and others and all(of.family(family) < LEFT for family in others)):
        return None
    return Finding(
        "brightness alone", "against",
        f"It changes brightness and nothing else: it closes {in_share(of.family('intensity'))} of the gap in "
        f"intensity, and leaves {in_words(others)}, which truly move.",
    )  # fmt: skip


def _elsewhere(of: ScoresInBrief) -> Finding | None:
    """It changes cells, but not towards the real ones of the condition that it is asked for."""
    alike = of.of("predicted", "told_apart") < BLIND and of.gap < MOVED
    if not ((of.gap < LEFT and of.progress > STILL) or (alike and of.gap >= LEFT)):
        return None
    whatever = ", much the same whatever it is asked for" if alike else ""
    return Finding(
        "elsewhere", "against",
        f"It changes cells, but not into those of the {of.what}: it closes {in_share(of.gap)} of the gap to real cells"
        f"{whatever}. That is what a model does whose labels were wrong or shuffled, or whose training has hardly "
        "begun.",
    )  # fmt: skip


def _blind(of: ScoresInBrief) -> Finding | None:
    """It makes the same of a cell whatever it is asked for."""
    apart = of.of("predicted", "told_apart")
    if not (apart < BLIND and of.gap >= MOVED):
        return None
    return Finding(
        "blind", "against",
        f"It does not tell {plural(2, of.what)} apart: asked for two, its cells show {in_share(apart)} of the "
        f"difference between the real ones; asked for another {of.what} it closes "
        f"{in_share(of.of('another', 'gap_closed'))} of the gap.",
    )  # fmt: skip


FAULTS = (_nothing_moves, _other_cells, _by_heart, _nuclei_lost, _unchanged, _brightness_alone, _elsewhere, _blind)
"""In the order in which they speak: the first that finds something makes the first line of a verdict."""
