"""What a Perturb dock that was closed was set to, for the next one that is opened while napari runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_impa.engine.describing.new_condition import Target
    from napari_impa.viewer.perturb.views import View


@dataclass(frozen=True)
class CompoundText:
    """A SMILES as it was typed, at which dose and as which kind of perturbation."""

    text: str = ""
    dose: float = 0.0
    modality: str | None = None


@dataclass(frozen=True)
class DockSettings:
    """What stands in a dock: plain values, so that no model, image or window is held.

    Parameters
    ----------
    model
        Its key in the list.
    targets
        What cells were turned into, in order: conditions by name, compounds of a list; None for the one typed.
    compound
        The new compound, chosen or not.
    strength, variability, seed
        As in a `Request`.
    view
        Which view.
    controls
        What was set of each kind of view.
    """

    model: str
    targets: tuple[Target | None, ...]
    compound: CompoundText
    strength: float
    variability: float
    seed: int
    view: type[View]
    controls: tuple[Any, ...] = ()


class DockMemory:
    """Holds the settings of the dock that was closed last."""

    def __init__(self) -> None:
        self.settings: DockSettings | None = None

    def forget(self) -> None:
        """Let the next dock begin anew."""
        self.settings = None


MEMORY = DockMemory()
