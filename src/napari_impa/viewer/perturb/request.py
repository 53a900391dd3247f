"""What cells are to be turned into, what comes of it bit by bit and as a whole, and what is said of it in layers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from napari_impa.viewer.library.models import Loaded

if TYPE_CHECKING:
    from napari_impa.engine.describing.new_condition import Target

AboutTarget = Callable[[int], dict[str, Any]]
"""What made the layers of a target, by its number."""


@dataclass(frozen=True)
class Request:
    """What the cells are to be turned into, each target in a pane of its own; the rest as `IMPA.predict` takes it."""

    targets: tuple[Target, ...]
    strength: float = 1.0
    variability: float = 0.1
    seed: int = 0

    def name(self, number: int = 0) -> str:
        """Name of a target."""
        target = self.targets[number]
        return target if isinstance(target, str) else target.name

    def title(self, number: int = 0) -> str:
        """Name of a target, and the strength where it is not 1."""
        return self.name(number) if self.strength == 1 else f"{self.name(number)} ×{self.strength:g}"


@dataclass(frozen=True, eq=False)
class PredictedBlock:
    """Predicted pixels (n, C, S, S) of some rows for one of the targets, sent as soon as they are there."""

    request: Request
    number: int
    rows: slice
    pixels: NDArray[Any]


@dataclass(frozen=True, eq=False)
class Predicted:
    """All cells predicted.

    Parameters
    ----------
    request
        What was asked for.
    pixels
        (T, N, C, S, S) for each target.
    seconds
        How long it took.
    """

    request: Request
    pixels: NDArray[Any]
    seconds: float


def made_by(loaded: Loaded, request: Request, number: int = 0) -> dict[str, Any]:
    """What made a predicted layer, for its metadata."""
    target = request.targets[number]
    return {
        "model": loaded.model.name,
        "model_hash": loaded.hash,
        "condition": target if isinstance(target, str) else target.to_json(),
        "strength": request.strength,
        "variability": request.variability,
        "seed": request.seed,
    }
