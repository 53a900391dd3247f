"""Model files that ask for too much or hold other things than they ought to: one sentence, and no memory."""

from __future__ import annotations

import json
import os
import pickle
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from napari_impa.engine.device import is_out_of_memory
from napari_impa.engine.model.card import Card
from napari_impa.engine.model.header import FIELDS, HISTORY, shown
from napari_impa.engine.model.model import IMPA
from napari_impa.engine.model.networks import Networks
from napari_impa.engine.model.shape import Shape
from napari_impa.engine.model.tensor_file import HEADER, read_header
from napari_impa.engine.published.checkpoint_folder import read_published
from napari_impa.errors import ModelError

Change = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def model() -> IMPA:
    shape = Shape(24, 1, width=4, style_dim=4, noise_dim=2, embedding_dims=(3,), conditions=(2,))
    return IMPA(
        Networks(shape), channels=["DNA"], conditions=["a", "b"], limits=[[0, 9]], control="DMSO",
        counts={"a": 3}, history={"steps": 1, "seconds": 2.0, "device": "cpu", "date": "2026-01-01"},
    )  # fmt: skip


def changed(model: IMPA, path: Path, change: Change) -> Path:
    model.save(path, compact=True)
    header = read_header(path)
    change(header)
    save_file(load_file(path), path, metadata={HEADER: json.dumps(header)})
    return path


@pytest.mark.parametrize("value", ["x", "spread_and_patches", 5, True, ["spread"], [], None])
@pytest.mark.parametrize("name", ["discriminator", "upsampling"])
def test_networks_of_no_known_kind_are_refused(model: IMPA, tmp_path: Path, name: str, value: object) -> None:
    path = changed(model, tmp_path / "x.impa", lambda header: header["shape"].update({name: value}))
    with pytest.raises(ModelError, match="not a complete model file"):
        IMPA.load(path)


def test_a_model_comes_back(model: IMPA, tmp_path: Path) -> None:
    again = IMPA.load(changed(model, tmp_path / "x.impa", lambda header: None))
    assert again.hash == model.hash


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mapping_layers", 5000), ("mapping_layers", 10**9), ("size", 1e308), ("size", 10**19), ("size", 12288),
        ("width", 10**6), ("width", -4), ("style_dim", 10**5), ("noise_dim", 10**7), ("conditions", [10**8]),
        ("conditions", [1] * 10**5), ("embedding_dims", [10**8]), ("modality_dim", 10**6), ("relative_style", 10**8),
        ("channels", 10**7), ("size", None), ("upsampling", 5), ("size", True), ("width", "4"),
    ],
)  # fmt: skip
def test_a_header_takes_no_more_memory_than_its_file(model: IMPA, tmp_path: Path, name: str, value: Any) -> None:
    path = changed(model, tmp_path / "x.impa", lambda header: header["shape"].update({name: value}))
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    with pytest.raises(ModelError) as caught:
        IMPA.load(path)
    assert time.process_time() - began < 3
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB
    assert len(str(caught.value)) < 400
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [None, 5, "x", [], [[]], [1], {}, {"a": []}, {"a": "b"}, -1, 1e400, True])
@pytest.mark.parametrize("name", [*FIELDS, *(f"history.{one}" for one in HISTORY), "settings.hold_out", "shape", "card",
                                  "descriptions", "format"])  # fmt: skip
def test_every_field_is_checked(model: IMPA, tmp_path: Path, name: str, value: Any, capsys: Any) -> None:
    from napari_impa.cli.models.listing import info

    def change(header: dict[str, Any]) -> None:
        part, _, key = name.rpartition(".")
        (header[part] if part else header)[key] = value

    path = changed(model, tmp_path / "x.impa", change)
    try:
        info(str(path))
    except ModelError as error:
        assert "\n" not in str(error)  # noqa: PT017


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("channels", "DNA"), ("conditions", [1]), ("label", None), ("limits", [[9, 0]]), ("name", 5), ("task", "x"),
        ("counts", {"a": "b"}), ("control", []), ("pixel_size", -1), ("settings", []), ("history", 5),
        ("history.steps", -1), ("history.seconds", "x"), ("history.gap_closed", "x"), ("settings.hold_out", 5),
    ],
)  # fmt: skip
def test_a_value_that_is_none_of_its_kind_is_refused_by_name(
    model: IMPA, tmp_path: Path, name: str, value: Any
) -> None:
    def change(header: dict[str, Any]) -> None:
        part, _, key = name.rpartition(".")
        (header[part] if part else header)[key] = value

    with pytest.raises(ModelError, match=f"its {name} is not"):
        IMPA.load(changed(model, tmp_path / "x.impa", change))


def test_what_could_not_be_read_again_is_not_written(model: IMPA, tmp_path: Path) -> None:
    odd = IMPA(**{**model.parts(), "history": {"steps": 3.5}})
    with pytest.raises(ModelError, match=r"history\.steps"):
        odd.save(tmp_path / "odd.impa")
    assert not list(tmp_path.iterdir())
    fine = IMPA(**{**model.parts(), "history": {"gap_closed": None}, "pixel_size": np.float32(0.5), "control": 0})
    again = IMPA.load(fine.save(tmp_path / "fine.impa"))
    assert (again.pixel_size, again.control) == (0.5, "0")


def test_control_characters_of_a_file_are_not_shown(model: IMPA, tmp_path: Path) -> None:
    evil = "\x1b]0;title\x07\u202e\ud800\x9b"
    path = changed(model, tmp_path / "x.impa", lambda header: header.update(name=evil, channels=[evil], card=evil))
    loaded = IMPA.load(path)
    for text in (loaded.name, *loaded.channels, loaded.card):
        assert text == "\ufffd]0;title" + "\ufffd" * 4
    assert shown({"a\x1b": ["b\x00", 3, None]}) == {"a\ufffd": ["b\ufffd", 3, None]}


def test_a_deep_header_and_one_that_may_not_be_read(model: IMPA, tmp_path: Path) -> None:
    path = model.save(tmp_path / "x.impa", compact=True)
    save_file(load_file(path), path, metadata={HEADER: "[" * 100_000})
    with pytest.raises(ModelError, match="its header cannot be read"):
        IMPA.load(path)
    if os.name == "posix" and os.geteuid():
        path.chmod(0)
        with pytest.raises(ModelError, match="may not be read"):
            IMPA.load(path)


class Command:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, ("touch ran",)


@pytest.mark.parametrize(
    "content",
    [b"text", b"", b"PK\x03\x04", pickle.dumps(Command()), pickle.dumps({"generator": 1}), b"\x80\x02]q\x00."],
)
def test_a_checkpoint_that_is_none_is_one_sentence_and_runs_nothing(
    tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("000200_nets.ckpt", "000200_embeddings.ckpt"):
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError) as caught:
        read_published(tmp_path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()


PARTS = {
    part: {"conv.0.weight": torch.zeros(2, 2)}
    for part in ("generator", "style_encoder", "discriminator", "mapping_network")
}


@pytest.mark.parametrize("nets", [[1], {"generator": [1]}, {1: 2}, PARTS])
def test_a_checkpoint_of_another_layout_is_one_sentence(tmp_path: Path, nets: Any) -> None:
    torch.save(nets, tmp_path / "1_nets.ckpt")
    torch.save({"embedding": {"weight": torch.zeros(2, 2)}}, tmp_path / "1_embeddings.ckpt")
    with pytest.raises(ModelError) as caught:
        read_published(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("filler", [" ", "#", " #", "\t"])
def test_a_long_heading_takes_no_time(filler: str) -> None:
    began = time.process_time()
    card = Card.parse(f"# A title {filler * 100_000}x")
    assert time.process_time() - began < 0.5
    assert card.title.startswith("A title")
    assert Card.parse("text\n\n# A title ##\n").title == "A title"


@pytest.mark.parametrize(
    ("words", "is_one"),
    [
        ("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes", True),
        ("could not create a primitive", True),
        ("CUDA out of memory. Tried", True),
        ("std::bad_alloc", True),
        ("size mismatch for weight", False),
    ],
)
def test_too_little_memory_is_known_by_its_words(words: str, is_one: bool) -> None:
    assert is_out_of_memory(RuntimeError(words)) is is_one
    assert is_out_of_memory(MemoryError())


@pytest.mark.parametrize("seed", [-1, 2**63, 10**30])
def test_a_seed_that_is_none_is_said(model: IMPA, seed: int) -> None:
    with pytest.raises(ModelError, match="A seed is a whole number from 0"):
        model.noise(1, seed=seed)
