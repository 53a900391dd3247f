"""What a verdict is made of: findings, each the sentence of one rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Side = Literal["against", "for", "about"]
"""Whether a finding speaks against a model, for it, or says what a verdict rests on."""


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
    side: Side
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
