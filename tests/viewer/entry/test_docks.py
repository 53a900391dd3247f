"""The docks that napari offers: each is named once in the manifest, under its own title."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
import yaml

import napari_impa
from napari_impa.viewer.kit.docks import Dock

MANIFEST = yaml.safe_load((Path(napari_impa.__file__).parent / "napari.yaml").read_text(encoding="utf-8"))
COMMANDS = {command["id"]: command for command in MANIFEST["contributions"]["commands"]}


@pytest.mark.parametrize("widget", MANIFEST["contributions"]["widgets"], ids=lambda widget: widget["command"])
def test_a_widget_is_a_dock_of_the_same_title(widget: dict[str, str]) -> None:
    module, _, name = COMMANDS[widget["command"]]["python_name"].partition(":")
    dock = getattr(import_module(module), name)
    assert issubclass(dock, Dock)
    assert dock.title == widget["display_name"] == COMMANDS[widget["command"]]["title"]
