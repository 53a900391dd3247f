"""docs/plates.md: every example of a plate map is one, and says what the page says."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from napari_impa.cells.plate_maps import join_plate_map, read_plate_map
from napari_impa.cells.plate_maps.picture import plate_pictures

PAGE = (Path(__file__).parents[3] / "docs" / "plates.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```csv\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
SAYS = [
    {"A01": "DMSO", "A02": "taxol", "A03": "nocodazole"},
    {"A01": "DMSO", "A02": "taxol"},
    {"A01": "DMSO", "A02": "taxol", "A03": "nocodazole", "B01": "DMSO", "B02": "taxol", "B03": "nocodazole"},
    {"A01": "DMSO", "A02": "taxol", "B01": "DMSO", "B02": "taxol"},
    {"A01": "DMSO"},
]


@pytest.mark.parametrize(("text", "says"), list(zip(EXAMPLES, SAYS, strict=True)), ids=range(len(SAYS)))
def test_every_example_is_a_plate_map(tmp_path: Path, text: str, says: dict[str, str]) -> None:
    path = tmp_path / "map.csv"
    path.write_text(text, encoding="utf-8")
    (tmp_path / "MAP_A.txt").write_text("well,compound\nA01,DMSO\n")
    found = read_plate_map(path)
    assert not any("guessed" in note for note in found.notes)
    assert (found.plates is not None) == ("BR1" in text)
    column = "Treatment" if "Treatment" in text else "compound"
    first = range(len(found)) if found.plates is None else [n for n, plate in enumerate(found.plates) if plate == "BR1"]
    assert {found.wells[n]: found.values[column][n] for n in first} == says


def test_the_picture_is_the_one_shown() -> None:
    wells = ["A01", "A02", "A03", "B01", "B02", "B03"]
    values = pd.DataFrame({"compound": ["DMSO", "a", "b", "DMSO", "a"]}, dtype=object)
    images = pd.DataFrame({"plate": "BR1", "well": ["A01", "A02", "A03", "B01", "B03"]})
    from napari_impa.cells.plate_maps import PlateMap

    table, report = join_plate_map(images, PlateMap("m", "", pd.array(wells[:5]).to_numpy(object), None, values))
    (picture,) = plate_pictures(table, ["compound"], "DMSO", report)
    assert "```text\n" + "\n".join(picture.text()) + "\n```" in PAGE
