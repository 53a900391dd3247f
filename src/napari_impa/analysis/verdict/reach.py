"""Rules that say how far a model goes, in what, and how much that rests on."""

from __future__ import annotations

import numpy as np

from napari_impa.analysis.features.space import FAMILIES
from napari_impa.analysis.verdict.brief import LEFT, ScoresInBrief, in_share, in_words, one_score, plural
from napari_impa.analysis.verdict.faults import BLIND, MOVED
from napari_impa.analysis.verdict.finding import Finding

UNASKED = 0.25
"""Share of measurements moved though the condition does not move them from which on it is said."""

FEW = 100
"""Cells of a condition under which a verdict is called rough."""


def _how_far(of: ScoresInBrief) -> Finding | None:
    """How much of the gap it closes, and what a repeat of the experiment would."""
    if not of.gap >= LEFT:  # less is said by other rules
        return None
    floor = of.of("real", "gap_closed")
    repeat = f"; real cells of a repeat close {in_share(floor)}" if np.isfinite(floor) else ""
    several = "" if len(of.conditions) == 1 else f", in the median over {len(of.conditions)} {plural(2, of.what)}"
    return Finding(
        "how far", "for",
        f"The model closes {in_share(of.gap)} of the gap between the cells as they are and real cells of the "
        f"{of.what}{several}{repeat}.",
    )  # fmt: skip


def _mean_effect(of: ScoresInBrief) -> Finding | None:
    """Whether it beats the mean effect, which needs no network."""
    plain = of.of("mean_effect", "gap_closed")
    if not (np.isfinite(plain) and np.isfinite(of.gap)):
        return None
    better = [
        condition
        for condition in of.conditions
        if one_score(of.table, condition, "predicted") > one_score(of.table, condition, "mean_effect")
    ]
    if of.gap > plain:
        most = f", in {len(better)} of {len(of.conditions)} {plural(2, of.what)}"
        most = "" if len(better) == len(of.conditions) else most
        return Finding(
            "beats the mean effect", "for",
            f"That is more than making the cells brighter or darker by the mean effect, without any network, does "
            f"({in_share(plain)}{most}).",
        )  # fmt: skip
    return Finding(
        "mean effect", "against",
        f"It does not beat the mean effect: moving each channel's brightness by its mean difference, without any "
        f"network, closes {in_share(plain)} of the gap to real cells, the model {in_share(of.gap)}.",
    )  # fmt: skip


def _interval(of: ScoresInBrief) -> Finding | None:
    """How sure the gap closed is, by its 90 % interval."""
    low, high = of.of("predicted", "gap_low"), of.of("predicted", "gap_high")
    if not (of.gap >= LEFT and np.isfinite([low, high]).all()):
        return None
    return Finding(
        "interval", "about",
        f"The share of the gap is known to lie between {in_share(low)} and {in_share(high)} (90 % interval).",
    )  # fmt: skip


def _families(of: ScoresInBrief) -> Finding | None:
    """Which families of measurement it moves, and which it leaves."""
    parts = []
    for say, which in (
        ("It moves", lambda value: value >= MOVED),
        ("moves a little", lambda value: LEFT < value < MOVED),
        ("leaves", lambda value: 0 - LEFT <= value <= LEFT),
        ("moves the wrong way, or too far,", lambda value: value < -LEFT),
    ):
        if names := of.families(which):
            parts.append(f"{say} {in_words([f'{name} ({in_share(of.family(name))})' for name in names])}")
    if not parts:
        return None
    text = "; ".join(parts)
    doubtful = [family for family in FAMILIES if of.is_doubtful(family)]
    rest = f" Nothing is said of {in_words(doubtful)}, which real cells of a repeat do not close." if doubtful else ""
    return Finding("families", "about", f"{text[0].upper()}{text[1:]}.{rest}")


def _unasked(of: ScoresInBrief) -> Finding | None:
    """Side effects."""
    share = of.of("predicted", "moved_unasked")
    if not share >= UNASKED:
        return None
    return Finding(
        "side effects", "about",
        f"It also moves {in_share(share)} of the measurements that the {of.what} does not move.",
    )  # fmt: skip


def _apart(of: ScoresInBrief) -> Finding | None:
    """How well conditions are told apart, beside what a classifier can tell of real cells."""
    apart, right, real = (of.of(*cell) for cell in (
        ("predicted", "told_apart"), ("predicted", "right"), ("real", "right"),
    ))  # fmt: skip
    if len(of.conditions) < 2 or not np.isfinite(right) or apart < BLIND:
        return None
    shown = f"; they show {in_share(apart)} of the difference between real ones" if np.isfinite(apart) else ""
    return Finding(
        "tells apart", "about",
        f"Of its cells {in_share(right)} are taken for their very {of.what} (real cells: {in_share(real)}){shown}.",
    )  # fmt: skip


def _unseen(of: ScoresInBrief) -> Finding:
    """Whether it can be trusted on conditions that it was not trained on."""
    unseen = [condition for condition in of.conditions if condition in of.made["unseen"]]
    if unseen:
        gaps = [one_score(of.table, condition, "predicted") for condition in unseen]
        near = [of.made["similarity"][one] for one in unseen if of.made["similarity"].get(one) is not None]
        like = f" (similarity to the nearest that it was: {min(near):.2f} to {max(near):.2f})" if near else ""
        trust = "can be trusted about as far" if np.median(gaps) >= MOVED else "cannot be trusted there"
        return Finding(
            "unseen", "about",
            f"On {len(unseen)} {plural(len(unseen), of.what)} that it was not trained on{like} it closes "
            f"{in_share(float(np.median(gaps)))} of the gap: it {trust}.",
        )  # fmt: skip
    if of.made["described"]:
        return Finding(
            "unseen", "about",
            f"It takes {plural(2, of.what)} that it was not trained on, but none of them is among these cells: "
            "nothing says that it can be trusted there.",
        )  # fmt: skip
    return Finding("unseen", "about", f"It knows the {plural(2, of.what)} that it was trained on alone.")


def _rests_on(of: ScoresInBrief) -> Finding:
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
        f"{plural(len(of.conditions), of.what)}, {seen}.{rough}",
    )  # fmt: skip


REACH = (_how_far, _mean_effect, _interval, _families, _unasked, _apart, _unseen, _rests_on)
"""In the order in which they speak."""
