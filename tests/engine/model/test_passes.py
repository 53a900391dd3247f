"""What a GPU does with a block of cells, on the CPU: replayed, in half precision where that does, one block behind."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_impa.cells.store import Cells, open_cells
from napari_impa.engine.model import passes, prediction
from napari_impa.engine.model.model import IMPA
from napari_impa.engine.model.networks import Networks
from napari_impa.engine.model.passes import PlainPass, ReplayedPass, pass_for
from napari_impa.engine.model.prediction import predict_blocks
from napari_impa.engine.model.shape import Shape
from napari_impa.engine.one_launch import recorder_for
from napari_impa.watch import CancelledError, Token

TO = ["low", "high"]


class Replayer:
    """Records on any device: what it replays writes into the tensors that it wrote into before."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error, self.recorded, self.replayed = error, 0, 0

    def aside(self) -> AbstractContextManager[object]:
        return nullcontext()

    def record(self, work: Callable[[], Any]) -> tuple[Callable[[], object], Any]:
        if self.error:
            raise self.error
        self.recorded += 1
        made: dict[str, Tensor] = {}

        def replay() -> None:
            self.replayed += 1
            for name, value in work().items():
                made.setdefault(name, torch.empty_like(value)).copy_(value)

        return replay, made


def make_model(task: str = "perturbation", starts: int = 1) -> IMPA:
    shape = Shape(24, 2, 4, 8, 4, (6,), (2,), relative_style=starts)
    networks = Networks(shape).initialize(torch.Generator().manual_seed(0))
    torch.nn.init.normal_(networks.start_style, std=0.1, generator=torch.Generator().manual_seed(1))
    limits = np.array([[100.0, 4000.0], [0.0, 3000.0]])
    return IMPA(
        networks, channels=("DNA", "actin"), conditions=TO, limits=limits, task=task, label=("batch",),  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.fixture
def model() -> IMPA:
    return make_model()


@pytest.fixture
def cells() -> Cells:
    import pandas as pd

    pixels = np.random.default_rng(0).integers(0, 5000, (22, 2, 24, 24)).astype(np.uint16)
    return Cells(pixels, pd.DataFrame({"batch": ["low", "high", "unknown"] * 7 + ["low"]}), ("DNA", "actin"))


def replaying(
    monkeypatch: pytest.MonkeyPatch, recorder: Replayer, *, halves: tuple[torch.dtype, ...] = ()
) -> list[ReplayedPass]:
    """Let predictions take the way of a GPU."""
    made: list[ReplayedPass] = []

    def chosen(model: Any, targets: Any, *, strength: float) -> ReplayedPass:
        made.append(ReplayedPass(model, targets, strength=strength, recorder=recorder, halves=halves))
        return made[-1]

    monkeypatch.setattr(prediction, "pass_for", chosen)
    return made


@pytest.mark.parametrize("strength", [1.0, 0.4])
@pytest.mark.parametrize("task", ["perturbation", "batch"])
def test_replayed_blocks_are_what_the_model_predicts(
    cells: Cells, monkeypatch: pytest.MonkeyPatch, task: str, strength: float
) -> None:
    model = make_model(task, 2 if task == "batch" else 1)
    plain = model.predict(cells, TO, strength=strength, batch_size=5)
    recorder = Replayer()
    replaying(monkeypatch, recorder)
    replayed = model.predict(cells, TO, strength=strength, batch_size=5)
    np.testing.assert_array_equal(plain.pixels, replayed.pixels)
    # the content of blocks of five, and blocks of five and of the last two under a condition
    assert recorder.recorded == 3
    assert recorder.replayed == 3 + (2 * 4 - 1) + 1


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.uint32, np.float32])
def test_pixels_of_every_type_are_rounded_as_on_a_cpu(
    model: IMPA, cells: Cells, monkeypatch: pytest.MonkeyPatch, dtype: Any
) -> None:
    model.limits = np.array([[0.0, 70000.0], [-40000.0, 300.0]]) if dtype != np.uint8 else np.array([[0.0, 255.0]] * 2)
    typed = replace(cells, pixels=(cells.pixels % 250).astype(dtype))
    plain = model.predict(typed, TO, batch_size=8)
    replaying(monkeypatch, Replayer())
    replayed = model.predict(typed, TO, batch_size=8)
    assert replayed.pixels.dtype == dtype
    np.testing.assert_array_equal(plain.pixels, replayed.pixels)
    if dtype == np.uint16:
        assert plain.pixels.max() > 32768
        assert plain.pixels.min() == 0


def test_half_precision_is_taken_where_it_changes_less_than_half_a_grey_level(
    model: IMPA, cells: Cells, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = model.predict(cells, TO).pixels.astype(float)
    replaying(monkeypatch, Replayer(), halves=(torch.bfloat16,))
    model.predict(cells, TO, batch_size=4)
    chosen = model.precisions[torch.device("cpu")]
    assert chosen.half is None
    assert chosen.reason.startswith("float32, as half precision changes pixels of 4 cells by up to ")
    model.precisions.clear()
    monkeypatch.setattr(passes, "MAY_CHANGE", 50.0)
    half = model.predict(cells, TO, batch_size=4).pixels.astype(float)
    chosen = model.precisions[torch.device("cpu")]
    assert chosen.half == torch.bfloat16
    assert chosen.reason.startswith("bfloat16, which changes no pixel of 4 cells by more than ")
    changes = np.abs(half - plain).max(axis=(0, 2, 3)) / (np.diff(model.limits)[:, 0] / 255)
    assert 0.5 < changes.max() < 100


def test_the_first_half_precision_that_does_is_taken_and_once_for_a_model(
    model: IMPA, cells: Cells, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[torch.dtype | None] = []
    changes = {None: 0.0, torch.float16: 0.6 * 2 / 255, torch.bfloat16: 0.4 * 2 / 255}

    def decode(self: ReplayedPass, modality: int, inputs: Any) -> dict[str, Tensor]:
        tried.append(self._half)
        return {"images": torch.full((len(inputs["noise"]), 2, 24, 24), changes[self._half])}

    monkeypatch.setattr(ReplayedPass, "_decode", decode)
    replaying(monkeypatch, Replayer(), halves=passes.HALVES)
    model.predict(cells, "low", batch_size=11)
    assert tried == [None, torch.float16, torch.bfloat16, torch.bfloat16, torch.bfloat16]
    assert "bfloat16, which changes no pixel of 11 cells by more than 0.40" in model.precisions[model.device].reason
    tried.clear()
    model.predict(cells, "low", batch_size=22)
    assert tried == [torch.bfloat16]
    model.precisions.clear()
    changes[torch.float16] = changes[torch.bfloat16] = float("nan")
    model.predict(cells, "low", batch_size=22)
    assert model.precisions[model.device].reason.endswith("to no numbers at all")


def test_a_block_is_launched_before_the_one_before_is_fetched(
    model: IMPA, cells: Cells, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    class Slow(ReplayedPass):
        def __call__(self, *block: Any) -> Any:
            said.append("launch")
            fetch = super().__call__(*block)
            return lambda: said.append("fetch") or fetch()

    monkeypatch.setattr(prediction, "pass_for", lambda *given, **told: Slow(*given, **told, recorder=None, halves=()))
    parts = [part for part, _ in predict_blocks(model, cells, "low", batch_size=8)]
    assert parts == [slice(0, 8), slice(8, 16), slice(16, 22)]
    assert said == ["launch", "launch", "fetch", "launch", "fetch", "fetch"]


def test_memory_that_runs_out_halves_the_batch_and_what_was_launched_comes_first(
    model: IMPA, cells: Cells, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = model.predict(cells, TO, batch_size=2)
    made, real, calls = replaying(monkeypatch, Replayer()), ReplayedPass.__call__, []

    def call(self: ReplayedPass, pixels: Any, *more: Any) -> Any:
        calls.append(len(pixels))
        if len(calls) == 3 or len(pixels) > 8:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(self, pixels, *more)

    monkeypatch.setattr(ReplayedPass, "__call__", call)
    found = list(predict_blocks(model, cells, TO, batch_size=8))
    assert calls == [8, 8, 6, 4, 2]
    assert [part.stop for part, _ in found] == [8, 16, 20, 22]
    joined = np.concatenate([np.concatenate([pixels[n] for _, pixels in found]) for n in (0, 1)])
    assert np.abs(joined.astype(int) - plain.pixels.astype(int)).max() <= 1
    assert len(made) == 1


def test_where_blocks_cannot_be_recorded_they_are_turned_all_the_same(
    model: IMPA, cells: Cells, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    plain = model.predict(cells, TO, batch_size=5)
    replaying(monkeypatch, Replayer(RuntimeError("not permitted\nat line 7")))
    np.testing.assert_array_equal(model.predict(cells, TO, batch_size=5).pixels, plain.pixels)
    assert "the GPU could not record a block of cells: not permitted" in caplog.text


def test_cells_in_a_file_are_read_ahead_and_no_thread_is_left(
    model: IMPA, cells: Cells, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapped = open_cells(cells.save(tmp_path / "x"))
    names: list[str] = []
    fit = model.fit
    monkeypatch.setattr(model, "fit", lambda some: names.append(threading.current_thread().name) or fit(some))
    found = [pixels for _, (pixels,) in predict_blocks(model, mapped, "low", batch_size=8)]
    assert [name.startswith("reading-ahead") for name in names] == [False, True, True, True]
    np.testing.assert_array_equal(np.concatenate(found), model.predict(cells, "low", batch_size=8).pixels)
    token = Token(lambda progress: token.cancel())
    with pytest.raises(CancelledError):
        list(predict_blocks(model, mapped, "low", batch_size=4, watch=token))
    assert not [one for one in threading.enumerate() if one.name.startswith("reading-ahead")]


def test_a_cpu_takes_no_half_precision(model: IMPA, cells: Cells) -> None:
    assert isinstance(pass_for(model, ["low"], strength=1.0), PlainPass)
    model.predict(cells, "low")
    assert not model.precisions


@pytest.mark.gpu
def test_a_gpu_predicts_the_same_within_half_a_grey_level(model: IMPA, cells: Cells) -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA GPU")
    plain = model.predict(cells, TO, strength=0.7).pixels.astype(float)
    model.to("cuda")
    turned = ReplayedPass(model, TO, strength=0.7, recorder=recorder_for(model.device))
    on_gpu = model.predict(cells, TO, strength=0.7, batch_size=5).pixels.astype(float)
    assert turned._launch.reason == ""
    changes = np.abs(on_gpu - plain).max(axis=(0, 2, 3)) / (np.diff(model.limits)[:, 0] / 255)
    assert changes.max() < 1  # half a level, of the pixels tried, and rounding
