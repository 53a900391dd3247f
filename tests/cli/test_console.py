"""What commands share: a bar that shows what a watch is told; and the list of the commands."""

from __future__ import annotations

import sys
import time

import pytest

from napari_impa.cli import main
from napari_impa.cli.console import progress_watch


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


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    main.main(["--help"])
    listed = {line.split()[1] for line in capsys.readouterr().out.splitlines() if line.startswith("│ ")}
    commands = {"crop", "demo", "evaluate", "look", "models", "plate", "predict", "runs", "simulate-plate", "train"}
    assert commands <= listed
    assert len(main.COMMANDS) == len(commands)
