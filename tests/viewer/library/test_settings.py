from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from npe2 import PluginManifest

import napari_impa
from napari_impa.cache import CACHE
from napari_impa.viewer.library import models, settings
from napari_impa.viewer.library.settings import Settings, SettingsError, cache_folder, chosen_device, read_settings


@pytest.fixture
def preferences(plugin_settings: Any, npe2pm: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The preferences as napari makes them of the manifest."""
    from napari.settings import get_plugin_settings

    monkeypatch.delenv(CACHE)
    npe2pm.register(PluginManifest.from_file(Path(napari_impa.__file__).parent / "napari.yaml"))
    return get_plugin_settings("napari-impa").computing


def test_how_pixels_are_drawn(preferences: Any) -> None:
    from napari.settings import get_plugin_settings

    assert read_settings().interpolation2d == "linear"
    get_plugin_settings("napari-impa").pictures.interpolation = "squares"
    assert read_settings().interpolation2d == "nearest"


def test_defaults_of_the_manifest_are_the_defaults_here(preferences: Any) -> None:
    assert read_settings() == Settings()
    assert (preferences.device, preferences.batch_size, preferences.cache_folder) == ("auto", Settings.batch_size, "")


def test_not_installed_as_a_plugin(plugin_settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CACHE)
    assert read_settings() == Settings()


def test_what_was_chosen_counts(preferences: Any, tmp_path: Path, model_path: Path) -> None:
    preferences.device, preferences.batch_size, preferences.cache_folder = "cpu", 5, str(tmp_path / "cache")
    loaded = models.load(_token(), str(model_path))
    assert (loaded.batch_size, loaded.model.device.type) == (5, "cpu")
    models.remember(model_path)
    assert json.loads((tmp_path / "cache" / "recent-models.json").read_text()) == [str(model_path.resolve())]
    assert models.recent() == [model_path.resolve()]


def test_the_environment_wins(preferences: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    preferences.cache_folder = str(tmp_path / "preferred")
    monkeypatch.setenv(CACHE, str(tmp_path / "environment"))
    assert cache_folder() == tmp_path / "environment"


def test_a_cache_folder_that_is_a_file_is_told(
    preferences: Any, tmp_path: Path, model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    for wrong in (str(tmp_path / "file"), str(tmp_path / "file" / "below")):
        preferences.cache_folder = wrong
        with pytest.raises(SettingsError, match="Preferences ▸ Plugins ▸ IMPA"):
            cache_folder()
    said: list[str] = []
    monkeypatch.setattr(models, "show_warning", said.append)
    models.remember(model_path)
    assert "cannot be written" in said[0]
    assert models.recent() == []


def test_a_device_that_is_not_there_is_told(
    preferences: Any, monkeypatch: pytest.MonkeyPatch, model_path: Path
) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    preferences.device = "cuda"
    with pytest.raises(SettingsError, match=r"Preferences.*choose auto or cpu"):
        chosen_device()
    with pytest.raises(SettingsError):
        models.load(_token(), str(model_path))


def test_values_that_make_no_sense_are_refused(preferences: Any) -> None:
    for name, value in (("device", "tpu"), ("batch_size", 0)):
        with pytest.raises(ValueError):
            setattr(preferences, name, value)
    assert settings.read_settings() == Settings()


def _token() -> Any:
    from napari_impa.watch import Token

    return Token()
