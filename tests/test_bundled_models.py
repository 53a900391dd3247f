"""The models in the package: small, described, near what the float32 weights say, and better than doing nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_impa.analysis.counterfactual import Phenotype, score_counterfactuals
from napari_impa.analysis.nucleus_and_ring import central_nucleus_mask, nuclear_to_ring_ratio
from napari_impa.cells.simulated.compounds import COMPOUNDS
from napari_impa.cells.simulated.screen import CHANNELS, simulated_cells
from napari_impa.cells.store import Cells
from napari_impa.engine.describing.new_condition import NewCondition
from napari_impa.engine.model.intensity import LEVELS
from napari_impa.engine.model.model import IMPA
from napari_impa.work.catalog import BUNDLED, load_model

NAMES = sorted(path.stem for path in BUNDLED.glob("*.impa"))
HALF_ULP = 2.0**-12
"""Largest error of a number rounded to float16, of a number in [0.5, 1): `numpy.finfo(numpy.float16).epsneg / 2`."""


@pytest.fixture(scope="module")
def controls() -> Cells:
    """16 simulated control cells of a seed that no training had, of both batches."""
    return simulated_cells(16, seed=77, conditions=("DMSO",), plates=2)


def cells_for(model: IMPA, controls: Cells) -> Cells:
    """Cells of the model's channels and side, in float32, so that predictions are not rounded."""
    pixels = controls.pixels[:, : len(model.channels)].astype(np.float32)
    if model.channels != CHANNELS:  # real images are darker
        pixels = pixels / pixels.max() * model.limits[:, 1][:, None, None]
    return model.fit(replace(controls, pixels=pixels.astype(np.float32), channels=model.channels))


def test_all_are_here_and_small_enough_for_the_wheel() -> None:
    assert {"simulated-screen", "simulated-compounds", "simulated-batches", "tnfa-nfkb"} <= set(NAMES)
    assert sum(path.stat().st_size for path in BUNDLED.iterdir()) < 15e6


@pytest.mark.parametrize("name", NAMES)
def test_a_card_says_what_anyone_has_to_know(name: str) -> None:
    card, model = (BUNDLED / f"{name}.md").read_text(encoding="utf-8"), load_model(name)
    for words in ("title:", "license: BSD-3-Clause", "**Trained on**", "**How**", "**Held-out scores**", "**Limits**"):
        assert words in card
    assert f"{model.history['steps']:,} steps" in card
    assert all(condition in card for condition in model.conditions) or len(model.conditions) > 10
    if name == "tnfa-nfkb":
        assert "CC BY 3.0" in card
        assert "Ljosa" in card
    else:
        assert "simulat" in card


@pytest.mark.parametrize("name", NAMES)
def test_what_rounding_to_float16_took_changes_less_than_a_grey_level(name: str, controls: Cells) -> None:
    model, rounded = load_model(name), load_model(name)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in rounded.networks.parameters():
            _, exponent = torch.frexp(weight)
            weight += torch.ldexp(HALF_ULP * (2 * torch.rand(weight.shape, generator=generator) - 1), exponent)
    cells = cells_for(model, controls)
    one, other = (each.predict(cells, model.conditions[:3]).pixels for each in (model, rounded))
    span = (model.limits[:, 1] - model.limits[:, 0])[:, None, None] / LEVELS
    difference = np.abs(one - other) / span
    assert 0 < difference.max() < 1


def test_the_screen_is_nearer_the_truth_than_leaving_the_cells(controls: Cells) -> None:
    table = score_counterfactuals(load_model("simulated-screen"), controls).set_index("condition")
    assert table["error"].median() < 0.75
    assert table["correlation"].min() > 0.4


def test_batches_become_each_other_and_nothing_else(controls: Cells) -> None:
    table = score_counterfactuals(load_model("simulated-batches"), controls)
    assert table["error"].max() < 0.8
    assert table["correlation"].min() > 0.6


def test_an_unseen_smiles_does_what_its_mechanism_does(controls: Cells) -> None:
    pytest.importorskip("rdkit")
    model = load_model("simulated-compounds")
    new = [one for one in COMPOUNDS if one.held_out and one.phenotype in ("mitotic arrest", "shrinkage")]
    assert new
    assert {one.name for one in new} <= set(model.unseen)
    own, other = {}, {}
    for one in new:
        target = NewCondition(one.name, smiles=one.smiles)
        own[target] = Phenotype(one.phenotype, one.strength)
        other[target] = Phenotype("nuclear translocation", one.strength)
    right, wrong = (score_counterfactuals(model, controls, truth) for truth in (own, other))
    assert (right["error"] < 0.9).all()
    assert (right["correlation"] > wrong["correlation"] + 0.2).all()


def test_tnfa_moves_nfkb_into_the_nucleus(shared: Path) -> None:
    import tifffile

    from napari_impa.cells.crops import cut
    from napari_impa.cells.segmenters.blobs import segment_nuclei

    model = load_model("tnfa-nfkb")
    images = shared / "data" / "bbbc014_tnfa" / "images"
    field = np.stack([tifffile.imread(images / f"Channel {k}-12-A-12-00.tif")[:400, 720:1200] for k in (1, 2)])
    found = cut(field, segment_nuclei(field[1]), model.size)
    cells = Cells(found.pixels, found.table, model.channels)

    def ratio(some: Cells) -> float:
        nuclei = central_nucleus_mask(some.pixels[:, 1])
        return float(np.nanmedian(nuclear_to_ring_ratio(some.pixels[:, 0], nuclei, ring_width=5, gap=1, background=9)))

    assert len(cells) > 20
    assert ratio(cells) < 1.2
    assert ratio(model.predict(cells, "TNFalpha")) > 1.4
