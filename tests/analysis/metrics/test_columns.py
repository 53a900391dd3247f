"""What metrics say of the rows of a table: of good predictions, of cells left as they are, of copies, of batches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from napari_impa.analysis.evaluation import evaluate

HELD = {"plate": ("P2",)}


@pytest.fixture(scope="module")
def acting(cells_of_screen):
    """Cells with a mechanism, which two of three compounds share: `dim`, and `dim` under another name."""
    cells = cells_of_screen(44)
    twice = cells.table.copy()
    moa = {"DMSO": "", "swell": "growth", "dim": "light"}
    twice["moa"] = [moa[name] for name in twice["compound"]]
    again = (twice["compound"] == "dim") & (np.arange(len(twice)) % 2 == 0)
    twice.loc[again, "compound"] = "faint"
    return replace(cells, table=twice)


@pytest.fixture(scope="module")
def good(acting, double):
    def answer(cells, condition):
        return double.oracle(cells, {"faint": "dim"}.get(condition, condition))

    return evaluate(double(answer, hold_out=HELD, names=("dim", "faint", "swell")), acting)


@pytest.fixture(scope="module")
def unchanged(acting, double):
    return evaluate(double(double.unchanged, hold_out=HELD, names=("dim", "faint", "swell")), acting)


def of(table: pd.DataFrame, row: str, column: str) -> pd.Series:
    return table[table["row"] == row].set_index("condition")[column]


def test_kernel_distance(good, unchanged):
    assert (of(good, "predicted", "kernel") < 0.3 * of(good, "control", "kernel")).all()
    assert (of(good, "predicted", "kernel_quick") < 0.3 * of(good, "control", "kernel_quick")).all()
    assert (of(unchanged, "predicted", "kernel") == of(unchanged, "control", "kernel")).all()


def test_coverage(good):
    assert (of(good, "predicted", "coverage") > 0.5).all()
    assert (of(good, "control", "coverage") < of(good, "predicted", "coverage") - 0.2).all()
    assert (of(good, "predicted", "precision") > 0.5).all()
    assert of(good, "predicted", ["recall", "density"]).notna().all().all()


def test_support(good, unchanged, acting, double):
    assert (of(unchanged, "predicted", "outside") == 0).all()  # the very cells
    assert (of(good, "predicted", "outside") < 0.4).all()
    strange = evaluate(
        double(lambda cells, condition: cells.pixels[:, ::-1], hold_out=HELD, names=("dim", "faint", "swell")), acting
    )
    assert (of(strange, "predicted", "outside") > 0.9).all()


def test_identity(good, unchanged):
    assert (of(unchanged, "predicted", "identity") == 1).all()
    assert (of(good, "predicted", "identity") - 0.5).abs().max() < 0.15  # other cells, whatever they were made of
    assert (of(good, "copy", "identity") - 0.5).abs().max() < 0.15
    assert (of(good, "mean_effect", "identity") > 0.8).all()
    assert of(good, "real", "identity").isna().all()


def test_memory(good):
    assert (of(good, "copy", "remembered") == 1).all()
    assert (of(good, "predicted", "remembered") < 0.9).all()
    assert (of(good, "real", "remembered") < 0.9).all()
    assert of(good, "control", "remembered").isna().all()


def test_no_training_is_remembered_where_it_may_have_seen_all(cells, double):
    assert "remembered" not in evaluate(double(double.unchanged), cells)


def test_replicates(good, unchanged):
    pytest.importorskip("copairs")
    swell = "swell"  # the other two are one phenotype under two names
    assert of(good, "predicted", "replicates")[swell] > 0.9
    assert of(good, "predicted", "replicates_p")[swell] < 0.05
    assert of(unchanged, "predicted", "replicates")[swell] < 0.6
    assert of(good, "predicted", "replicates_chance")[swell] == pytest.approx(0.45, abs=0.2)
    assert of(good, "half", "replicates").isna().all()


def test_mechanism(good, unchanged):
    assert (of(good, "predicted", "mechanism")[["dim", "faint"]] == 1).all()
    assert of(good, "predicted", "mechanism_chance")[["dim", "faint"]].between(0.2, 0.8).all()
    assert np.isnan(of(good, "predicted", "mechanism")["swell"])  # no other compound acts alike


def test_mixing(cells, double):
    second = (cells.table["batch"] == 1).to_numpy()
    pixels = cells.pixels.copy()
    pixels[second] = (pixels[second] * 1.4).astype(np.uint16)

    def corrected(some, condition):
        return (some.pixels * (1.4 if condition == "1" else 1 / 1.4)).astype(np.uint16)

    model = double(corrected, task="batch", label=("batch",), control=None, names=("0", "1"))
    table = evaluate(model, replace(cells, pixels=pixels))
    assert (of(table, "predicted", "mixing") > 0.8).all()
    assert (of(table, "control", "mixing") < 0.6).all()
    assert (of(table, "predicted", "mixing_silhouette") > of(table, "control", "mixing_silhouette")).all()
