"""Networks trained on photographs, by stand-ins: their protocol, and what is said where their weights are not there."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pretrained_stand_ins import MODULES, dinov2_tensors

from napari_impa.analysis.features import dinov2, inception
from napari_impa.analysis.features.colour_images import colour_images
from napari_impa.analysis.features.dinov2 import DINOV2
from napari_impa.analysis.features.inception import INCEPTION
from napari_impa.analysis.features.published_weights import NETWORKS, PublishedWeights
from napari_impa.cache import CACHE
from napari_impa.errors import CellsError, FetchError, MissingDependencyError

LIMITS = np.array([[100.0, 1100.0]] * 3)
pretrained = pytest.mark.parametrize("module", MODULES.values(), ids=MODULES)


@pytest.fixture(scope="module")
def crops() -> np.ndarray[Any, np.dtype[np.float64]]:
    """Three crops of three channels, of noise and a bright square."""
    pixels = np.random.default_rng(3).normal(500, 100, (3, 3, 24, 24))
    pixels[:, :, 8:16, 8:16] += 400 * np.arange(3)[:, None, None, None]
    return pixels


def test_three_channels_are_a_colour_image_and_grey_ones() -> None:
    pixels = np.zeros((1, 3, 2, 2))
    pixels[0, 0], pixels[0, 1], pixels[0, 2] = 200, [[-5, 99], [np.nan, 5000]], 1100
    images = colour_images(pixels, np.array([[100, 300], [100, 300], [1000, 1200]]))
    assert images.shape == (1, 4, 3, 2, 2)
    assert images.dtype == np.uint8
    assert images[0, 0, 0].tolist() == [[128, 128]] * 2  # rounded to even, of 127.5
    assert images[0, 0, 1].tolist() == [[0, 0], [0, 255]]
    for channel in range(3):
        assert (images[0, 1 + channel] == images[0, 0, channel]).all()


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_other_numbers_of_channels_are_grey_images_alone(channels: int) -> None:
    images = colour_images(np.full((2, channels, 4, 4), 7), np.array([[0, 255]] * channels))
    assert images.shape == (2, channels, 3, 4, 4)
    assert (images == 7).all()


@pretrained
def test_features_do_not_depend_on_how_many_cells_are_described_at_a_time(
    module: Any, stand_ins: object, crops: np.ndarray
) -> None:
    describe = {inception: INCEPTION, dinov2: DINOV2}[module].describe
    whole = describe(crops, LIMITS)
    assert np.ptp(whole, axis=0).max() > 0.01
    np.testing.assert_array_equal(np.concatenate([describe(crops[:2], LIMITS), describe(crops[2:], LIMITS)]), whole)


def test_inception_is_what_torch_fidelity_computes(stand_ins: object, crops: np.ndarray) -> None:
    """Of 8-bit images at once, by its own way to extract features."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    at = str(inception.WEIGHTS.path)
    network = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], feature_extractor_weights_path=at)
    colour = torch.from_numpy(np.rint((np.clip(crops, 100, 1100) - 100) * 0.255).astype(np.uint8))
    expected = network(colour)[0].numpy()
    found = INCEPTION.describe(crops, LIMITS)
    assert found.shape == (3, 4 * 2048)
    np.testing.assert_allclose(found[:, :2048], expected, atol=1e-4)
    np.testing.assert_allclose(found[:, 2 * 2048 : 3 * 2048], network(colour[:, [1, 1, 1]])[0].numpy(), atol=1e-4)


def test_dinov2_is_what_its_transformer_computes(stand_ins: object, crops: np.ndarray) -> None:
    """Written out once more from the paper's definition, with positions brought to 16 by 16 as torch does it."""
    from torch.nn import functional as F

    tensors = dinov2_tensors()
    grey = torch.from_numpy(np.rint((np.clip(crops[:1, :1], 100, 1100) - 100) * 0.255)).float() / 255
    image = F.interpolate(grey.repeat(1, 3, 1, 1), (224, 224), mode="bicubic", antialias=True).clip(0, 1)
    image = (image - torch.tensor(dinov2.MEAN)[:, None, None]) / torch.tensor(dinov2.SD)[:, None, None]
    patches = F.conv2d(image, tensors["patch_embed.proj.weight"], tensors["patch_embed.proj.bias"], stride=14)
    tokens = torch.cat([tensors["cls_token"], patches.flatten(2).transpose(1, 2)], 1)
    grid = tensors["pos_embed"][:, 1:].view(1, 37, 37, 384).permute(0, 3, 1, 2)
    grid = F.interpolate(grid, (16, 16), mode="bicubic", antialias=True).flatten(2).transpose(1, 2)
    x = tokens + torch.cat([tensors["pos_embed"][:, :1], grid], 1)
    for block in range(12):
        w = {name.removeprefix(f"blocks.{block}."): value for name, value in tensors.items()}
        normed = F.layer_norm(x, (384,), w["norm1.weight"], w["norm1.bias"], 1e-6)
        heads = F.linear(normed, w["attn.qkv.weight"], w["attn.qkv.bias"]).view(1, 257, 3, 6, 64)
        q, k, v = heads.permute(2, 0, 3, 1, 4)
        mixed = ((q @ k.transpose(-2, -1)) / 8).softmax(-1) @ v
        mixed = F.linear(mixed.transpose(1, 2).reshape(1, 257, 384), w["attn.proj.weight"], w["attn.proj.bias"])
        x = x + mixed * w["ls1.gamma"]
        normed = F.layer_norm(x, (384,), w["norm2.weight"], w["norm2.bias"], 1e-6)
        hidden = F.gelu(F.linear(normed, w["mlp.fc1.weight"], w["mlp.fc1.bias"]))
        x = x + F.linear(hidden, w["mlp.fc2.weight"], w["mlp.fc2.bias"]) * w["ls2.gamma"]
    expected = F.layer_norm(x, (384,), tensors["norm.weight"], tensors["norm.bias"], 1e-6)[:, 0].numpy()
    np.testing.assert_allclose(DINOV2.describe(crops[:1, :1], LIMITS[:1]), expected, atol=1e-4)


def test_stand_ins_have_the_published_number_and_size_of_tensors(stand_ins: dict[str, PublishedWeights]) -> None:
    assert {name: len(weights.read(weights.path)) for name, weights in stand_ins.items()} == {
        "inception": 566,
        "dinov2": 175,
    }
    assert stand_ins["inception"].bytes == pytest.approx(95_628_359, rel=2e-3)
    assert stand_ins["dinov2"].bytes == pytest.approx(88_283_115, rel=2e-3)


@pretrained
def test_nothing_is_fetched_unasked_and_it_is_said_what_to_do(
    module: Any, tmp_path: Path, crops: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_impa.analysis.features.published_weights.find_spec", lambda name: "there")
    monkeypatch.setenv(CACHE, str(tmp_path))
    space = {inception: INCEPTION, dinov2: DINOV2}[module]
    said = f"--features {space.name} fetches {round(module.WEIGHTS.bytes / 1e6)} MB"
    assert said in space.missing()
    module.WEIGHTS.path.parent.mkdir()
    module.WEIGHTS.path.write_bytes(b"")
    assert space.missing() == ""
    monkeypatch.setattr("napari_impa.analysis.features.published_weights.find_spec", lambda name: None)
    assert 'pip install "napari-impa[evaluate]"' in space.missing()


def test_another_file_is_never_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "went off",)

    weights = PublishedWeights("a.pth", "https://nowhere", "0" * 64, 1, (), "", "")
    monkeypatch.setenv(CACHE, str(tmp_path))
    (tmp_path / NETWORKS).mkdir()
    weights.path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(FetchError, match="not the file that was published"):
        weights.read(weights.path)
    assert not (tmp_path / "went off").exists()


@pretrained
def test_weights_that_are_not_there_are_told(
    module: Any, stand_ins: object, tmp_path: Path, crops: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE, str(tmp_path))
    with pytest.raises(FetchError, match="cannot be read"):
        {inception: INCEPTION, dinov2: DINOV2}[module].describe(crops, LIMITS)


@pretrained
@pytest.mark.parametrize("error", [ImportError("not there"), RuntimeError("operator torchvision::nms does not exist")])
def test_a_package_that_cannot_be_imported_is_told(module: Any, error: Exception) -> None:
    said = rf"{error}.*torch and torchvision from the same place"
    with pytest.raises(MissingDependencyError, match=said), module.WEIGHTS.importing():
        raise error


def test_limits_must_fit(stand_ins: object, crops: np.ndarray) -> None:
    with pytest.raises(CellsError, match="for each of the 3 channels"):
        INCEPTION.describe(crops, LIMITS[:2])
