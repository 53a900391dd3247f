from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from napari_impa.cells.layouts import LayoutChoice
from napari_impa.cells.readers.stacks import sharpness
from napari_impa.cells.simulated.plate import condition_of, write_simulated_plate
from napari_impa.cells.source import open_source
from napari_impa.cells.wells import Well
from napari_impa.errors import SourceError


def test_a_plate_of_drawn_cells_with_its_map(tmp_path: Path) -> None:
    folder = write_simulated_plate(tmp_path / "p", "imagexpress", wells=3, sites=2, plates=2, z_planes=3, size=96)
    table = pd.read_csv(folder / "plate_map.csv")
    assert table.columns.tolist() == ["plate", "well", "compound", "control_type"]
    assert table["plate"].tolist() == ["SIM001"] * 3 + ["SIM002"] * 3
    assert table.loc[table["control_type"] == "negcon", "compound"].tolist() == ["DMSO", "DMSO"]
    source = open_source(folder, choice=LayoutChoice(z="sharpest"), kind="fields")
    assert len(source) == 12
    assert source.channels == ("DNA", "actin", "tubulin")
    fields = source.table.merge(table, on=["plate", "well"])
    assert len(fields) == 12
    sharp, middle, first = (
        sharpness(open_source(folder, choice=LayoutChoice(z=z), kind="fields").image(0).pixels)
        for z in ("sharpest", 2, 1)
    )
    assert sharp == middle > 3 * first


def test_conditions_take_turns() -> None:
    assert condition_of(Well(0, 0)) == "DMSO"
    assert len({condition_of(Well(0, column)) for column in range(6)}) == 6
    assert len({condition_of(Well(row, 3)) for row in range(6)}) == 6


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"layout": "phoenix"}, "No simulated plate can be written as 'phoenix'; there are: "),
        ({"wells": 0}, "1 to 1536 wells, not 0"),
        ({"wells": 2000}, "1 to 1536 wells"),
        ({"times": 0}, "1 to 99 times"),
    ],
)
def test_what_cannot_be_written_is_said(tmp_path: Path, given: dict[str, object], says: str) -> None:
    with pytest.raises(SourceError, match=says):
        write_simulated_plate(tmp_path / "p", **{"layout": "imagexpress", **given})  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_an_existing_folder_stays(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="exists already"):
        write_simulated_plate(tmp_path, "imagexpress")
