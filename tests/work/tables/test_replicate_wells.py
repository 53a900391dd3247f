"""Half of the replicate wells: which ones are drawn, what is said, and that a run keeps them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_impa.analysis.selection import select_cells
from napari_impa.cells.simulated.screen import simulated_cells
from napari_impa.cells.store import Cells
from napari_impa.cli.main import main
from napari_impa.errors import ConditionError, TrainingError
from napari_impa.work.catalog import load_model
from napari_impa.work.source_survey import survey_source
from napari_impa.work.tables.conditions_table import held_rows
from napari_impa.work.tables.replicate_wells import ASKED, can_be_halved, half_of_wells, settled
from napari_impa.work.training import train
from napari_impa.work.training_plan import plan_of

SMALL = {"size": 24, "batch_size": 2, "style_dim": 8, "recipe": "paper", "progress": False}


def plate(rows: dict[str, str], sites: int = 2, **columns: str) -> pd.DataFrame:
    """A row a field: wells and what is in them."""
    table = pd.DataFrame({"well": list(rows), "compound": list(rows.values()), **columns})
    return pd.concat([table.assign(site=site) for site in range(1, sites + 1)], ignore_index=True)


ONE = {"A01": "DMSO", "A02": "DMSO", "A03": "DMSO", "B01": "taxol", "B02": "taxol", "B03": "nocodazole", "C01": ""}
TWO = pd.concat([plate(ONE, plate="P1"), plate({"A01": "taxol", "H12": "DMSO"}, plate="P2")], ignore_index=True)


def test_half_of_the_wells_of_each_condition_is_drawn() -> None:
    drawn = half_of_wells(plate(ONE), ["compound"], "DMSO", 0)
    assert drawn.column == "well"
    assert len(set(drawn.wells) & {"A01", "A02", "A03"}) == 1  # of three, one
    assert len(set(drawn.wells) & {"B01", "B02"}) == 1
    assert len(drawn.wells) == 2
    assert (drawn.of, drawn.alone) == (6, {"nocodazole": "B03"})  # C01 has no condition
    assert drawn.in_words() == (
        "2 of 6 wells are held out, half of each condition's by the seed 0 (wells by the column 'well'). A condition "
        "with one well stays in the training and cannot be scored: nocodazole (B03)."
    )


def test_wells_of_several_plates_are_told_apart() -> None:
    drawn = half_of_wells(TWO, ["compound"], "DMSO", 3)
    assert drawn.column == "plate+well"
    assert drawn.of == 8
    held = held_rows(TWO, {drawn.column: drawn.wells})
    counts = TWO.assign(well=TWO["plate"] + TWO["well"])[held].groupby("compound")["well"].nunique()
    assert counts.to_dict() == {"DMSO": 2, "taxol": 1}  # of 4 and of 3
    assert "(wells by the columns 'plate' and 'well')" in drawn.in_words()


def test_another_seed_draws_other_wells() -> None:
    drawn = {half_of_wells(TWO, ["compound"], "DMSO", seed).wells for seed in range(12)}
    assert len(drawn) > 3


@given(st.permutations(range(len(TWO))), st.permutations(["plate", "well", "compound", "site"]))
def test_the_order_of_rows_and_columns_changes_nothing(rows: list[int], columns: list[str]) -> None:
    table = TWO.iloc[rows][columns].reset_index(drop=True)
    assert half_of_wells(table, ["compound"], "DMSO", 1) == half_of_wells(TWO, ["compound"], "DMSO", 1)


def test_a_well_stays_where_it_is_when_others_come_in_beside_it() -> None:
    wider = pd.concat([plate(ONE), plate({"D01": "colchicine", "D02": "colchicine"})], ignore_index=True)
    before = half_of_wells(plate(ONE), ["compound"], "DMSO", 5).wells
    assert set(before) < set(half_of_wells(wider, ["compound"], "DMSO", 5).wells)


def test_a_well_that_is_spelled_in_two_ways_is_one() -> None:
    table = pd.concat([plate({"a1": "taxol", "A2": "taxol"}), plate({"A01": "taxol"})], ignore_index=True)
    drawn = half_of_wells(table, ["compound"], None, 0)
    assert drawn.wells in (("A2",), ("A01", "a1"))


def test_what_else_is_held_out_or_left_out_is_not_drawn_from() -> None:
    hold_out, drawn = settled(
        {**ASKED, "plate": ("P2",)}, TWO, ["compound"], "DMSO", seed=0, where={"well": ["A01", "A02"]}
    )
    assert drawn is not None
    assert hold_out == {"plate": ("P2",), "plate+well": drawn.wells}
    assert set(drawn.wells) < {"P1 A01", "P1 A02"}
    for seed in range(8):
        hold_out, _ = settled({**ASKED, "plate": ("P2",)}, TWO, ["compound"], "DMSO", seed=seed)
        assert all(well.startswith("P1 ") for well in hold_out["plate+well"])
    assert settled({"plate": ["P2"]}, TWO, ["compound"], "DMSO", seed=0) == ({"plate": ("P2",)}, None)


def test_a_column_that_is_called_so_comes_first() -> None:
    table = TWO.assign(wells=np.where(TWO["well"] == "A01", "half", "full"))
    assert settled(ASKED, table, ["compound"], "DMSO", seed=0) == ({"wells": ("half",)}, None)
    other = TWO.assign(wells="all")
    assert settled(ASKED, other, ["compound"], "DMSO", seed=0)[1] is not None


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (plate({"A01": "DMSO", "A02": "taxol"}), "No condition has two wells"),
        (plate(ONE).drop(columns="well"), r"No column names the wells.*there are: compound, site"),
    ],
)
def test_what_cannot_be_halved_is_said(table: pd.DataFrame, words: str) -> None:
    with pytest.raises(ConditionError, match=words):
        half_of_wells(table, ["compound"], "DMSO", 0)
    assert not can_be_halved(table, ["compound"], "DMSO")
    assert can_be_halved(TWO, ["compound"], "DMSO")


# ---- in a run -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cells() -> Cells:
    """Six wells on each of two plates, 10 cells a well."""
    cells = simulated_cells(60, size=24, seed=3, plates=2, conditions=("DMSO", "shrinkage"))
    number = cells.table.groupby(["plate", "compound"]).cumcount() % 3 + 1
    row = cells.table["compound"].map({"DMSO": "A", "shrinkage": "B"})
    table = cells.table.assign(well=row + "0" + number.astype(str))
    return Cells(cells.pixels, table, cells.channels, label=cells.label, control=cells.control)


def test_a_run_keeps_the_wells_that_were_drawn(cells: Cells, tmp_path: Path) -> None:
    run = train(cells, tmp_path / "run", hold_out={"wells": "half"}, seed=2, steps=1, **SMALL)
    drawn = half_of_wells(cells.table, cells.label, cells.control, 2)
    assert run.settings.hold_out == {"plate+well": drawn.wells}
    assert len(drawn.wells) == 6
    chosen = select_cells(load_model(run.folder), cells)
    assert chosen.held_out
    scored = chosen.cells.table.iloc[chosen.rows[chosen.scored]]
    assert set(scored["plate"] + " " + scored["well"]) == set(drawn.wells)
    trained = sum(load_model(run.folder).counts.values())
    assert trained == len(cells) - held_rows(cells.table, run.settings.hold_out).sum() == 60
    again = train(cells, run.folder, hold_out={"wells": "half"}, seed=2, steps=2, resume=True, **SMALL)
    assert again.settings.hold_out == run.settings.hold_out
    with pytest.raises(TrainingError, match="other settings"):
        train(cells, run.folder, hold_out={"wells": "half"}, seed=3, steps=3, resume=True, **SMALL)


def test_the_command_line_says_which_and_resumes(
    cells: Cells, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, folder = cells.save(tmp_path / "some.cells"), tmp_path / "run"
    small = ["--size", "24", "--batch-size", "2", "--style-dim", "8", "--recipe", "paper", "--device", "cpu"]
    hold = ["--hold-out", "wells=half"]
    main(["train", str(source), "--out", str(folder), "--steps", "1", *small, *hold])
    drawn = half_of_wells(cells.table, cells.label, cells.control, 0)
    out = capsys.readouterr().out
    assert drawn.in_words() in out
    assert plan_of(folder).settings.hold_out == {"plate+well": drawn.wells}
    main(["train", str(folder), "--resume", "--steps", "2", *hold])
    assert plan_of(folder).settings.hold_out == {"plate+well": drawn.wells}
    main(["models", "info", str(folder)])
    assert "Held out: plate+well = sim-A" in capsys.readouterr().out
    assert survey_source(source, hold_out=ASKED).hold_out == {"plate+well": drawn.wells}
    main(["look", str(source), *hold])
    assert "6 of 12 wells are held out" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["train", str(source), "--out", str(tmp_path / "b"), "--hold-out", "plate+well=sim-A Z99", *small])
    assert "No row has plate+well = sim-A Z99; its values are: sim-A A01" in capsys.readouterr().err
