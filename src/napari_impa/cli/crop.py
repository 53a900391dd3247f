"""The command `crop`: the cells of images into a `.cells` folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from napari_impa.cells.choice import AS_FOUND
from napari_impa.cli.console import (
    HowRead,
    Segment,
    SegmentOption,
    Several,
    counted,
    progress_watch,
    segmenter_of,
    sharing,
    speaker,
)


def crop(
    source: Path,
    *,
    out: Path,
    size: int | None = None,
    segment: Segment | None = None,
    segment_option: SegmentOption = None,
    choice: HowRead = AS_FOUND,
    nuclei_channel: str | None = None,
    channels: Annotated[list[str] | None, Several] = None,
    border: Literal["skip", "pad"] = "skip",
    label: Annotated[list[str] | None, Several] = None,
    control: str | None = None,
    overwrite: bool = False,
    jobs: int | None = None,
    dask: str | None = None,
) -> None:
    """Cut the cells out of images into a `.cells` folder.

    Parameters
    ----------
    source
        A plate as a microscope leaves it; a folder of images with `metadata.csv`, or with one subfolder a condition;
        IMPA's own layout; or `.cells`.
    out
        The `.cells` folder to make.
    size
        Crop side in pixels: 64 for whole fields, as `train` takes, the stored side for ready crops.
    segment
        How nuclei are found, which makes every image a whole field; by default the source's masks where it has them,
        else `nuclei`.
    nuclei_channel
        Name or number of the channel that shows nuclei; guessed from the names.
    channels
        Names for the channels, in the order of the images.
    border
        Leave out cells too near to the border, or pad them.
    label
        Columns whose values, joined, name a cell's condition.
    control
        Label value of the untreated control.
    overwrite
        Replace `out` where it exists.
    jobs
        Processes that find and cut the cells of whole fields; by default one a core. The cells are the same.
    dask
        Address of a dask scheduler whose workers do it instead (`tcp://host:8786`); they need the same paths.
    """
    from napari_impa.cells.blocks import workers_for
    from napari_impa.cells.checks.of_cells import cells_concerns
    from napari_impa.cells.folder import crop_source, crop_summary, labelling_doubts
    from napari_impa.cells.source import open_source

    find = segmenter_of(segment, segment_option)
    with sharing() as share:
        say = speaker(share.rank)
        opened = open_source(source, kind="fields" if find else None, channels=channels, choice=choice)
        say("\n".join([opened.describe(), *opened.passed_over()]))
        with progress_watch("images", share.rank) as watch:
            cells = crop_source(
                opened, out, size=size, segment=find, nuclei_channel=nuclei_channel, border=border, label=label,
                control=control, overwrite=overwrite, share=share, watch=watch,
                workers=workers_for(opened, jobs if share.count == 1 else 1, dask),
            )  # fmt: skip
        say(crop_summary(cells))
        if cells.label:
            say(f"Conditions ({' '.join(cells.label)}): {counted(cells.counts(), control=cells.control)}.")
        if share.rank == 0:
            for line in (*labelling_doubts(opened, cells), *(concern.message for concern in cells_concerns(cells))):
                say(f"Warning: {line}")
        say(f"Saved {out if out.suffix == '.cells' else out.with_name(out.name + '.cells')}.")
