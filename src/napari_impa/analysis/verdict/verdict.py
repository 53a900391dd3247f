"""The verdict: what the scores of a model say, in words, by rules that are written down.

Each rule looks at the table of `evaluate` and gives a `Finding` or nothing. The first finding in the order of `RULES`
that speaks against the model makes the first line; where none does, the first line says how far the model goes.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from napari_impa.analysis.verdict.brief import LEFT, ScoresInBrief
from napari_impa.analysis.verdict.faults import BLIND, BY_HEART, FAULTS, IDENTITY, LOST, MOVED, STILL
from napari_impa.analysis.verdict.finding import Finding, Verdict
from napari_impa.analysis.verdict.reach import FEW, REACH, UNASKED

Rule = Callable[[ScoresInBrief], Finding | None]

RULES: tuple[Rule, ...] = (*FAULTS, *REACH)
"""In the order in which they speak; the first against the model makes the first line."""


def verdict_of(table: pd.DataFrame, measured: pd.DataFrame) -> Verdict:
    """Judge a model by the table of `evaluate` and the measurements beside it (`Evaluation.measured`)."""
    scores = ScoresInBrief(table, measured)
    findings = [finding for rule in RULES if (finding := rule(scores)) is not None]
    against = [finding for finding in findings if finding.side == "against"]
    # What a model is without any network is always said at once, whatever else is wrong with it.
    first = [finding for number, finding in enumerate(against) if number == 0 or finding.name == "mean effect"]
    first = first or findings[:1]
    rest = [finding for finding in findings if finding not in first]
    line = " ".join(finding.sentence for finding in first)
    return Verdict(line, " ".join([line, *(finding.sentence for finding in rest)]), tuple(findings))


def rules_in_words() -> list[str]:
    """What each rule is about, for those who want to know how a verdict is made."""
    thresholds = (
        f"A family counts as moved from {MOVED} of its gap closed on, as left up to {LEFT}; cells as unchanged up to "
        f"{STILL} of the true shifts; conditions as not told apart up to {BLIND} of their true difference; predictions "
        f"as other cells up to a rank of {IDENTITY}; cells as known by heart where those of the training close "
        f"{BY_HEART} more; nuclei as lost where {LOST} fewer cells have one; side effects are said from {UNASKED} of "
        f"the measurements on; fewer than {FEW} cells are called rough."
    )
    return [*(str(rule.__doc__).strip() for rule in RULES), thresholds]
