"""What reads models: `.impa` files, the catalog, published checkpoints, cards, and servers of them."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from .hostile import TEXTS, Input, of_folder
from .reader import Reader
from .served import read_from_server


@cache
def small_model() -> Any:
    import torch

    from napari_impa.engine.model.model import IMPA
    from napari_impa.engine.model.networks import Networks
    from napari_impa.engine.model.shape import Shape

    shape = Shape(size=24, channels=2, width=2, style_dim=4, noise_dim=4, embedding_dims=(4,), conditions=(2,))
    networks = Networks(shape).initialize(torch.Generator().manual_seed(0))
    return IMPA(
        networks, channels=("DNA", "actin"), conditions=("x", "y 10"), limits=np.array([[0.0, 900.0]] * 2), name="m",
        control="DMSO", label=("drug", "dose_um"), card="# A model\n\nLicence: MIT\n\nText.",
        history={"steps": 10, "seconds": 3.0, "device": "cpu", "date": "2026-01-01", "gap_closed": 0.5},
    )  # fmt: skip


def _models(folder: Path) -> list[Input]:
    small_model().save(folder / "m.impa", compact=True)
    return [of_folder(folder, "m.impa")]


def _model(path: Path) -> None:
    from napari_impa.cli.models.listing import info

    info(str(path))


def _catalog_line(path: Path) -> None:
    from napari_impa.work.catalog import of_file
    from napari_impa.work.tables.text_table import aligned

    entry = of_file(path)
    aligned([(entry.name, entry.task, ", ".join(entry.channels), str(entry.count), entry.megabytes)], right=(3,))
    entry.card.markdown()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(TEXTS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
HEADER_KEYS = (
    "format", "shape", "channels", "conditions", "limits", "control", "label", "task", "name", "counts", "history",
    "settings", "descriptions", "unseen", "card", "pixel_size",
)  # fmt: skip
HEADERS = st.dictionaries(st.sampled_from(HEADER_KEYS) | st.text(max_size=5), JSON, max_size=12)


def _model_of(header: Any) -> Input:
    head = json.dumps({"__metadata__": {"napari_impa": json.dumps(header)}}).encode()
    return Input({"m.impa": struct.pack("<Q", len(head)) + head}, "m.impa", f"invented {header!r}"[:200])


def _published(folder: Path) -> list[Input]:
    import torch

    from napari_impa.engine.published.checkpoint_folder import NETWORKS

    networks = small_model().networks

    def part(name: str) -> dict[str, Any]:
        return {f"module.{key}": value.clone() for key, value in networks.get_submodule(name).state_dict().items()}

    torch.save({name: part(name) for name in NETWORKS}, folder / "000010_nets.ckpt")
    torch.save({"embedding_matrix": part("embedding_matrix")}, folder / "000010_embeddings.ckpt")
    return [of_folder(folder)]


def _checkpoint(path: Path) -> None:
    from napari_impa.work.catalog import load_model

    load_model(path).describe()


def _cards(folder: Path) -> list[Input]:
    text = "# A model\n\nAuthor: A. Author\nLicence: CC BY 4.0\nDOI: 10.1/x\nCite: one\n\n## Use\n\nText `code`.\n"
    (folder / "card.txt").write_text(text, encoding="utf-8")
    return [of_folder(folder, "card.txt")]


def _card(path: Path) -> None:
    from napari_impa.engine.model.card import Card

    if path.is_file():  # cards come as texts, in models
        Card.parse(path.read_text(encoding="utf-8", errors="replace")).markdown()


CARDS = st.builds(
    lambda parts: Input({"card.txt": "".join(parts).encode("utf-8", "replace")}, "card.txt", "invented"),
    st.lists(st.sampled_from(("#", "# ", "\n", "\n\n", " " * 2000, "#" * 3000, "Licence:", "DOI: ", "x", ":", "\t"))
             | st.text(max_size=30), max_size=30),
)  # fmt: skip


def _served_models(folder: Path) -> list[Input]:
    (model,) = _models(folder)
    head = 'HTTP/1.1 200 OK\r\nContent-Length: {size}\r\nETag: "one"\r\nContent-Type: application/x\r\n\r\n'
    moved = "HTTP/1.1 302 Found\r\nLocation: /other.impa\r\nContent-Length: 0\r\n\r\n"
    body = model.files["m.impa"]
    return [Input({"head.http": text.encode(), "body.impa": body}) for text in (head, head, moved)]


def _served_archives(folder: Path) -> list[Input]:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("checkpoints/a/000200_nets.ckpt", "checkpoints/a/000200_embeddings.ckpt", "metadata/t.csv"):
            archive.writestr(f"IMPA/{name}", name * 300)
    head = (
        "HTTP/1.1 206 Partial\r\nContent-Range: bytes {start}-{last}/{size}\r\nContent-Length: {length}\r\n"
        "ETag: \"one\"\r\n\r\n"
    )  # fmt: skip
    return [Input({"head.http": head.encode(), "body.zip": packed.getvalue()})]


MODELS = (
    Reader("model", _models, _model, st.builds(_model_of, HEADERS | JSON)),
    Reader("catalog", _models, _catalog_line, st.builds(_model_of, HEADERS | JSON)),
    Reader("published", _published, _checkpoint),
    Reader("card", _cards, _card, CARDS),
    Reader("download", _served_models, read_from_server),
    Reader("archive", _served_archives, read_from_server),
)
"""Readers of models."""
