"""Losses that share the cells of a batch: each is computed on its own part of them, at so many times its weight."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Turns:
    """Losses by name, of which every cell of a batch has one.

    Parameters
    ----------
    names
        Of n losses.
    batch_size
        Cells of the whole batch, of which several processes may have a part each.
    """

    names: tuple[str, ...]
    batch_size: int

    def kind(self, number: int) -> int:
        """What of a step's number the parts depend on: nothing, unless there are fewer cells than losses."""
        return number % len(self.names) if 0 < self.batch_size < len(self.names) else 0

    def cells(self, name: str, first: int, number: int) -> slice:
        """The part of a batch for a loss, every n-th cell; the batch begins at the place `first` of the whole one."""
        count = len(self.names)
        return slice((self.names.index(name) - first - self.kind(number)) % count, None, count)

    def weighed(self, loss: Tensor, cells: int, of: int) -> Tensor:
        """Return a mean over so many cells as a part of the mean over all, times the number of losses."""
        return loss * (len(self.names) * cells / of)
