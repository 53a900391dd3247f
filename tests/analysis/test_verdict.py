"""Models with one known fault each, and whether the verdict names it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter

from napari_impa.analysis.beside.mean_effect import apply_effect, mean_effect
from napari_impa.analysis.evaluation import Evaluation, evaluation
from napari_impa.analysis.features.space import FAMILIES
from napari_impa.analysis.metrics.gap import family_column
from napari_impa.analysis.verdict.verdict import RULES, rules_in_words, verdict_of
from napari_impa.cells.store import Cells

HELD = {"plate": ("P2",)}
SIDE = 32


def drawn(kind: str, where: np.ndarray, light: float, rng: np.random.Generator) -> np.ndarray:
    """(2, 32, 32) a nucleus in a cell, at its place: round, swollen, or stretched; brighter where treated."""
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    y, x = y - where[0], x - where[1]
    tall, wide = {"DMSO": (5, 5), "swell": (7, 7), "stretch": (9, 4.5)}[kind]
    nucleus = gaussian_filter((np.hypot(y / tall, x / wide) < 1).astype(float), 0.8)
    body = gaussian_filter((np.hypot(y / (tall + 4), x / (wide + 4)) < 1).astype(float), 1.2)
    grain = gaussian_filter(np.random.default_rng(int(light * 1e6)).standard_normal((SIDE, SIDE)), 1) * 0.3
    bright = light * (1.0 if kind == "DMSO" else 1.4)
    image = np.stack([nucleus * bright, body * (1 + grain) * (1.0 if kind == "DMSO" else 1.2)])
    return 200 + 800 * image + rng.normal(0, 8, image.shape)


class Screen:
    """Cells whose treated form is known: the same place and grain, another shape and brightness."""

    def __init__(self, count: int = 30) -> None:
        rng = np.random.default_rng(0)
        pixels, rows = [], []
        for plate in ("P1", "P2"):
            for kind in ("DMSO", "swell", "stretch"):
                for _ in range(count):
                    where, light = rng.uniform(-4, 4, 2), rng.uniform(0.8, 1.2)
                    pixels.append(drawn(kind, where, light, rng))
                    rows.append({"plate": plate, "compound": kind, "row": where[0], "column": where[1], "light": light})
        stack = np.clip(np.rint(pixels), 0, 65535).astype(np.uint16)
        self.cells = Cells(stack, pd.DataFrame(rows), ("DNA", "actin"), 0.5, ("compound",), "DMSO")
        self.seen = self.cells.take((self.cells.table["plate"] == "P1").to_numpy())

    def truth(self, some: Cells, kind: str) -> np.ndarray:
        rng = np.random.default_rng(1)
        about = some.table[["row", "column", "light"]].to_numpy()
        cells = [drawn(kind, one[:2], one[2], rng) for one in about]
        return np.clip(np.rint(cells), 0, 65535).astype(np.uint16)


def without_nuclei(cells: np.ndarray) -> np.ndarray:
    """Every second cell with an even nuclear stain: what is left of nuclei looks right."""
    cells = cells.copy()
    cells[::2, 0] = 200
    return cells


@pytest.fixture(scope="module")
def screen() -> Screen:
    return Screen()


@pytest.fixture(scope="module")
def judged(screen: Screen, double, without_replicates: None) -> dict[str, Evaluation]:
    """Evaluations of good and of faulty models."""
    seen, rng = screen.seen, np.random.default_rng(3)
    control = seen.pixels[seen.is_control]
    effects = {kind: mean_effect(control, seen.pixels[seen.conditions == kind]) for kind in ("swell", "stretch")}

    def copying(some: Cells, kind: str) -> np.ndarray:
        return seen.pixels[rng.choice(np.flatnonzero(seen.conditions == kind), len(some))]

    def by_heart(some: Cells, kind: str) -> np.ndarray:
        known = (some.table["plate"] == "P1").to_numpy()[:, None, None, None]
        return np.where(known, screen.truth(some, kind), some.pixels)

    def shuffled(some: Cells, kind: str) -> np.ndarray:
        """What is right for labels drawn at random: any of all conditions, whichever is asked for."""
        every = np.stack([screen.truth(some, name) for name in ("DMSO", "swell", "stretch")])
        drawn_of = np.random.default_rng(2).choice(3, len(some), p=[0.7, 0.15, 0.15])
        return every[drawn_of, np.arange(len(some))]

    answers = {
        "good": screen.truth,
        "identity": lambda some, kind: some.pixels,
        "blind": lambda some, kind: screen.truth(some, "swell"),
        "copying": copying,
        "brightness": lambda some, kind: apply_effect(some.pixels, effects[kind]),
        "shuffled": shuffled,
        "by heart": by_heart,
        "nuclei lost": lambda some, kind: without_nuclei(screen.truth(some, kind)),
    }
    out = {}
    for name, answer in answers.items():
        model = double(answer, hold_out=HELD, names=("swell", "stretch"))
        model.size, model.limits = SIDE, np.array([[200.0, 1500.0], [200.0, 1500.0]])
        out[name] = evaluation(model, screen.cells, features=("fast",))
    return out


FAULTS = (
    "unchanged", "other cells", "by heart", "nuclei lost", "elsewhere", "blind", "brightness alone", "mean effect",
)  # fmt: skip


def found(evaluated: Evaluation) -> set[str]:
    return {name for name in FAULTS if name in evaluated.verdict}


def test_a_good_model_has_no_fault(judged) -> None:
    verdict = judged["good"].verdict
    assert not found(judged["good"]), verdict.text
    assert verdict.first.startswith("The model closes ")
    assert "It moves" in verdict.text
    assert "90 % interval" in verdict.text
    assert "interval" not in verdict.first
    assert "none of which the training saw" in verdict.text


@pytest.mark.parametrize(
    ("model", "fault", "words"),
    [
        ("identity", "unchanged", "leaves cells as they are"),
        ("blind", "blind", "does not tell conditions apart"),
        ("copying", "other cells", "other cells, not the ones it was given"),
        ("shuffled", "elsewhere", "not into those of the condition"),
        ("by heart", "by heart", "by heart"),
        ("brightness", "mean effect", "does not beat the mean effect"),
        ("nuclei lost", "nuclei lost", "Of its cells 50 % have a nucleus, of real ones 100 %"),
    ],
)
def test_a_fault_is_named_in_the_first_line(judged, model: str, fault: str, words: str) -> None:
    assert fault in found(judged[model]), judged[model].verdict.text
    assert words in judged[model].verdict.first, judged[model].verdict.text


def test_faults_are_told_from_each_other(judged) -> None:
    """No model is called what another one is."""
    allowed = {"mean effect"}  # of several models true
    own = {"identity": "unchanged", "blind": "blind", "copying": "other cells", "by heart": "by heart"}
    for model, fault in own.items():
        assert found(judged[model]) - allowed - {"unchanged"} <= {fault}, judged[model].verdict.text


def table_of(judged: Evaluation, **changed: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The good model's table with other values in the rows of what the model makes of cells."""
    table = judged.table.copy()
    for column, value in changed.items():
        table.loc[table["row"].isin(["predicted", "seen"]), column] = value
    table.attrs = dict(judged.table.attrs)
    return table, judged.measured


def test_a_model_that_moves_brightness_alone_is_told_so(judged) -> None:
    families = {family_column(family): 0.05 for family in FAMILIES}
    table, measured = table_of(judged["good"], **families | {"gap_intensity": 0.7, "gap_closed": 0.2})
    verdict = verdict_of(table, measured)
    assert "brightness alone" in verdict
    assert "It changes brightness and nothing else" in verdict.first
    assert "does not beat the mean effect" in verdict.first  # that is always said at once


def test_what_moves_the_wrong_way_is_not_called_left(judged) -> None:
    verdict = verdict_of(*table_of(judged["good"], gap_texture=-0.6, gap_shape=0.0))
    assert "leaves shape (0 %)" in verdict.text
    assert "moves the wrong way, or too far, texture (−60 %)" in verdict.text


def test_nothing_is_said_of_what_not_even_real_cells_close(judged) -> None:
    table, measured = table_of(judged["good"], gap_texture=-0.9)
    table.loc[table["row"] == "real", "gap_texture"] = -0.5
    text = verdict_of(table, measured).text
    assert "Nothing is said of texture, which real cells of a repeat do not close." in text
    assert "wrong way" not in text


def test_it_is_asked_whether_the_channel_is_that_of_nuclei(judged) -> None:
    table, measured = table_of(judged["good"])
    assert "is that the channel of nuclei" not in verdict_of(table, measured).text
    table["with_nucleus"] = 0.3
    assert "Only in 30 % of real cells was a nucleus found (DNA)" in verdict_of(table, measured).text


def test_where_nothing_moves_nothing_is_said(judged) -> None:
    table, measured = table_of(judged["good"], gap_closed=float("nan"))
    assert verdict_of(table, measured).first.startswith("Nothing can be said of this model")


def test_side_effects_are_said(judged) -> None:
    assert "side effects" in verdict_of(*table_of(judged["good"], moved_unasked=0.4))
    assert "side effects" not in verdict_of(*table_of(judged["good"], moved_unasked=0.1))


@pytest.mark.parametrize(("gap", "trust"), [(0.7, "can be trusted about as far"), (0.1, "cannot be trusted there")])
def test_unseen_conditions_are_judged_by_those_scored(judged, gap: float, trust: str) -> None:
    table, measured = table_of(judged["good"], gap_closed=gap)
    table.attrs |= {"unseen": ["swell"], "described": True, "similarity": {"swell": 0.31}}
    text = verdict_of(table, measured).text
    assert trust in text
    assert "similarity to the nearest that it was: 0.31 to 0.31" in text


def test_untested_unseen_conditions_are_said_to_be(judged) -> None:
    table, measured = table_of(judged["good"])
    table.attrs |= {"described": True}
    assert "nothing says that it can be trusted there" in verdict_of(table, measured).text


def test_cells_that_the_training_may_have_seen_are_said(judged) -> None:
    table, measured = table_of(judged["good"])
    table.attrs |= {"held_out": False}
    assert "some of which the training may have seen" in verdict_of(table, measured).text


def test_every_rule_is_written_down() -> None:
    words = rules_in_words()
    assert len(words) == len(RULES) + 1
    assert all(text.endswith(".") for text in words)
