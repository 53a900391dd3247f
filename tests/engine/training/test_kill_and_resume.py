"""A training killed with SIGKILL again and again, and resumed, ends with the weights of one that was never killed.

`KILLS=20 pytest -s --slow tests/engine/training/test_kill_and_resume.py` prints how many kills hit, and what they hit.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from napari_impa.cells.simulated.screen import simulated_cells
from napari_impa.engine.model import tensor_file
from napari_impa.engine.model.model import IMPA
from napari_impa.engine.training.run_folder.run import Run

KILLS = int(os.environ.get("KILLS", "2"))
"""Each takes a start of the program."""

STEPS = 20 * KILLS

NARROW = Path(__file__).parents[1] / "narrow.py"


def start(source: Path, folder: Path, recipe: str) -> subprocess.Popen[str]:
    options = {
        "--out": folder, "--recipe": recipe, "--steps": STEPS, "--size": 24, "--batch-size": 2, "--device": "cpu",
        "--threads": 1, "--checkpoint-seconds": 0.2, "--hold-out": "plate=sim-B",
    }  # fmt: skip
    command = [sys.executable, NARROW, "train", source, "--resume"]
    command += [word for pair in options.items() for word in pair]
    return subprocess.Popen(
        list(map(str, command)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


def wait_until(process: subprocess.Popen[str], run: Run, step: int) -> None:
    """Wait until the training has begun and its checkpoint has come to a step."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("The best model is kept"):
            break
    while step and tensor_file.read_header(run.checkpoint_path)["step"] < step:
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.01)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
@pytest.mark.parametrize("recipe", ["default", pytest.param("paper", marks=pytest.mark.slow)])
def test_killed_at_random_moments(tmp_path: Path, recipe: str) -> None:
    cells = simulated_cells(44, size=24, seed=3, plates=2, conditions=("DMSO", "shrinkage"))
    source = cells.save(tmp_path / "screen.cells")
    whole, broken = Run(tmp_path / "whole"), Run(tmp_path / "broken")
    process = start(source, whole.folder, recipe)
    _, said = process.communicate()
    assert process.returncode == 0, said

    rng = random.Random(0)
    moments = sorted(rng.sample(range(1, STEPS * 9 // 10), KILLS - 1))
    writes = 0
    for number, step in enumerate([0, *moments]):
        process = start(source, broken.folder, recipe)
        wait_until(process, broken, step)
        time.sleep(rng.uniform(0, 0.3))
        until = time.monotonic() + number % 2  # every second kill waits for a file that is just being written
        while not list(broken.folder.rglob(".*.partial*")) and time.monotonic() < until:
            pass
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL, "the training ended before it was killed: more STEPS are needed"
        writes += bool(list(broken.folder.rglob(".*.partial*")))
    process = start(source, broken.folder, recipe)
    _, said = process.communicate()
    assert process.returncode == 0, said

    last = [tensor_file.read_tensors(run.checkpoint_path)[0] for run in (whole, broken)]
    models = [IMPA.load(run.last_path) for run in (whole, broken)]
    best = [IMPA.load(run.model_path) for run in (whole, broken)]
    print(
        f"\n{recipe}: {KILLS} kills hit, {writes} of them while a file was written; {STEPS} steps; "
        f"last models {models[0].hash} and {models[1].hash}, best {best[0].hash} and {best[1].hash}"
    )
    assert last[0].keys() == last[1].keys()
    assert all(torch.equal(value, last[1][name]) for name, value in last[0].items())
    assert models[0].hash == models[1].hash
    assert list(broken.history["step"]) == list(range(1, STEPS + 1))
    losses = [run.history.drop(columns="seconds") for run in (whole, broken)]
    assert losses[0].equals(losses[1])
    assert not list(broken.folder.rglob(".*.partial*"))
