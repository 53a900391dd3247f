"""How a source is read, where a user chooses it: the layout, Z planes, times, plates, and what is in their wells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, Self

from napari_impa.cells.wells import PLATE_FORMATS
from napari_impa.errors import SourceError

ILLUMINATIONS = ("none", "table", "profiles", "estimate")
"""What the illumination of fields can be corrected by."""


@dataclass(frozen=True, kw_only=True)
class LayoutChoice:
    """How a source is read, where that is not left to what its files say.

    Parameters
    ----------
    layout
        How the images lie in the folder, by the layout's name; found by itself where not given.
    z
        Which plane where a site has several: max (the maximum projection), sharpest, or the plane of this number.
    time
        Which time where a site has several: first, all (each a field of its own), or the one of this number.
    plate
        What the plate is called, where the folder is called otherwise than in a plate map.
    wells
        How many wells the plate has, where files number them: 6, 12, 24, 48, 96, 384 or 1536.
    folders
        What the folders of images are: plates or conditions; conditions where one is called like a control (DMSO).
    plate_map
        A table, workbook or grid that says what is in the wells, or a folder of such tables; a table in the folder of
        images that fits as the only one is used where none is given, and `none` leaves it out.
    illumination
        What fields are divided by, so that corners are as bright as the middle: none, the functions that a table names
        (table), the microscope's own profiles (profiles), or what is estimated from the fields of a plate (estimate).
    centres
        A table of cells that another program found, with their centres x and y in pixels, around which they are cut:
        CSV, parquet, or CellProfiler's SQLite.
    """

    layout: str | None = None
    z: Literal["max", "sharpest"] | int = "max"
    time: Literal["first", "all"] | int = "first"
    plate: str | None = None
    wells: int | None = None
    folders: Literal["plates", "conditions"] | None = None
    plate_map: str | None = None
    illumination: Literal["none", "table", "profiles", "estimate"] = "none"
    centres: str | None = None

    def __post_init__(self) -> None:
        if self.plate_map is not None and Path(self.plate_map).exists():  # a run is resumed from anywhere
            object.__setattr__(self, "plate_map", str(Path(self.plate_map).absolute()))
        if self.centres is not None:
            object.__setattr__(self, "centres", str(Path(self.centres).absolute()))
        if self.illumination not in ILLUMINATIONS:
            raise SourceError(f"illumination is {', '.join(ILLUMINATIONS)}, not {self.illumination!r}.")
        for name, words in (("z", ("max", "sharpest")), ("time", ("first", "all"))):
            value = getattr(self, name)
            if isinstance(value, bool) or (value not in words and not isinstance(value, int)):
                raise SourceError(f"{name} is {words[0]}, {words[1]} or a number, not {value!r}.")
        if self.wells is not None and self.wells not in PLATE_FORMATS:
            raise SourceError(f"Plates have {', '.join(map(str, PLATE_FORMATS))} wells, not {self.wells}.")

    @property
    def changed(self) -> dict[str, Any]:
        """What was chosen, as plain values that `of` takes; empty where everything is left to the files."""
        plain = {entry.name: entry.default for entry in fields(self)}
        return {name: value for name, value in asdict(self).items() if value != plain[name]}

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """The choice that `changed` wrote down; names that this version does not know are left out."""
        known = {entry.name for entry in fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in known})


AS_FOUND = LayoutChoice()
"""Everything as the files say it: of several Z planes the maximum projection, of several times the first."""
