"""Weights on disk: safetensors with a JSON header, written beside and renamed; nothing is ever unpickled."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from napari_impa.cells.beside import replacing
from napari_impa.engine.model.header import shown
from napari_impa.errors import ModelError, brief

HEADER = "napari_impa"
"""Key of the JSON text in the metadata of the safetensors file."""

ATTEMPTS = 5
"""How often a file is read that a training replaces meanwhile: it is opened more than once for that."""


def reason_of(error: Exception) -> str:
    """Why a file cannot be written, without the hidden name that it has until it is whole."""
    return (isinstance(error, OSError) and error.strerror) or brief(error)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_beside(path: Path, write: Any) -> None:
    """Let `write(partial)` make a file beside `path`, then rename it; what stood there before stays on any error."""
    with replacing(path) as partial:
        write(partial)
        partial.chmod(0o666 & ~_umask())  # safetensors makes files that only their owner can read


def write_tensors(path: str | Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Write tensors and a JSON-able header as one safetensors file.

    Raises
    ------
    ModelError
        If the file cannot be written; what stood there before stays.
    """
    path = Path(path)
    plain = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    try:
        write_beside(path, lambda partial: save_file(plain, partial, metadata={HEADER: json.dumps(header)}))
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"{path} cannot be written ({reason_of(error)}); free some space or choose another folder."
        ) from error


def read_header(path: str | Path) -> dict[str, Any]:
    """Read the header without the weights.

    Raises
    ------
    ModelError
        If the file is missing, damaged, or not one of ours.
    """
    return _open(Path(path), weights=False)[1]


def read_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read tensors and header; errors as in `read_header`."""
    return _open(Path(path), weights=True)


def _open(path: Path, *, weights: bool) -> tuple[dict[str, Tensor], dict[str, Any]]:
    if not path.is_file():
        raise ModelError(f"There is no model file {path}.")
    for attempt in range(ATTEMPTS):
        before = path.stat()
        try:
            with safe_open(path, framework="pt") as file:
                header = (file.metadata() or {}).get(HEADER)
                tensors = {name: file.get_tensor(name) for name in file.keys()} if weights else {}  # noqa: SIM118
        except (OSError, RuntimeError, SafetensorError, MemoryError) as error:
            if attempt + 1 < ATTEMPTS and path.stat().st_mtime_ns != before.st_mtime_ns:
                continue
            if not os.access(path, os.R_OK):  # safetensors says that there is no such file
                raise ModelError(f"{path} may not be read (permission denied); ask whoever owns it.") from error
            raise ModelError(f"{path.name} is damaged or not a model file ({brief(error)}).") from error
        if path.stat().st_mtime_ns == before.st_mtime_ns:
            break
    if header is None:
        raise ModelError(f"{path.name} is a safetensors file, but not one of napari-impa.")
    try:
        return tensors, dict(shown(json.loads(header)))
    except (ValueError, TypeError, RecursionError) as error:
        raise ModelError(f"{path.name} is damaged: its header cannot be read ({brief(error)}).") from error


def all_finite(tensors: Mapping[str, Tensor]) -> bool:
    """Whether no number of these tensors is NaN or infinite."""
    return all(bool(value.isfinite().all()) for value in tensors.values() if value.is_floating_point())


def remove_partial(folder: Path) -> None:
    """Remove what `write_beside` left in a folder and below when the process was killed while writing."""
    for pattern in (".*.partial.*", ".*.partial"):  # the second as earlier versions called them
        for partial in folder.rglob(pattern):
            if partial.is_file():
                partial.unlink(missing_ok=True)


def flatten_optimizer(optimizer: torch.optim.Optimizer, prefix: str) -> dict[str, Tensor]:
    """Name every tensor of an optimiser's state, e.g. `prefix.3.exp_avg`."""
    state = optimizer.state_dict()["state"]
    return {
        f"{prefix}.{i}.{name}": torch.as_tensor(value) for i, entry in state.items() for name, value in entry.items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, prefix: str, tensors: Mapping[str, Tensor]) -> None:
    """Give an optimiser the state that `flatten_optimizer` named."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith(prefix + "."):
            _, index, name = key.rsplit(".", 2)
            if value.shape == parameters[int(index)].shape:  # in memory as before, so that the next step is bit for bit
                value = torch.empty_like(parameters[int(index)], dtype=value.dtype, device=value.device).copy_(value)
            state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
