"""The command `simulate-plate`: plates of drawn cells, in files as a microscope leaves them, to practise on."""

from __future__ import annotations

from pathlib import Path

from napari_impa.cli.console import progress_watch


def simulate_plate(
    *,
    layout: str,
    out: Path,
    wells: int = 24,
    sites: int = 1,
    plates: int = 1,
    planes: int = 1,
    times: int = 1,
    size: int = 512,
    seed: int = 0,
) -> None:
    """Write a plate of drawn cells as a microscope leaves it, with a plate map beside it.

    Parameters
    ----------
    layout
        Whose files they are: imagexpress, phenix, cellvoyager, incell, load_data, ome-zarr, …; another name has all
        listed.
    out
        The folder to make.
    wells
        How many wells are filled, from A01 on.
    sites
        Images of each well.
    plates
        How many plates; every second one is of the same batch.
    planes
        Z planes of each image, of which the middle one is sharp.
    times
        Times of each image, over which the effect grows.
    size
        Side of an image in pixels.
    seed
        Other seeds give other cells.
    """
    from napari_impa.cells.simulated.plate import PLATE_MAP_NAME, write_simulated_plate

    with progress_watch("wells") as watch:
        folder = write_simulated_plate(
            out, layout, wells=wells, sites=sites, plates=plates, z_planes=planes, times=times, size=size, seed=seed,
            watch=watch,
        )  # fmt: skip
    print(f"Saved {folder}, with {PLATE_MAP_NAME} in it.")
