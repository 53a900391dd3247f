"""What a package of bioimage.io computes: cells in the camera's units to cells under one condition, as TorchScript."""

from __future__ import annotations

import copy
import warnings
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_impa.engine.describing.new_condition import Target
from napari_impa.engine.model.encoder import Encoder
from napari_impa.engine.model.intensity import LEVELS, normalize
from napari_impa.engine.model.networks import likely_start


class ExportedNetwork(nn.Module):
    """A model under one condition, at strength 1 and without noise: all that it takes are cells.

    Intensity limits and the condition's style are constants of the network. The batch that a cell is of is told from
    the cell.

    Raises
    ------
    ConditionError
        If the model does not know the condition.
    """

    lower: Tensor
    span: Tensor
    way: Tensor
    means: Tensor
    axes: Tensor

    def __init__(self, model: Encoder, condition: Target) -> None:
        super().__init__()
        embedding, modality = model.embedding(condition)
        # as they are read from a file: how they lie in memory decides how they are computed
        networks = copy.deepcopy(model.networks).to("cpu", torch.float32)
        networks.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        way = networks.style_of(embedding.cpu().float()[None], torch.zeros(1, model.shape.noise_dim), modality)
        self.generator, self.style_encoder = networks.generator, None
        self.tells_batches = model.shape.relative_style > 0 and model.task == "batch"
        if model.shape.relative_style:
            self.style_encoder = networks.style_encoder
            if self.tells_batches:
                self.register_buffer("means", networks.start_style.detach())
                self.register_buffer("axes", networks.start_axes)
            else:
                way = way - networks.start_style[modality]
        self.register_buffer("way", way)
        limits = torch.as_tensor(model.limits, dtype=torch.float32)[:, :, None, None]
        self.register_buffer("lower", limits[:, 0])
        self.register_buffer("span", limits[:, 1] - limits[:, 0])
        self.eval().requires_grad_(False)

    def forward(self, cells: Tensor) -> Tensor:
        """(B, C, S, S) in the camera's units → the same of the cells under the condition."""
        levels = ((cells - self.lower) * (LEVELS / self.span)).nan_to_num(nan=0.0).clamp(0.0, LEVELS)
        images = normalize(levels)
        if self.style_encoder is None:
            style = self.way.expand(cells.shape[0], -1)
        else:
            own = self.style_encoder(images)
            style = own + self.way
            if self.tells_batches:
                style = style - likely_start(own, self.means, self.axes)
        made: Tensor = self.generator(images, style)
        return ((made + 1) * (LEVELS / 2) - 0.5) * (self.span / LEVELS) + self.lower


def write_torchscript(path: Path, network: ExportedNetwork, cells: NDArray[np.float32]) -> NDArray[np.float32]:
    """Write a network as TorchScript, of which any number of cells can be asked; what it makes of some, read again."""
    pixels, whole = torch.from_numpy(cells), BytesIO()
    with warnings.catch_warnings():  # torch.export, which replaces it, is no format of bioimage.io
        warnings.filterwarnings("ignore", r".*torch\.jit.*deprecated", DeprecationWarning)
        torch.jit.TracerWarning.ignore_lib_warnings()  # type: ignore[no-untyped-call]  # what torch itself checks
        torch.jit.save(torch.jit.trace(network, pixels), whole)  # type: ignore[no-untyped-call]
        _without_places(whole, path)
        written = torch.jit.load(path, map_location="cpu")  # type: ignore[no-untyped-call]
    with torch.inference_mode():
        made: NDArray[np.float32] = written(pixels).numpy()
    return made


def _without_places(whole: BytesIO, path: Path) -> None:
    """Write TorchScript without the lines of code that it came from, whose paths name this computer's user."""
    with ZipFile(whole) as old, ZipFile(path, "w") as new:
        for entry in old.infolist():
            if not entry.filename.endswith(".debug_pkl"):
                new.writestr(entry.filename, old.read(entry))
