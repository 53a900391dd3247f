"""What commands share: a bar that shows what a watch is told; and the list of the commands."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from napari_impa.cells.simulated.screen import write_simulated_screen
from napari_impa.cli import main
from napari_impa.cli.console import counted, progress_watch
from napari_impa.errors import ImpaError
from napari_impa.work.training_plan import Plan


@pytest.mark.parametrize(("rank", "parts", "words"), [(0, 1, "2000/4000"), (0, 1e3, "2.0/4.0"), (1, 1, "")])
def test_a_bar_shows_what_is_reported(
    rank: int, parts: float, words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress_watch("images", rank, parts=parts) as watch:
        time.sleep(0.15)  # it is drawn ten times a second
        watch.report(2000, 4000, "3 cells")
    shown = capsys.readouterr().err
    assert words in shown
    assert ("3 cells" in shown) == (rank == 0)
    assert bool(shown) == (rank == 0)


def test_a_bar_says_what_has_begun_before_anything_is_done(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress_watch("parts") as watch:
        watch.report(0, 10, "untreated control")
        first = capsys.readouterr().err
        assert "untreated control" in first
        assert "0/10" in first
        for _ in range(1000):  # it is not drawn for each
            watch.report(0, 10, "predicted")
        assert capsys.readouterr().err.count("predicted") < 10


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    main.main(["--help"])
    listed = {line.split()[1] for line in capsys.readouterr().out.splitlines() if line.startswith("│ ")}
    commands = {"crop", "demo", "evaluate", "look", "models", "plate", "predict", "profile", "runs", "screen"}
    commands |= {"simulate-plate", "train"}
    assert commands <= listed
    assert len(main.COMMANDS) == len(commands)


def test_train_is_told_which_channel_shows_nuclei_and_what_channels_are_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans: list[Plan] = []

    def read(plan: Plan, **how: object) -> None:
        plans.append(plan)
        raise ImpaError("enough")

    monkeypatch.setattr("napari_impa.work.training_plan.cells_of", read)
    folder = write_simulated_screen(tmp_path / "s", size=96, batches=1, conditions=("DMSO", "shrinkage"))
    named = ["--channels", "a", "b", "c", "--nuclei-channel", "a", "--label", "compound"]
    with pytest.raises(SystemExit):
        main.main(["train", str(folder), "--out", str(tmp_path / "run"), *named])
    assert (plans[0].nuclei_channel, plans[0].channels) == ("a", ("a", "b", "c"))


def test_counts_stand_apart_from_names() -> None:
    assert counted({"cycloheximide 15": 1388, "DMSO": 1}) == "cycloheximide 15: 1,388 cells, DMSO: 1 cell"
