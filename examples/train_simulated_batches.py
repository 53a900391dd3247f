"""Train the bundled model of two simulated batches again: python examples/train_simulated_batches.py [steps].

Cells of all conditions; one plate of each batch is held out.  A cell is to stay itself in the other batch, so giving
cells back weighs half as much again as usual.  2,100 steps of 64 cells take little more than a minute on a large GPU.
The weights that predict are written, as float16, to `src/napari_impa/models/simulated-batches.impa`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bundle import bundle, trained_to_keep

import napari_impa as impa
from napari_impa.engine.training.settings import TrainingSettings

FOLDER = Path("runs") / "simulated-batches"

if __name__ == "__main__":
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 2100
    cells = impa.simulated_cells(1000, size=48, seed=3).labelled(["batch"], None)
    settings = TrainingSettings(
        task="batch", size=48, steps=steps, batch_size=64, threads=1, hold_out={"plate": ["sim-C", "sim-D"]}
    )
    bundle(trained_to_keep(cells, settings, FOLDER), cells)
