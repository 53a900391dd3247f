"""The command `predict`: cells as they would be under a condition, into a `.cells` folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from napari_impa.cells.choice import AS_FOUND
from napari_impa.cli.console import HowRead, Segment, SegmentOption, Several, progress_watch, segmenter_of, speaker


def predict(
    model: str,
    source: Path,
    *,
    to: Annotated[list[str] | None, Several] = None,
    smiles: str | None = None,
    dose: float | None = None,
    new: Path | None = None,
    out: Path,
    strength: float = 1.0,
    variability: float = 0.1,
    seed: int = 0,
    segment: Segment | None = None,
    segment_option: SegmentOption = None,
    choice: HowRead = AS_FOUND,
    all_cells: bool = False,
    device: str = "auto",
    batch_size: int | None = None,
    overwrite: bool = False,
) -> None:
    """Turn control cells into what they would be under each condition, into a `.cells` folder.

    Parameters
    ----------
    model
        A `.impa` file, a run folder, or the name of a bundled model.
    source
        Folder of images or `.cells`, as for `crop`.
    to
        Names of conditions.
    smiles
        A new compound, where the model describes conditions by fingerprints.
    dose
        Its dose, where the model was trained with doses.
    new
        CSV table of new conditions: the name first, then a SMILES (and dose), or the numbers that describe it.
    out
        The `.cells` folder to make.
    strength
        0 the cell as it is, 1 the condition, beyond it exaggerated.
    variability
        Factor of the noise.
    seed
        Seed of the noise.
    segment
        How nuclei of whole fields are found, as for `crop`.
    all_cells
        Turn treated cells too, not the controls alone.
    device
        auto, cuda, mps or cpu.
    batch_size
        Cells at a time.
    overwrite
        Replace `out` where it exists.
    """
    from napari_impa.cells.parts import Share
    from napari_impa.cells.source import open_source
    from napari_impa.cells.store import shortest
    from napari_impa.engine.describing.new_condition import name_of
    from napari_impa.engine.distributed import processes
    from napari_impa.work.catalog import load_model
    from napari_impa.work.predict_into import cells_for, predict_into, rows_to_turn, targets_of

    find = segmenter_of(segment, segment_option)
    with processes() as group:
        say = speaker(group.rank)
        chosen = load_model(model).to(group.device(device))
        targets = targets_of(chosen, to or (), smiles=smiles, dose=dose, new=new)
        opened = open_source(source, kind="fields" if find else None, choice=choice)
        say(opened.describe())
        with progress_watch("images", group.rank) as watch:
            cells = cells_for(chosen, opened, segment=find, watch=watch)
        count = len(rows_to_turn(chosen, cells, all_cells=all_cells))
        if chosen.task == "perturbation" and not all_cells and cells.control is not None:
            say(f"{count:,} of {len(cells):,} cells are controls ({shortest(cells.control)}).")
        with progress_watch("cells", group.rank) as watch:
            path = predict_into(
                out, chosen, cells, targets, strength=strength, variability=variability, seed=seed,
                all_cells=all_cells, batch_size=batch_size, overwrite=overwrite,
                share=Share(group.rank, group.count, group.agree), watch=watch,
            )  # fmt: skip
        for precision in chosen.precisions.values():
            say(f"The GPU predicted in {precision.reason}.")
        say(f"{count:,} cells turned into {', '.join(map(name_of, targets))}; saved {path}.")
