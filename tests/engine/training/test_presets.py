"""Presets and recipes are lists, from which settings, form and command line take what they offer."""

from __future__ import annotations

from typing import get_args

import pytest

from napari_impa.engine.training.options import about_settings
from napari_impa.engine.training.presets import PRESETS
from napari_impa.engine.training.settings import TrainingSettings
from napari_impa.engine.training.steps import RECIPES
from napari_impa.errors import TrainingError


def test_settings_offer_what_is_listed() -> None:
    about = about_settings(TrainingSettings)
    for name, rows in (("preset", PRESETS), ("recipe", RECIPES)):
        kind, _, said = about[name]
        assert get_args(kind) == tuple(row.name for row in rows)  # of which the command line makes its choices
        assert said.choices == tuple((row.name, row.title) for row in rows)
        for row in rows:
            assert row.name in said.help
            assert getattr(TrainingSettings(**{name: row.name}), name) == row.name
    assert about["preset"][2].help == "width of the networks: tiny 16 (for a CPU), small 32, paper 64"
    assert [TrainingSettings(preset=row.name).width for row in PRESETS] == sorted(row.width for row in PRESETS)


@pytest.mark.parametrize(("name", "words"), [("preset", "tiny, small, paper"), ("recipe", "default, paper")])
def test_what_is_not_listed_is_refused(name: str, words: str) -> None:
    with pytest.raises(TrainingError, match=f"{name} is one of {words}, not 'huge'"):
        TrainingSettings(**{name: "huge"})  # type: ignore[arg-type]
