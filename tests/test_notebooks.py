"""The notebooks of the guides: without outputs in the repository, shown by the site, and run from begin to end."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "docs" / "notebooks").glob("*.ipynb"))
SMALL = {"STEPS": "2", "CELLS": "80", "MINUTES": "0.02", "PRESET": '"tiny"'}
"""What a notebook's first cell sets, as it is set here."""


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def code(path: Path) -> list[str]:
    """Cells of code, without IPython's own lines."""
    cells = ["".join(cell["source"]) for cell in read(path)["cells"] if cell["cell_type"] == "code"]
    return [re.sub(r"^[%!].*$", "pass", cell, flags=re.M) for cell in cells]


def test_there_are_five() -> None:
    assert len(NOTEBOOKS) == 5
    (ten,) = (path for path in NOTEBOOKS if "ten-cells" in path.name)
    assert len(code(ten)) == 10


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_kept_without_outputs_and_is_python(path: Path) -> None:
    for cell in read(path)["cells"]:
        assert cell.get("outputs", []) == []
        assert cell.get("execution_count") is None
    tree = ast.parse("\n".join(code(path)))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("napari_impa"):
            module = __import__(str(node.module), fromlist=["_"])
            assert [alias.name for alias in node.names if not hasattr(module, alias.name)] == []


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    monkeypatch.setenv("MPLBACKEND", "agg")
    notebook = nbformat.read(str(path), as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.source = re.sub(r"^%pip .*$", "", cell.source, flags=re.M)
            for name, value in SMALL.items():
                cell.source = re.sub(rf"^{name} = \S+", f"{name} = {value}", cell.source, flags=re.M)
    client.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
