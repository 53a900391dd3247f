"""The command `plate`: the images of a plate and what is in its wells, as one table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from napari_impa.cells.choice import AS_FOUND
from napari_impa.cli.console import HowRead, Several


def plate(
    source: Path,
    *,
    out: Path,
    label: Annotated[list[str] | None, Several] = None,
    control: str | None = None,
    choice: HowRead = AS_FOUND,
    overwrite: bool = False,
) -> None:
    """Join the images of a plate with its plate map into one table, to look at and to edit.

    The table is a source like the folder: `napari-impa look metadata.csv`, `napari-impa train metadata.csv …`.

    Parameters
    ----------
    source
        Folder of images, as for `crop`.
    out
        The CSV table to write.
    label
        Columns whose values, joined, name a well's condition in the picture; guessed where not given.
    control
        Label value of the untreated control; guessed where not given.
    overwrite
        Replace `out` where it exists.
    """
    from napari_impa.cells.plate_maps.picture import pictures_text, plate_pictures
    from napari_impa.cells.plate_maps.table_of_files import FILL_IN
    from napari_impa.cells.source import open_source
    from napari_impa.cells.tables import guess_control, guess_labels
    from napari_impa.cells.words import WHERE_IMAGED

    opened = open_source(source, choice=choice)
    print(opened.describe())
    columns = label or guess_labels(opened.table)
    if control is None and columns:
        control = guess_control(opened.table, columns)
    if columns:
        guessed = "" if label else " (guessed)"
        print(f"Label {', '.join(columns)}{guessed}, control {control or 'unknown'}.")
    for line in pictures_text(plate_pictures(opened.table, columns, control, opened.plate_map)):
        print(line)
    table = opened.save_table(out, overwrite=overwrite)
    print(f"Saved {out} ({len(opened):,} images in {len(table):,} files).")
    again = [name for name in ("illumination", "centres") if name in choice.changed]
    if again:
        options = " and ".join(f"--{name}" for name in again)
        print(f"The table names the files as they are; give {options} again where it is read.")
    said = [] if opened.plate_map is None else [str(name) for name in opened.table if not WHERE_IMAGED.fits(name)]
    if not columns and said:
        print(f"No column is known to say what was done to the cells; name it with --label, of: {', '.join(said)}.")
    elif not columns:
        print(f"Nothing says what is in the wells: fill in the column {FILL_IN}, or give --plate-map FILE.")
