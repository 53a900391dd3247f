"""A training that goes on from a model: what it takes over, what it refuses, and resuming it exactly."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_impa.cells.store import Cells
from napari_impa.engine.model.model import IMPA
from napari_impa.engine.training.fine_tuning import settings_of, words_of
from napari_impa.engine.training.settings import TrainingSettings
from napari_impa.engine.training.steps import recipe_named
from napari_impa.engine.training.steps.default_recipe import DefaultRecipe
from napari_impa.engine.training.trainer import Trainer
from napari_impa.errors import ModelError, TrainingError
from napari_impa.work.training import train

SETTINGS = {"size": 24, "batch_size": 2, "steps": 4, "style_dim": 8, "device": "cpu"}


def make(cells: Cells, folder: Path, *, start_from: IMPA | None = None, resume: bool = False, **more: Any) -> Trainer:
    return Trainer(cells, TrainingSettings(**{**SETTINGS, **more}), folder, resume=resume, start_from=start_from)


def renamed(cells: Cells, **names: str) -> Cells:
    return replace(cells, table=cells.table.replace({"drug": names}))


@pytest.fixture(scope="module")
def model(cells: Cells, tmp_path_factory: pytest.TempPathFactory) -> IMPA:
    """A model of DMSO → high, low after eight steps, in which both have had their turn."""
    trainer = make(cells, tmp_path_factory.mktemp("first") / "run", steps=8)
    list(trainer)
    return IMPA.load(trainer.run.model_path)


def test_known_conditions_keep_what_belongs_to_them_and_new_ones_begin(
    model: IMPA, cells: Cells, tmp_path: Path
) -> None:
    trainer = make(renamed(cells, high="awful"), tmp_path / "run", start_from=model)
    fresh = make(renamed(cells, high="awful"), tmp_path / "fresh")
    assert trainer.data.conditions == ["awful", "low"]
    old, new, start = (one.state_dict() for one in (model.networks, trainer._step.networks, fresh._step.networks))
    for name in ("embedding_matrix.weight", "discriminator.head.weight", "discriminator.head.bias"):
        assert torch.equal(new[name][1], old[name][model.conditions.index("low")])
        assert torch.equal(new[name][0], start[name][0])
        assert "bias" in name or not torch.equal(new[name][0], old[name][model.conditions.index("high")])
    rest = [name for name in old if "head" not in name and "embedding" not in name]
    assert all(torch.equal(new[name], old[name]) for name in rest)
    assert trainer.started_from is not None
    assert (trainer.started_from["known"], trainer.started_from["new"]) == (["low"], ["awful"])
    assert "1 of 2 conditions (new: awful)" in words_of(trainer.started_from)


def test_a_model_goes_on_where_it_was(model: IMPA, cells: Cells, tmp_path: Path) -> None:
    trainer = make(cells, tmp_path / "run", start_from=model)
    assert trainer.model.hash == model.hash
    assert trainer.recipe.autoencoder == 0  # whose large steps would undo what was learned
    events = list(trainer)
    assert events[0].stage == "adversarial"
    made = IMPA.load(trainer.run.model_path)
    assert made.hash != model.hash
    assert made.history["start_from"] == trainer.run.started_from == {
        "model": "run", "hash": model.hash, "known": ["high", "low"], "new": [], "discriminator": True,
    }  # fmt: skip


def test_maps_are_doubled_as_the_model_s_are(model: IMPA, cells: Cells, tmp_path: Path) -> None:
    assert model.shape.upsampling == "bilinear_skip"
    old = make(cells, tmp_path / "old", recipe="paper")
    list(old)
    published = old.model
    assert published.shape.upsampling == "nearest"
    trainer = make(cells, tmp_path / "run", start_from=published)
    for event in trainer:
        if event.step == 3:
            trainer.stop()
    assert trainer.model.shape.upsampling == "nearest"
    assert make(cells, tmp_path / "run", resume=True).model.shape.upsampling == "nearest"


def test_the_discriminator_is_the_model_s_or_where_it_has_none_the_recipe_s(
    model: IMPA, cells: Cells, tmp_path: Path
) -> None:
    old = make(cells, tmp_path / "old", recipe="paper")
    list(old)
    goes_on = make(cells, tmp_path / "run", start_from=old.model)
    assert goes_on.model.shape.discriminator == "published"
    assert next(iter(goes_on)).losses["pairing"] > 0
    anew = make(cells, tmp_path / "anew", start_from=IMPA.load(old.model.save(tmp_path / "compact.impa", compact=True)))
    assert anew.model.shape.discriminator == model.shape.discriminator == "spread"


def test_new_conditions_find_their_style_in_small_steps(model: IMPA, cells: Cells, tmp_path: Path) -> None:
    recipe = make(renamed(cells, high="awful"), tmp_path / "run", start_from=model).recipe
    assert isinstance(recipe, DefaultRecipe)
    assert 0 < recipe.autoencoder < DefaultRecipe().autoencoder
    assert recipe.autoencoder_rates == (recipe.learning_rate, recipe.muon)
    assert DefaultRecipe().going_on(new_conditions=False).autoencoder == 0
    assert recipe_named("paper").going_on(new_conditions=True) == recipe_named("paper")


def test_a_compact_model_lacks_the_discriminator(model: IMPA, cells: Cells, tmp_path: Path) -> None:
    compact = IMPA.load(model.save(tmp_path / "compact.impa", compact=True))
    assert not compact.has_discriminator
    first, again = (make(cells, tmp_path / name, start_from=compact) for name in ("run", "again"))
    fresh = make(cells, tmp_path / "fresh")
    weights = [one._step.networks.discriminator.head.weight for one in (first, again, fresh)]
    assert torch.equal(weights[0], weights[1])
    assert torch.equal(weights[0], weights[2])  # as the seed begins it, not whatever the memory held
    assert first.started_from is not None
    assert "lacks the discriminator" in words_of(first.started_from)


def test_resuming_is_exact_and_needs_no_model(model: IMPA, cells: Cells, tmp_path: Path) -> None:
    some = renamed(cells, high="awful")
    whole = make(some, tmp_path / "whole", start_from=model, steps=8)
    list(whole)
    broken = make(some, tmp_path / "broken", start_from=model, steps=8)
    for event in broken:
        if event.step == 3:
            broken.stop()
    resumed = make(some, tmp_path / "broken", steps=8, resume=True)
    list(resumed)
    assert resumed.model.hash == whole.model.hash
    assert resumed.model.history["start_from"]["hash"] == model.hash


def test_resuming_without_the_checkpoint_or_from_another_model(model: IMPA, cells: Cells, tmp_path: Path) -> None:
    make(cells, tmp_path / "run", start_from=model)  # killed before its first checkpoint
    with pytest.raises(TrainingError, match="has no checkpoint yet; give the model again"):
        make(cells, tmp_path / "run", resume=True)
    assert make(cells, tmp_path / "run", resume=True, start_from=model).model.hash == model.hash
    plain = make(cells, tmp_path / "plain")
    list(plain)
    with pytest.raises(TrainingError, match="not started from this model"):
        make(cells, tmp_path / "plain", resume=True, start_from=model)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"preset": "small"}, "which has preset tiny, not preset small; train with the model's values"),
        ({"style_dim": 4, "noise_dim": 3}, "style_dim 8, noise_dim 16, not style_dim 4, noise_dim 3;"),
        ({"embedding_dim": 5}, "described otherwise"),
        ({"task": "batch"}, "whose task is perturbation, not batch"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    model: IMPA, cells: Cells, tmp_path: Path, more: dict[str, Any], words: str
) -> None:
    some = replace(cells, label=("batch",), control=None) if more.get("task") == "batch" else cells
    with pytest.raises(ModelError, match=words):
        make(some, tmp_path / "run", start_from=model, **more)
    assert not (tmp_path / "run").exists()


def test_cells_that_do_not_fit_are_refused(model: IMPA, cells: Cells, tmp_path: Path) -> None:
    one = replace(cells, pixels=cells.pixels[:, :1], channels=("DNA",))
    with pytest.raises(ModelError, match="of 2 channels \\(DNA, actin\\) with cells of 1 \\(DNA\\)"):
        make(one, tmp_path / "run", start_from=model)
    swapped = replace(cells, channels=("actin", "DNA"))
    with pytest.raises(ModelError, match="give the channels in the model's order"):
        make(swapped, tmp_path / "run", start_from=model)
    large = replace(cells, pixels=np.pad(cells.pixels, [(0, 0), (0, 0), (3, 3), (3, 3)]))
    with pytest.raises(ModelError, match="which has crop side 24, not crop side 32"):
        make(large, tmp_path / "run", start_from=model, size=32)


def test_the_plain_call_takes_what_shapes_the_networks_from_the_model(
    model: IMPA, cells: Cells, tmp_path: Path
) -> None:
    assert settings_of(model) == {
        "task": "perturbation", "size": 24, "preset": "tiny", "style_dim": 8, "noise_dim": 16, "modality_dim": 0,
        "embedding_dim": 64,
    }  # fmt: skip
    path = model.save(tmp_path / "first.impa")
    run = train(cells, tmp_path / "run", start_from=path, steps=1, batch_size=2, progress=False)
    assert run.settings.size == 24
    assert run.started_from is not None
    assert run.started_from["hash"] == model.hash


def test_described_conditions_share_the_mapping_network(compounds: Cells, tmp_path: Path) -> None:
    pytest.importorskip("rdkit")
    told: dict[str, Any] = {"description": "bit", "dose": "dose_um"}
    first = make(compounds, tmp_path / "first", **told)
    list(first)
    model = IMPA.load(first.run.model_path)
    with pytest.raises(ModelError, match="described otherwise \\(bit with dose, not learned\\)"):
        make(compounds, tmp_path / "no", start_from=model)
    some = compounds.take((compounds.table["compound"] != "ethanol").to_numpy())
    second = make(some, tmp_path / "second", start_from=model, **told)
    assert torch.equal(
        second._step.networks.mapping_network.mapping_network.layers[0].weight,
        model.networks.mapping_network.mapping_network.layers[0].weight,
    )
    assert second._step.networks.table().weight.shape[0] == 4


@pytest.mark.parametrize("recipe", ["default", "paper"])
def test_mean_styles_that_conditions_are_relative_to_go_along_or_begin(
    model: IMPA, cells: Cells, tmp_path: Path, recipe: str
) -> None:
    first = make(cells, tmp_path / "first", recipe=recipe)
    list(first)
    again = make(cells, tmp_path / "again", start_from=first.model)
    starts = again._step.networks.start_style
    kept = first.model.networks.start_style if recipe == "default" else torch.zeros_like(starts)
    assert torch.equal(starts, kept)
    list(again)
    assert not torch.equal(starts, kept)


def test_what_batches_are_told_apart_by_is_found_anew(cells: Cells, tmp_path: Path) -> None:
    of, told = cells.labelled(["batch"], None), {"task": "batch"}
    first = make(of, tmp_path / "first", **told)
    list(first)
    model = IMPA.load(first.run.last_path)
    nothing = torch.eye(model.shape.style_dim)
    assert not torch.equal(model.networks.start_axes, nothing)
    second = make(of, tmp_path / "second", start_from=model, **told)
    assert torch.equal(second._step.networks.start_axes, nothing)
    for event in second:
        if event.step == 1:
            second.stop()
    resumed = make(of, tmp_path / "second", resume=True, **told)
    list(resumed)
    assert not torch.equal(IMPA.load(resumed.run.last_path).networks.start_axes, nothing)
