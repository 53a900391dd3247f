"""The command `profile`: what the cells of a source measure, as pycytominer and AnnData take it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from napari_impa.cells.choice import AS_FOUND
from napari_impa.cli.console import HowRead, Segment, SegmentOption, progress_watch, segmenter_of


def profile(
    source: Path,
    *,
    out: Path,
    model: str | None = None,
    per: Literal["cell", "well"] = "cell",
    features: Literal["measurements", "fast"] = "measurements",
    size: int | None = None,
    nuclei_channel: str | None = None,
    segment: Segment | None = None,
    segment_option: SegmentOption = None,
    choice: HowRead = AS_FOUND,
    overwrite: bool = False,
) -> None:
    """Measure the cells of a source into a file that pycytominer (or AnnData) reads.

    Parameters
    ----------
    source
        Folder of images or `.cells`, as for `crop`.
    out
        The file: .csv, .parquet (needs pyarrow), or .h5ad (needs anndata).
    model
        A model whose intensity limits, crop side and channels count; .h5ad files hold its styles of the cells, too.
    per
        A row a cell, or the median of a well.
    features
        measurements (CellProfiler's), or fast (fewer of them, in less time).
    size
        Crop side in pixels, where no model is given, as for `crop`.
    nuclei_channel
        Name or number (from 0) of the channel that shows nuclei; guessed from the names, else the first.
    segment
        How nuclei of whole fields are found, as for `crop`.
    overwrite
        Replace `out` where it exists.
    """
    from napari_impa.cells.source import open_source
    from napari_impa.work.catalog import load_model
    from napari_impa.work.doubts import doubts
    from napari_impa.work.exploring.profile import checked_path, write_profiles
    from napari_impa.work.exploring.source_cells import cells_beside

    find = segmenter_of(segment, segment_option)
    out = checked_path(out, overwrite=overwrite)
    chosen = None if model is None else load_model(model)
    opened = open_source(source, kind="fields" if find else None, choice=choice)
    print("\n".join([opened.describe(), *opened.passed_over()]))
    with (
        progress_watch("cells") as watch,
        cells_beside(out, chosen, opened, segment=find, size=size, nuclei_channel=nuclei_channel, watch=watch) as cells,
    ):
        for line in doubts(cells, chosen):
            print(f"Warning: {line}")
        nuclei = None if nuclei_channel is None else opened.channels[opened.nuclei_channel(nuclei_channel)]
        write_profiles(
            out, cells, model=chosen, by=features, per=per, nuclei_channel=nuclei, overwrite=overwrite, watch=watch
        )
    print(f"Saved {out}.")
