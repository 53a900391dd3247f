"""Train the bundled model of two simulated batches again: python examples/train_simulated_batches.py [minutes].

Cells of all conditions; one plate of each batch is held out.  The weights that predict are written, as float16, to
`src/napari_impa/models/simulated-batches.impa`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bundle import bundle

import napari_impa as impa

FOLDER = Path("runs") / "simulated-batches"

if __name__ == "__main__":
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 38
    cells = impa.simulated_cells(1000, size=48, seed=3).labelled(["batch"], None)
    run = impa.train(
        cells, FOLDER, task="batch", hold_out={"plate": ["sim-C", "sim-D"]}, minutes=minutes,
        threads=1, resume=FOLDER.exists(),
    )  # fmt: skip
    bundle(run, cells)
