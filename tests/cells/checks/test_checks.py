from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from napari_impa.cells.checks import FEW_CELLS, few_cells, listed, of_cells, plate_column, table_concerns
from napari_impa.cells.checks.of_cells import cells_concerns
from napari_impa.cells.checks.pixels import (
    empty_channels,
    pixel_concerns,
    saturated_share,
    swapped_channels,
)
from napari_impa.cells.examples import MOST_IMAGES, joined, read_examples
from napari_impa.cells.simulated.screen import simulated_cells
from napari_impa.cells.source import open_source
from napari_impa.cells.store import Cells

LABEL = ("compound",)


def screen(counts: dict[tuple[str, str], int]) -> pd.DataFrame:
    rows = [(plate, compound) for (plate, compound), count in counts.items() for _ in range(count)]
    return pd.DataFrame(rows, columns=["plate", "compound"])


GOOD = screen({(plate, compound): 60 for plate in ("p1", "p2", "p3") for compound in ("DMSO", "taxol")})


def kinds(table: pd.DataFrame, held: NDArray[np.bool_] | None = None, **more: object) -> list[str]:
    return [concern.kind for concern in table_concerns(table, LABEL, "DMSO", held, **more)]  # type: ignore[arg-type]


def message(table: pd.DataFrame, held: NDArray[np.bool_] | None = None) -> str:
    return table_concerns(table, LABEL, "DMSO", held)[0].message


def on(table: pd.DataFrame, plate: str) -> NDArray[np.bool_]:
    return (table["plate"] == plate).to_numpy()


def test_nothing_is_doubtful_about_a_good_screen() -> None:
    assert kinds(GOOD, on(GOOD, "p3")) == []
    assert kinds(GOOD) == ["nothing held out"]
    assert "hold out one plate" in message(GOOD)
    assert "images of another plate" in message(GOOD[on(GOOD, "p1")])


def test_few_cells_are_counted_where_they_are_trained_on() -> None:
    table = screen({("p1", "DMSO"): 90, ("p2", "DMSO"): 90, ("p1", "taxol"): FEW_CELLS, ("p2", "taxol"): 60})
    held = on(table, "p2")
    assert kinds(table, held) == []
    fewer = table.drop(index=180).reset_index(drop=True)  # one of the taxol cells on plate p1
    assert message(fewer, on(fewer, "p2")).startswith("Only 49 cells of taxol to train on")
    one = few_cells(pd.Series({"a": 12, "b": 3, "c": 500}), about=True)
    assert "2 conditions have few cells" in one[0].message
    assert "b about 3 and a about 12" in one[0].message
    assert "few" not in kinds(table.iloc[:20], fields=True)


def test_cells_without_a_label_are_counted_and_are_no_condition() -> None:
    table = pd.DataFrame({"drug": ["DMSO", "x"] * 60 + [None] * 7, "plate": ["a", "b", "c", "d"] * 30 + ["e"] * 7})
    held = (table["plate"] == "d").to_numpy()
    found = table_concerns(table, ["drug"], "DMSO", held)
    assert found[0].message == (
        "7 cells have no label (drug is empty) and are left out: fill it in where they are of use."
    )
    whole = table_concerns(table[:120], ["drug"], "DMSO", held[:120])
    assert [concern.message for concern in found[1:]] == [concern.message for concern in whole]


def test_conditions_that_may_be_one_are_named() -> None:
    names = ["DMSO"] * 60 + ["dmso"] * 20 + ["tax 10 \u00b5M"] * 60 + ["tax  10 \u03bcM"] * 60 + ["Tax 10 uM"] * 5
    found = table_concerns(pd.DataFrame({"drug": names}), ["drug"], "DMSO")
    said = [concern.message for concern in found if concern.kind == "spelled"]
    assert said == [
        "'DMSO' (60) and 'dmso' (20) are taken for spellings of one control: write them otherwise if they are not.",
        "'tax 10 \u03bcM' (120) and 'Tax 10 uM' (5) may be one condition in 2 spellings: write them alike if they are.",
    ]


def test_a_condition_on_one_plate_only() -> None:
    table = pd.concat([GOOD, screen({("p2", "nocodazole"): 60})], ignore_index=True)
    held = on(table, "p3")
    assert kinds(table, held) == ["one plate", "unscored"]
    assert "nocodazole is on plate p2 only" in message(table, held)
    assert "one plate" not in kinds(table[on(table, "p2")].reset_index(drop=True))


def test_a_plate_without_control() -> None:
    table = pd.concat([GOOD, screen({("p4", "taxol"): 60})], ignore_index=True)
    concern = table_concerns(table, LABEL, "DMSO", on(table, "p3"))[0]
    assert concern.kind == "no control"
    assert concern.message.startswith("Plate p4 has treated cells but no control (DMSO)")
    once = screen({("p1", "DMSO"): 60, ("p1", "taxol"): 60, ("p2", "taxol"): 60})
    assert kinds(once) == ["no control", "nothing held out"]  # that the control is on one plate goes without saying
    controls_alone = pd.concat([GOOD, screen({("p4", "DMSO"): 60})], ignore_index=True)
    assert kinds(controls_alone, on(controls_alone, "p3")) == []


def test_conditions_missing_on_one_side() -> None:
    taxol = (GOOD["compound"] == "taxol").to_numpy()
    assert kinds(GOOD, taxol)[0] == "untrained"
    assert "All cells of taxol are held out" in message(GOOD, taxol)
    assert "All control cells" in message(GOOD, ~taxol)
    assert "unscored" in kinds(GOOD, taxol)  # no control is held out


def test_crops_that_overlap() -> None:
    table = GOOD.assign(field="f", y=10, x=np.arange(len(GOOD)) * 100, label=1)
    held = np.arange(len(table)) % 2 == 1
    assert "overlap" not in kinds(table, held, size=100)
    assert "overlap" in kinds(table, held, size=101)
    assert "by plate, never by cell" in table_concerns(table, LABEL, "DMSO", held, size=101)[0].message
    assert "overlap" not in kinds(table.assign(field=held), held, size=101)  # other fields
    assert kinds(table, np.zeros(len(table), bool), size=101) == ["nothing held out"]


def test_crops_overlap_where_their_corners_do() -> None:
    table = pd.DataFrame({"field": ["f", "f", "g"], "y": [50, 90, 50], "x": [50, 90, 50], "compound": ["a", "b", "a"]})
    held = np.array([False, True, False])
    assert "overlap" in {concern.kind for concern in table_concerns(table, ["compound"], None, held, size=48)}
    assert "overlap" not in {concern.kind for concern in table_concerns(table, ["compound"], None, held, size=40)}


def test_crops_without_a_place_may_overlap_where_their_site_is_the_same() -> None:
    table = GOOD.assign(well="A1", site=[number // 2 for number in range(len(GOOD))])
    assert "overlap" in kinds(table, np.arange(len(table)) % 2 == 1)
    assert "overlap" not in kinds(table, on(table, "p3"))
    assert "overlap" not in kinds(table, np.arange(len(table)) % 2 == 1, fields=True)


def test_words() -> None:
    assert listed(["a"]) == "a"
    assert listed(["a", "b"]) == "a and b"
    assert listed(list("abcdefg")) == "a, b, c and 4 more"
    assert plate_column(pd.DataFrame(columns=["Plate", "batch"])) == "Plate"
    assert plate_column(pd.DataFrame(columns=["Metadata_Plate", "batch"])) == "Metadata_Plate"
    assert plate_column(pd.DataFrame(columns=["plate", "batch"]), ["plate"]) == "batch"
    assert plate_column(pd.DataFrame(columns=["well"])) is None


# ---- pixels ---------------------------------------------------------------------------------------------------------


def swapped(cells: Cells, mask: NDArray[np.bool_], one: int, other: int) -> NDArray[np.generic]:
    pixels = np.array(cells.pixels)
    pixels[np.ix_(mask, [one, other])] = pixels[np.ix_(mask, [other, one])]
    return pixels


@pytest.fixture(scope="module")
def cells() -> Cells:
    return simulated_cells(32, size=64, seed=3, conditions=("DMSO", "shrinkage"))


def test_no_channel_of_the_simulated_screen_looks_swapped(cells: Cells) -> None:
    plates, names = cells.table["plate"].to_numpy(object), cells.conditions
    assert pixel_concerns(cells.pixels, cells.channels, plates, names, control="DMSO") == ()


@pytest.mark.parametrize(("one", "other"), [(0, 1), (0, 2), (1, 2)])
def test_channels_swapped_on_one_plate_are_found(cells: Cells, one: int, other: int) -> None:
    plates = cells.table["plate"].to_numpy(object)
    found = swapped_channels(swapped(cells, plates == "sim-B", one, other), plates)
    assert [(swap.group, swap.first, swap.second) for swap in found] == [("sim-B", one, other)]
    pixels = swapped(cells, plates == "sim-B", one, other)
    concern = pixel_concerns(pixels, cells.channels, plates, cells.conditions, control="DMSO")[0]
    assert concern.kind == "swapped"
    assert "On plate sim-B, the channels" in concern.message


def test_too_few_images_say_nothing(cells: Cells) -> None:
    plates = cells.table["plate"].to_numpy(object)
    few = np.concatenate([np.flatnonzero(plates == name)[:7] for name in set(plates)])
    pixels = swapped(cells, plates == "sim-B", 0, 1)[few]
    assert swapped_channels(pixels, plates[few]) == []


def test_real_plates_and_channels_swapped_on_one(shared: Path) -> None:
    source = open_source(shared / "data" / "bbbc021_cycloheximide")
    table = source.table
    groups = table.groupby(["plate", "compound", "dose_um"], sort=False).head(24).index.to_numpy()
    pixels = np.stack([source.image(int(row)).pixels for row in groups])
    plates = table["plate"].to_numpy(object)[groups]
    conditions = (table["compound"] + table["dose_um"].astype(str)).to_numpy(object)[groups]
    assert pixel_concerns(pixels, source.channels, plates, conditions, control="DMSO0.0") == ()
    mask = plates == "Week4_27861"
    pixels[mask] = pixels[mask][:, [0, 2, 1]]
    found = pixel_concerns(pixels, source.channels, plates, conditions, control="DMSO0.0")
    assert [concern.kind for concern in found] == ["swapped"]
    assert "Week4_27861" in found[0].message


@pytest.mark.parametrize(("name", "column"), [("bbbc014_tnfa", "compound"), ("bbbc022_u2os", "well")])
def test_real_fields_are_not_doubtful(shared: Path, name: str, column: str) -> None:
    source = open_source(shared / "data" / name)
    read = list(read_examples(source, range(len(source)), size=64))
    rows = np.concatenate([[one.row] * len(one.pixels) for one in read])
    pixels, names = joined([one.pixels for one in read]), source.table[column].to_numpy(object)[rows]
    assert len(pixels) >= 12 * len(set(names))
    assert pixel_concerns(pixels, source.channels, None, names) == ()
    assert pixel_concerns(pixels, source.channels, names, names) == ()


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_saturation_at_what_a_camera_can_give(bits: int) -> None:
    rng = np.random.default_rng(0)
    top = 2**bits - 1
    bright = rng.normal(0.8 * top, 0.1 * top, (10, 1, 32, 32))
    pixels = np.clip(bright, 0, top).astype(np.uint16 if bits > 8 else np.uint8)
    assert saturated_share(pixels)[0] == pytest.approx(0.023, abs=0.01)
    assert saturated_share(np.minimum(pixels, top - 1))[0] == 0  # no camera ends there
    even = rng.integers(0, top, (10, 1, 32, 32), endpoint=True)
    even[0, 0, 0, 0] = top  # the brightest values are as many as any other
    assert saturated_share(even.astype(pixels.dtype))[0] < 0.001
    dim = np.clip(bright / 2, 0, top - 1)
    dim[0, 0, 0, 0] = top  # one bright pixel is none
    assert saturated_share(dim.astype(pixels.dtype))[0] < 0.001


def test_saturated_channel_is_told(cells: Cells) -> None:
    pixels = np.array(cells.pixels).astype(np.float64)
    pixels[:, 1] = np.minimum(pixels[:, 1] * 4095 / np.quantile(pixels[:, 1], 0.9), 4095)
    concerns = pixel_concerns(pixels.astype(np.uint16), cells.channels)
    assert [concern.kind for concern in concerns] == ["saturated"]
    assert "The channel actin (10.0 %) is saturated" in concerns[0].message


def test_empty_channels() -> None:
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:32, :32]
    blob = 500 * np.exp(-((y - 16) ** 2 + (x - 16) ** 2) / 60)
    noise = rng.normal(100, 10, (12, 3, 32, 32))
    noise[:, 1] += blob
    noise[:, 2] = 7
    assert empty_channels(noise).tolist() == [True, False, True]
    concerns = pixel_concerns(noise.astype(np.uint16), ("a", "b", "c"))
    assert [concern.kind for concern in concerns] == ["empty"]
    assert "The channels a and c show nothing" in concerns[0].message


def test_no_images_say_nothing() -> None:
    assert pixel_concerns(np.empty((0, 3, 8, 8), np.uint16), ("a", "b", "c")) == ()


def test_of_many_conditions_no_more_cells_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    reading = of_cells.read_pixels

    def read_pixels(pixels: NDArray[np.generic], rows: NDArray[np.intp]) -> NDArray[np.generic]:
        read.append(len(rows))
        return reading(pixels, rows)

    monkeypatch.setattr(of_cells, "read_pixels", read_pixels)
    names = [f"c{number}" for number in range(2 * MOST_IMAGES)]
    pixels = np.random.default_rng(0).integers(0, 999, (len(names), 1, 8, 8)).astype(np.uint16)
    table = pd.DataFrame({"compound": names, "plate": ["p1", "p2"] * MOST_IMAGES})
    cells_concerns(Cells(pixels, table, ("DNA",), label=LABEL))
    assert 0.9 * MOST_IMAGES < read[0] <= MOST_IMAGES
    assert len(read) == 1
