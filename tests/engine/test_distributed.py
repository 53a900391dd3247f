"""Several processes train one model; some started by torchrun itself.  `pytest -s --slow` prints the differences."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_impa.cells.simulated.screen import simulated_cells, write_simulated_screen
from napari_impa.cli.main import main
from napari_impa.engine.distributed import Processes, processes
from napari_impa.engine.model.model import IMPA
from napari_impa.engine.training.run_folder.run import Run
from napari_impa.errors import ModelError, TrainingError

SCRIPT = str(Path(__file__).with_name("train_in_double.py"))
IMPA_COMMAND = (str(Path(__file__).with_name("narrow.py")),)
QUIET = {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}


def torchrun(count: int, *arguments: object) -> tuple[int, str, str]:
    """Run processes as users do."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    done = subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, text=True, timeout=900, env={**os.environ, **QUIET}
    )
    return done.returncode, done.stdout, done.stderr


class Group:
    """Processes that know each other as torchrun would tell them, without its own, which imports torch too."""

    def __init__(self, count: int, *arguments: object) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        group = {"WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)} if count > 1 else {}
        self.out, self.err = tempfile.TemporaryFile("w+"), tempfile.TemporaryFile("w+")  # noqa: SIM115  (`end` closes them)
        self.members = [
            subprocess.Popen(
                [sys.executable, *map(str, arguments)], stdout=self.out, stderr=self.err, text=True,
                env={**os.environ, **QUIET, **group, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            )
            for rank in range(count)
        ]  # fmt: skip

    def end(self, seconds: float = 900) -> tuple[int, str, str]:
        """Wait for all, or for the first that fails, which ends the others: its exit code, and what all said."""
        until = time.monotonic() + seconds
        while any(one.poll() is None for one in self.members):
            if any(one.poll() for one in self.members) or time.monotonic() > until:
                for one in self.members:
                    one.terminate()
            time.sleep(0.05)
        code = next((one.returncode for one in self.members if one.returncode), 0)
        said = []
        for file in (self.out, self.err):
            file.seek(0)
            said.append(file.read())
            file.close()
        return code, said[0], said[1]


def together(count: int, *arguments: object) -> tuple[int, str, str]:
    return Group(count, *arguments).end()


@given(st.integers(0, 300), st.integers(1, 9))
def test_every_row_is_some_process_s(total: int, count: int) -> None:
    parts = [Processes(rank, count).rows(total) for rank in range(count)]
    assert [row for part in parts for row in range(total)[part]] == list(range(total))
    sizes = [part.stop - part.start for part in parts]
    assert max(sizes) - min(sizes) <= 1


def test_a_process_alone_waits_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.setenv("WORLD_SIZE", "8")  # of some other launcher
    with processes() as group:
        assert (group.rank, group.count, group.is_first) == (0, 1, True)
        group.agree()
        assert group.total([1.5, 2.0]) == [1.5, 2.0]
        assert group.device("auto") == "auto"
        parameter = torch.nn.Parameter(torch.ones(2))
        group.average_gradients([parameter], 1.0)
        assert parameter.grad is None
    with pytest.raises(TrainingError, match="my own"), group.together():
        raise TrainingError("my own")


def test_every_process_takes_its_own_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Processes(1, 2).device("cpu") == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert Processes(1, 2).device("auto") == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", lambda number: None)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert Processes(5, 8).device("auto") == "cuda:1"
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(ModelError, match="start 2 of them"):
        Processes(2, 4).device("cuda")
    with pytest.raises(ModelError, match="not 'mps'"):
        Processes(0, 2).device("mps")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 × 3 simulated cells of 24 px on two plates."""
    cells = simulated_cells(24, size=24, seed=3, plates=2, conditions=("DMSO", "shrinkage", "mitotic arrest"))
    return cells.save(tmp_path_factory.mktemp("screen") / "screen.cells")


def difference(one: Path, two: Path, step: int) -> float:
    a, b = (torch.load(folder / f"{step}.pt", weights_only=True) for folder in (one, two))
    assert a.keys() == b.keys()
    return max(float((a[name] - b[name]).abs().max()) for name in a)


@pytest.mark.parametrize(
    ("batches", "count"),  # shares of different sizes, and of fours, whose spread `default` looks at; of three; larger
    [
        ({"paper": 5, "default": 8}, 2),
        pytest.param({"paper": 5}, 3, marks=pytest.mark.slow),
        pytest.param({"default": 16, "paper": 16}, 2, marks=pytest.mark.slow),
    ],
)
def test_several_processes_follow_one(source: Path, tmp_path: Path, batches: dict[str, int], count: int) -> None:
    asked = ",".join(f"{recipe}={batch}" for recipe, batch in batches.items())
    for number, folder in ((1, tmp_path / "one"), (count, tmp_path / "several")):
        code, _, err = together(number, SCRIPT, source, folder, asked)
        assert code == 0, err
    for recipe, batch in batches.items():
        one, several = tmp_path / "one" / recipe, tmp_path / "several" / recipe
        first, last = (difference(one, several, step) for step in (1, 20))
        print(f"\n{recipe}, {batch} cells a step, {count} processes: {first:.1e} after 1 step, {last:.1e} after 20")
        assert first < 1e-9
        assert last < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["default", "paper"])
def test_in_single_precision_they_follow_as_near_as_one_follows_itself(
    source: Path, tmp_path: Path, recipe: str
) -> None:
    for name, count, threads in (("one", 1, 1), ("threads", 1, 2), ("two", 2, 1)):
        code, _, err = together(count, SCRIPT, source, tmp_path / name, f"{recipe}=8", "single", threads)
        assert code == 0, err
    itself, other = (difference(tmp_path / "one" / recipe, tmp_path / name / recipe, 20) for name in ("threads", "two"))
    print(f"\n{recipe}, single precision, 20 steps: {other:.1e} with two processes, {itself:.1e} with two threads")
    assert other < 3 * itself


def test_all_go_back_where_losses_run_away(source: Path, tmp_path: Path) -> None:
    code, _, err = together(2, SCRIPT.replace("in_double", "until_lost"), source, tmp_path, 50)
    assert code == 0, err
    one, other = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    assert len(one["told"]) == 1
    assert one["told"] == other["told"]
    assert "ran away at step" in one["told"][0]
    assert err.count("ran away") == 1
    assert one["lowered"] == other["lowered"] == (0.2, 1.0)
    assert all(torch.equal(value, other["weights"][name]) for name, value in one["weights"].items())
    assert Run(tmp_path / "run").history["step"].tolist() == list(range(1, 41))


def test_the_command_line_under_torchrun(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    options = ["--size", 24, "--batch-size", 3, "--device", "cpu", "--checkpoint-seconds", 0]
    code, out, err = torchrun(2, *IMPA_COMMAND, "train", source, "--out", folder, "--steps", 3, *options)
    assert code == 0, err
    assert out.count("Training finished after 3 steps") == 1
    assert "2 times" in out
    assert Run(folder).history["step"].tolist() == [1, 2, 3]
    code, out, err = together(2, *IMPA_COMMAND, "train", source, "--out", folder, "--steps", 5, *options, "--resume")
    assert code == 0, err
    assert Run(folder).history["step"].tolist() == [1, 2, 3, 4, 5]
    assert IMPA.load(Run(folder).last_path).history["steps"] == 5


@pytest.mark.slow
def test_the_command_line_refuses_under_torchrun_what_it_refuses_alone(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    options = ["--size", 24, "--batch-size", 3, "--device", "cpu"]
    code, _, err = torchrun(2, *IMPA_COMMAND, "train", source, "--out", folder, "--steps", 5, *options)
    assert code != 0
    assert err.count("napari-impa: ") == 1
    assert "holds a run already" in err
    code, _, err = torchrun(2, *IMPA_COMMAND, "train", source, "--out", tmp_path / "x", "--batch-size", 1, "--size", 24)
    assert code != 0
    assert err.count("napari-impa: ") == 1
    assert "take a batch size of at least 2" in err


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
def test_all_stop_where_one_is_asked_to(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    options = ["--size", 24, "--batch-size", 2, "--device", "cpu", "--checkpoint-seconds", 0, "--steps", 100_000]
    group = Group(2, *IMPA_COMMAND, "train", source, "--out", folder, *options)
    until = time.monotonic() + 120
    while not Run(folder).checkpoint_path.is_file() and time.monotonic() < until:
        time.sleep(0.1)
    time.sleep(1)
    group.members[1].send_signal(signal.SIGINT)
    _, out, err = group.end(60)
    assert "Training stopped after" in out, err
    steps = Run(folder).history["step"]
    assert steps.tolist() == list(range(1, len(steps) + 1))


def test_an_error_of_one_process_stops_all_and_is_said_once(source: Path, tmp_path: Path) -> None:
    script = tmp_path / "fail.py"
    script.write_text(
        "import sys\n"
        "from napari_impa.cli.main import main\n"
        "from napari_impa.engine.training.steps.step import Step\n"
        "from napari_impa.errors import TrainingError\n"
        "import os\n"
        "make = Step.__call__\n"
        "def fail(self, batch, step, stage, **how):\n"
        "    if step == 2 and os.environ['RANK'] == '1':\n"
        "        raise TrainingError('only the second process failed')\n"
        "    return make(self, batch, step, stage, **how)\n"
        "Step.__call__ = fail\n"
        "main()\n"
    )
    began = time.monotonic()
    options = ["--size", 24, "--batch-size", 2, "--device", "cpu", "--steps", 50]
    code, _, err = together(2, script, "train", source, "--out", tmp_path / "run", *options)
    assert code != 0
    assert err.count("napari-impa: only the second process failed") == err.count("napari-impa: ") == 1
    assert time.monotonic() - began < 60  # nobody waited for a time-out


@pytest.mark.parametrize("count", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_predict_and_crop_together_write_what_one_writes(
    tmp_path: Path, count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = simulated_cells(30, size=64, seed=3, plates=2, conditions=("DMSO", "shrinkage"))
    table = cells.table.assign(note=np.where(cells.table.index % 7 == 0, "a, b", ""))
    source = type(cells)(cells.pixels, table, cells.channels, 0.5, cells.label, cells.control).save(
        tmp_path / "a.cells"
    )
    fields = write_simulated_screen(tmp_path / "screen", size=200, batches=2, conditions=("DMSO", "shrinkage"))
    predict = ["predict", "simulated-screen", source, "--to", "shrinkage", "mitotic arrest", "--all-cells"]
    predict += ["--device", "cpu", "--batch-size", "8"]
    crop = ["crop", fields, "--segment", "nuclei", "--size", "48"]
    for number, command in enumerate((predict, crop)):
        made = []
        for processes_ in (1, count):
            out = tmp_path / f"{number}-{processes_}.cells"
            if processes_ == 1:
                main(list(map(str, (*command, "--out", out))))
                said = capsys.readouterr().out
            else:
                code, said, err = together(processes_, *IMPA_COMMAND, *command, "--out", out)
                assert code == 0, err
            made.append(({path.name: path.read_bytes() for path in out.iterdir()}, said.replace(out.name, "")))
        assert made[0] == made[1]
    assert len(pd.read_csv(tmp_path / f"0-{count}.cells" / "table.csv")) == 120
    assert not list(tmp_path.glob(".*"))
