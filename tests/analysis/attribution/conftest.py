from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from spotted_cells import LIMITS, control_cells, with_spots

from napari_impa.analysis.attribution.fair_pixel_classifier import FairPixelClassifier


@pytest.fixture(scope="package")
def control() -> NDArray[np.float64]:
    return control_cells(60, 1)


@pytest.fixture(scope="package")
def classifier(control: NDArray[np.float64]) -> FairPixelClassifier:
    return FairPixelClassifier.fit(control, with_spots(control_cells(50, 2)), LIMITS)
