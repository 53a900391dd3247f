from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import tifffile
from scipy import ndimage as ndi
from skimage.measure import regionprops

from napari_impa.cells.crops import cut
from napari_impa.cells.folder import open_source
from napari_impa.cells.simulated.screen import (
    BATCHES,
    CHANNELS,
    CONDITIONS,
    Scene,
    draw_field,
    draw_scene,
    simulated_cells,
    simulated_field,
    simulated_screen,
    true_counterfactual,
    write_simulated_screen,
)
from napari_impa.cells.store import Cells, open_cells
from napari_impa.errors import CellsError, ConditionError, SourceError

TREATED = [name for name in CONDITIONS if name != "DMSO"]


@pytest.fixture(scope="module")
def scene():
    return Scene.random(5, size=256)


@pytest.fixture(scope="module")
def drawn(scene):
    """The same scene under every condition, without noise: name -> (pixels as float, labels)."""
    pairs = {name: draw_scene(scene, name, noise=False) for name in CONDITIONS}
    return {name: (pixels.astype(np.float64), labels) for name, (pixels, labels) in pairs.items()}


@pytest.fixture(scope="module")
def cells():
    conditions = ("DMSO", "shrinkage", "mitotic arrest")
    return simulated_cells(12, size=48, seed=3, conditions=conditions, plates=2, same_cells=True)


def test_a_field_looks_like_a_16_bit_camera_s(scene):
    field = simulated_field(seed=5, size=256)
    assert field.pixels.shape == (3, 256, 256)
    assert field.pixels.dtype == np.uint16
    assert field.channels == CHANNELS == ("DNA", "actin", "tubulin")
    assert field.pixel_size == 0.65
    ground, bright = np.percentile(field.pixels, [1, 99.5], axis=(1, 2))
    assert np.all((ground > 120) & (ground < 600))
    assert np.all((bright > 1500) & (bright < 20_000))
    inside = [number for number in np.unique(field.labels) if number > 0]
    assert 12 <= len(inside) <= 30
    assert field.pixels[0][field.labels > 0].mean() > 3 * field.pixels[0][field.labels == 0].mean()


def test_the_seed_is_all_there_is_to_it(scene):
    again = Scene.named(scene.name)
    np.testing.assert_array_equal(draw_scene(again)[0], draw_scene(scene)[0])
    other = draw_scene(Scene.random(6, size=256))[0]
    assert np.mean(other == draw_scene(scene)[0]) < 0.1


def test_the_same_seed_gives_the_same_field_on_every_platform():
    """Rounding may differ between platforms, so these are means; any change of the drawing changes them."""
    pixels = simulated_field(seed=1, size=128).pixels
    np.testing.assert_allclose(pixels.mean(axis=(1, 2)), [529.66, 870.97, 1123.73], rtol=2e-3)


def test_nuclei_stay_where_they_are(scene, drawn):
    for _, labels in drawn.values():
        present = [
            k for k in np.unique(labels) if k > 0 and np.all((scene.centres[k - 1] > 20) & (scene.centres[k - 1] < 236))
        ]
        found = np.asarray(ndi.center_of_mass(labels > 0, labels, present))
        assert np.median(np.abs(found - scene.centres[np.array(present) - 1])) < 1
    alike = [set(np.unique(labels)) for _, labels in drawn.values()]
    assert len(set.intersection(*alike)) > 0.8 * len(set.union(*alike))


def nuclei(labels):
    return labels > 0


def cytoplasm(labels):
    return ndi.binary_dilation(labels > 0, iterations=7) & ~ndi.binary_dilation(labels > 0, iterations=2)


def fine(image):
    """How much structure there is at the scale of fibres, beside the signal itself."""
    return (image - ndi.gaussian_filter(image, 3)).std() / (image.mean() - 250)


def covered(image):
    return np.mean(image > 480)


def median_of(labels, measure):
    return np.median([measure(region) for region in regionprops(labels) if region.area > 40])


MEASURES = {
    "nuclear translocation": ("nuclear actin", lambda p, m: p[1][nuclei(m)].mean() / p[1][cytoplasm(m)].mean(), 2.0),
    "microtubule poison": ("tubulin fibres", lambda p, m: fine(p[2]), 0.6),
    "actin inhibitor": ("actin in all", lambda p, m: p[1].mean() - 250, 0.75),
    "shrinkage": ("length of nuclei", lambda p, m: median_of(m, lambda r: r.axis_major_length), 0.8),
    "mitotic arrest": (
        "length of chromatin",
        lambda p, m: median_of(m, lambda r: r.axis_major_length / r.axis_minor_length),
        1.5,
    ),
}


@pytest.mark.parametrize("condition", TREATED)
def test_a_condition_does_what_it_says_and_most_of_all_conditions(drawn, condition):
    _, measure, factor = MEASURES[condition]
    values = {name: measure(*pair) for name, pair in drawn.items()}
    change = {name: value / values["DMSO"] for name, value in values.items()}
    assert change[condition] > factor if factor > 1 else change[condition] < factor
    extreme = max if factor > 1 else min
    assert extreme(change, key=change.get) == condition


def test_cells_shrink_and_nuclei_brighten(drawn):
    assert covered(drawn["shrinkage"][0][1]) < 0.7 * covered(drawn["DMSO"][0][1])
    means = {name: pixels[0][labels > 0].mean() for name, (pixels, labels) in drawn.items()}
    assert means["shrinkage"] > 1.5 * means["DMSO"]
    assert means["mitotic arrest"] > 1.5 * means["DMSO"]


@pytest.mark.parametrize("condition", TREATED)
def test_strength_goes_smoothly_from_control_to_treated(scene, drawn, condition):
    steps = [draw_scene(scene, condition, strength=s, noise=False)[0].astype(float) for s in (0, 0.5, 1)]
    np.testing.assert_array_equal(steps[0], drawn["DMSO"][0])
    np.testing.assert_array_equal(steps[2], drawn[condition][0])
    whole = np.abs(steps[2] - steps[0]).mean()
    assert 0.2 * whole < np.abs(steps[1] - steps[0]).mean() < whole


def test_cells_differ_in_how_they_respond():
    response = np.concatenate([Scene.random(seed).response for seed in range(8)])
    assert 0.01 < np.mean(response < 0.2) < 0.15
    assert 0.9 < np.median(response) < 1
    assert response[response > 0.2].std() > 0.05


def test_noise_has_the_size_that_light_gives_it(scene):
    clean = draw_scene(scene, noise=False)[0].astype(float)
    difference = draw_scene(scene)[0] - clean
    assert abs(difference.mean()) < 0.5
    camera = BATCHES["batch 1"]
    for low, high in ((300, 400), (1500, 2500)):
        here = (clean > low) & (clean < high)
        expected = camera.counts_per_photon * (clean[here].mean() - camera.offset) + camera.read_noise**2
        assert difference[here].var() == pytest.approx(expected, rel=0.06)


def test_batches_differ_in_gain_and_light_not_in_cells(scene):
    (one, first), (two, second) = (draw_scene(scene, batch=batch, noise=False) for batch in (0, 1))
    np.testing.assert_array_equal(first, second)
    ratio = (two.astype(float) - 100) / (one.astype(float) - 100)
    assert ratio[0][first > 0].mean() < 0.9
    assert np.all(ratio[1:].mean(axis=(1, 2)) > 1.1)
    upper, lower = ratio[:, :60].mean(axis=(1, 2)), ratio[:, -60:].mean(axis=(1, 2))
    assert np.all(upper > 1.15 * lower)
    for c in range(3):
        assert np.corrcoef(one[c].ravel(), two[c].ravel())[0, 1] > 0.9


def test_a_screen_has_every_condition_in_every_batch():
    screen = simulated_screen(seed=2, size=128)
    table = pd.DataFrame([field.table for field in screen])
    assert len({field.name for field in screen}) == len(screen) == 2 * len(CONDITIONS)
    assert pd.crosstab(table["compound"], table["batch"]).to_numpy().tolist() == [[1, 1]] * len(CONDITIONS)
    assert set(table.columns) == {"plate", "well", "site", "compound", "batch", "control", "scene"}
    assert ((table["compound"] == "DMSO") == (table["control"] == 1)).all()
    assert table["scene"].is_unique


def test_cells_are_balanced_and_belong_to_plates():
    cells = simulated_cells(6, size=32, conditions=("DMSO", "shrinkage"), plates=4)
    assert cells.counts().to_dict() == {"DMSO": 6, "shrinkage": 6}
    assert cells.control == "DMSO"
    assert cells.table.groupby("plate").size().to_dict() == {"sim-A": 4, "sim-B": 4, "sim-C": 2, "sim-D": 2}
    assert cells.table.groupby("plate")["batch"].unique().explode().to_dict() == {
        "sim-A": "batch 1",
        "sim-B": "batch 2",
        "sim-C": "batch 1",
        "sim-D": "batch 2",
    }
    assert len(set(cells.table["scene"])) == 8
    centre = cells.pixels[:, 0, 13:19, 13:19].mean()
    assert centre > 2 * cells.pixels[:, 0].mean()


def test_other_seeds_give_other_cells(cells):
    other = simulated_cells(12, size=48, seed=4, plates=2, conditions=("DMSO",))
    assert not set(other.table["scene"]) & set(cells.table["scene"])


def test_the_counterfactual_is_the_very_cell_under_the_other_condition(cells):
    for condition in ("shrinkage", "mitotic arrest"):
        truth = true_counterfactual(cells.controls(), condition)
        np.testing.assert_array_equal(truth.pixels, cells.treated(condition).pixels)
        assert set(truth.conditions) == {condition}
    np.testing.assert_array_equal(true_counterfactual(cells).pixels, cells.pixels)


def test_the_counterfactual_survives_picking_and_saving(cells, tmp_path):
    picked = cells.take([25, 3, 12, 3])
    stored = open_cells(picked.save(tmp_path / "picked"))
    truth = true_counterfactual(stored, "DMSO")
    np.testing.assert_array_equal(truth.pixels, cells.take([1, 3, 0, 3]).pixels)
    assert list(truth.table["control"]) == [1] * 4


def test_the_counterfactual_of_a_batch(cells):
    second = true_counterfactual(cells.controls(), batch=1)
    assert set(second.table["batch"]) == {"batch 2"}
    stays = (cells.controls().table["batch"] == "batch 2").to_numpy()
    np.testing.assert_array_equal(second.pixels[stays], cells.controls().pixels[stays])
    assert np.all(
        np.abs(second.pixels[~stays].mean((0, 2, 3)) / cells.controls().pixels[~stays].mean((0, 2, 3)) - 1) > 0.1
    )


def test_the_counterfactual_works_on_cells_cut_in_another_way():
    field = simulated_field("shrinkage", seed=8, size=128)

    found = cut(field.pixels, field.labels, 40)
    cells = Cells(found.pixels, found.table.assign(field=field.name, **field.table), field.channels)
    np.testing.assert_array_equal(true_counterfactual(cells).pixels, cells.pixels)
    clean = true_counterfactual(cells, noise=False).pixels.astype(float)
    assert 0 < np.abs(clean - cells.pixels).mean() < 100


def test_a_folder_like_a_user_s_own(tmp_path):
    folder = write_simulated_screen(
        tmp_path / "screen", masks=True, size=96, conditions=("DMSO", "shrinkage"), batches=1
    )
    expected = simulated_screen(size=96, conditions=("DMSO", "shrinkage"), batches=1)
    source = open_source(folder)
    assert source.kind == "fields"
    for field, wanted in zip(map(source.field, range(len(source))), expected, strict=True):
        np.testing.assert_array_equal(field.pixels, wanted.pixels)
        np.testing.assert_array_equal(field.labels, wanted.labels)
        assert field.channels == CHANNELS
        assert field.pixel_size == pytest.approx(0.65)
        assert {name: str(field.table[name]) for name in wanted.table} == {k: str(v) for k, v in wanted.table.items()}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["screen"]


def test_a_folder_that_cannot_be_written_leaves_nothing(tmp_path, monkeypatch):
    field = draw_field(Scene.random(0, size=64))
    (tmp_path / "here").mkdir()
    with pytest.raises(SourceError, match="exists already"):
        write_simulated_screen(tmp_path / "here", [field])

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tifffile, "imwrite", full)
    with pytest.raises(SourceError, match="No space left on device"):
        write_simulated_screen(tmp_path / "screen", [field])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here"]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda cells: simulated_field("taxol"), "no simulated condition 'taxol'"),
        (lambda cells: simulated_field(batch=2), "no simulated batch 2"),
        (lambda cells: simulated_cells(1, conditions=("DMSO", "taxol")), "no simulated condition 'taxol'"),
        (lambda cells: simulated_cells(0), "one or more"),
        (lambda cells: simulated_cells(1, plates=9), "1 to 4 plates"),
        (lambda cells: simulated_cells(1, size=600), "choose a smaller side"),
        (lambda cells: simulated_screen(batches=3), "1 to 2 batches"),
        (lambda cells: true_counterfactual(cells, "taxol"), "no simulated condition 'taxol'"),
        (lambda cells: true_counterfactual(cells, batch=5), "no simulated batch 5"),
        (lambda cells: true_counterfactual(replace(cells, table=cells.table[["y", "x"]])), "Only simulated cells"),
        (lambda cells: Scene.named("plate 1"), "names no simulated scene"),
    ],
)
def test_what_cannot_be_drawn_is_said(cells, call, words):
    with pytest.raises((CellsError, ConditionError), match=words):
        call(cells)
