"""What every kind of description has: what it needs, how it describes the conditions of a training and a new one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from napari_impa.errors import ConditionError

if TYPE_CHECKING:
    import pandas as pd

Vector = NDArray[np.float32]

Needs = Literal["", "smiles", "file"]
"""What a kind takes from the user: nothing, a column of SMILES, or a file of its own."""


class Asked(Protocol):
    """A new condition, as `NewCondition` is one."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def smiles(self) -> str | None:
        """Its structure, or None."""

    @property
    def vector(self) -> Any:
        """Instead of that, its numbers."""

    @property
    def kind(self) -> str | None:
        """Name of the kind that the numbers are of; None where that is not said."""

    @property
    def dose(self) -> float | None:
        """Its dose, or None."""

    @property
    def given(self) -> str:
        """In words, how it is described: `a SMILES`."""


@dataclass(frozen=True, eq=False)
class Description:
    """How the conditions of one kind of perturbation (modality) are described.

    A subclass is one kind of description. Its class attributes are what the command line, the forms and the messages
    say of it; an instance is what a model keeps.

    Parameters
    ----------
    modality
        Name of the kind of perturbation; empty where there is one only.
    features
        Names of a table's columns; empty where they are not known.
    center, spread
        (features,) subtracted from a table's columns, and what they are then divided by; empty for neither.
    dose
        Factor of the last feature, log10(1 + dose); None where doses are no feature.
    unseen
        Vectors (e,), as the mapping network takes them, of conditions that are described but were not trained on.
    """

    kind: ClassVar[str]
    """Its name in settings, headers and tables; never changed."""

    needs: ClassVar[Needs] = ""
    """What it takes from the user; nothing where the training learns the conditions by name."""

    package: ClassVar[str] = ""
    """A package that it cannot do without and that is not always installed."""

    endings: ClassVar[tuple[str, ...]] = ()
    """Of the names of its files, with the dot."""

    files: ClassVar[str] = ""
    """What a file dialog calls those."""

    label: ClassVar[str]
    """Its row in a form, behind *Describe by*."""

    help: ClassVar[str]
    """A phrase for the command line."""

    tip: ClassVar[str]
    """A sentence for the form."""

    plural: ClassVar[str]
    """What conditions are described by: `bit fingerprints`."""

    singular: ClassVar[str]
    """What a new one is described by: `a bit fingerprint`."""

    advice: ClassVar[str] = ""
    """How to give a new condition instead."""

    wanted: ClassVar[str] = "numbers"
    """What its numbers are."""

    telling: ClassVar[bool] = False
    """Whether numbers that `fits` accepts are of this kind beyond doubt."""

    takes_numbers: ClassVar[bool] = False
    """Whether a new condition's numbers are taken for this where their kind is not said."""

    modality: str = ""
    features: tuple[str, ...] = ()
    center: tuple[float, ...] = ()
    spread: tuple[float, ...] = ()
    dose: float | None = None
    unseen: Mapping[str, Vector] = field(default_factory=dict)

    # ---- what a kind says itself --------------------------------------------------------------------------------

    @classmethod
    def of_training(
        cls, facts: pd.DataFrame, modality: str, path: str, *, standardize: bool
    ) -> tuple[Self, NDArray[Any]]:
        """Describe the conditions of a training: how, and (K, f) the numbers, without doses and as they stand.

        Only of kinds that need something.

        Parameters
        ----------
        facts
            A row a condition: `smiles`, empty for a control without a structure, or `key`, what a file calls it.
        modality
            The kind of perturbation.
        path
            The file, for a kind that needs one.
        standardize
            Whether numbers of different units are brought to one scale.

        Raises
        ------
        ConditionError
            If a condition cannot be described.
        MissingDependencyError
            If a package is missing.
        """
        raise NotImplementedError(cls.kind)

    @classmethod
    def of_smiles(cls, smiles: str, size: int | None = None) -> Vector:
        """(size,) numbers of a structure; only of kinds that need SMILES."""
        raise NotImplementedError(cls.kind)

    @classmethod
    def fits(cls, vectors: NDArray[Any]) -> bool:
        """Whether numbers can be of this kind."""
        return True

    @classmethod
    def similarity(cls, one: NDArray[Any], others: NDArray[Any]) -> NDArray[np.float64]:
        """How like some numbers (f,) are to others (K, f), from 0 to 1; only of kinds that need SMILES."""
        raise NotImplementedError(cls.kind)

    # ---- a new condition ----------------------------------------------------------------------------------------

    def accepts(self, new: Asked) -> bool:
        """Whether a new condition is given in the way these are described."""
        if new.smiles is not None:
            return self.needs == "smiles"
        return self.takes_numbers if new.kind is None else self.kind == new.kind

    def vector(self, new: Asked, size: int) -> Vector:
        """(size,) what the mapping network takes for a new condition; `size` is the embedding dimension e.

        Raises
        ------
        ConditionError
            If the conditions are described in another way, or the vector or dose does not fit.
        """
        where = f" of the modality {self.modality}" if self.modality else ""
        if not self.needs:
            raise ConditionError(
                f"The model learned its conditions{where} by name and cannot take the new one {new.name!r}; "
                "train one whose conditions are described."
            )
        if not self.accepts(new):
            raise ConditionError(
                f"The model's conditions{where} are described by {self.plural}, but {new.name!r} by {new.given}; "
                f"{self.advice}."
            )
        length = self.length(size)
        raw = self.of_smiles(new.smiles, length) if new.smiles is not None else np.array(new.vector)
        if len(raw) != length:
            raise ConditionError(
                f"The model's conditions{where} are described by {length} numbers, but {new.name!r} has {len(raw)}."
            )
        if not self.fits(raw):
            raise ConditionError(
                f"The vector of {new.name!r} is no {self.singular.partition(' ')[2]}: "
                f"it holds other numbers than {self.wanted}."
            )
        if (new.dose is None) != (self.dose is None):
            raise ConditionError(
                f"The model was trained with{'out' if self.dose is None else ''} doses; "
                f"{'leave out' if self.dose is None else 'give'} the dose of {new.name!r}."
            )
        found: Vector = self.complete(raw[None], None if new.dose is None else np.array([new.dose]))[0]
        return found

    def length(self, size: int) -> int:
        """How many of `size` features describe the condition; the dose is one more where it is one."""
        return size - (self.dose is not None)

    # ---- numbers ------------------------------------------------------------------------------------------------

    def with_doses(self, raw: NDArray[Any], largest: float) -> Self:
        """Give the largest dose of a training as much weight as its descriptions (K, f) have on average."""
        size = np.sqrt(np.square(self.complete(raw, None)).sum(1).mean())
        weight = np.log10(1 + largest)
        return replace(self, dose=float(size / weight) if weight > 0 else 1.0)

    def complete(self, raw: NDArray[Any], doses: NDArray[Any] | None) -> Vector:
        """(K, f) fingerprints or table rows, and doses (K,) → (K, e) what the mapping network takes."""
        if self.center:
            raw = (raw - np.array(self.center)) / np.array(self.spread)
        if self.dose is not None and doses is not None:
            raw = np.column_stack([raw, self.dose * np.log10(1 + doses)])
        completed: Vector = np.ascontiguousarray(raw, dtype=np.float32)
        return completed

    # ---- header -------------------------------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        """Plain values for a model's header; of the unseen conditions the names only."""
        values = {name: getattr(self, name) for name in ("kind", "modality", "dose")}
        values |= {name: list(getattr(self, name)) for name in ("features", "center", "spread", "unseen")}
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any], unseen: NDArray[Any]) -> Self:
        """Read what `to_json` wrote, with the vectors (U, e) of the unseen conditions."""
        lists = {name: tuple(values[name]) for name in ("features", "center", "spread")}
        vectors = dict(zip(values["unseen"], unseen.astype(np.float32), strict=True))
        return cls(values["modality"], dose=values["dose"], unseen=vectors, **lists)
