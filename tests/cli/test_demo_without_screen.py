"""`napari-impa demo` where no window can be opened: the gallery as a picture, and how to get the window."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import napari_impa.viewer.entry.display as display
import napari_impa.work.catalog as catalog
from napari_impa.cli.main import main
from napari_impa.engine.model.model import IMPA


@pytest.fixture(autouse=True)
def no_screen(model: IMPA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a screen nor Xvfb, and a small model under the bundled one's name."""
    (tmp_path / "models").mkdir()
    monkeypatch.setattr(catalog, "BUNDLED", tmp_path / "models")
    model.save(tmp_path / "models" / catalog.DEFAULT_MODEL, compact=True)
    catalog.bundled_models.cache_clear()
    monkeypatch.setattr(display, "has_screen", lambda: False)
    monkeypatch.setattr(display, "require_viewer", lambda: None)
    monkeypatch.setattr(display.shutil, "which", lambda name: None)
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> int:
    """Exit code of a command."""
    try:
        main([*arguments])
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def test_it_writes_the_gallery_and_says_how_to_get_the_window(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert run("demo") == 0
    said = capsys.readouterr().out
    assert str(tmp_path / "napari-impa-demo.png") in said
    assert "There is no screen here" in said
    assert "demo --screenshot" in said
    with Image.open(tmp_path / "napari-impa-demo.png") as file:
        picture = np.asarray(file)
    assert picture.shape[1:] == (1200, 3)
    assert picture.std() > 10
    first = (tmp_path / "napari-impa-demo.png").read_bytes()
    assert run("demo") == 0  # and writes over nothing
    assert (tmp_path / "napari-impa-demo.png").read_bytes() == first
    assert (tmp_path / "napari-impa-demo-2.png").exists()


def test_a_screenshot_without_xvfb_is_the_gallery(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert run("demo", "--screenshot", "shots/a.png") == 0
    assert "no Xvfb" in capsys.readouterr().out
    with Image.open(tmp_path / "shots" / "a.png") as picture:
        assert picture.width == 1200
