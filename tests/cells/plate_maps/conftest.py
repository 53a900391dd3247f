"""A small plate as a microscope leaves it, whose images are told apart by every pixel."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from stub_plates import stub_plate, write_plates

WELLS = ("A01", "A02", "B01", "B02")


@pytest.fixture
def plate(tmp_path: Path) -> Path:
    """A folder BR1 of four wells, two sites and three channels of 8 px, which are no plain areas."""
    images = stub_plate("BR1", WELLS)
    slope = np.arange(64, dtype=np.uint16).reshape(8, 8)
    sloped = replace(images, pixels=lambda *place: images.pixels(*place) + slope)
    return write_plates(tmp_path / "screen", "imagexpress", sloped)
