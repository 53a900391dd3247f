"""The `.impa` file: a model's weights in safetensors, everything else in its JSON header."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray

from napari_impa.cells.words import Task
from napari_impa.engine.describing import read_description
from napari_impa.engine.describing.description import Description
from napari_impa.engine.model import tensor_file
from napari_impa.engine.model.networks import Networks
from napari_impa.engine.model.shape import Shape
from napari_impa.errors import ModelError

FORMAT = 2
"""Version of the layout; 1, of learned conditions only, is read too."""

UNSEEN = "unseen."
"""What the tensors (U, e) of conditions that were not trained on are called, with their modality's number."""


class ModelParts(TypedDict):
    """What makes a model, by the parameters of `IMPA`."""

    networks: Networks
    channels: Sequence[str]
    conditions: Sequence[str]
    limits: NDArray[np.float64]
    task: Task
    control: str | None
    label: Sequence[str]
    counts: Mapping[str, int]
    pixel_size: float | None
    settings: Mapping[str, Any]
    history: Mapping[str, Any]
    name: str
    descriptions: Sequence[Description]
    card: str
    has_discriminator: bool


_PLAIN = ("name", "task", "counts", "control", "pixel_size", "settings", "history")
_LISTS = ("channels", "conditions", "label")


def header(parts: ModelParts) -> dict[str, Any]:
    """Everything but the weights, JSON-able."""
    about: Mapping[str, Any] = parts
    values = {name: about[name] for name in _PLAIN} | {name: list(about[name]) for name in _LISTS}
    return {
        "format": FORMAT,
        "shape": dataclasses.asdict(parts["networks"].shape),
        "limits": parts["limits"].tolist(),
        "descriptions": [description.to_json() for description in parts["descriptions"]],
        "card": parts["card"],
        **values,
    }


def write(parts: ModelParts, path: Path, *, compact: bool = False, half: bool = False) -> Path:
    """Write a model beside `path` and rename it; see `IMPA.save`."""
    path = path if path.suffix == ".impa" else path.with_name(path.name + ".impa")
    tensors = parts["networks"].weights(compact=compact)
    if half:
        tensors = {name: value.half() for name, value in tensors.items()}
    for number, description in enumerate(parts["descriptions"]):
        if description.unseen:
            tensors[f"{UNSEEN}{number}"] = torch.from_numpy(np.stack(list(description.unseen.values())))
    tensor_file.write_tensors(path, tensors, header(parts))
    return path


def read(path: Path) -> ModelParts:
    """Read what makes the model of a file; errors as of `IMPA.load`."""
    tensors, values = tensor_file.read_tensors(path)
    if values.get("format", 0) > FORMAT:
        raise ModelError(f"{path.name} was written by a newer napari-impa; update napari-impa to open it.")
    try:
        shape: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in values["shape"].items()}
        networks = Networks(Shape(**shape))
        weights = {name: value.float() for name, value in tensors.items() if not name.startswith(UNSEEN)}
        missing, unexpected = networks.load_state_dict(weights, strict=False)
        if unexpected or any(not name.startswith("discriminator.") for name in missing):
            raise ModelError(f"{path.name} lacks weights or has others than its networks; get it again.")
        unseen = [
            tensors.get(f"{UNSEEN}{number}", torch.empty(0)).numpy() for number in range(len(shape["conditions"]))
        ]
        parts = [read_description(*both) for both in zip(values.get("descriptions", ()), unseen, strict=False)]
        kept = {name: values[name] for name in (*_PLAIN, *_LISTS, "limits")} | {"card": str(values.get("card", ""))}
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelError(f"{path.name} is not a complete model file ({error}).") from error
    made: Any = {"networks": networks, "descriptions": parts, "has_discriminator": not missing, **kept}
    found: ModelParts = made
    return found
