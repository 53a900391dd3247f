"""Ask the bundled model about a simulated plate whose truth is known: python examples/explore_simulated_screen.py.

Prints how well the ranking of conditions agrees with how far they truly move the same cells, how often *What did this?*
names the true perturbation of a field first, and how far its probabilities are from how often they are right.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

import napari_impa as impa
from napari_impa.analysis.phenotypes.calibration import expected_calibration_error
from napari_impa.analysis.phenotypes.control_scale import ControlScale
from napari_impa.analysis.phenotypes.shifts import effect_of, mean_of_known
from napari_impa.cells.simulated.plate import write_simulated_plate
from napari_impa.cells.store import Cells
from napari_impa.engine.model.model import IMPA
from napari_impa.work.exploring.what_did_this import calibration_wells, source_causes, wells_of_cells
from napari_impa.work.predicting.predict_into import cells_for

SEED = 20261127
"""Of the plate; that of no training."""


def ranking(model: IMPA, cells: int) -> None:
    """Predicted effects beside true ones, of the same control cells."""
    controls = impa.simulated_cells(cells, size=model.size, conditions=("DMSO",), seed=SEED)
    scale = ControlScale.of(model, controls)
    before = scale(controls.pixels)

    def effect(after: Cells) -> float:
        return float(effect_of(mean_of_known(scale(after.pixels) - before, axis=0)))

    rows = [
        (name, strength, effect(model.predict(controls, name, strength=strength)),
         effect(impa.true_counterfactual(controls, name, strength=strength)))
        for name in model.conditions for strength in (0.5, 1.0)
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["condition", "strength", "predicted effect", "true effect"])
    print(table.to_string(index=False, float_format="%.2f"))
    full = table[table["strength"] == 1]
    for what, of in (("conditions", full), ("conditions at two strengths", table)):
        found = spearmanr(of["predicted effect"], of["true effect"]).statistic
        print(f"Spearman's correlation over {len(of)} {what}: {found:.2f} (wanted: at least 0.9)")


def what_did_this(model: IMPA, wells: int, plates: int) -> None:
    """Fields of a plate as a microscope leaves it; half of the wells calibrate, the others are asked."""
    with tempfile.TemporaryDirectory() as folder:
        plate = write_simulated_plate(Path(folder) / "plate", "imagexpress", wells=wells, plates=plates, seed=SEED)
        cells = cells_for(model, plate)
    fields = wells_of_cells(cells, np.ones(len(cells), bool))
    of_half = calibration_wells(model, cells)
    asking = source_causes(model, cells, calibrate=of_half)
    random = np.random.default_rng(SEED)
    asked = [rows for rows in fields if not of_half[rows[0]]]
    true = [str(cells.conditions[rows[0]]) for rows in asked]
    values = [asking.measured(rows) for rows in asked]
    print(f"\n{len(asked)} fields of {len(cells)} cells; probabilities calibrated on {asking.calibrated_on} groups.")
    for size in (None, 10, 3, 1):
        groups = [one if size is None else one[random.permutation(len(one))[:size]] for one in values]
        likely = asking.causes.probabilities(groups)
        first = np.array(asking.causes.names)[likely.argmax(1)]
        right = first == np.array(true)
        error = expected_calibration_error(likely.max(1), right)
        what = "whole fields" if size is None else f"{size} cell{'s' * (size > 1)} of each field"
        sure = likely.max(1).mean()
        print(f"{what}: the true perturbation first in {right.mean():.0%} (mean probability {sure:.2f}), ", end="")
        print(f"expected calibration error {error:.3f}")


def main() -> None:
    """Print all."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cells", type=int, default=200, help="control cells that are ranked by")
    parser.add_argument("--wells", type=int, default=48)
    parser.add_argument("--plates", type=int, default=2)
    given = parser.parse_args()
    model = impa.load_model("simulated-screen")
    ranking(model, given.cells)
    what_did_this(model, given.wells, given.plates)


if __name__ == "__main__":
    main()
