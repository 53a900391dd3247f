"""The verdict: what the scores of a model say, in words, by rules that are written down here.

Each rule looks at the table of `evaluate` and gives a `Finding` or nothing. The first finding in the order of `RULES`
that speaks against the model makes the first line; where none does, the first line says how far the model goes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from napari_impa.analysis.features.space import FAMILIES
from napari_impa.analysis.metrics.gap import family_column

MOVED = 0.4
"""Gap closed from which on a family counts as moved."""

LEFT = 0.15
"""Gap closed up to which a family counts as left as it is."""

STILL = 0.1
"""Share of the true shifts up to which the cells count as unchanged."""

BLIND = 0.2
"""Share of the difference between conditions up to which a model counts as not telling them apart."""

IDENTITY = 0.65
"""Mean rank of the own cell (0.5 is chance, 1 always the nearest) up to which predictions count as other cells."""

BY_HEART = 0.3
"""Gap closed on cells of the training above that on unseen cells from which on cells count as known by heart."""

UNASKED = 0.25
"""Share of measurements moved though the condition does not move them from which on it is said."""

FEW = 100
"""Cells of a condition under which a verdict is called rough."""

Against = Literal["against", "for", "about"]


@dataclass(frozen=True)
class Finding:
    """What one rule found.

    Parameters
    ----------
    name
        Of what it found.
    side
        Whether it speaks against the model, for it, or says what the verdict rests on.
    sentence
        In words, with its numbers.
    """

    name: str
    side: Against
    sentence: str


@dataclass(frozen=True)
class Verdict:
    """What the scores say.

    Parameters
    ----------
    first
        The first line, one sentence.
    text
        One paragraph: the first line and all other findings.
    findings
        All of them, in the order of the rules.
    """

    first: str
    text: str
    findings: tuple[Finding, ...]

    def __contains__(self, name: object) -> bool:
        """Whether a rule of that name found something."""
        return any(finding.name == name for finding in self.findings)


def verdict_of(table: pd.DataFrame, measured: pd.DataFrame) -> Verdict:
    """Judge a model by the table of `evaluate` and the measurements beside it (`Evaluation.measured`)."""
    scores = _Scores(table, measured)
    findings = [finding for rule in RULES if (finding := rule(scores)) is not None]
    against = [finding for finding in findings if finding.side == "against"]
    # What a model is without any network is always said at once, whatever else is wrong with it.
    first = [finding for number, finding in enumerate(against) if number == 0 or finding.name == "mean effect"]
    first = first or findings[:1]
    rest = [finding for finding in findings if finding not in first]
    line = " ".join(finding.sentence for finding in first)
    return Verdict(line, " ".join([line, *(finding.sentence for finding in rest)]), tuple(findings))


class _Scores:
    """Medians over conditions of what rules look at."""

    def __init__(self, table: pd.DataFrame, measured: pd.DataFrame) -> None:
        self.table, self.measured, self.made = table, measured, table.attrs
        self.rows = {str(name): part for name, part in table.groupby("row", sort=False)}
        self.conditions = list(dict.fromkeys(table["condition"]))

    def of(self, row: str, column: str) -> float:
        """Median over conditions; NaN where there is none."""
        if row not in self.rows or column not in self.table:
            return float("nan")
        values = self.rows[row][column].dropna()
        return float(values.median()) if len(values) else float("nan")

    @property
    def gap(self) -> float:
        return self.of("predicted", "gap_closed")

    def family(self, family: str) -> float:
        """Gap closed of a family; NaN where nothing of it moves, or not even real cells of a repeat close it."""
        return float("nan") if self.is_doubtful(family) else self.of("predicted", family_column(family))

    def is_doubtful(self, family: str) -> bool:
        """Whether real cells of a repeat do not close the family's gap either: it moves by chance or with the plate."""
        return self.of("real", family_column(family)) < LEFT

    def families(self, which: Callable[[float], bool]) -> list[str]:
        return [f for f in FAMILIES if np.isfinite(value := self.family(f)) and which(value)]

    @property
    def progress(self) -> float:
        """Median, over the measurements that truly move, of the shift's size over the true shift's."""
        moving = self.measured[(self.measured["row"] == "predicted") & self.measured["moves"]]
        share = (moving["moved"] / moving["shift"]).abs()
        return float(share.median()) if len(share) else float("nan")

    @property
    def what(self) -> str:
        return "batch" if self.made["task"] == "batch" else "condition"


Rule = Callable[[_Scores], Finding | None]


def _nothing_moves(of: _Scores) -> Finding | None:
    """Nothing to judge: real treated cells do not differ from the control."""
    if np.isfinite(of.gap):
        return None
    return Finding(
        "nothing moves", "against",
        f"Nothing can be said of this model: by no measurement do real cells of a {of.what} differ from the "
        f"{'uncorrected' if of.what == 'batch' else 'untreated'} ones here.",
    )  # fmt: skip


def _unchanged(of: _Scores) -> Finding | None:
    """It leaves the cells as they are: no true shift is followed by a tenth, no gap is closed."""
    if not (of.gap < LEFT and of.progress <= STILL):
        return None
    return Finding(
        "unchanged", "against",
        f"The model leaves cells as they are: it closes {_share(of.gap)} of the gap to real cells, and moves "
        f"measurements by {_share(of.progress)} of what they truly move.",
    )  # fmt: skip


def _other_cells(of: _Scores) -> Finding | None:
    """It gives back other cells than those it was given."""
    own = of.of("predicted", "identity")
    if not own < IDENTITY:
        return None
    return Finding(
        "other cells", "against",
        f"What it draws are other cells, not the ones it was given: a predicted cell is more like its own than like "
        f"another in {_share(own)} of comparisons (50 % is chance), as copies of real cells are. No figure says "
        "anything of what a cell would become.",
    )  # fmt: skip


def _by_heart(of: _Scores) -> Finding | None:
    """It closes far more of the gap on cells of its training than on others."""
    seen = of.of("seen", "gap_closed")
    if not seen - of.gap >= BY_HEART:
        return None
    return Finding(
        "by heart", "against",
        f"It has learned the cells of its training by heart: on those it closes {_share(seen)} of the gap, on cells it "
        f"never saw {_share(of.gap)}.",
    )  # fmt: skip


def _elsewhere(of: _Scores) -> Finding | None:
    """It changes cells, but not towards the real ones of the condition that it is asked for."""
    alike = of.of("predicted", "told_apart") < BLIND and of.gap < MOVED
    if not ((of.gap < LEFT and of.progress > STILL) or (alike and of.gap >= LEFT)):
        return None
    whatever = ", much the same whatever it is asked for" if alike else ""
    return Finding(
        "elsewhere", "against",
        f"It changes cells, but not into those of the {of.what}: it closes {_share(of.gap)} of the gap to real cells"
        f"{whatever}. That is what a model does whose labels were wrong or shuffled, or whose training has hardly "
        "begun.",
    )  # fmt: skip


def _blind(of: _Scores) -> Finding | None:
    """It makes the same of a cell whatever it is asked for."""
    apart = of.of("predicted", "told_apart")
    if not (apart < BLIND and of.gap >= MOVED):
        return None
    return Finding(
        "blind", "against",
        f"It does not tell {_plural(2, of.what)} apart: asked for two, its cells show {_share(apart)} of the "
        f"difference between the real ones; asked for another {of.what} it closes "
        f"{_share(of.of('another', 'gap_closed'))} of the gap.",
    )  # fmt: skip


def _brightness_alone(of: _Scores) -> Finding | None:
    """It moves intensities and nothing else, though more moves."""
    others = [family for family in FAMILIES if family != "intensity" and np.isfinite(of.family(family))]
    if not (of.family("intensity") >= MOVED and others and all(of.family(family) < LEFT for family in others)):
        return None
    return Finding(
        "brightness alone", "against",
        f"It changes brightness and nothing else: it closes {_share(of.family('intensity'))} of the gap in intensity, "
        f"and leaves {_list(others)}, which truly move.",
    )  # fmt: skip


def _mean_effect(of: _Scores) -> Finding | None:
    """Whether it beats the mean effect, which needs no network."""
    plain = of.of("mean_effect", "gap_closed")
    if not (np.isfinite(plain) and np.isfinite(of.gap)):
        return None
    better = [
        condition
        for condition in of.conditions
        if _one(of.table, condition, "predicted") > _one(of.table, condition, "mean_effect")
    ]
    if of.gap > plain:
        most = f", in {len(better)} of {len(of.conditions)} {_plural(2, of.what)}"
        most = "" if len(better) == len(of.conditions) else most
        return Finding(
            "beats the mean effect", "for",
            f"That is more than making the cells brighter or darker by the mean effect, without any network, does "
            f"({_share(plain)}{most}).",
        )  # fmt: skip
    return Finding(
        "mean effect", "against",
        f"It does not beat the mean effect: moving each channel's brightness by its mean difference, without any "
        f"network, closes {_share(plain)} of the gap to real cells, the model {_share(of.gap)}.",
    )  # fmt: skip


def _how_far(of: _Scores) -> Finding | None:
    """How much of the gap it closes, and what a repeat of the experiment would."""
    if not of.gap >= LEFT:  # less is said by other rules
        return None
    floor = of.of("real", "gap_closed")
    repeat = f"; real cells of a repeat close {_share(floor)}" if np.isfinite(floor) else ""
    several = "" if len(of.conditions) == 1 else f", in the median over {len(of.conditions)} {_plural(2, of.what)}"
    return Finding(
        "how far", "for",
        f"The model closes {_share(of.gap)} of the gap between the cells as they are and real cells of the "
        f"{of.what}{several}{repeat}.",
    )  # fmt: skip


def _interval(of: _Scores) -> Finding | None:
    """How sure the gap closed is, by its 90 % interval."""
    low, high = of.of("predicted", "gap_low"), of.of("predicted", "gap_high")
    if not (of.gap >= LEFT and np.isfinite([low, high]).all()):
        return None
    return Finding(
        "interval", "about",
        f"The share of the gap is known to lie between {_share(low)} and {_share(high)} (90 % interval).",
    )  # fmt: skip


def _families(of: _Scores) -> Finding | None:
    """Which families of measurement it moves, and which it leaves."""
    parts = []
    for say, which in (
        ("It moves", lambda value: value >= MOVED),
        ("moves a little", lambda value: LEFT < value < MOVED),
        ("leaves", lambda value: 0 - LEFT <= value <= LEFT),
        ("moves the wrong way, or too far,", lambda value: value < -LEFT),
    ):
        if names := of.families(which):
            parts.append(f"{say} {_list([f'{name} ({_share(of.family(name))})' for name in names])}")
    if not parts:
        return None
    text = "; ".join(parts)
    doubtful = [family for family in FAMILIES if of.is_doubtful(family)]
    rest = f" Nothing is said of {_list(doubtful)}, which real cells of a repeat do not close." if doubtful else ""
    return Finding("families", "about", f"{text[0].upper()}{text[1:]}.{rest}")


def _unasked(of: _Scores) -> Finding | None:
    """Side effects."""
    share = of.of("predicted", "moved_unasked")
    if not share >= UNASKED:
        return None
    return Finding(
        "side effects", "about",
        f"It also moves {_share(share)} of the measurements that the {of.what} does not move.",
    )  # fmt: skip


def _apart(of: _Scores) -> Finding | None:
    """How well conditions are told apart, beside what a classifier can tell of real cells."""
    apart, right, real = (of.of(*cell) for cell in (
        ("predicted", "told_apart"), ("predicted", "right"), ("real", "right"),
    ))  # fmt: skip
    if len(of.conditions) < 2 or not np.isfinite(right) or apart < BLIND:
        return None
    shown = f"; they show {_share(apart)} of the difference between real ones" if np.isfinite(apart) else ""
    return Finding(
        "tells apart", "about",
        f"Of its cells {_share(right)} are taken for their very {of.what} (real cells: {_share(real)}){shown}.",
    )  # fmt: skip


def _unseen(of: _Scores) -> Finding:
    """Whether it can be trusted on conditions that it was not trained on."""
    unseen = [condition for condition in of.conditions if condition in of.made["unseen"]]
    if unseen:
        gaps = [_one(of.table, condition, "predicted") for condition in unseen]
        near = [of.made["similarity"][one] for one in unseen if of.made["similarity"].get(one) is not None]
        like = f" (similarity to the nearest that it was: {min(near):.2f} to {max(near):.2f})" if near else ""
        trust = "can be trusted about as far" if np.median(gaps) >= MOVED else "cannot be trusted there"
        return Finding(
            "unseen", "about",
            f"On {len(unseen)} {_plural(len(unseen), of.what)} that it was not trained on{like} it closes "
            f"{_share(float(np.median(gaps)))} of the gap: it {trust}.",
        )  # fmt: skip
    if of.made["described"]:
        return Finding(
            "unseen", "about",
            f"It takes {_plural(2, of.what)} that it was not trained on, but none of them is among these cells: "
            "nothing says that it can be trusted there.",
        )  # fmt: skip
    return Finding("unseen", "about", f"It knows the {_plural(2, of.what)} that it was trained on alone.")


def _rests_on(of: _Scores) -> Finding:
    """How many cells that rests on, and whether the training saw them."""
    predicted = of.rows["predicted"]
    cells, real = int(predicted["cells"].sum()), int(predicted["real"].sum())
    fewest = int(min(predicted["cells"].min(), predicted["real"].min()))
    seen = (
        "none of which the training saw"
        if of.made["held_out"]
        else "**some of which the training may have seen, which flatters it**"
    ).replace("**", "")
    rough = f" With {fewest} cells of a {of.what} it is rough." if fewest < FEW else ""
    return Finding(
        "rests on", "about",
        f"This rests on {cells:,} predicted and {real:,} real cells of {len(of.conditions)} "
        f"{_plural(len(of.conditions), of.what)}, {seen}.{rough}",
    )  # fmt: skip


RULES: tuple[Rule, ...] = (
    _nothing_moves, _other_cells, _by_heart, _unchanged, _brightness_alone, _elsewhere, _blind, _how_far, _mean_effect,
    _interval, _families, _unasked, _apart, _unseen, _rests_on,
)  # fmt: skip
"""In the order in which they speak; the first against the model makes the first line."""


def rules_in_words() -> list[str]:
    """What each rule is about, for those who want to know how a verdict is made."""
    thresholds = (
        f"A family counts as moved from {MOVED} of its gap closed on, as left up to {LEFT}; cells as unchanged up to "
        f"{STILL} of the true shifts; conditions as not told apart up to {BLIND} of their true difference; predictions "
        f"as other cells up to a rank of {IDENTITY}; cells as known by heart where those of the training close "
        f"{BY_HEART} more; side effects are said from {UNASKED} of the measurements on; fewer than {FEW} "
        "cells are called rough."
    )
    return [*(str(rule.__doc__).strip() for rule in RULES), thresholds]


def _one(table: pd.DataFrame, condition: str, row: str, column: str = "gap_closed") -> float:
    values = table.loc[(table["condition"] == condition) & (table["row"] == row), column]
    return float(values.iloc[0]) if len(values) else float("nan")


def _share(value: float) -> str:
    """A share in %, with a true minus, never −0 %."""
    return f"{round(100 * value):d} %".replace("-", "−") if np.isfinite(value) else "–"


def _list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _plural(count: int, what: str) -> str:
    return what if count == 1 else f"{what}es" if what.endswith("ch") else f"{what}s"
