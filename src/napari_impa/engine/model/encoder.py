"""From cells to what a model keeps of them, once, and from there to cells under any condition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_impa.cells.store import Cells, shortest
from napari_impa.cells.words import Task
from napari_impa.engine.describing.description import Description
from napari_impa.engine.describing.learned import Learned
from napari_impa.engine.describing.new_condition import NewCondition, Target
from napari_impa.engine.device import choose_device
from napari_impa.engine.model.intensity import from_normalized, normalize, to_levels
from napari_impa.engine.model.networks import Networks
from napari_impa.engine.model.shape import Shape
from napari_impa.errors import ConditionError, ModelError


@dataclass(frozen=True)
class Encoded:
    """What the model keeps of some cells.

    Parameters
    ----------
    content
        (n, w·2^r, S/2^r, S/2^r).
    style
        Own styles (n, d), unless left out.
    start
        (n, d) mean styles of the batches that the cells are of, where that is known and asked for.
    """

    content: Tensor
    style: Tensor | None
    start: Tensor | None = None


@dataclass(frozen=True)
class Precision:
    """What a GPU predicts in.

    Parameters
    ----------
    half
        Half precision; None for float32.
    reason
        Which, and why, in words.
    """

    half: torch.dtype | None
    reason: str


class Encoder:
    """What of a model turns cells into others: its networks, the conditions they know, channels and intensities.

    Parameters are those of `IMPA`, which it is the part of that knows no files.

    Attributes
    ----------
    precisions
        What many cells were predicted in, by GPU, as it was chosen there (`passes.ReplayedPass`).

    Raises
    ------
    ModelError
        If channels, conditions or descriptions do not fit the networks.
    """

    def __init__(
        self,
        networks: Networks,
        *,
        channels: Sequence[str],
        conditions: Sequence[str],
        limits: NDArray[np.float64],
        task: Task = "perturbation",
        label: Sequence[str] = (),
        descriptions: Sequence[Description] = (),
        name: str = "model",
    ) -> None:
        self.networks = networks.eval().requires_grad_(False)
        names = tuple(map(shortest, conditions))  # as cells' are, also where an earlier version wrote the file
        self.conditions = names if len(set(names)) == len(names) else tuple(conditions)
        self.channels, self.label = tuple(channels), tuple(label)
        self.limits = np.asarray(limits, float).reshape(-1, 2)
        self.task, self.name = task, name
        self.precisions: dict[torch.device, Precision] = {}
        shape = networks.shape
        if len(self.channels) != shape.channels or len(self.limits) != shape.channels:
            raise ModelError(f"The model's networks take {shape.channels} channels, not {len(self.channels)}.")
        if sum(shape.conditions) != len(self.conditions):
            raise ModelError(
                f"The model knows {sum(shape.conditions)} conditions, but {len(self.conditions)} names were given."
            )
        self.descriptions = tuple(descriptions) or (Learned(),) * len(shape.conditions)
        if len(self.descriptions) != len(shape.conditions):
            raise ModelError(
                f"The model knows {len(shape.conditions)} modalities, but {len(self.descriptions)} descriptions were "
                "given."
            )

    @property
    def shape(self) -> Shape:
        """Everything that fixes the networks' shapes."""
        return self.networks.shape

    @property
    def size(self) -> int:
        """Crop side S in pixels."""
        return self.shape.size

    @property
    def unseen(self) -> tuple[str, ...]:
        """Conditions that the training never saw, and that are predicted from their description alone."""
        return tuple(name for description in self.descriptions for name in description.unseen)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.networks.generator.from_rgb.weight.device

    def to(self, device: str | torch.device) -> Self:
        """Move the weights to a device (`auto`, `cuda`, `mps`, `cpu`) and return the model."""
        self.networks.to(choose_device(device).device if isinstance(device, str) else device)
        return self

    def embedding(self, condition: Target) -> tuple[Tensor, int]:
        """(e,) what the mapping network takes for a condition, by name or described anew, and its modality's number.

        Raises
        ------
        ConditionError
            If the model does not know the name, or cannot take such a description.
        """
        if isinstance(condition, NewCondition):
            modality = self._modality_for(condition)
            vector = self.descriptions[modality].vector(condition, self.shape.embedding_dims[modality])
            return torch.tensor(vector, device=self.device), modality
        condition = self.name_known(condition)
        if condition in self.conditions:
            row = self.conditions.index(condition)
            for modality, count in enumerate(self.shape.conditions):
                if row < count:
                    return self.networks.table(modality).weight[row], modality
                row -= count
        for modality, description in enumerate(self.descriptions):
            if condition in description.unseen:
                return torch.tensor(description.unseen[condition], device=self.device), modality
        known = [*self.conditions, *self.unseen]
        raise ConditionError(
            f"The model {self.name!r} does not know {condition!r}; "
            f"it can turn cells into: {', '.join(known[:20])}{' …' if len(known) > 20 else ''}."
        )

    def name_known(self, condition: str) -> str:
        """A condition's name as the model writes it, where it knows one that only looks different (`µ` and `μ`)."""
        known = [*self.conditions, *self.unseen]
        alike = {shortest(name): name for name in reversed(known)}
        return condition if condition in known else alike.get(shortest(condition), condition)

    def _modality_for(self, new: NewCondition) -> int:
        among = [m for m, one in enumerate(self.descriptions) if new.modality in (None, one.modality)]
        if not among:
            names = ", ".join(one.modality for one in self.descriptions if one.modality)
            raise ConditionError(
                f"The model {self.name!r} knows no modality {new.modality!r}; "
                f"{f'its modalities are: {names}' if names else 'leave it out'}."
            )
        fitting = [m for m in among if self.descriptions[m].accepts(new)]
        if len(fitting) > 1:
            names = ", ".join(self.descriptions[m].modality for m in fitting)
            raise ConditionError(f"Say which modality the new condition {new.name!r} is of: {names}.")
        return (fitting or among)[0]

    def fit(self, cells: Cells) -> Cells:
        """Return the cells as the model takes them: its channels in its order, its crop side (cut at the centre).

        Channels are put in order by their names. One that alone is left over stands for the one that is missing; where
        no name is known, all are taken as they come.

        Raises
        ------
        ModelError
            If the channels differ in number, some are known by name and two or more of the others are not, or the crops
            are smaller than the model's.
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
        order = self._order(cells.channels)
        if order != list(range(len(order))):
            pixels = pixels[:, order]
            cells = replace(cells, pixels=pixels, channels=tuple(cells.channels[number] for number in order))
        if cells.size > self.size:
            start = (cells.size - self.size) // 2
            cells = replace(cells, pixels=pixels[..., start : start + self.size, start : start + self.size])
        return cells

    def _order(self, channels: tuple[str, ...]) -> list[int]:
        """Which of some channels stands for each of the model's."""
        known = set(channels) & set(self.channels)
        others = [number for number, name in enumerate(channels) if name not in known]
        missing = [name for name in self.channels if name not in known]
        if not known or len(set(channels)) < len(channels) or len(set(self.channels)) < len(channels):
            return list(range(len(channels)))
        if len(others) > 1 and any(channels.index(name) != self.channels.index(name) for name in known):
            raise ModelError(
                f"The model {self.name!r} takes the channels {', '.join(self.channels)}, and the cells have "
                f"{', '.join(channels)}: which of {', '.join(channels[number] for number in others)} shows "
                f"{', '.join(missing)} no name says; name them as the model does."
            )
        left = iter(others)
        return [channels.index(name) if name in known else next(left) for name in self.channels]

    def noise(self, count: int, *, variability: float = 0.1, seed: int = 0) -> Tensor:
        """(count, n) noise of `variability` · N(0, 1); the first rows do not depend on `count`."""
        if not 0 <= seed < 2**63:
            raise ModelError(f"A seed is a whole number from 0 to 2⁶³ - 1, not {seed}.")
        draws = np.random.default_rng([seed, 0x1A]).standard_normal((count, self.shape.noise_dim), dtype=np.float32)
        return torch.from_numpy(draws * np.float32(variability))

    @torch.inference_mode()
    def encode(self, pixels: NDArray[Any], *, style: bool = True, batches: NDArray[np.intp] | None = None) -> Encoded:
        """Encode cells (n, C, S, S), in the camera's units: done once, whatever they are turned into.

        Their own styles take about as long as their content, and are needed for strengths other than 1 alone, or where
        the model's styles are relative (`Shape.relative_style`): then they are always computed. `batches` (n,) are
        numbers of the batches that the cells are of, -1 where that is to be told from the cell (`batches_of`).
        """
        images = normalize(to_levels(pixels, self.limits)).to(self.device)
        known = None if batches is None else torch.from_numpy(batches).to(self.device)
        return self.encode_images(images, style=style, batches=known)

    def encode_images(self, images: Tensor, *, style: bool, batches: Tensor | None) -> Encoded:
        """Encode images (n, C, S, S) in [-1, 1] that are on the model's device, as `encode` does."""
        own = self.networks.style_encoder(images) if style or self.shape.relative_style else None
        start = None
        if batches is not None and own is not None:
            start = torch.where(
                batches[:, None] < 0, self.networks.start(own, None), self.networks.start_style[batches.clamp(min=0)]
            )
        return Encoded(self.networks.generator.content(images), own, start)

    @torch.inference_mode()
    def decode(self, encoded: Encoded, condition: Target, noise: Tensor, *, strength: float = 1.0) -> Tensor:
        """Encoded cells under a condition, (n, C, S, S) in [-1, 1].

        The style slides linearly from the cell's own at strength 0 to the condition's at 1; past 1 it extrapolates.
        Where styles are relative, the way is as long but starts from the mean style of the controls, or of the batch
        that the cell is of or seems to be of, so that what sets a cell apart from others stays. `noise` is (n, noise
        dimension), see `noise`.

        Raises
        ------
        ValueError
            If the cells were encoded without their styles and the strength is not 1.
        """
        if strength != 1 and encoded.style is None:
            raise ValueError("a strength other than 1 needs the cells' own styles; encode them with style=True")
        embedding, modality = self.embedding(condition)
        return self.decode_style(encoded, embedding, modality, noise.to(self.device), strength=strength)

    def decode_style(
        self, encoded: Encoded, embedding: Tensor, modality: int, noise: Tensor, *, strength: float
    ) -> Tensor:
        """Encoded cells under the condition of an embedding (e,), as `decode` does."""
        target = self.networks.style_of(embedding.expand(len(noise), -1), noise, modality)
        own, relative = encoded.style, self.shape.relative_style > 0
        style = target
        if own is not None and (relative or strength != 1):
            start = own if not relative else encoded.start
            if start is None:
                start = self.networks.start(own, None if self.task == "batch" else modality)
            style = own + strength * (target - start)
        return self.networks.generator.render(encoded.content, style)

    def to_camera(self, images: Tensor, dtype: Any) -> NDArray[Any]:
        """Decoded images (n, C, S, S) → the camera's units, in the given type."""
        return from_normalized(images, self.limits, np.dtype(dtype))
