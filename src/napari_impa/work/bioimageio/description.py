"""What a package of bioimage.io says of its model, in the words of the Resource Description Framework, 0.5."""

from __future__ import annotations

import datetime
import string
import unicodedata
from typing import Any

import torch

from napari_impa.cells.words import Task
from napari_impa.engine.describing.new_condition import Target, name_of
from napari_impa.engine.model.card import Card
from napari_impa.engine.model.model import IMPA
from napari_impa.versions import own_version

WEIGHTS, TEST_INPUT, TEST_OUTPUT = "weights.pt", "test-input.npy", "test-output.npy"
SAMPLE_INPUT, SAMPLE_OUTPUT = "sample-input.tif", "sample-output.tif"
COVER, GUIDE = "cover.png", "README.md"
"""Files of a package."""

PAPER = {
    "text": "Palma, A., Theis, F. J. & Lotfollahi, M. Predicting cell morphological responses to perturbations using "
    "generative modeling. Nature Communications 16, 505 (2025).",
    "doi": "10.1038/s41467-024-55707-8",
}
"""Of the method."""

_TASKS: dict[Task, str] = {"perturbation": "perturbation", "batch": "batch-correction"}
_LETTERS = frozenset(string.ascii_letters + string.digits + "_+- ()")
_LONGEST_NAME, _LONGEST_TEXT = 128, 512
_SHORTEST_NAME = 5


def description(model: IMPA, condition: Target, card: Card, *, format_version: str) -> dict[str, Any]:
    """What `rdf.yaml` of a package holds, with its files by their names.

    Parameters
    ----------
    card
        Its authors, between semicolons where they are several; licence by its SPDX name; bare DOI; what to cite.
    """
    name = name_of(condition)
    scale: dict[str, Any] = {"scale": model.pixel_size, "unit": "micrometer"} if model.pixel_size else {}
    batch, channels = {"type": "batch"}, {"type": "channel", "channel_names": list(model.channels)}
    sides = [{"type": "space", "id": axis, **scale} for axis in "yx"]
    data = {"type": "float32", "unit": "arbitrary unit"}
    return {
        "type": "model",
        "format_version": format_version,
        "name": plain_name(f"{card.title or model.name} - {name}"),
        "description": _in_short(model, name),
        "authors": [{"name": author} for author in authors(card)],
        "license": card.licence or None,
        "cite": [PAPER, *([{"text": card.citation or card.title or model.name, "doi": card.doi}] if card.doi else [])],
        "tags": ["IMPA", "napari-impa", "image-to-image", "2d", "single-cell", "pytorch", _TASKS[model.task]],
        "documentation": {"source": GUIDE},
        "covers": [{"source": COVER}],
        "timestamp": datetime.datetime.now(datetime.UTC).isoformat(),
        "inputs": [
            {
                "id": "cells",
                "description": "Cells, the nucleus in the middle, in the units of the camera",
                "axes": [batch, channels, *({**side, "size": model.size} for side in sides)],
                "data": data,
                "test_tensor": {"source": TEST_INPUT},
                "sample_tensor": {"source": SAMPLE_INPUT},
            }
        ],
        "outputs": [
            {
                "id": "predicted",
                "description": "The same cells under the condition, in the same units",
                "axes": [batch, channels, *({**side, "size": model.size} for side in sides)],
                "data": data,
                "test_tensor": {"source": TEST_OUTPUT},
                "sample_tensor": {"source": SAMPLE_OUTPUT},
            }
        ],
        "weights": {
            "torchscript": {"source": WEIGHTS, "pytorch_version": torch.__version__.partition("+")[0]}
        },
        "config": {
            "napari_impa": {
                "version": own_version(), "model": model.name, "model_hash": model.hash, "condition": name,
                "strength": 1.0, "variability": 0.0, "limits": model.limits.tolist(),
            },
        },
    }  # fmt: skip


def _in_short(model: IMPA, name: str) -> str:
    into = f"as they would look in {name}" if model.task == "batch" else f"as they would look under {name}"
    text = f"IMPA turns crops of single cells ({', '.join(model.channels)}; {model.size} px) into cells {into}."
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1]}…"


def authors(card: Card) -> list[str]:
    """Names of a card's authors, which semicolons part; slashes, which the format does not know, are hyphens."""
    return [name.strip().replace("/", "-").replace("\\", "-") for name in card.author.split(";") if name.strip()]


def plain_name(name: str) -> str:
    """A name in the letters that the format knows, 5 to 128 of them: Greek ones are spelled out, others left out.

    >>> plain_name("NFκB under TNFα (real cells, BBBC014)")
    'NFkappaB under TNFalpha (real cells BBBC014)'
    """
    plain = "".join(_plain(letter) for letter in unicodedata.normalize("NFKD", name))
    return " ".join(plain.split()).ljust(_SHORTEST_NAME, "-")[:_LONGEST_NAME]


def _plain(letter: str) -> str:
    if letter in _LETTERS:
        return letter
    called = unicodedata.name(letter, "")
    if called.startswith("GREEK") and " LETTER " in called:
        return called.split()[3].casefold()
    return "" if unicodedata.combining(letter) or letter in ",;:." else " "
