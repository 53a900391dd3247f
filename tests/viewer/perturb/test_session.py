"""The live session: what it does when things change under it."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_impa.cells.simulated.screen import CHANNELS, simulated_field
from napari_impa.engine.model.encoder import Encoded
from napari_impa.engine.model.model import IMPA
from napari_impa.viewer.layers.cell_choice import CellChoice
from napari_impa.viewer.layers.found_cells import Found
from napari_impa.viewer.layers.sources import MADE_BY, offered_channels
from napari_impa.viewer.perturb.prediction import EncodedCells, predict_cells
from napari_impa.viewer.perturb.request import PredictedBlock, Request
from napari_impa.viewer.perturb.session import PerturbSession
from napari_impa.viewer.perturb.views import VIEWS, Difference, Flicker, InPlace, SideBySide, Uncertainty
from napari_impa.watch import Token

Settle = Callable[..., None]
FIELD = simulated_field(seed=3, size=256)


@pytest.fixture
def viewer() -> ViewerModel:
    viewer = ViewerModel()
    for name, plane in zip(FIELD.channels, FIELD.pixels, strict=True):
        options = {"scale": (0.65, 0.65), "units": ("um", "um"), "metadata": {"control": 1}}
        viewer.add_image(plane, name=name, contrast_limits=(100, 2100), **options)
    viewer.add_labels(FIELD.labels, name="nuclei", scale=(0.65, 0.65), units=("um", "um"))
    return viewer


def choice(viewer: ViewerModel) -> CellChoice:
    offered = {channel.name: channel for channel in offered_channels(viewer.layers)}
    return CellChoice(tuple(offered[name] for name in CHANNELS), "labels", 0, viewer.layers["nuclei"])


@pytest.fixture
def session(viewer: ViewerModel, model_path: Path, settle: Settle, qapp: Any) -> Iterator[PerturbSession]:
    session = PerturbSession(viewer)
    session.set_view(SideBySide)
    ready(session, model_path, settle)
    yield session
    session.close()
    settle(lambda: not session.busy)


def ready(session: PerturbSession, model_path: Path, settle: Settle) -> None:
    """Load a model and predict `shrinkage`."""
    session.set_model(str(model_path))
    settle(lambda: session.loaded is not None and not session.busy)
    session.set_request(Request(("shrinkage",)))
    session.set_cells(choice(session.viewer))
    settle(lambda: session.result is not None and not session.busy)


def made(viewer: ViewerModel) -> list[str]:
    names = (layer.name for layer in viewer.layers if MADE_BY in layer.metadata)
    return sorted(name for name in names if not name.startswith("cells found"))


def test_several_targets_each_in_its_pane(session: PerturbSession, settle: Settle, model: IMPA) -> None:
    session.set_request(Request(("shrinkage", "mitotic arrest"), strength=1.5))
    settle(lambda: not session.busy)
    cells = session.found.cells
    assert session.result.pixels.shape == (2, *cells.pixels.shape)
    for number, name in enumerate(("shrinkage", "mitotic arrest")):
        layer = session.viewer.layers[f"{name} ×1.5 · actin"]
        assert np.array_equal(layer.data, session.result.pixels[number, :, 1])
        assert layer.metadata[MADE_BY]["condition"] == name
        expected = model.predict(cells, name, strength=1.5).pixels[:, 1]
        assert np.abs(layer.data.astype(int) - expected).max() <= 1
    session.set_request(Request(("shrinkage",)))
    settle(lambda: not session.busy)
    assert made(session.viewer) == sorted(f"{text} · {c}" for text in ("control", "shrinkage") for c in CHANNELS)


def test_each_view_shows_what_is_there(session: PerturbSession, settle: Settle) -> None:
    prefixes = {Difference: "Δ ", Uncertainty: "± "}
    told: list[Any] = []
    session.further_changed.connect(told.append)
    possible = [kind for kind in VIEWS[1:] if not kind.missing(session.found, session.loaded)]
    for kind in (*possible, VIEWS[0]):
        session.set_view(kind)
        settle(lambda: not session.busy)
        assert type(session.view) is kind
        prefix = prefixes.get(kind, "")
        assert any(text.startswith(prefix) and "shrinkage" in text for text in made(session.viewer))
    assert told == [InPlace, Uncertainty]
    session.set_view(Uncertainty)  # it was computed before
    assert not session.busy
    assert np.array_equal(session.viewer.layers["± DNA · shrinkage"].data, session.further[Uncertainty][0, :, 0])
    session.set_request(Request(("mitotic arrest",)))
    settle(lambda: not session.busy)
    assert told == [InPlace, Uncertainty, Uncertainty]
    assert np.array_equal(session.viewer.layers["± DNA · mitotic arrest"].data, session.further[Uncertainty][0, :, 0])


def test_real_cells_of_the_condition_are_a_third_pane(
    session: PerturbSession, settle: Settle, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = session.found.cells.pixels[:3] + 5
    monkeypatch.setattr(Found, "treated", lambda found, name: real if name == "mitotic arrest" else None)
    session.set_request(Request(("mitotic arrest",)))
    settle(lambda: not session.busy)
    layer = session.viewer.layers["real mitotic arrest · tubulin"]
    assert layer.data.shape == session.found.cells.pixels[:, 2].shape
    assert np.array_equal(layer.data[:3], real[:, 2])
    assert np.array_equal(layer.data[3], real[0, 2])
    session.set_request(Request(("actin inhibitor",)))
    settle(lambda: not session.busy)
    assert not any(text.startswith("real") for text in made(session.viewer))


def test_the_cell_in_sight_is_told_and_comes_first(session: PerturbSession, settle: Settle) -> None:
    told: list[int] = []
    session.cell_changed.connect(told.append)
    session.show_cell(3)
    assert session.viewer.dims.current_step[0] == 3
    session.viewer.dims.set_current_step(0, 4)
    assert told == [3, 4]
    blocks: list[PredictedBlock] = []
    session._predicting.reported.connect(blocks.append)
    session.set_request(Request(("mitotic arrest",)))
    settle(lambda: not session.busy)
    assert blocks[0].rows == slice(4, 5)
    session.set_view(Difference)
    settle(lambda: not session.busy)
    assert session.viewer.dims.current_step[0] == 4
    session.show_cell(10**6)
    assert session.cell == 4


def test_each_slider_position_shows_the_cell_in_sight_however_fast_it_moves(
    session: PerturbSession, settle: Settle, qtbot: Any
) -> None:
    shown: list[float] = []
    session._predicting.reported.connect(lambda block: shown.append(block.request.strength))
    for step in range(12):
        session.set_request(Request(("shrinkage",), strength=step / 10))
        qtbot.wait(5)
    settle(lambda: not session.busy)
    assert session.result.request.strength == 1.1
    assert len(set(shown)) >= 2
    assert shown == sorted(shown)  # newest wins, nothing old comes after it
    assert session.viewer.layers["shrinkage ×1.1 · DNA"].metadata[MADE_BY]["strength"] == 1.1


def test_a_cell_is_left_out_and_taken_in_again(
    session: PerturbSession, settle: Settle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session.loaded.model, "encode", lambda pixels: pytest.fail("encoded again"))
    cells, told = session.found.cells, []
    session.cells_changed.connect(told.append)
    candidate = int(session.everything.rows[1])
    session.leave_out(candidate, True)
    settle(lambda: not session.busy)
    assert len(told) == 1
    assert len(session.found.cells) == len(cells) - 1 == session.result.pixels.shape[1]
    assert np.array_equal(session.found.cells.pixels[1], cells.pixels[2])
    assert not session.kept[1]
    session.leave_out(candidate, True)  # is out already
    assert len(told) == 1
    session.leave_out(candidate, False)
    settle(lambda: not session.busy)
    assert len(session.found.cells) == len(cells)


def test_the_last_cell_stays(session: PerturbSession, settle: Settle) -> None:
    failures: list[Any] = []
    session.failed.connect(failures.append)
    for candidate in session.everything.rows:
        session.leave_out(int(candidate))
    settle(lambda: not session.busy)
    assert len(session.found.cells) == 1
    assert "keep one at least" in failures[0].message


def test_an_error_while_predicting_leaves_the_result_before(
    session: PerturbSession, settle: Settle, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, failures = session.result, []
    session.failed.connect(failures.append)
    with monkeypatch.context() as patched:
        decode = session._encoded.decode

        def fail(rows: slice, *args: Any) -> PredictedBlock:
            if len(failures) == 0 and rows.start > 0:
                raise RuntimeError("mat1 and mat2")
            return decode(rows, *args)

        patched.setattr(session._encoded, "decode", fail)
        session.set_request(Request(("mitotic arrest",)))
        settle(lambda: not session.busy)
    assert "mat1 and mat2" in failures[0].message
    assert session.result is before
    assert np.array_equal(session.viewer.layers["shrinkage · DNA"].data, before.pixels[0, :, 0])
    session.set_request(Request(("actin inhibitor",)))
    settle(lambda: not session.busy)
    assert session.result.request.targets == ("actin inhibitor",)


def test_a_layer_deleted_and_a_model_changed_while_predicting(
    session: PerturbSession, settle: Settle, model: IMPA, tmp_path: Path
) -> None:
    session.set_request(Request(("mitotic arrest",)))
    session.viewer.layers.remove("control · actin")
    settle(lambda: not session.busy)
    assert len(made(session.viewer)) == 6
    session.set_request(Request(("actin inhibitor",)))
    session.set_model(str(model.save(tmp_path / "other.impa")))
    settle(lambda: not session.busy)
    assert session.loaded.key.endswith("other.impa")
    assert session.found is None
    assert made(session.viewer) == []


def test_closed_in_the_middle_nothing_is_kept(viewer: ViewerModel, model_path: Path, settle: Settle, qapp: Any) -> None:
    session = PerturbSession(viewer)
    ready(session, model_path, settle)
    session.set_view(Flicker)
    session.set_request(Request(("mitotic arrest",)))
    alive = [weakref.ref(session.loaded.model), weakref.ref(session._encoded)]
    alive += [weakref.ref(layer) for layer in viewer.layers if MADE_BY in layer.metadata]
    session.close()
    settle(lambda: not session.busy)
    assert sorted(layer.name for layer in viewer.layers) == sorted([*CHANNELS, "nuclei"])
    assert all(layer.visible for layer in viewer.layers)
    viewer.layers.selection.active = viewer.layers["DNA"]  # napari itself keeps the layer that was active last
    gc.collect()
    assert [what() for what in alive] == [None] * len(alive)
    assert not [thread.name for thread in threading.enumerate() if "napari-impa" in thread.name]


def test_what_does_not_fit_is_encoded_again(session: PerturbSession, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded, found = session.loaded, session.found
    encoded_cells: list[int] = []
    encode = loaded.model.encode

    def counted(pixels: np.ndarray, **known: object) -> Encoded:
        encoded_cells.append(len(pixels))
        return encode(pixels, **known)

    monkeypatch.setattr(loaded.model, "encode", counted)
    one = encode(found.cells.pixels[:1])
    room = 2 * (one.content.nbytes + one.style.nbytes)
    few, all_of_them = EncodedCells(loaded, found, limit=room), EncodedCells(loaded, found)
    request = Request(("shrinkage",), strength=0.5)
    results = [predict_cells(Token(), cells, request).pixels for cells in (few, few, all_of_them)]
    assert sum(encoded_cells) >= 3 * len(found.cells) - 3
    assert np.abs(results[1].astype(int) - results[2]).max() <= 1
    assert few._kept.content.nbytes <= room


def test_the_slider_names_the_cell_that_is_shown(session: PerturbSession, settle: Settle) -> None:
    stack = np.zeros((9, 32, 32), np.uint8)  # whose axis shares the slider with the cells
    session.viewer.add_image(stack, name="z", scale=(0.3, 1, 1), translate=(-2, 0, 0), units=("um", "um", "um"))
    session.show_cell(3)
    layer = session.viewer.layers["control · DNA"]
    assert session.cell == 3
    assert np.array_equal(layer._slice.image.raw, session.found.cells.pixels[3, 0])


def test_leaving_an_earlier_cell_out_stays_at_the_same_cell(session: PerturbSession, settle: Settle) -> None:
    session.show_cell(4)
    seen = session.found.cells.pixels[4]
    session.leave_out(int(session.everything.rows[1]))
    settle(lambda: not session.busy)
    assert session.cell == 3
    assert np.array_equal(session.found.cells.pixels[session.cell], seen)


def test_outlines_that_are_shown_leave_the_panes_whole(session: PerturbSession, settle: Settle) -> None:
    outlines = session.viewer.layers["cells found (Labels)"]
    outlines.visible = True
    session.set_request(Request(("mitotic arrest",)))
    settle(lambda: not session.busy)
    assert [layer.name.split(" · ")[0] for layer in list(session.viewer.layers)[:-7:-1]] == (
        ["control"] * 3 + ["mitotic arrest"] * 3
    )


def test_what_is_computed_further_is_said(
    session: PerturbSession, settle: Settle, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    session.busy_changed.connect(told.append)
    session.set_view(Uncertainty)
    settle(lambda: not session.busy)
    monkeypatch.setattr(InPlace, "further", replace(InPlace.further, busy="Putting them back …"))
    session.set_view(InPlace)
    settle(lambda: not session.busy)
    assert "Putting them back …" in told
    session.set_request(Request(("mitotic arrest",)))
    assert told[-1] == "Predicting …"
    settle(lambda: not session.busy)
    assert told[-1] == ""
