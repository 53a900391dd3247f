"""The cells of one training step."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """One step's cells.

    Parameters
    ----------
    control
        Cells to transform, (B, C, S, S) in [-1, 1].
    treated, y_treated
        Real cells (B, C, S, S) and their conditions (B,).
    y_target
        What the control cells are turned into (B,).
    modality
        Number of the kind of perturbation that the conditions belong to.
    first
        Place of the first cell in the whole batch, where several processes share one.
    at_target
        (B,) which of the cells to transform are of their target condition already: controls that stay controls. None
        for none.
    """

    control: Tensor
    treated: Tensor
    y_treated: Tensor
    y_target: Tensor
    modality: int = 0
    first: int = 0
    at_target: Tensor | None = None

    def part(self, rows: slice) -> Batch:
        """Some cells of the batch."""
        at_target = None if self.at_target is None else self.at_target[rows]
        cells = {name: getattr(self, name)[rows] for name in ("control", "treated", "y_treated", "y_target")}
        return replace(self, **cells, at_target=at_target, first=self.first + rows.start)

    def to(self, device: torch.device, layout: torch.memory_format) -> Batch:
        """Return the batch on a device, its images in a memory layout."""
        return replace(
            self,
            control=self.control.to(device).contiguous(memory_format=layout),
            treated=self.treated.to(device).contiguous(memory_format=layout),
            y_treated=self.y_treated.to(device),
            y_target=self.y_target.to(device),
            at_target=None if self.at_target is None else self.at_target.to(device),
        )
