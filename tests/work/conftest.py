"""Fixtures of what a user does without a window."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the user's fetched models out of the tests."""
    monkeypatch.setenv("NAPARI_IMPA_CACHE", str(tmp_path))
    return tmp_path
