"""Calls one measuring function in this process: `python -m benchmarks.child MODULE:FUNCTION ARGUMENTS`, both JSON."""

from __future__ import annotations

import importlib
import json
import sys

if __name__ == "__main__":
    module, function = sys.argv[1].split(":")
    measured = getattr(importlib.import_module(f"benchmarks.{module}"), function)(**json.loads(sys.argv[2]))
    print(json.dumps(measured))
