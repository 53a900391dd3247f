"""What a segmenter is: its settings, and how nuclei are found by it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from napari_impa.cells.segmenters.settings import Setting, setting
from napari_impa.errors import CellsError, MissingDependencyError


@dataclass(frozen=True, kw_only=True)
class Segmenter:
    """One way to find nuclei in a field, with its settings; a subclass is one kind of it.

    A kind is a frozen dataclass whose fields are made by `setting`, so that it can be called, compared, written down
    (`changed`) and shown in a form (`settings`).

    Raises
    ------
    CellsError
        If a setting is out of its range.
    """

    name: ClassVar[str]
    """What a command line calls it."""

    title: ClassVar[str]
    """What a dock calls it."""

    package: ClassVar[str | None] = None
    """Module that must be installed, or None."""

    hint: ClassVar[str | None] = None
    """What to do where it is not."""

    takes_masks: ClassVar[bool] = False
    """Whether it takes the masks that a field comes with, and finds nothing by itself."""

    minimum_area: int = setting(
        "Minimum area", 0, 0, 100_000, 10, "Nuclei with fewer pixels are left out.", unit="px", automatic="any"
    )

    def __post_init__(self) -> None:
        for one in self.settings():
            object.__setattr__(self, one.name, one.checked(getattr(self, one.name), self.title))

    @classmethod
    def settings(cls) -> tuple[Setting, ...]:
        """What it can be given, its own settings first."""
        found = [Setting(name=each.name, **each.metadata) for each in fields(cls)]
        return tuple(sorted(found, key=lambda one: one.name == "minimum_area"))

    @classmethod
    def available(cls) -> bool:
        """Whether what it needs is installed (it is not imported)."""
        return cls.package is None or find_spec(cls.package) is not None

    @classmethod
    def require(cls) -> None:
        """Refuse to go on where what it needs is not installed.

        Raises
        ------
        MissingDependencyError
            If so.
        """
        if not cls.available():
            raise MissingDependencyError(f"{cls.title} is not installed; {cls.hint}.")

    @property
    def changed(self) -> dict[str, float]:
        """The settings that are not at their default, JSON-able; `segmenter(name, **changed)` is the same again."""
        return {one.name: getattr(self, one.name) for one in self.settings() if getattr(self, one.name) != one.default}

    def __call__(
        self,
        pixels: NDArray[Any],
        nuclei_channel: int = 0,
        pixel_size: float | None = None,
        masks: NDArray[Any] | None = None,
    ) -> NDArray[np.int32]:
        """Find the nuclei of a field.

        Parameters
        ----------
        pixels
            (C, H, W).
        nuclei_channel
            Number of the channel that shows nuclei.
        pixel_size
            µm, or None where it is not known.
        masks
            (H, W) labels that the field comes with, for a segmenter that takes them.

        Returns
        -------
        (H, W) labels, 0 for background; 1…n unless some are left out or they are the field's own.

        Raises
        ------
        MissingDependencyError
            If the package it needs is not installed.
        CellsError
            If there is no such channel, or no masks.
        """
        self.require()
        pixels = np.asarray(pixels)
        if pixels.ndim != 3 or not 0 <= nuclei_channel < len(pixels):
            raise CellsError(f"There is no channel number {nuclei_channel} in a field of shape {pixels.shape}.")
        labels = np.asarray(self.find(pixels, nuclei_channel, pixel_size, masks)).astype(np.int32)
        if self.minimum_area:
            labels[np.bincount(labels.ravel())[labels] < self.minimum_area] = 0
        return labels

    def find(
        self, pixels: NDArray[Any], nuclei_channel: int, pixel_size: float | None, masks: NDArray[Any] | None
    ) -> NDArray[Any]:
        """Find the nuclei, as `__call__` which checks what it is given; this is what each kind does its own way."""
        raise NotImplementedError
