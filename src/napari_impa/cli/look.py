"""The command `look`: what a source holds, before a training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from napari_impa.cells.choice import AS_FOUND
from napari_impa.cli.console import HowRead, Segment, SegmentOption, Several, columns_of, save_json, segmenter_of


def look(
    source: Path,
    *,
    task: Literal["perturbation", "batch"] = "perturbation",
    label: Annotated[list[str] | None, Several] = None,
    control: str | None = None,
    hold_out: Annotated[list[str] | None, Several] = None,
    segment: Segment | None = None,
    segment_option: SegmentOption = None,
    choice: HowRead = AS_FOUND,
    nuclei_channel: str | None = None,
    json_file: Annotated[Path | None, Parameter(name="--json")] = None,
) -> None:
    """Say what a source holds: conditions and plates, what is guessed of its table, and what is doubtful about it.

    Some cells of every condition are read; nothing is written.

    Parameters
    ----------
    source
        Folder of images or `.cells`, as for `crop`.
    task
        What a model would be trained for.
    label
        Columns whose values, joined, name a cell's condition (or batch); guessed where not given.
    control
        Label value of the untreated control; guessed where not given.
    hold_out
        COLUMN=VALUE of cells to keep out of the training, or wells=half, as for `train`; proposed where not given.
    segment
        How nuclei of whole fields are found, as for `crop`.
    nuclei_channel
        Name or number of the channel that shows nuclei; guessed from the names.
    json_file
        Write it there too.
    """
    from napari_impa.work.source_survey import survey_source

    find = segmenter_of(segment, segment_option)
    found = survey_source(
        source, task=task, label=label or (), control=control, hold_out=columns_of(hold_out) or None, segment=find,
        nuclei_channel=nuclei_channel, choice=choice,
    )  # fmt: skip
    print(found.text())
    if json_file is not None:
        save_json(json_file, found.to_json())
