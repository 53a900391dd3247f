"""Samples and models that are fetched while the window goes on: progress, stopping, no network, closing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from local_server import Server, sparse_archive
from napari.utils import progress
from npe2 import PluginManifest

import napari_impa
from napari_impa.engine.model.networks import Networks
from napari_impa.engine.model.shape import Shape
from napari_impa.engine.published.checkpoint_folder import NETWORKS
from napari_impa.fetching import archive as fetching_archive
from napari_impa.fetching import files
from napari_impa.fetching.image_sets import BBBC014, BBBC022
from napari_impa.fetching.members import sha256_of
from napari_impa.viewer.entry import samples
from napari_impa.viewer.library import fetching
from napari_impa.viewer.perturb.dock import PerturbDock
from napari_impa.viewer.perturb.form import model_rows
from napari_impa.watch import Watch

NAME = "impa-rxrx1-batch"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    served = tmp_path / "served"
    served.mkdir()
    with Server(served) as server:
        yield server


@pytest.fixture
def wells(server: Server, monkeypatch: pytest.MonkeyPatch) -> Any:
    """BBBC014 of small pictures, on the loopback."""
    found = []
    for number, one in enumerate(BBBC014.files):
        path = server.folder / f"{number}.tif"
        tifffile.imwrite(path, np.random.default_rng(number).integers(0, 255, (300, 400)).astype(np.uint8))
        url, size = server.url(path.name), path.stat().st_size
        found.append(replace(one, file=path.name, url=url, sha256=sha256_of(path), bytes=size))
    wells = replace(BBBC014, files=tuple(found))
    monkeypatch.setattr(samples, "BBBC014", wells)
    monkeypatch.setattr(files.fetch_file, "__kwdefaults__", files.fetch_file.__kwdefaults__ | {"patience": ()})
    return wells


@pytest.fixture
def archive(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The archive of published models on the loopback, with one small model."""
    shape = Shape(32, 6, width=2, style_dim=3, noise_dim=8, embedding_dims=(10,), conditions=(3,))
    networks = Networks(shape).initialize(torch.Generator().manual_seed(0))
    folder = "r/checkpoints/rxrx1_batch"

    def saved(content: Any) -> bytes:
        torch.save(content, server.folder / "part")
        return (server.folder / "part").read_bytes()

    parts = {name: dict(networks.get_submodule(name).state_dict()) for name in (*NETWORKS, "embedding_matrix")}
    table = {"embedding_matrix": parts.pop("embedding_matrix")}
    members = {f"{folder}/000100_nets.ckpt": saved(parts), f"{folder}/000100_embeddings.ckpt": saved(table)}
    sparse_archive(server.folder / "a.zip", members, hole=0)
    how = {"url": server.url("a.zip"), "patience": ()}
    defaults = fetching_archive.fetch_archive_model.__kwdefaults__ | how
    monkeypatch.setattr(fetching_archive.fetch_archive_model, "__kwdefaults__", defaults)
    return server


def put(viewer: Any, layers: list[Any]) -> None:
    """What napari does with what a sample gives."""
    for data in layers:
        viewer._add_layer_from_data(*data)


def test_a_sample_comes_in_the_background(
    make_napari_viewer: Callable[..., Any], settle: Callable[..., None], wells: Any, own_list_of_models: Path
) -> None:
    viewer = make_napari_viewer()
    put(viewer, samples.bbbc014())
    assert [layer.name for layer in viewer.layers] == [f"{wells.title}: fetching 0.5 MB …"]
    settle(lambda: len(viewer.layers) == 4)
    names = ["NFκB · untreated", "DAPI · untreated", "NFκB · TNFα", "DAPI · TNFα"]
    assert [layer.name for layer in viewer.layers] == names
    assert [layer.metadata["control"] for layer in viewer.layers] == [1, 1, 0, 0]
    assert viewer.layers[2].translate[1] > 400 > viewer.layers[0].translate[1] == 0
    assert "Ravkin" in viewer.layers[0].metadata["citation"]
    assert not progress._all_instances
    put(viewer, samples.bbbc014())  # now it is here, and opens at once
    assert len(viewer.layers) == 8
    viewer.layers.clear()
    wells.paths(own_list_of_models.parent)[0].write_bytes(b"damaged")
    put(viewer, samples.bbbc014())
    assert len(viewer.layers) == 1
    settle(lambda: len(viewer.layers) == 4)


def test_a_sample_without_a_network_is_told(
    make_napari_viewer: Callable[..., Any],
    settle: Callable[..., None],
    wells: Any,
    npe2pm: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    npe2pm.register(PluginManifest.from_file(Path(napari_impa.__file__).parent / "napari.yaml"))
    said: list[str] = []
    monkeypatch.setattr(fetching, "notify", lambda failure: said.append(failure.message))
    gone = replace(wells, files=tuple(replace(one, url="http://127.0.0.1:9/x.tif") for one in wells.files))
    monkeypatch.setattr(samples, "BBBC014", gone)
    viewer = make_napari_viewer()
    viewer.open_sample("napari-impa", "bbbc014")  # as from the menu
    settle(lambda: said and not viewer.layers)
    assert "cannot be reached" in said[0]
    assert said[0].startswith("BBBC014")
    assert not progress._all_instances


@pytest.mark.parametrize("close", [False, True])
def test_removing_its_layer_or_closing_ends_it(
    make_napari_viewer: Callable[..., Any], settle: Callable[..., None], wells: Any, close: bool
) -> None:
    viewer = make_napari_viewer()
    put(viewer, samples.bbbc014())
    job = viewer.layers[0].metadata[fetching.FETCHING]
    if close:
        viewer.close()
    else:
        viewer.layers.clear()
    settle(lambda: not job.running and not progress._all_instances)
    assert not viewer.layers


def test_fields_of_bbbc022_are_stacked(tmp_path: Path) -> None:
    paths = []
    for number in range(2):
        for kind, count, top in (("", 5, 60000), ("_masks", 4, 70)):
            path = tmp_path / f"{number}{kind}.tiff"
            tifffile.imwrite(path, np.full((count, 20, 30), top + number, np.uint16), photometric="minisblack")
            paths.append(path)
    layers = samples.bbbc022_layers(paths)
    assert [kind for _, _, kind in layers] == ["labels"] * 2 + ["image"] * 5
    assert [options["name"] for _, options, _ in layers[2:]] == list(reversed(BBBC022.channels))
    for data, options, _ in layers:
        assert data.shape == (2, 20, 30)
        assert options["scale"] == (1.0, 0.656, 0.656)
        assert options["axis_labels"] == ("field", "y", "x")
        assert (data[1] - data[0] == 1).all()


def test_two_batches_show_the_same_cells() -> None:
    layers = samples.simulated_batches(size=128)
    assert [options["name"] for _, options, _ in layers] == ["tubulin", "actin", "DNA"]
    data, options, _ = layers[-1]
    assert data.shape == (2, 128, 128)
    assert options["axis_labels"][0] == "batch"
    assert len(set(options["metadata"]["batch"])) == 2
    assert not np.array_equal(data[0], data[1])
    assert np.corrcoef(data[0].ravel(), data[1].ravel())[0, 1] > 0.8


def ready(viewer: Any, settle: Callable[..., None]) -> PerturbDock:
    dock = PerturbDock.open_in(viewer)
    settle(lambda: NAME in dock.model.values and dock.session.loaded is not None)
    return dock


def choose(dock: PerturbDock, key: str) -> None:
    dock.model.setCurrentIndex(dock.model.values.index(key))


def test_a_published_model_is_fetched_from_the_dock(
    make_napari_viewer: Callable[..., Any],
    settle: Callable[..., None],
    archive: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []
    monkeypatch.setattr(model_rows, "show_info", said.append)
    viewer = make_napari_viewer()
    dock = ready(viewer, settle)
    before = dock.session.loaded
    assert dock.fetch.isHidden()
    choose(dock, NAME)
    assert not dock.fetch.isHidden()
    said_there = "Not on this computer yet (212 MB); simulated-screen is used meanwhile."
    assert dock.fetch.text.text() == said_there
    assert dock.session.loaded is before
    assert "fetch 212 MB" in dock.model.currentText()
    assert not archive.requests  # nothing is fetched unasked
    dock.fetch.button.click()
    assert dock.fetch.button.text() == "Stop"
    settle(lambda: dock.session.loaded is not None and dock.session.loaded.key == NAME)
    assert dock.fetch.isHidden()
    assert dock.model.currentText() == "RxRx1 batches (IMPA)"
    assert "--names TABLE" in said[0]
    assert (tmp_path / "models" / f"{NAME}.impa").is_file()
    assert not progress._all_instances


def test_fetching_is_stopped_and_gone_on_with(
    make_napari_viewer: Callable[..., Any],
    settle: Callable[..., None],
    archive: Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    viewer = make_napari_viewer()
    dock = ready(viewer, settle)
    choose(dock, NAME)
    hold, whole = threading.Event(), fetching_archive.fetch_archive_model

    def held(*args: Any, **how: Any) -> Any:
        while not hold.wait(0.01):
            how["watch"].check()
        return whole(*args, **how)

    monkeypatch.setattr(fetching_archive, "fetch_archive_model", held)
    dock.fetch.button.click()
    dock.fetch.button.click()
    assert dock.fetch.button.text() == "Stopping …"
    settle(lambda: dock.fetch.button.text() == "Go on")
    hold.set()
    archive.faults.append(404)
    dock.fetch.button.click()
    settle(lambda: dock.fetch.button.text() == "Try again")
    assert "HTTP 404" in dock.status.text()
    dock.fetch.button.click()
    settle(lambda: dock.session.loaded is not None and dock.session.loaded.key == NAME)


@pytest.mark.parametrize("whole", [False, True])
def test_closing_while_fetching(
    make_napari_viewer: Callable[..., Any],
    settle: Callable[..., None],
    archive: Server,
    monkeypatch: pytest.MonkeyPatch,
    whole: bool,
) -> None:
    viewer = make_napari_viewer()
    dock = ready(viewer, settle)
    choose(dock, NAME)

    def endless(*args: Any, watch: Watch, **how: Any) -> Any:
        while True:
            watch.check()

    monkeypatch.setattr(fetching_archive, "fetch_archive_model", endless)
    dock.fetch.button.click()
    job = dock.fetch._running.job
    assert job is not None
    if whole:
        viewer.close()
    else:
        viewer.window.remove_dock_widget(dock)
    settle(lambda: not job.running and not progress._all_instances)


def test_channels_are_guessed_while_layers_come_one_by_one(
    make_napari_viewer: Callable[..., Any], settle: Callable[..., None], tmp_path: Path
) -> None:
    viewer = make_napari_viewer()
    dock = PerturbDock.open_in(viewer)
    settle(lambda: dock.session.loaded is not None)
    dock.cells.set_model(("DAPI", "FITC_NFkB"), 32)
    paths = []
    for number in range(4):
        paths.append(tmp_path / f"{number}.tif")
        tifffile.imwrite(paths[-1], np.full((64, 64), number, np.uint8))
    put(viewer, samples.bbbc014_layers(paths))
    for _ in range(2):  # as layers come, and when all are there
        assert [box.currentText() for box in dock.cells.channels] == ["DAPI · untreated", "NFκB · untreated"]
        dock.cells.set_model(("DAPI", "FITC_NFkB"), 32)
    viewer.layers.clear()
    dock.cells.set_model(("DNA", "actin", "tubulin"), 32)
    for name in reversed(BBBC022.channels):
        viewer.add_image(np.zeros((64, 64)), name=name)
    assert [box.currentText() for box in dock.cells.channels] == ["DNA (Hoechst)", "AGP (WGA + phalloidin)", ""]
