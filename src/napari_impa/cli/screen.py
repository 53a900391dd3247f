"""The command `screen`: conditions and compounds ranked by what they would do to the cells of a source."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from napari_impa.cells.choice import AS_FOUND
from napari_impa.cli.console import HowRead, Segment, SegmentOption, Several, progress_watch, segmenter_of


def screen(
    model: str,
    source: Path,
    *,
    smiles: Path | None = None,
    to: Annotated[list[str] | None, Several] = None,
    like: str | None = None,
    out: Path,
    features: str = "what changed",
    cells: int = 1000,
    strength: float = 1.0,
    variability: float = 0.1,
    seed: int = 0,
    segment: Segment | None = None,
    segment_option: SegmentOption = None,
    choice: HowRead = AS_FOUND,
    device: str = "auto",
    batch_size: int | None = None,
    overwrite: bool = False,
    resume: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Rank conditions, and compounds of a file, by what they would do to control cells, into a table.

    Parameters
    ----------
    model
        A `.impa` file, a run folder, or the name of a bundled model.
    source
        Folder of images or `.cells`, as for `crop`. Where it holds real treated cells, what they say stands beside.
    smiles
        Compounds to screen: a table (CSV) with a column `smiles` and names, a .smi or an .sdf file.
    to
        Names of conditions; by default all that the model knows.
    like
        The wanted phenotype: a condition of the source, whose real cells are compared with.
    out
        The table to write, .csv or .parquet.
    features
        What cells are measured by: what changed (few, quick), fast, or measurements (CellProfiler's).
    cells
        Control cells that are asked at most, evenly spread.
    strength
        As for `predict`.
    variability
        As for `predict`.
    seed
        Seed of the noise.
    segment
        How nuclei of whole fields are found, as for `crop`.
    device
        auto, cuda, mps or cpu.
    batch_size
        Cells at a time.
    overwrite
        Replace `out` where it exists.
    resume
        Go on with what an earlier screen into `out` left unfinished; where there is none, begin.
    """
    from napari_impa.cells.source import open_source
    from napari_impa.work.catalog import load_model
    from napari_impa.work.doubts import doubts
    from napari_impa.work.exploring.asked import screened_targets
    from napari_impa.work.exploring.screen import ScreenPlan
    from napari_impa.work.exploring.screen import screen as run
    from napari_impa.work.exploring.screen_table import agreement
    from napari_impa.work.exploring.source_cells import cells_beside
    from napari_impa.work.exploring.table_file import check_table_file

    find = segmenter_of(segment, segment_option)
    out = check_table_file(out, overwrite=overwrite)
    chosen = load_model(model).to(device)
    targets, unread = screened_targets(chosen, to, smiles)
    for line in unread:
        print(f"Left out: {line}")
    opened = open_source(source, kind="fields" if find else None, choice=choice)
    print("\n".join([opened.describe(), *opened.passed_over()]))
    plan = ScreenPlan(
        targets=targets, wanted=like, by=features, most=cells, strength=strength, variability=variability, seed=seed,
        batch_size=batch_size,
    )  # fmt: skip
    with (
        progress_watch("cells", parts=len(targets)) as watch,
        cells_beside(out, chosen, opened, segment=find, watch=watch) as found,
    ):
        for line in doubts(found, chosen):
            print(f"Warning: {line}")
        table = run(plan, out, model=chosen, cells=found, overwrite=overwrite, resume=resume, watch=watch, say=print)
    first = "likeness" if like is not None else "effect"
    print(table[["rank", "condition", first, "sureness", "outside", "moved_most"]].head(10).to_string(index=False))
    beside = agreement(table)
    if len(beside):
        print("\nSpearman's correlation with the effect of real cells (1: the same order):")
        print(beside.to_string(index=False))
    print(f"Saved {out}.")
