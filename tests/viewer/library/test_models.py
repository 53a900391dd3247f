from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_impa.viewer.library import models


def test_each_line_of_the_list_says_what_the_model_is(plugin_settings: Any, tmp_path: Path, model_path: Path) -> None:
    damaged = tmp_path / "damaged.impa"
    damaged.write_bytes(b"no model")
    for path in (damaged, model_path):
        models.remember(path)
    lines = {choice.title: choice for choice in models.choices()}
    batches = lines["Simulated batches"].about
    assert "batch correction" in batches
    assert "Comes with: napari-impa" in batches
    assert "DNA, actin, tubulin · 48 px · 2 batches" in batches
    opened = lines[f"small ({model_path.parent.resolve()})"].about
    assert str(model_path) in opened
    assert "48 px · 5 conditions" in opened
    assert "Task: perturbation" in opened
    assert lines[f"damaged ({tmp_path.resolve()})"].about == ""  # it is told when it is chosen
    assert lines["Simulated batches"].channels == ("DNA", "actin", "tubulin")
    assert lines["Simulated batches"].pixel_size == 0.65
    fetched = next(choice for choice in lines.values() if choice.key == "impa-bbbc021-six")
    assert fetched.to_fetch
    assert "Task: perturbation" in fetched.about
    assert len(fetched.channels) == 3
