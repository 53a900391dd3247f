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
from napari_impa.engine.model.blocks import UPSAMPLING
from napari_impa.engine.model.header import check_header
from napari_impa.engine.model.networks import Networks
from napari_impa.engine.model.shape import DISCRIMINATORS, Shape
from napari_impa.errors import DAMAGE, ModelError, brief

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


_DISCRIMINATOR = "discriminator."
_LARGEST_SIDE = 1 << 14  # of a crop, in pixels
_CHOICES = {"upsampling": tuple(UPSAMPLING), "discriminator": DISCRIMINATORS}  # of the networks' shape


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
    about = header(parts)
    check_header(about, path.name)  # what could not be read again is not written
    tensor_file.write_tensors(path, tensors, about)
    return path


def _check_shape(shape: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> None:
    """Refuse a header that asks for more than the file's own tensors can be the weights of."""
    most = sum(value.numel() for value in tensors.values())
    for name, value in shape.items():
        if name in _CHOICES:
            if value not in _CHOICES[name]:
                raise ValueError(f"{name} of the networks is {value!r:.50}, which is none that there is")
            continue
        for one in value if isinstance(value, tuple) else (value,):
            if not isinstance(one, int) or not 0 <= one <= (_LARGEST_SIDE if name == "size" else most):
                raise ValueError(f"{name} of the networks is {one!r:.50}, for which there are no weights")
    layers = shape.get("mapping_layers", 1) * max(1, len(shape.get("conditions", ())))
    if shape["size"] < 2 or layers > max(64, len(tensors)):
        raise ValueError("it has not the weights of the networks that its header describes")


def read(path: Path) -> ModelParts:
    """Read what makes the model of a file; errors as of `IMPA.load`."""
    tensors, values = tensor_file.read_tensors(path)
    if values.get("format", 0) > FORMAT:
        raise ModelError(f"{path.name} was written by a newer napari-impa; update napari-impa to open it.")
    try:
        shape: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in values["shape"].items()}
        check_header(values, path.name)
        _check_shape(shape, tensors)
        with torch.device("meta"):  # takes no memory, whatever the header asks for
            expected = Networks(Shape(**shape)).state_dict()
        if any(name in tensors and tensors[name].shape != value.shape for name, value in expected.items()):
            raise ModelError(f"{path.name} has other weights than its header says; get it again.")
        if any(name not in tensors and not name.startswith(_DISCRIMINATOR) for name in expected):
            raise ModelError(f"{path.name} lacks weights or has others than its networks; get it again.")
        networks = Networks(Shape(**shape))
        weights = {name: value.float() for name, value in tensors.items() if not name.startswith(UNSEEN)}
        missing, unexpected = networks.load_state_dict(weights, strict=False)
        if unexpected or any(not name.startswith(_DISCRIMINATOR) for name in missing):
            raise ModelError(f"{path.name} lacks weights or has others than its networks; get it again.")
        unseen = [
            tensors.get(f"{UNSEEN}{number}", torch.empty(0)).numpy() for number in range(len(shape["conditions"]))
        ]
        parts = [read_description(*both) for both in zip(values.get("descriptions", ()), unseen, strict=False)]
        kept = {name: values[name] for name in (*_PLAIN, *_LISTS, "limits")} | {"card": str(values.get("card", ""))}
    except DAMAGE as error:
        raise ModelError(f"{path.name} is not a complete model file ({brief(error)}).") from error
    made: Any = {"networks": networks, "descriptions": parts, "has_discriminator": not missing, **kept}
    found: ModelParts = made
    return found
