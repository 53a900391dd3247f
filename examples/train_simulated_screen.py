"""Train the bundled model of the simulated screen again: python examples/train_simulated_screen.py [minutes].

Cells of the plate sim-D are held out.  In a long training the discriminator comes to know its cells by heart, and the
way to the true counterfactual gets longer again; so after the first half of the minutes the training goes on with a
discriminator that begins anew, and of this half the model is kept that does best on the cells held out.  The weights
that predict are written, as float16, to
`src/napari_impa/models/simulated-screen.impa`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bundle import bundle

import napari_impa as impa

FIRST, FOLDER = Path("runs") / "simulated-screen-first", Path("runs") / "simulated-screen"
HELD_OUT = {"plate": ["sim-D"]}

if __name__ == "__main__":
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 140
    cells = impa.simulated_cells(3000, size=64, seed=1)
    first = impa.train(
        cells, FIRST, hold_out=HELD_OUT, minutes=0.5 * minutes, threads=1, resume=FIRST.exists()
    )  # fmt: skip
    without_discriminator = impa.IMPA.load(first.last_path).save(FIRST / "without-discriminator", compact=True)
    run = impa.train(
        cells, FOLDER, hold_out=HELD_OUT, minutes=0.5 * minutes, threads=1, start_from=without_discriminator,
        resume=FOLDER.exists(),
    )  # fmt: skip
    bundle(run, cells, best=True)
