"""Write tiny files of this version for later ones to read: `python tests/files_of_this_version.py FOLDER`, once each.

A `.cells` folder, a model, a run (without its checkpoint, which is large) and what comes out of them. The networks are
far narrower than any preset's, and trained for two steps: what is kept is how files are written, not a model.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

CONDITION = "mitotic arrest"
ROWS = ("predicted", "control", "mean_effect", "real")


def main(folder: Path) -> None:
    """Write everything, and what `results` says of it."""
    import napari_impa as impa
    from napari_impa.engine.training.presets import WIDTHS

    drawn = impa.simulated_cells(40, size=24, conditions=("DMSO", CONDITION), plates=2, seed=1)
    plates = drawn.table["plate"].to_numpy()
    rows = np.flatnonzero((plates == "sim-B") | (drawn.table.groupby(["plate", "compound"]).cumcount() < 4))
    some = drawn.take(rows)
    cells = replace(some, pixels=(some.pixels // 16).clip(0, 255).astype(np.uint8))
    cells.save(folder / "screen.cells")
    WIDTHS["tiny"] = 2
    run = impa.train(
        impa.open_cells(folder / "screen.cells"), folder / "run", hold_out={"plate": ["sim-B"]}, steps=2, batch_size=4,
        size=24, style_dim=8, noise_dim=4, embedding_dim=8, device="cpu", threads=1, progress=False,
    )  # fmt: skip
    for large in (*(run.folder / "checkpoints").glob("*"), *(run.folder / "samples").glob("*")):
        large.unlink()
    for name in ("last.impa", "training.lock"):
        (run.folder / name).unlink(missing_ok=True)
    impa.load_model(run.folder).save(folder / "model.impa", compact=True, half=True)
    predicted, scores = results(folder)
    np.save(folder / "predicted.npy", predicted)
    (folder / "scores.json").write_text(json.dumps(scores, indent=1) + "\n", encoding="utf-8")


def results(folder: Path) -> tuple[np.ndarray[Any, np.dtype[Any]], dict[str, float]]:
    """(4, C, S, S) what the model makes of control cells, and the gaps that `evaluate` says are closed."""
    import napari_impa as impa

    cells = impa.open_cells(folder / "screen.cells")
    model = impa.load_model(folder / "model.impa")
    after = model.predict(cells.controls().take(np.arange(4)), CONDITION, seed=3)
    table: pd.DataFrame = impa.evaluate(impa.load_model(folder / "run"), cells, features=("fast",))
    gaps = table.set_index("row")["gap_closed"]
    return np.asarray(after.pixels), {row: round(float(gaps[row]), 6) for row in ROWS if row in gaps}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
