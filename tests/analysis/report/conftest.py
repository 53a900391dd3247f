"""What a report may say, made up: two conditions of real-looking crops, every part of the page filled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_impa.analysis.evaluation import Evaluation, evaluation
from napari_impa.analysis.report.contents import (
    ConditionPanel,
    CountedCells,
    DistributedMeasurement,
    ExplainedFigure,
    MatteredPart,
    MeasurementRow,
    PicturedCells,
    ReportContents,
    ReportedFinding,
    ReportedScore,
    ScoredRow,
    SupportCurve,
)
from napari_impa.analysis.report.diagrams import FamilyBar
from napari_impa.cells.store import Cells

NAN = float("nan")
ROWS = ("control", "predicted", "mean_effect", "another", "copy", "real", "half")


def crops(count: int, seed: int, size: int = 32) -> np.ndarray:
    """`count` cells of two channels."""
    noise = gaussian_filter(np.random.default_rng(seed).random((count, 2, size, size)), (0, 0, 3, 3))
    return (200 + 20_000 * (noise - noise.min())).astype(np.uint16)


def panel(condition: str, seed: int = 0) -> ConditionPanel:
    rng = np.random.default_rng(seed)
    pictures = tuple(
        PicturedCells(kind, crops(3, at), crops(3, at + 5), crops(3, at + 9), np.array([0.4, 0.5, NAN]) + at / 3)
        for at, kind in enumerate(("best", "median", "worst"))
    )
    groups = {"control": rng.normal(0, 1, 200), "predicted": rng.normal(0.6, 1, 200), "real": rng.normal(1.5, 1.2, 150)}
    return ConditionPanel(
        condition=condition,
        key_figures=(("gap closed", "0.52 (0.45 to 0.58)"), ("floor", "0.83"), ("mean effect", "0.31")),
        pictures=pictures,
        distributions=(
            DistributedMeasurement("DAPI: mean intensity", "Nuclei_Intensity_DAPI", "intensity", 1.4, 0.43, groups),
            DistributedMeasurement("area of the nucleus", "Nuclei_Area", "shape", -0.8, -1.2, groups),
        ),
        families=(
            FamilyBar("all", 0.52, 0.45, 0.58, 0.83, 0.31, 51),
            FamilyBar("texture", -1.4, -2, -0.3, 0.9, -0.7, 30),
            FamilyBar("shape", NAN),
        ),
        mattered=MatteredPart(
            0.12, 0.75, 0.81, np.linspace(0, 1, 6), np.linspace(0, 1, 6) ** 0.5, 0.93, "on cells of other wells", 60
        ),
    )


def made_up(*conditions: str) -> ReportContents:
    """A report on these conditions."""
    scores = (
        ReportedScore("cells", "cells", "How many.", "cells", "{:.0f}".format),
        ReportedScore("closed", "gap closed", "0: control, 1: real cells.", "closed", "{:.2f}".format, "higher"),
        ReportedScore("distance", "distance", "Fréchet distance to real cells.", "distance", "{:.2f}".format, "lower"),
        ReportedScore("right", "taken for it", "By a classifier of real cells.", "right", "{:.0%}".format, "higher"),
        ReportedScore("nothing", "nothing", "Which no row has.", "nothing", "{:.0%}".format, "higher"),
    )
    values = {"control": (200, 0, 9.5, 0.02, NAN), "predicted": (200, 0.52, 3.25, 0.6, NAN)}
    values |= {"mean_effect": (200, 0.31, 6, 0.1, NAN), "another": (200, -0.2, 7, 0.1, NAN)}
    values |= {"copy": (200, NAN, NAN, NAN, NAN), "real": (150, 0.83, 1, 0.9, NAN), "half": (75, 1, 1, 0.9, NAN)}
    return ReportContents(
        model="model",
        title="How well model predicts treated cells",
        facts=(("model", "model"), ("hash", "0123456789ab"), ("cells scored", "550"), ("date", "2026-01-02")),
        first="Predicted cells come half of the way from control to real cells.",
        paragraph="Intensity moves, shape stays. " * 6,
        findings=(ReportedFinding("beats the mean effect", "for", "It does."),),
        rules=("It beats the mean effect.",),
        held_out=True,
        channels=("DAPI", "actin"),
        pixel_size=0.65,
        counts=tuple(CountedCells(name, 200, 150, 80, 2, None, 75) for name in conditions),
        panels=tuple(panel(name, number) for number, name in enumerate(conditions)),
        scores=scores,
        rows=tuple(
            ScoredRow(one, name, f"{name} cells", f"What {name} is.", values[name])
            for one in conditions
            for name in ROWS
        ),
        support=tuple(SupportCurve(one, (0, 0.5, 1, 1.5), (0.05, 0.1, 0.2, 0.6), 0.05, 0.07) for one in conditions),
        measurements=tuple(
            MeasurementRow(one, f"Nuclei_Area_{k}", f"area {k}", "shape", k % 2 == 0, k / 3, NAN if k % 2 else k / 9)
            for one in conditions
            for k in range(8)
        ),
        explained=(ExplainedFigure("gap closed", "1 − W(predicted, real) / W(control, real).", "Wasserstein 1969"),),
        settings={"seed": "0", "strength": "1"},
        citations=("Palma, Theis & Lotfollahi, Nature Communications 16, 505 (2025).",),
    )


@pytest.fixture(scope="session")
def evaluated(cells: Cells, double: Any) -> Evaluation:
    """A model that draws other real cells of the condition, on the plate that it held out."""
    return evaluation(double(double.oracle, hold_out={"plate": ("P2",)}), cells, features=("fast", "quick"))


@pytest.fixture(scope="session")
def contents() -> Callable[..., ReportContents]:
    """Make a report on conditions: `contents("taxol", "nocodazole 5", held_out=False)`."""

    def make(*conditions: str, **changes: object) -> ReportContents:
        return replace(made_up(*conditions), **changes)

    return make
