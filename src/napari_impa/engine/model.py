"""IMPA as the user holds it: networks, the conditions they know, intensity limits; predicts, saves, loads."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_impa.cells.parts import Share
from napari_impa.cells.store import Cells
from napari_impa.engine import checkpoint, published
from napari_impa.engine.device import choose_device, is_out_of_memory, release_memory
from napari_impa.engine.intensity import LEVELS, from_normalized, normalize, to_levels
from napari_impa.engine.networks import Networks, Shape
from napari_impa.engine.settings import Task
from napari_impa.errors import ConditionError, ModelError, OutOfMemoryError

FORMAT = 1
"""Version of the `.impa` layout."""

TURNED_INTO = "predicted"
"""Column of predicted cells that names what they were turned into."""

DEFAULT_BATCH = 32


@dataclass(frozen=True)
class Encoded:
    """What the model keeps of some cells: content (n, w·2^r, S/2^r, S/2^r) and their own styles (n, d)."""

    content: Tensor
    style: Tensor


class IMPA:
    """The trained model.

    Parameters
    ----------
    networks
        The four networks and the condition embeddings.
    channels
        C channel names, in the order of the images.
    conditions
        K names of the conditions a cell can be turned into, in the order of the embedding table.
    limits
        (C, 2) lower and upper intensity of each channel in the camera's units.
    task
        `perturbation` or `batch`.
    control, label
        The control's name and the table columns that name a condition.
    counts
        Cells of each condition (and of the control) the model was trained on.
    pixel_size
        Side of a pixel in µm of the cells it was trained on, or None.
    settings, history
        How it was trained; JSON-able.
    name
        What the user calls it.
    """

    def __init__(
        self,
        networks: Networks,
        *,
        channels: Sequence[str],
        conditions: Sequence[str],
        limits: NDArray[np.float64],
        task: Task = "perturbation",
        control: str | None = None,
        label: Sequence[str] = (),
        counts: Mapping[str, int] | None = None,
        pixel_size: float | None = None,
        settings: Mapping[str, Any] | None = None,
        history: Mapping[str, Any] | None = None,
        name: str = "model",
    ) -> None:
        self.networks = networks.eval().requires_grad_(False)
        self.channels, self.conditions, self.label = tuple(channels), tuple(conditions), tuple(label)
        self.limits = np.asarray(limits, float).reshape(-1, 2)
        self.task, self.control, self.pixel_size, self.name = task, control, pixel_size, name
        self.counts, self.settings, self.history = dict(counts or {}), dict(settings or {}), dict(history or {})
        shape = networks.shape
        if len(self.channels) != shape.channels or len(self.limits) != shape.channels:
            raise ModelError(f"The model's networks take {shape.channels} channels, not {len(self.channels)}.")
        if sum(shape.conditions) != len(self.conditions):
            raise ModelError(
                f"The model knows {sum(shape.conditions)} conditions, but {len(self.conditions)} names were given."
            )

    def __repr__(self) -> str:
        return f"<IMPA {self.name!r}: {self.describe()}>"

    @property
    def shape(self) -> Shape:
        """Everything that fixes the networks' shapes."""
        return self.networks.shape

    @property
    def size(self) -> int:
        """Crop side S in pixels."""
        return self.shape.size

    @property
    def hold_out(self) -> dict[str, tuple[str, ...]]:
        """Columns and values of the cells that the training never saw."""
        return {column: tuple(values) for column, values in self.settings.get("hold_out", {}).items()}

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.networks.generator.from_rgb.weight.device

    @property
    def hash(self) -> str:
        """First 12 hexadecimal digits of the SHA-256 of the weights that predict, as float32."""
        digest = hashlib.sha256()
        for name, value in sorted(self._weights(compact=True).items()):
            digest.update(name.encode())
            digest.update(value.detach().cpu().float().contiguous().numpy().tobytes())
        return digest.hexdigest()[:12]

    def describe(self) -> str:
        """One line: channels, crop side, conditions."""
        what = "batches" if self.task == "batch" else "conditions"
        return f"{len(self.channels)} channels · {self.size} px · {len(self.conditions)} {what}"

    def to(self, device: str | torch.device) -> IMPA:
        """Move the weights to a device (`auto`, `cuda`, `mps`, `cpu`) and return the model."""
        self.networks.to(choose_device(device).device if isinstance(device, str) else device)
        return self

    # ---- prediction ---------------------------------------------------------------------------------------------

    def condition_index(self, condition: str) -> int:
        """Row of a condition in the embedding table.

        Raises
        ------
        ConditionError
            If the model does not know it; the nearest names are given.
        """
        if condition in self.conditions:
            return self.conditions.index(condition)
        raise ConditionError(
            f"The model {self.name!r} does not know {condition!r}; "
            f"it can turn cells into: {', '.join(self.conditions[:20])}"
            f"{' …' if len(self.conditions) > 20 else ''}."
        )

    def fit(self, cells: Cells) -> Cells:
        """Return the cells as the model takes them: its channels in its order, its crop side (cut at the centre).

        Raises
        ------
        ModelError
            If the channels differ in number, or the crops are smaller than the model's.
        """
        if len(cells.channels) != len(self.channels):
            raise ModelError(
                f"The model {self.name!r} takes {len(self.channels)} channels ({', '.join(self.channels)}), "
                f"but the cells have {len(cells.channels)} ({', '.join(cells.channels)}); "
                "choose the same channels or another model."
            )
        if cells.size < self.size:
            raise ModelError(
                f"The model {self.name!r} takes crops of {self.size} px, but the cells have {cells.size} px; "
                f"crop the images again with a side of {self.size}."
            )
        pixels = cells.pixels
        if cells.channels != self.channels and sorted(cells.channels) == sorted(self.channels):
            pixels = pixels[:, [cells.channels.index(name) for name in self.channels]]
            cells = replace(cells, pixels=pixels, channels=self.channels)
        if cells.size > self.size:
            start = (cells.size - self.size) // 2
            cells = replace(cells, pixels=pixels[..., start : start + self.size, start : start + self.size])
        return cells

    def noise(self, count: int, *, variability: float = 0.1, seed: int = 0) -> Tensor:
        """(count, n) noise of `variability` · N(0, 1); the first rows do not depend on `count`."""
        draws = np.random.default_rng([seed, 0x1A]).standard_normal((count, self.shape.noise_dim), dtype=np.float32)
        return torch.from_numpy(draws * np.float32(variability))

    @torch.inference_mode()
    def encode(self, pixels: NDArray[Any]) -> Encoded:
        """Encode cells (n, C, S, S), in the camera's units: done once, whatever they are turned into."""
        images = normalize(to_levels(pixels, self.limits)).to(self.device)
        return Encoded(self.networks.generator.content(images), self.networks.style_encoder(images))

    @torch.inference_mode()
    def decode(self, encoded: Encoded, condition: str, noise: Tensor, *, strength: float = 1.0) -> Tensor:
        """Encoded cells under a condition, (n, C, S, S) in [-1, 1].

        The style slides linearly from the cell's own at strength 0 to the condition's at 1; past 1 it extrapolates.
        `noise` is (n, noise dimension), see `noise`.
        """
        modality, index = self._place(condition)
        y = torch.full((len(noise),), index, device=self.device)
        target = self.networks.style(y, noise.to(self.device), modality)
        style = target if strength == 1 else encoded.style + strength * (target - encoded.style)
        return self.networks.generator.render(encoded.content, style)

    def to_camera(self, images: Tensor, dtype: Any) -> NDArray[Any]:
        """Decoded images (n, C, S, S) → the camera's units, in the given type."""
        return from_normalized(images, self.limits, np.dtype(dtype))

    def _place(self, condition: str) -> tuple[int, int]:
        index = self.condition_index(condition)
        for modality, count in enumerate(self.shape.conditions):
            if index < count:
                return modality, index
            index -= count
        raise AssertionError("conditions and embedding tables differ")

    def predict_blocks(
        self,
        cells: Cells,
        to: str | Sequence[str],
        *,
        strength: float = 1.0,
        variability: float = 0.1,
        seed: int = 0,
        batch_size: int | None = None,
        share: Share | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> Iterator[tuple[slice, list[NDArray[Any]]]]:
        """Yield, batch by batch, the rows and their predicted pixels, one array a condition.

        Where the device's memory does not suffice, the batch is halved and the work goes on. Where several processes
        `share` the cells, this one takes its own batches, of which each is what a single process would make of it.

        Raises
        ------
        ConditionError, ModelError
            If a condition is unknown or the cells do not fit the model.
        OutOfMemoryError
            If not even one cell fits into the memory.
        """
        names = [to] if isinstance(to, str) else list(to)
        for name in names:
            self.condition_index(name)
        if not (np.isfinite(strength) and np.isfinite(variability) and variability >= 0):
            raise ModelError("Strength is a number and variability a number from 0 up.")
        cells = self.fit(cells)
        noise = self.noise(len(cells), variability=variability, seed=seed)
        batch = batch_size or DEFAULT_BATCH
        mine = (share or Share()).rows(len(cells), block=batch)
        start = mine.start
        while start < mine.stop:
            rows = slice(start, min(start + batch, mine.stop))
            try:
                encoded = self.encode(cells.pixels[rows])
                images = [self.decode(encoded, name, noise[rows], strength=strength) for name in names]
                pixels = [self.to_camera(image, cells.pixels.dtype) for image in images]
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                encoded = images = None  # type: ignore[assignment]
                release_memory(self.device)
                if batch == 1:
                    raise OutOfMemoryError(
                        "Not even one cell fits into the device's memory; choose the device cpu."
                    ) from error
                batch = max(1, batch // 2)
                continue
            yield rows, pixels
            start = rows.stop
            if progress is not None:
                progress(start - mine.start, len(mine))

    def predict(
        self,
        cells: Cells,
        to: str | Sequence[str],
        *,
        strength: float = 1.0,
        variability: float = 0.1,
        seed: int = 0,
        batch_size: int | None = None,
        device: str | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> Cells:
        """Turn cells into what they would be under a condition, or under each of several, one after the other.

        Parameters
        ----------
        cells
            Control cells (or, for a batch model, any), of the model's channels and at least its crop side.
        to
            Names of conditions.
        strength
            0 the cell as it is, 1 the condition; beyond, exaggerated.
        variability
            Factor of the noise; 0 gives the mean cell of the condition.
        seed
            Of the noise.
        batch_size
            Cells at a time.
        device
            Where to compute; None leaves the model where it is.
        progress
            Called with cells done and cells in all.

        Returns
        -------
        Cells
            The same rows for every condition in turn, with what each was turned into in the column `predicted`.
        """
        if device is not None:
            self.to(device)
        names = [to] if isinstance(to, str) else list(to)
        fitted = self.fit(cells)
        out = np.empty((len(names), *fitted.pixels.shape), fitted.pixels.dtype)
        for rows, pixels in self.predict_blocks(
            fitted,
            names,
            strength=strength,
            variability=variability,
            seed=seed,
            batch_size=batch_size,
            progress=progress,
        ):
            for number, block in enumerate(pixels):
                out[number, rows] = block
        table = pd.concat([cells.table.assign(**{TURNED_INTO: name}) for name in names], ignore_index=True)
        return replace(
            fitted,
            pixels=out.reshape(-1, *out.shape[2:]),
            table=table,
            history=self.prediction_history(cells, names, strength=strength, variability=variability, seed=seed),
        )

    def prediction_history(
        self, cells: Cells, to: Sequence[str], *, strength: float, variability: float, seed: int
    ) -> dict[str, Any]:
        """What made predicted cells: model, hash, conditions, strength, variability, seed, and what made the cells."""
        made = {"model": self.name, "model_hash": self.hash, "conditions": list(to)}
        return made | {"strength": strength, "variability": variability, "seed": seed, "cells": dict(cells.history)}

    # ---- files --------------------------------------------------------------------------------------------------

    def _weights(self, *, compact: bool) -> dict[str, Tensor]:
        return {
            name: value
            for name, value in self.networks.state_dict().items()
            if not (compact and name.startswith("discriminator."))
        }

    def save(self, path: str | Path, *, compact: bool = False, half: bool = False) -> Path:
        """Write one `.impa` file (safetensors with a JSON header), beside and renamed.

        Parameters
        ----------
        path
            `.impa` is added where missing.
        compact
            Leave the discriminator out: enough to predict, not to train on.
        half
            Weights as float16, half the size.

        Raises
        ------
        ModelError
            If the file cannot be written.
        """
        path = Path(path)
        path = path if path.suffix == ".impa" else path.with_name(path.name + ".impa")
        weights = self._weights(compact=compact)
        if half:
            weights = {name: value.half() for name, value in weights.items()}
        checkpoint.write_tensors(path, weights, self.header())
        return path

    def header(self) -> dict[str, Any]:
        """Everything but the weights, JSON-able."""
        return {
            "format": FORMAT,
            "name": self.name,
            "task": self.task,
            "shape": dataclasses.asdict(self.shape),
            "channels": list(self.channels),
            "conditions": list(self.conditions),
            "description": "learned",
            "counts": self.counts,
            "limits": self.limits.tolist(),
            "control": self.control,
            "label": list(self.label),
            "pixel_size": self.pixel_size,
            "settings": self.settings,
            "history": self.history,
        }

    @classmethod
    def load(cls, path: str | Path) -> IMPA:
        """Read a `.impa` file onto the CPU.

        Raises
        ------
        ModelError
            If it is missing, damaged, written by a newer version, or its parts do not fit.
        """
        path = Path(path)
        weights, header = checkpoint.read_tensors(path)
        if header.get("format", 0) > FORMAT:
            raise ModelError(f"{path.name} was written by a newer napari-impa; update napari-impa to open it.")
        try:
            shape: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in header["shape"].items()}
            networks = Networks(Shape(**shape))
            missing, unexpected = networks.load_state_dict({k: v.float() for k, v in weights.items()}, strict=False)
            if unexpected or any(not name.startswith("discriminator.") for name in missing):
                raise ModelError(f"{path.name} lacks weights or has others than its networks; get it again.")
            keys = (
                "channels",
                "conditions",
                "limits",
                "task",
                "control",
                "label",
                "counts",
                "pixel_size",
                "settings",
                "history",
            )
            return cls(networks, name=header["name"], **{key: header[key] for key in keys})
        except (KeyError, TypeError, RuntimeError) as error:
            raise ModelError(f"{path.name} is not a complete model file ({error}).") from error

    @classmethod
    def from_published(cls, folder: str | Path, names: Sequence[str] | None = None) -> IMPA:
        """Read a published checkpoint folder; without names, conditions are called `condition 1`, `condition 2`, …."""
        networks = published.read_published(folder)
        shape, count = networks.shape, sum(networks.shape.conditions)
        return cls(
            networks,
            channels=[f"channel {i + 1}" for i in range(shape.channels)],
            conditions=names if names is not None else [f"condition {i + 1}" for i in range(count)],
            limits=np.tile([0.0, LEVELS], (shape.channels, 1)),
            name=Path(folder).resolve().name,
        )


def load_model(path: str | Path) -> IMPA:
    """Load a `.impa` file, a run folder, or a published checkpoint folder.

    Raises
    ------
    ModelError
        If there is no model at `path`, or it cannot be read.
    """
    path = Path(path)
    if path.is_dir():
        if (path / "model.impa").is_file():
            return IMPA.load(path / "model.impa")
        if published.is_published(path):
            return IMPA.from_published(path)
        raise ModelError(f"The folder {path} holds no model (neither model.impa nor a published checkpoint).")
    return IMPA.load(path)
