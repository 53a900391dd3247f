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
    nuclei_channel: str | None = None,
    channels: Annotated[list[str] | None, Several] = None,
    choice: HowRead = AS_FOUND,
    all_cells: bool = False,
    device: str = "auto",
    batch_size: int | None = None,
    overwrite: bool = False,
    table: Path | None = None,
    resume: bool = False,
    jobs: int | None = None,
    dask: str | None = None,
) -> None:
    """Turn control cells into what they would be under each condition, into a `.cells` folder.

    Parameters
    ----------
    model
        A `.impa` file, a run folder, or the name of a bundled model.
    source
        Folder of images or `.cells`, as for `crop`.
    to
        Names of conditions; not needed where the model knows one only.
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
    nuclei_channel
        Name or number of the channel that shows nuclei; guessed from the names.
    channels
        Names for the channels, in the order of the images.
    all_cells
        Turn treated cells too, not the controls alone.
    device
        auto, cuda, mps or cpu.
    batch_size
        Cells at a time.
    overwrite
        Replace `out` where it exists.
    table
        Write a CSV too: a row a cell before and after, with where it was, what was done to it, and measurements.
    resume
        Go on with what an earlier prediction into `out` left unfinished; where there is none, begin.
    jobs
        Processes that cut the cells of whole fields, predict on a CPU, and measure; by default one a core, where there
        is enough to do. A GPU predicts in one process. The cells are the same.
    dask
        Address of a dask scheduler whose workers do it instead (`tcp://host:8786`); they need the same paths.
    """
    from napari_impa.cells.parts import Share
    from napari_impa.cells.source import open_source
    from napari_impa.engine.describing.new_condition import name_of
    from napari_impa.engine.distributed import processes
    from napari_impa.work.catalog import load_model
    from napari_impa.work.predicting.folder import predict_folder
    from napari_impa.work.predicting.plan import PredictionPlan
    from napari_impa.work.predicting.predict_into import targets_of
    from napari_impa.workers import Workers

    find = segmenter_of(segment, segment_option)
    with processes() as group:
        say = speaker(group.rank)
        chosen = load_model(model).to(group.device(device))
        targets = targets_of(chosen, to or (), smiles=smiles, dose=dose, new=new)
        opened = open_source(source, kind="fields" if find else None, channels=channels, choice=choice)
        say("\n".join([opened.describe(), *opened.passed_over()]))
        alone = group.count == 1
        asked = Workers(jobs or 1, dask) if jobs or dask else None
        workers = asked if alone else Workers()
        if workers is not None and workers.are_others and chosen.device.type != "cpu":
            say(f"The {chosen.device.type.upper()} predicts in this process; the others cut and measure.")
        plan = PredictionPlan(
            model=model, source=str(source), to=tuple(targets), strength=strength, variability=variability, seed=seed,
            segment=find, choice=choice, all_cells=all_cells, batch_size=batch_size,
            nuclei_channel=nuclei_channel, channels=tuple(channels) if channels else None,
        )  # fmt: skip
        with progress_watch("parts", group.rank) as watch:
            made = predict_folder(
                plan, out, model=chosen, opened=opened, table=table, overwrite=overwrite, resume=resume,
                share=Share(group.rank, group.count, group.agree), workers=workers,
                watch=watch, say=say,
            )  # fmt: skip
        for precision in chosen.precisions.values():
            say(f"The GPU predicted in {precision.reason}.")
        say(f"{made.turned:,} cells turned into {', '.join(map(name_of, targets))}; saved {made.cells}.")
        if table is not None:
            say(f"Saved {table}.")
