"""Train the bundled model of the simulated screen again: python examples/train_simulated_screen.py [steps].

Cells of the plate sim-D are held out.  5,000 steps take some two minutes on a large GPU and more than an hour on one
thread of a CPU.  The weights that predict are written, as float16, to
`src/napari_impa/models/simulated-screen.impa`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bundle import bundle

import napari_impa as impa

FOLDER = Path("runs") / "simulated-screen"

if __name__ == "__main__":
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    cells = impa.simulated_cells(3000, size=64, seed=1)
    run = impa.train(
        cells, FOLDER, hold_out={"plate": ["sim-D"]}, steps=steps, batch_size=16, threads=1, resume=FOLDER.exists()
    )  # fmt: skip
    bundle(run, cells)
