from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from napari_impa.engine import device
from napari_impa.errors import ModelError


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    count = torch.get_num_threads()
    yield
    torch.set_num_threads(count)


def test_auto_says_what_it_chose_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    chosen = device.choose_device()
    assert chosen.device.type == "cpu"
    assert "no GPU that torch can use was found" in chosen.reason
    monkeypatch.setattr(device, "free_memory", lambda chosen: None if chosen.type == "cpu" else (6 * 2**30, 16 * 2**30))
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert device.choose_device().device.type == "mps"
    assert device.choose_device().reason == "Apple GPU, 6 of 16 GB of memory free"
    assert device.choose_device("cpu").reason.endswith("as chosen")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: "Big")
    assert device.choose_device().device.type == "cuda"
    assert device.choose_device().reason == "GPU Big, 6 of 16 GB of memory free"


@pytest.mark.parametrize(("name", "words"), [("cuda", "not there"), ("gpu", "is no device"), ("xpu", "not there")])
def test_a_device_that_is_not_there(name: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ModelError, match=words):
        device.choose_device(name)


def test_one_core_stays_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device.os, "sched_getaffinity", lambda _: set(range(4)), raising=False)
    torch.set_num_threads(4)
    device.use_threads()
    assert torch.get_num_threads() == 3
    device.use_threads()
    assert torch.get_num_threads() == 3
    device.use_threads(2)
    assert torch.get_num_threads() == 2
    assert "2 threads" in device.choose_device("cpu").reason


def test_largest_batch_that_fits() -> None:
    tried: list[int] = []

    def attempt(count: int) -> None:
        tried.append(count)
        if count > 5:
            raise torch.OutOfMemoryError("CUDA out of memory")

    assert device.largest_batch(32, attempt, torch.device("cpu")) == 4
    assert tried == [16, 8, 4]
    assert device.largest_batch(1, attempt, torch.device("cpu")) is None

    def broken(count: int) -> None:
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        device.largest_batch(8, broken, torch.device("cpu"))
