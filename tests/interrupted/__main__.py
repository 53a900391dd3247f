"""Interrupt each format at every operation: `python -m tests.interrupted [format …]`; exit code 1 where one loses."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from .formats import FORMATS
from .interruption import interrupt


def main() -> int:
    lost = 0
    chosen = [of for of in FORMATS if not sys.argv[1:] or of.name in sys.argv[1:]]
    for of in chosen:
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
