"""Fixtures for every room."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder with real images and reference numbers; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("NAPARI_IMPA_SHARED", Path(__file__).parents[2] / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip(f"needs the real images and reference numbers (set NAPARI_IMPA_SHARED; looked in {folder})")
    return folder
