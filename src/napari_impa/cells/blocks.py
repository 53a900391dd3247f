"""Blocks of cells out of a source: crops cut around the nuclei of whole fields, ready crops, or stored cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.cells.fields import Field
from napari_impa.cells.parts import CellsBlock
from napari_impa.cells.segmenters import Segmenter
from napari_impa.cells.source import Source
from napari_impa.cells.store import Cells
from napari_impa.errors import CellsError
from napari_impa.watch import Watch

BLOCK = 256
"""Crops read before they are written."""


@dataclass
class LeftOut:
    """What was left out on the way, for the history of the cells."""

    left_out_at_border: int = 0
    left_out_blank: int = 0
    blank_fields: list[str] = field(default_factory=list)
    fields_without_cells: list[str] = field(default_factory=list)

    def add(self, other: dict[str, Any]) -> None:
        """Add what another process left out."""
        for name, value in other.items():
            setattr(self, name, getattr(self, name) + value)

    def note(self, history: dict[str, Any]) -> None:
        """Write it into a history: what there is, and always how many lay at the border."""
        history |= {name: value for name, value in vars(self).items() if value or name == "left_out_at_border"}


NucleiFinder = Callable[[Field], "NDArray[Any] | None"]
"""Gives the nuclei (H, W) of a field, or None where it is blank."""


def nuclei_finder(source: Source, method: Segmenter, nuclei_channel: str | int | None) -> NucleiFinder:
    """Return what finds the nuclei of a field, or gives None where the field is blank."""
    if method.takes_masks:
        if not source.has_masks:
            raise CellsError(
                f"{source.name} has no mask file for every field; let nuclei be found with segment 'nuclei'."
            )
        return lambda site: None if _is_blank(site.pixels) else method(site.pixels, masks=site.labels)
    method.require()
    channel = source.nuclei_channel(nuclei_channel)

    def find(site: Field) -> NDArray[Any] | None:
        if _is_blank(site.pixels[channel]):
            return None
        pixels = site.pixels
        if pixels.dtype.kind == "f":
            pixels = np.nan_to_num(pixels, nan=float(np.nanmin(pixels)), posinf=0.0, neginf=0.0)
        return method(pixels, channel, site.pixel_size)

    return find


def _is_blank(pixels: NDArray[Any]) -> bool:
    finite = pixels[np.isfinite(pixels)] if pixels.dtype.kind == "f" else pixels
    return finite.size == 0 or bool(finite.min() == finite.max())


def _good(pixels: NDArray[Any]) -> NDArray[np.bool_]:
    """(n,) which crops hold an image: only finite numbers, and not all the same."""
    flat = pixels.reshape(len(pixels), -1)
    good = flat.min(axis=1) < flat.max(axis=1)
    return np.asarray(good & np.isfinite(flat).all(axis=1) if pixels.dtype.kind == "f" else good)


def blocks_of_fields(
    source: Source,
    rows: range,
    size: int,
    find: NucleiFinder,
    border: Literal["skip", "pad"],
    nuclei_channel: str | int | None,
    masks: bool,
    tally: LeftOut,
    watch: Watch,
) -> Iterator[CellsBlock]:
    """Cut crops of a side around the nuclei of some fields, a block each.

    Parameters
    ----------
    rows
        Of the source's table.
    find
        Gives the nuclei.
    border
        What becomes of nuclei too near to it, as `crop_source` has it.
    nuclei_channel, masks
        As `Source.field` has them.
    tally
        Counts what is left out.

    Raises
    ------
    SourceError
        If a file is damaged.
    """
    from napari_impa.cells.crops import cut

    found = 0
    for done, row in enumerate(rows, 1):
        site = source.field(row, nuclei_channel=nuclei_channel, masks=masks)
        labels = find(site)
        if labels is None:
            tally.blank_fields.append(site.name)
        elif not labels.any():
            tally.fields_without_cells.append(site.name)
        else:
            crops = cut(site.pixels, labels, size, border=border)
            good = _good(crops.pixels) if len(crops.pixels) else np.zeros(0, bool)
            tally.left_out_at_border += crops.left_out
            tally.left_out_blank += int((~good).sum())
            if good.any():
                place = crops.table[good]
                columns = {"field": site.name, "y": place["y"], "x": place["x"], "label": place["label"]}
                found += len(place)
                yield crops.pixels[good], pd.DataFrame({**columns, **site.table}).reset_index(drop=True)
        watch.check()
        watch.report(done, len(rows), f"{found:,} cells")


def blocks_of_crops(source: Source, share: range, size: int, tally: LeftOut, watch: Watch) -> Iterator[CellsBlock]:
    """Read a share of ready crops, cut to a side around their centres; what shows nothing is left out and counted.

    Raises
    ------
    SourceError, CellsError
        If a file is damaged, or a crop smaller than the side.
    """
    for start in range(share.start, share.stop, BLOCK):
        rows = np.arange(start, min(start + BLOCK, share.stop))
        pixels = np.empty((len(rows), len(source.channels), size, size), source.dtype)
        centres = np.empty((len(rows), 2), int)
        names = []
        for i, row in enumerate(rows.tolist()):
            crop, name = source.image(row).pixels, source.entries[row].name
            height, width = crop.shape[1:]
            if size > min(height, width):
                raise CellsError(
                    f"A crop side of {size} px does not fit {name}; the largest possible is {min(height, width)} px."
                )
            pixels[i] = _centre(crop, size)
            centres[i] = height // 2, width // 2
            names.append(name)
        table = pd.DataFrame({"field": names, "y": centres[:, 0], "x": centres[:, 1], "label": 0})
        table = pd.concat([table, source.table.iloc[rows].reset_index(drop=True)], axis=1)
        good = _good(pixels)
        tally.left_out_blank += int((~good).sum())
        if good.any():
            yield pixels[good], table[good].reset_index(drop=True)
        done = int(rows[-1]) + 1 - share.start
        watch.check()
        watch.report(done, len(share), f"{done:,} crops")


def blocks_of_cells(cells: Cells, share: range, size: int, watch: Watch) -> Iterator[CellsBlock]:
    """Read a share of stored cells, cut to a side around their centres."""
    for start in range(share.start, share.stop, BLOCK):
        block = slice(start, min(start + BLOCK, share.stop))
        yield np.ascontiguousarray(_centre(cells.pixels[block], size)), cells.table.iloc[block].reset_index(drop=True)
        done = block.stop - share.start
        watch.check()
        watch.report(done, len(share), f"{done:,} cells")


def _centre(pixels: NDArray[Any], size: int) -> NDArray[Any]:
    y, x = (side // 2 - size // 2 for side in pixels.shape[-2:])
    return pixels[..., y : y + size, x : x + size]


def no_cells(source: Source, tally: LeftOut) -> NoReturn:
    """Say why a source gave no cell at all.

    Raises
    ------
    CellsError
        Always.
    """
    blank, total = len(tally.blank_fields), len(source)
    if tally.left_out_at_border:
        raise CellsError(
            f"All {tally.left_out_at_border} cells of {source.name} lie too near to the border; "
            "choose a smaller crop side, or border 'pad'."
        )
    if tally.left_out_blank or (blank and blank == total):
        raise CellsError(
            f"{source.name} gives no cells: its images are black or hold no numbers; check the export of the images."
        )
    raise CellsError(
        f"No cell was found in the {total:,} field{'s' * (total != 1)} of {source.name} ({blank:,} blank); "
        "check which channel shows nuclei, or choose another segmenter."
    )
