"""The command `evaluate`: predictions scored on real cells."""

from __future__ import annotations

import json
import webbrowser
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from napari_impa.cells.choice import AS_FOUND
from napari_impa.cli.console import (
    HowRead,
    Segment,
    SegmentOption,
    Several,
    cells_of,
    columns_of,
    progress_watch,
    save_json,
    segmenter_of,
)
from napari_impa.errors import ImpaError


def evaluate(
    model: str,
    source: Path,
    *,
    where: Annotated[list[str] | None, Several] = None,
    strength: float = 1.0,
    variability: float = 0.1,
    seed: int = 0,
    nuclei_channel: str | None = None,
    features: Annotated[list[str] | None, Several] = None,
    most: int = 500,
    segment: Segment | None = None,
    segment_option: SegmentOption = None,
    choice: HowRead = AS_FOUND,
    device: str = "auto",
    json_file: Annotated[Path | None, Parameter(name="--json")] = None,
    montage: Path | None = None,
    report: Path | None = None,
    open_report: Annotated[bool, Parameter(name="--open", negative=())] = False,
) -> None:
    """Score predictions on real cells, beside the untreated control and real treated cells.

    Parameters
    ----------
    model
        A `.impa` file, a run folder, or the name of a bundled model.
    source
        Folder of images or `.cells`, as for `crop`.
    where
        COLUMN=VALUE of the cells to score; by default those that the training held out.
    strength
        As for `predict`.
    variability
        As for `predict`.
    seed
        Seed of the noise and of samples.
    nuclei_channel
        Name or number (from 0) of the channel that shows nuclei, which measurements start from and a batch model has to
        keep; guessed from the names, else the first.
    features
        What cells are compared by: measurements (CellProfiler's), fast (fewer of them, in half of the time),
        inception, dinov2, quick; by default measurements and quick.
    most
        Cells of a condition above which a sample is taken.
    segment
        How nuclei of whole fields are found, as for `crop`.
    device
        auto, cuda, mps or cpu.
    json_file
        Write the table there too.
    montage
        Save a picture of control, predicted and real treated cells.
    report
        Write a report into this folder: one page for the browser that needs nothing else, with its numbers as JSON and
        CSV beside it.
    open_report
        Open the report in the browser.
    """
    from napari_impa.analysis.evaluation import DEFAULT_SPACES, evaluation
    from napari_impa.analysis.features import FEATURE_SPACES
    from napari_impa.analysis.pictures.evaluation_montage import save_evaluation_montage
    from napari_impa.analysis.score_table import format_table
    from napari_impa.work.catalog import load_model
    from napari_impa.work.fetched.feature_weights import fetch_feature_weights

    if open_report and report is None:
        raise ImpaError("--open opens the report; say with --report FOLDER where it is written.")
    find = segmenter_of(segment, segment_option)
    chosen = load_model(model).to(device)
    cells = cells_of(chosen, source, find, choice)
    scored = columns_of(where) or None
    for space in FEATURE_SPACES:
        if space.name in (features or ()) and space.weights is not None:
            with progress_watch("MB", parts=1e6) as watch:
                fetch_feature_weights(space, watch=watch)
    with progress_watch("parts") as watch:
        result = evaluation(
            chosen, cells, where=scored, strength=strength, variability=variability, seed=seed,
            nuclei_channel=nuclei_channel, features=features or DEFAULT_SPACES, most=most, mattered=report is not None,
            watch=watch,
        )  # fmt: skip
    table = result.table
    print(format_table(table))
    if json_file is not None:
        rows = json.loads(table.to_json(orient="records"))
        save_json(json_file, {"settings": table.attrs, "rows": rows})
    if montage is not None:
        save_evaluation_montage(
            montage,
            chosen,
            cells,
            where=scored,
            strength=strength,
            variability=variability,
            seed=seed,
        )
        print(f"Saved {montage}.")
    if report is not None:
        from napari_impa.analysis.report.files import write_report

        with progress_watch("conditions") as watch:
            page = write_report(result, report, watch=watch)
        print(f"Saved {page}, with its numbers beside it.")
        if open_report and not webbrowser.open(page.resolve().as_uri()):
            print("There is no browser here to open it.")
