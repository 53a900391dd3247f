"""torchvision beside a torch that it was not built for, as a build for CUDA beside one for the CPU.

Its own kernels are then not there and importing it fails, although nothing that is tested here runs one of them.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import pytest
from torch import library

_DEFINED: list[library.Library] = []  # what it defines goes with it


def import_torchvision() -> None:
    """Import torchvision, declaring kernels that it misses; skip the test where it is not installed."""
    spec = find_spec("torchvision")
    if spec is None or spec.origin is None:
        pytest.skip("torchvision is not installed")
    try:
        import torchvision
    except RuntimeError:
        text = (Path(spec.origin).parent / "_meta_registrations.py").read_text(encoding="utf-8")
        kernels = library.Library("torchvision", "DEF")
        _DEFINED.append(kernels)
        for name in sorted(set(re.findall(r'register_(?:meta|fake)\("(?:torchvision::)?(\w+)"', text))):
            kernels.define(f"{name}(Tensor x) -> Tensor")
        import torchvision  # noqa: F401
