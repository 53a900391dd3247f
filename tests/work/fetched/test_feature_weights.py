"""Weights of feature spaces: fetched when asked for, checked, given up when told to, and said in a sentence."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from local_server import Server

from napari_impa.analysis.features import FEATURE_SPACES, FeatureSpace
from napari_impa.analysis.features.published_weights import PublishedWeights
from napari_impa.cache import CACHE
from napari_impa.errors import FetchError, MissingDependencyError
from napari_impa.fetching import files
from napari_impa.watch import CancelledError, Reported, Token
from napari_impa.work.fetched.feature_weights import fetch_feature_weights

CONTENT = bytes(range(256)) * 4000
WEIGHTS = PublishedWeights("w.pth", "", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT), ("json",), "", "")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))
    monkeypatch.setattr(files.fetch_file, "__kwdefaults__", files.fetch_file.__kwdefaults__ | {"patience": (0, 0)})
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "w.pth").write_bytes(CONTENT)
    with Server(folder) as server:
        yield server


def space_of(weights: PublishedWeights | None) -> FeatureSpace:
    quick = next(space for space in FEATURE_SPACES if space.name == "quick")
    return replace(quick, weights=weights, missing=lambda: weights.missing("quick") if weights else "")


@pytest.fixture
def space(server: Server) -> FeatureSpace:
    return space_of(replace(WEIGHTS, url=server.url("w.pth")))


def test_weights_are_fetched_once_with_progress(server: Server, space: FeatureSpace) -> None:
    assert space.weights is not None
    assert "fetches 1 MB" in space.missing()
    told: list[tuple[int, int, str]] = []
    for _ in range(2):
        fetch_feature_weights(space, watch=Reported(lambda done, of, what: told.append((done, of, what))))
    assert space.missing() == ""
    assert space.weights.path.read_bytes() == CONTENT
    assert len(server.requests) == 1
    assert told == sorted(told)
    assert told[-1] == (len(CONTENT), len(CONTENT), "the network of the features quick")


@pytest.mark.parametrize(
    ("faults", "said"),
    [([404], "HTTP 404"), ([("cut", 1000)] * 3, "cannot be reached or breaks"), ([503] * 3, "busy")],
)
def test_what_does_not_work_is_told_and_leaves_nothing(
    server: Server, space: FeatureSpace, faults: list[object], said: str
) -> None:
    assert space.weights is not None
    server.faults.extend(faults)
    with pytest.raises(FetchError, match=rf"^The network of the features quick: .*{said}"):
        fetch_feature_weights(space)
    assert not list(space.weights.path.parent.glob("*"))


def test_a_cut_transfer_is_tried_again(server: Server, space: FeatureSpace) -> None:
    server.faults.append(("cut", 1000))
    fetch_feature_weights(space)
    assert space.missing() == ""


def test_another_file_is_refused(server: Server, space: FeatureSpace) -> None:
    assert space.weights is not None
    (server.folder / "w.pth").write_bytes(CONTENT[:-1] + b"!")
    with pytest.raises(FetchError, match="SHA-256 differs"):
        fetch_feature_weights(space)
    assert not space.weights.path.exists()


def test_without_a_network_it_is_said_so(space: FeatureSpace) -> None:
    assert space.weights is not None
    nowhere = space_of(replace(space.weights, url="http://127.0.0.1:9/w.pth"))
    with pytest.raises(FetchError, match=r"127\.0\.0\.1 cannot be reached"):
        fetch_feature_weights(nowhere)


def test_it_can_be_left(space: FeatureSpace) -> None:
    assert space.weights is not None
    token = Token(lambda progress: token.cancel())
    with pytest.raises(CancelledError):
        fetch_feature_weights(space, watch=token)
    assert not list(space.weights.path.parent.glob("*"))


def test_packages_come_first(server: Server, space: FeatureSpace) -> None:
    assert space.weights is not None
    with pytest.raises(MissingDependencyError, match=r"pip install"):
        fetch_feature_weights(space_of(replace(space.weights, packages=("no_such_package",))))
    assert not server.requests


def test_a_space_without_weights_needs_nothing(server: Server) -> None:
    fetch_feature_weights(space_of(None))
    assert not server.requests


def test_the_published_ones_are_told_apart_and_named_in_full() -> None:
    all_weights = [space.weights for space in FEATURE_SPACES if space.weights is not None]
    assert {one.sha256[:8] for one in all_weights} == {"6726825d", "b938bf1b"}
    for one in all_weights:
        assert len(one.sha256) == 64
        assert one.url.startswith("https://")
        assert one.url.endswith(one.file)
        assert one.licence
        assert one.citation
