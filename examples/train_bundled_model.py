"""Train the bundled model of the simulated screen again: python examples/train_bundled_model.py [minutes].

Cells of the plate sim-D are held out.  The weights that predict are written, as float16, to
`src/napari_impa/models/simulated-screen.impa`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import napari_impa as impa

FOLDER = Path("runs/simulated-screen")
BUNDLED = Path(__file__).parents[1] / "src" / "napari_impa" / "models" / "simulated-screen.impa"

if __name__ == "__main__":
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 60
    cells = impa.simulated_cells(800, size=64, seed=1)
    run = impa.train(
        cells, FOLDER, hold_out={"plate": ["sim-D"]}, minutes=minutes, preset="tiny", resume=FOLDER.exists()
    )
    model = impa.load_model(run.folder)
    model.name = "simulated-screen"
    print(model.save(BUNDLED, compact=True, half=True))
