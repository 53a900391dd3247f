"""What reads tables: labels, descriptions, new conditions, plate maps, workbooks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from hypothesis import strategies as st

from .hostile import TEXTS, Input, of_folder
from .model_readers import small_model
from .reader import Reader

WORDS = st.sampled_from((
    "plate", "well", "compound", "dose", "dose_um", "smiles", "control", "file", "site", "batch", "name", "A1", "A01",
    "B2", "H12", "P1", "DMSO", "CCO", "1.5", "1,5", "", "10 µM", "10", *TEXTS,
))  # fmt: skip
ROWS = st.lists(st.lists(WORDS | st.text(max_size=12), max_size=6), max_size=8)


def _table_of(rows: Sequence[Sequence[str]], separator: str, encoding: str) -> Input:
    text = "\n".join(separator.join(row) for row in rows)
    return Input({"t.csv": text.encode(encoding, "replace")}, "t.csv", f"invented {text[:100]!r}")


CSVS = st.builds(
    _table_of, ROWS, st.sampled_from(",,,;\t|"), st.sampled_from(("utf-8", "utf-8-sig", "utf-16", "cp1252"))
)


def _one_file(name: str, text: str) -> Callable[[Path], list[Input]]:
    def seeds(folder: Path) -> list[Input]:
        (folder / name).write_text(text, encoding="utf-8")
        return [of_folder(folder, name)]

    return seeds


TABLE = "plate,well,compound,dose_um,smiles,batch\nP1,A01,DMSO,0,CS(C)=O,1\nP1,A02,x,1.5,CCO,1\nP2,B01,y,10,CCC,2\n"
NUMBERS = "name,a,b,c\nDMSO,0,0,0\nx,1.5,2,3\ny,2.5,-1,1e-3\n"
NEW = "name,smiles,dose_um\nnew,CCO,1\nother,CCC,10\n"
MAP = "plate,well,compound,dose\nP1,A1,DMSO,0\nP1,A2,x,1 µM\nP1,B1,y,10 nM\nP1,B2,DMSO,0\n"
GRID = "compound,1,2,3,4\nA,DMSO,x,y,DMSO\nB,x,y,DMSO,x\n\ndose,1,2,3,4\nA,0,1,10,0\nB,1,10,0,1\n"


def _use_table(path: Path) -> None:
    from napari_impa.cells.sheets.typed_table import read_table
    from napari_impa.cells.tables import condition_names, guess_control, guess_labels

    table = read_table(path)
    labels = guess_labels(table)
    if labels:
        guess_control(table, labels)
        condition_names(table, labels)
    table.describe(include="all")


def _descriptions(path: Path) -> None:
    from napari_impa.engine.describing.named_numbers import read_descriptions

    read_descriptions(path)


def _new_conditions(path: Path) -> None:
    from napari_impa.engine.describing.new_condition import read_new_conditions

    read_new_conditions(path, small_model().descriptions)


def _plate_maps(folder: Path) -> list[Input]:
    (folder / "t.csv").write_text(MAP, encoding="utf-8")
    (folder / "g.csv").write_text(GRID, encoding="utf-8")
    whole = of_folder(folder)
    return [replace(whole, files={name: data}, target=name) for name, data in whole.files.items()]


def _workbooks(folder: Path) -> list[Input]:
    inside = folder / "w.xlsx"
    sheets = {
        "layout": [row.split(",") for row in GRID.split("\n")],
        "Map": [row.split(",") for row in MAP.split("\n")],
    }
    try:
        from workbooks import write_xlsx
    except ImportError:
        from tests.workbooks import write_xlsx
    write_xlsx(inside, sheets, merged=["A1:B1"])
    return [of_folder(folder, "w.xlsx")]


def _plate_map(path: Path) -> None:
    from napari_impa.cells.plate_maps.plate_map import read_plate_map

    len(read_plate_map(path, ("P1",)))


TABLES = (
    Reader("table", _one_file("t.csv", TABLE), _use_table, CSVS),
    Reader("descriptions", _one_file("t.csv", NUMBERS), _descriptions, CSVS),
    Reader("new-conditions", _one_file("t.csv", NEW), _new_conditions, CSVS),
    Reader("plate-map", _plate_maps, _plate_map, CSVS),
    Reader("workbook", _workbooks, _plate_map),
)
"""Readers of tables."""
