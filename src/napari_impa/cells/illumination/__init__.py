"""Uneven illumination: what a field's pixels are divided by, so that a cell is as bright in a corner as in the middle.

The function of a channel comes from a file (CellProfiler's `.npy`), from a microscope's own profile, or is estimated
from the fields of its plate. Pixels are divided by it and keep their type: whole numbers are rounded, and what would
be more than the type holds becomes its largest value.
"""

from __future__ import annotations

from napari_impa.cells.illumination.estimate import MOST_FIELDS, estimated_functions
from napari_impa.cells.illumination.flat_field import FlatField, FunctionFile, NoFunction, divided
from napari_impa.cells.illumination.harmony_profile import HarmonyProfile

__all__ = [
    "MOST_FIELDS",
    "FlatField",
    "FunctionFile",
    "HarmonyProfile",
    "NoFunction",
    "divided",
    "estimated_functions",
]
