"""Score the bundled model on simulated cells it never saw, against real cells of the condition and the true change.

Prints the table of `napari-impa evaluate` for new cells, then, since a simulated cell can be drawn under any condition,
the error of the predicted against the true counterfactual over that of the untransformed cell (1: no better).
"""

from __future__ import annotations

import numpy as np

import napari_impa as impa
from napari_impa.analysis.scores import format_table

SEED = 9

if __name__ == "__main__":
    model = impa.load_model("simulated-screen")
    cells = impa.simulated_cells(120, size=model.size, seed=SEED)
    print(format_table(impa.evaluate(model, cells, where={"plate": ["sim-D"]})))
    controls = cells.controls()
    print("\nerror of predicted to true counterfactual over that of the untransformed cell (median over cells)")
    for condition in model.conditions:
        before = controls.pixels.astype(float)
        true = impa.true_counterfactual(controls, condition).pixels.astype(float)
        predicted = model.predict(controls, condition).pixels.astype(float)
        ratio = np.abs(predicted - true).mean((1, 2, 3)) / np.abs(before - true).mean((1, 2, 3))
        print(f"  {condition:<22} {np.median(ratio):.2f}")
