"""How a block of cells is turned: on a CPU as the model says; on a GPU replayed, and in half precision where that does.

A GPU is given the next block before the one before is fetched, so that it never waits for the program.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_impa.engine.describing.new_condition import Target
from napari_impa.engine.model.encoder import Encoded, Encoder, Precision
from napari_impa.engine.model.intensity import LEVELS, as_tensor, in_type, movable, normalize, to_levels
from napari_impa.engine.one_launch import OneLaunch, Recorder, recorder_for

HALVES = (torch.float16, torch.bfloat16)
"""Half precisions, the one with more digits first; the other one has a wider range."""

MAY_CHANGE = 0.5
"""Grey levels, of the 255 between the model's limits, by which half precision may change a pixel, this not included."""

TRIED = 16
"""Cells that are turned in every precision, to choose."""

Fetch = Callable[[], list[NDArray[Any]]]
"""Waits for what was made of a block, (n, C, S, S) in the camera's units, one array a condition."""

logger = logging.getLogger(__name__)


class Pass(Protocol):
    """Turns blocks of cells into every condition that is wanted."""

    behind: int
    """Blocks that are to be given before the first is fetched."""

    def __call__(self, pixels: NDArray[Any], noise: Tensor, batches: NDArray[np.intp] | None) -> Fetch:
        """Turn a block: its pixels (n, C, S, S), noise (n, z) and the numbers of its batches (n,)."""

    def forget(self) -> None:
        """Give memory back."""


class PlainPass:
    """Turns a block at once, as `Encoder.encode` and `decode` do."""

    behind = 0

    def __init__(self, model: Encoder, targets: Sequence[Target], *, strength: float) -> None:
        self._model, self._targets, self._strength = model, targets, strength

    def __call__(self, pixels: NDArray[Any], noise: Tensor, batches: NDArray[np.intp] | None) -> Fetch:
        """Turn a block."""
        model = self._model
        encoded = model.encode(pixels, style=self._strength != 1, batches=batches)
        images = [model.decode(encoded, target, noise, strength=self._strength) for target in self._targets]
        made = [model.to_camera(image, pixels.dtype) for image in images]
        return lambda: made

    def forget(self) -> None:
        """There is nothing that is kept."""


class ReplayedPass:
    """Turns a block as one launch for its content and one for each condition.

    Parameters
    ----------
    model, targets, strength
        As of `predict_blocks`.
    recorder
        None to launch operation by operation.
    halves
        Half precisions to try, once a model and device; the choice stands in the model's `precisions`.
    """

    behind = 1

    def __init__(
        self,
        model: Encoder,
        targets: Sequence[Target],
        *,
        strength: float,
        recorder: Recorder | None,
        halves: Sequence[torch.dtype] = HALVES,
    ) -> None:
        self._model, self._strength, self._halves = model, strength, tuple(halves)
        self._targets = [model.embedding(target) for target in targets]
        self._half: torch.dtype | None = None
        self._launch = OneLaunch[dict[str, Tensor]](recorder, "block of cells")
        span = torch.from_numpy((model.limits[:, 1:] - model.limits[:, :1]) / LEVELS)
        self._span, self._lower = (
            one[..., None].float().to(model.device) for one in (span, torch.from_numpy(model.limits[:, :1]))
        )

    @torch.inference_mode()
    def __call__(self, pixels: NDArray[Any], noise: Tensor, batches: NDArray[np.intp] | None) -> Fetch:
        """Launch a block; the GPU may be at work on it still."""
        device, given = self._model.device, as_tensor(pixels)
        dtype, given = given.dtype, movable(given)
        if device.type == "cuda":
            given = given.pin_memory()
        levels = to_levels(given.to(device, non_blocking=True).view(dtype), self._model.limits)
        inputs = {"images": normalize(levels)}
        if batches is not None:
            inputs["batches"] = torch.from_numpy(batches).to(device)
        noise = noise.to(device)
        if device not in self._model.precisions:
            self._model.precisions[device] = self._chosen(inputs, noise)
            logger.info("%s predicts in %s", device, self._model.precisions[device].reason)
        self._half = self._model.precisions[device].half
        content = self._launch("encode", inputs, self._encode)
        made = []
        for embedding, modality in self._targets:
            inputs = {**content, "noise": noise, "embedding": embedding}
            drawn = self._launch(("decode", modality), inputs, partial(self._decode, modality))
            made.append(self._to_host(drawn["images"], pixels.dtype))
        done = torch.cuda.current_stream(device).record_event() if device.type == "cuda" else None

        def fetch() -> list[NDArray[Any]]:
            if done is not None:
                done.synchronize()
            return [as_type(host.numpy(), pixels.dtype) for host in made]

        return fetch

    def forget(self) -> None:
        """Drop what was recorded."""
        self._launch.forget()

    def _encode(self, inputs: Any) -> dict[str, Tensor]:
        with self._precision():
            encoded = self._model.encode_images(
                inputs["images"], style=self._strength != 1, batches=inputs.get("batches")
            )
        found = {"content": encoded.content, "style": encoded.style, "start": encoded.start}
        return {name: value for name, value in found.items() if value is not None}

    def _decode(self, modality: int, inputs: Any) -> dict[str, Tensor]:
        encoded = Encoded(inputs["content"], inputs.get("style"), inputs.get("start"))
        with self._precision():
            images = self._model.decode_style(
                encoded, inputs["embedding"], modality, inputs["noise"], strength=self._strength
            )
        return {"images": images.float()}

    def _precision(self) -> AbstractContextManager[object]:
        return nullcontext() if self._half is None else torch.autocast(self._model.device.type, dtype=self._half)

    def _chosen(self, inputs: dict[str, Tensor], noise: Tensor) -> Precision:
        """Turn some cells of the block into the first condition in every precision, and see what that changes."""
        inputs, noise = {name: value[:TRIED] for name, value in inputs.items()}, noise[:TRIED]
        embedding, modality = self._targets[0]

        def images(half: torch.dtype | None) -> Tensor:
            self._half = half
            return self._decode(modality, {**self._encode(inputs), "noise": noise, "embedding": embedding})["images"]

        full, cells = images(None), f"{len(noise)} cell{'s' * (len(noise) != 1)}"
        least = math.inf
        for half in self._halves:
            change = float((images(half) - full).abs().max()) * LEVELS / 2
            if change < MAY_CHANGE:  # which NaN is not
                name = str(half).removeprefix("torch.")
                return Precision(
                    half, f"{name}, which changes no pixel of {cells} by more than {change:.2f} grey levels"
                )
            least = min(least, change if math.isfinite(change) else math.inf)
        by = f"by up to {least:.1f} grey levels" if math.isfinite(least) else "to no numbers at all"
        return Precision(None, f"float32, as half precision changes pixels of {cells} {by}")

    def _to_host(self, images: Tensor, dtype: np.dtype[Any]) -> Tensor:
        """Decoded images in the camera's units, on their way to the computer's memory; small integers as such."""
        units = ((images + 1) * (LEVELS / 2) - 0.5) * self._span + self._lower
        if dtype.name in SMALL:
            info = np.iinfo(dtype)
            units = units.round_().clamp_(info.min, info.max).to(torch.int32).to(SMALL[dtype.name])
        host = torch.empty(units.shape, dtype=units.dtype, pin_memory=units.is_cuda)
        return host.copy_(units, non_blocking=True)


SMALL = {"uint8": torch.uint8, "int8": torch.int8, "uint16": torch.int16, "int16": torch.int16}
"""Types of pixels that a GPU rounds to, those of 16 bits without a sign as the same bits with one."""


def as_type(pixels: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """What came from a GPU, in the camera's type."""
    if dtype.name in SMALL:
        return pixels.view(dtype.newbyteorder("=")).astype(dtype, copy=False)
    return in_type(pixels, dtype)


def pass_for(model: Encoder, targets: Sequence[Target], *, strength: float) -> Pass:
    """What turns cells on the model's device."""
    if model.device.type == "cuda":
        return ReplayedPass(model, targets, strength=strength, recorder=recorder_for(model.device))
    return PlainPass(model, targets, strength=strength)
