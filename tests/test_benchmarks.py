from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from napari_impa.cells.simulated.scenes import CONDITIONS, CONTROL
from napari_impa.cells.simulated.screen import simulated_cells
from napari_impa.errors import TrainingError
from napari_impa.work.catalog import load_model

ROOT = Path(__file__).parents[1]


@pytest.fixture
def measure(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT)
    return importlib.import_module("benchmarks.measure")


@pytest.fixture
def reading(measure: ModuleType) -> ModuleType:
    return importlib.import_module("benchmarks.reading")


def test_two_things_are_measured_in_turn_and_each_first_every_other_time(measure: ModuleType) -> None:
    order: list[str] = []
    seconds = iter([2.0, 4.0, 5.0, 1.0, 3.0, 1.0])
    a, b, ratios = measure.alternately(
        lambda: order.append("a") or next(seconds), lambda: order.append("b") or next(seconds), 3
    )
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert (a, b, ratios) == ([2.0, 1.0, 3.0], [4.0, 5.0, 1.0], [0.5, 0.2, 3.0])
    row = measure.row_of("x", a, b, ratios, ("one", "other"), wanted=0.4)
    assert (row.ratio, row.lowest, row.highest) == (0.5, 0.2, 3.0)
    assert (row.of, row.against, row.verdict) == ("one 2 s", "other 4 s", "≤ 0.4: NO")


def test_operations_of_a_convolution_and_of_a_second_derivative_are_counted(measure: ModuleType) -> None:
    steps = importlib.import_module("benchmarks.steps")
    weight, image = torch.rand(4, 3, 3, 3, requires_grad=True), torch.rand(2, 3, 8, 8, requires_grad=True)
    one = 2 * 2 * 4 * 3 * 9 * 64
    with steps.Operations() as counter:
        out = torch.nn.functional.conv2d(image, weight, padding=1)
    assert counter.count == one
    with steps.Operations() as counter:
        (gradient,) = torch.autograd.grad(out.square().sum(), image, create_graph=True)
        gradient.square().sum().backward()
    assert counter.count >= 3 * one


def test_memory_stays_bounded_while_a_pool_goes_round_many_cells(reading: ModuleType, tmp_path: Path) -> None:
    path = reading.make_cells(tmp_path / "many.cells", 20_000, every=16)
    found = reading.in_child("reading:train_on_many", path=str(path), granted=10 << 20, steps=1, turns=190)
    assert found["pool_bytes"] <= 10 << 20
    assert found["file_bytes"] > 240_000_000  # all of which has been read by then
    assert 0 < found["memory_bytes"] < 170_000_000


def test_a_child_that_fails_says_why(measure: ModuleType) -> None:
    with pytest.raises(RuntimeError, match="NoSuchRecipe"):
        measure.in_child("steps:peak", recipe="NoSuchRecipe", size=24, width=4, batch=2, device="cpu")


@pytest.mark.slow
def test_a_quick_run_measures_every_row(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "--quick", "--device", "cpu", "--threads", "1", "--json", "out.json"]
    done = subprocess.run([*command[:-1], str(tmp_path / "out.json")], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    names = {row["name"] for row in figures["rows"]}
    expected = {"predict", "read batches", "open", "memory of many cells", "waiting for data", "step, batch 2"}
    expected |= {"plate", "folded", "crop", "crop, one killed", "crop, memory"}
    assert expected | {"memory, batch 2"} <= names
    assert all(f"| {name} |" in done.stdout for name in names)
    assert figures["machine"]["threads"] == 1
    assert figures["limits"]["matrix_flop_per_second"] > 1e8
    (predict,) = (row for row in figures["rows"] if row["name"] == "predict")
    assert predict["extra"]["largest_difference"] <= 1e-5
    (killed,) = (row for row in figures["rows"] if row["name"] == "crop, one killed")
    assert "A process was lost" in killed["floor"]
    (other,) = (row for row in figures["rows"] if row["name"] == "crop, other cells")
    assert other["ratio"] == 0


@pytest.mark.slow
def test_the_truth_teaches_a_generator_what_each_condition_does(capsys: pytest.CaptureFixture[str]) -> None:
    taught = importlib.import_module("benchmarks.taught")
    medians = []
    for steps in ("2", "40"):
        taught.main(["--cells", "12", "--scored", "8", "--steps", steps, "--batch-size", "8", "--device", "cpu"])
        lines = capsys.readouterr().out.splitlines()
        assert [line.split("  ")[1] for line in lines[:5]] == sorted(set(CONDITIONS) - {CONTROL})
        medians.append(float(lines[5].split()[1].rstrip(",")))
    assert medians[1] < 0.7 * medians[0]


@pytest.mark.slow
def test_trainings_that_are_made_to_run_away_go_back_and_stop(measure: ModuleType, tmp_path: Path) -> None:
    options = measure.Options(True, 1, torch.device("cpu"), tmp_path)
    once, again = importlib.import_module("benchmarks.runaway").rows(options)
    assert once.floor.startswith("The training ran away at step")
    assert "and goes on with a fifth of the discriminator's learning rate. Training finished after 40" in once.floor
    assert "again, with lower learning rates since step" in again.floor
    assert again.floor.endswith("train anew with another seed, a larger batch size or another recipe.")
    assert [row.verdict for row in (once, again)] == ["≤ 1: yes"] * 2


def test_what_two_cores_could_do_is_told_by_seconds_of_cpu(measure: ModuleType, tmp_path: Path) -> None:
    crop = importlib.import_module("benchmarks.crop")
    one, two = crop.Run(own=101, others=0), crop.Run(before=1, own=3, others=100)
    assert crop.by_cpu(one, two).endswith("1.94 times as fast at best")  # 1 s alone, and 102 s on two cores
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "pixels.npy").write_bytes(b"same")
    assert crop.same(tmp_path / "a", tmp_path / "b")
    (tmp_path / "b" / "pixels.npy").write_bytes(b"sane")
    assert not crop.same(tmp_path / "a", tmp_path / "b")


def test_a_slider_whose_first_update_comes_late_still_has_a_rate(measure: ModuleType) -> None:
    viewer = importlib.import_module("benchmarks.viewer")
    assert viewer.updates_a_second([0.1, 0.3, 0.5, 0.7], 0.5) == 6
    assert viewer.updates_a_second([0.8, 0.9], 0.5) == 1.25


def test_a_figure_that_is_no_number_is_not_written(
    measure: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    main = importlib.import_module("benchmarks.__main__")
    row = measure.row_against("endless", [float("inf")], 1.0, "of", "against")
    monkeypatch.setattr(main, "ROWS", {"endless": "nowhere:rows"})
    monkeypatch.setattr(main, "rows_named", lambda name: lambda options: iter([row]))
    with pytest.raises(ValueError, match="not JSON compliant"):
        main.main(["--quick", "--device", "cpu", "--json", str(tmp_path / "out.json")])
    assert not (tmp_path / "out.json").exists()


def test_a_row_that_is_not_there_is_said() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "speed"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "no row speed; the rows are measure, predict" in done.stderr


def test_variants_of_a_recipe_are_trained_and_scored(
    measure: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipes = importlib.import_module("benchmarks.recipes")
    assert recipes.recipe_of("default contrast=0 autoencoder_rates=0.001,0").autoencoder_rates == (0.001, 0)
    assert recipes.recipe_of("default upsampling=nearest").upsampling == "nearest"
    with pytest.raises(TrainingError, match="recipe paper has no value 'style' to choose; it has: upsampling"):
        recipes.recipe_of("paper style=0.5")
    cells = simulated_cells(48, size=24, seed=3, plates=2, conditions=("DMSO", "shrinkage"))
    source = cells.save(tmp_path / "screen.cells")
    options = ["--label", "compound", "--control", "DMSO", "--hold-out", "plate=sim-B", "--minutes", "0.005"]
    options += ["--size", "24", "--batch-size", "2", "--out", str(tmp_path / "out"), "--features", "fast", "quick"]
    recipes.main([str(source), *options, "--variants", "paper upsampling=bilinear_skip"])
    lines = capsys.readouterr().out.splitlines()
    head, _, real, found = ([part.strip() for part in line.split("|")[1:-1]] for line in lines if line.startswith("|"))
    assert head[:4] == ["recipe", "steps", "gap_closed", "gap_intensity"]
    assert head[-1] == "given back"
    assert (real[0], found[0]) == ("real cells", "paper upsampling=bilinear_skip")
    assert int(found[1]) >= 1
    assert float(found[2]) < float(real[2])
    assert json.loads((tmp_path / "out" / "01" / "scores.json").read_text())["gap_closed"] == pytest.approx(
        float(found[2]), abs=1e-3
    )
    assert (tmp_path / "out" / "01" / "montage.png").is_file()


def test_models_with_one_fault_each_have_that_fault(measure: ModuleType) -> None:
    faulty = importlib.import_module("benchmarks.faulty_models")
    model = load_model("simulated-screen")
    model.settings["hold_out"] = {"plate": ["sim-B"]}
    cells = simulated_cells(24, size=model.size, seed=3, plates=2)
    seen = faulty.training_cells(model, cells)
    assert set(seen.table["plate"]) == {"sim-A"}
    some = cells.take(np.flatnonzero(cells.is_control)[::3])
    made = {name: faulty.Answering(model, make(model, seen)) for name, make in faulty.FAULTS.items()}
    to = model.conditions[0]
    after = {name: one.predict(some, to, seed=0).pixels for name, one in made.items()}
    np.testing.assert_array_equal(after["identity"], some.pixels)
    np.testing.assert_array_equal(after["condition-blind"], made["condition-blind"].predict(some, "shrinkage").pixels)
    assert {cell.tobytes() for cell in after["copying"]} <= {cell.tobytes() for cell in seen.pixels}
    new = (some.table["plate"] == "sim-B").to_numpy()
    np.testing.assert_array_equal(after["by heart"][new], some.pixels[new])
    assert (after["by heart"][~new] != some.pixels[~new]).mean() > 0.9
    half = made["intensity only"].predict(some, to, strength=0.5).pixels.astype(float)
    np.testing.assert_allclose(half, (some.pixels + after["intensity only"].astype(float)) / 2, atol=0.51)
    assert made["identity"].name == model.name  # all else is the model's
