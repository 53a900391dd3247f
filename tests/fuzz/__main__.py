"""Fuzz the readers: `python -m tests.fuzz [--minutes 10] [--inputs N] [--seed N] [--keep FOLDER] [reader …]`.

Prints what became of the inputs of each reader, and everything that was neither read nor refused in a sentence, or took
more memory or time than it may; exit code 1 where there is any, or a reader that no input was given to.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from .children import Tally, fuzz
from .readers import READERS

OUTCOMES = ("read", "typed", "untyped", "slow", "memory", "killed", "no input")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("readers", nargs="*", metavar="reader", help=", ".join(one.name for one in READERS))
    parser.add_argument("--minutes", type=float, help="in all, shared among the readers (10, unless --inputs is given)")
    parser.add_argument("--inputs", type=int, help="of each reader, instead of minutes")
    parser.add_argument("--seed", type=int, default=0, help="the same gives the same inputs")
    parser.add_argument("--keep", type=Path, help="folder for the inputs of findings (a new one, unless given)")
    asked = parser.parse_args()
    chosen = [one for one in READERS if not asked.readers or one.name in asked.readers]
    unknown = set(asked.readers) - {one.name for one in READERS}
    if unknown:
        parser.error(f"there is no reader {', '.join(sorted(unknown))}")
    minutes = asked.minutes or (10 if asked.inputs is None else None)
    keep = asked.keep or Path(tempfile.mkdtemp(prefix="impa-findings-"))
    keep.mkdir(parents=True, exist_ok=True)
    ends = None if minutes is None else time.monotonic() + 60 * minutes
    with tempfile.TemporaryDirectory(prefix="impa-fuzz-cache-") as cache:
        os.environ["NAPARI_IMPA_CACHE"] = cache
        print(row("reader", "inputs", *OUTCOMES, "slowest", "most MB", "seconds"))
        tallies: list[Tally] = []
        for number, reader in enumerate(chosen):
            share = None if ends is None else max(0.0, ends - time.monotonic()) / (len(chosen) - number)
            tallies.append(fuzz(reader, asked.seed, inputs=asked.inputs, seconds=share, keep=keep))
            print(line(tallies[-1]), flush=True)
            if not tallies[-1].tried:
                print("    no input was tried", flush=True)
            for finding in tallies[-1].findings.values():
                print(f"    {finding.kind} ×{finding.count}: {finding.error} @ {finding.where}", flush=True)
                print(f"        {finding.said} {finding.kept}", flush=True)
    print(
        f"{sum(tally.inputs for tally in tallies):,} inputs, {sum(len(tally.findings) for tally in tallies)} findings"
    )
    return 1 if any(tally.findings or not tally.tried for tally in tallies) else 0


def line(tally: Tally) -> str:
    """The row of a reader."""
    outcomes = [tally.outcomes[name] for name in OUTCOMES]
    return row(
        tally.reader,
        tally.inputs,
        *outcomes,
        f"{tally.slowest:.1f} s",
        f"{tally.most / 2**20:.0f}",
        f"{tally.seconds:.0f}",
    )


def row(name: str, *cells: object) -> str:
    return f"{name:15}" + "".join(f"{cell!s:>9}" for cell in cells)


if __name__ == "__main__":
    sys.exit(main())
