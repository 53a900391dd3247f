"""Train the bundled model of simulated compounds again: python examples/train_simulated_compounds.py [minutes].

Conditions are described by Morgan fingerprints.  Two compounds of every mechanism (one of the smallest) and the plate
sim-D are held out.  The weights that predict are written, as float16, to
`src/napari_impa/models/simulated-compounds.impa`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bundle import bundle

import napari_impa as impa
from napari_impa.cells.simulated.compounds import COMPOUNDS, simulated_compound_cells

FOLDER = Path("runs") / "simulated-compounds"

if __name__ == "__main__":
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 32
    cells = simulated_compound_cells(200, controls=2000, size=48, seed=2)
    held_out = {"compound": [one.name for one in COMPOUNDS if one.held_out], "plate": ["sim-D"]}
    run = impa.train(
        cells, FOLDER, hold_out=held_out, minutes=minutes, description="bit", threads=1,
        resume=FOLDER.exists(),
    )  # fmt: skip
    bundle(run, cells)
