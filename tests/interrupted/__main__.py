"""Interrupt each format at every operation: `python -m tests.interrupted [format …]`.

Prints what was tried of each format, and everything that was lost; exit code 1 where there is any.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from .formats import FORMATS
from .interruption import interrupt


def main() -> int:
    names = [of.name for of in FORMATS]
    shown = ", ".join(repr(name) if " " in name else name for name in names)
    parser = argparse.ArgumentParser(prog="python -m tests.interrupted", description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("formats", nargs="*", metavar="format", help=shown)
    asked = parser.parse_args().formats
    unknown = [name for name in asked if name not in names]
    if unknown:
        parser.error(f"there is no format {', '.join(map(repr, unknown))}; there are {shown}")
    lost = 0
    for of in (of for of in FORMATS if not asked or of.name in asked):
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="impa-interrupted-") as folder:
            found = interrupt(of, Path(folder))
        print(f"{found.line} ({time.monotonic() - began:.0f} s)", flush=True)
        for line in found.lost:
            print(f"  {line}", flush=True)
        lost += len(found.lost)
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
