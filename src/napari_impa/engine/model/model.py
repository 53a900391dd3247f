"""IMPA as the user holds it: networks, the conditions they know, intensity limits; predicts, saves, loads."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

from napari_impa.cells.store import Cells
from napari_impa.cells.tables import shortest
from napari_impa.cells.words import Task
from napari_impa.engine.describing.description import Description
from napari_impa.engine.describing.new_condition import NewCondition, Target, as_list, name_of
from napari_impa.engine.model import model_file
from napari_impa.engine.model.encoder import Encoder
from napari_impa.engine.model.misfits import differences
from napari_impa.engine.model.model_file import ModelParts
from napari_impa.engine.model.networks import Networks
from napari_impa.engine.model.prediction import TURNED_INTO, predict_blocks
from napari_impa.watch import UNWATCHED, Reported

logger = logging.getLogger("napari_impa")


class IMPA(Encoder):
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
    descriptions
        For each kind of perturbation (modality), how its conditions are described; learned where not given.
    name
        What the user calls it.
    card
        Its model card, Markdown that `Card.parse` reads; empty where it has none.
    has_discriminator
        Whether the discriminator's weights are those of the training; a compact file lacks them.
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
        descriptions: Sequence[Description] = (),
        card: str = "",
        has_discriminator: bool = True,
    ) -> None:
        super().__init__(
            networks, channels=channels, conditions=conditions, limits=limits, task=task, label=label,
            descriptions=descriptions, name=name,
        )  # fmt: skip
        self.control = control if control is None or isinstance(control, str) else shortest(control)
        self.pixel_size = None if pixel_size is None else float(pixel_size)
        self.card, self.has_discriminator = card, has_discriminator
        self._logged: set[str] = set()
        self.counts, self.settings, self.history = dict(counts or {}), dict(settings or {}), dict(history or {})

    def __repr__(self) -> str:
        return f"<IMPA {self.name!r}: {self.describe()}>"

    @property
    def hold_out(self) -> dict[str, tuple[str, ...]]:
        """Columns and values of the cells that the training never saw."""
        return {column: tuple(values) for column, values in self.settings.get("hold_out", {}).items()}

    @property
    def where(self) -> dict[str, tuple[str, ...]]:
        """Columns and values of the cells that the training was about; empty for all."""
        return {column: tuple(values) for column, values in self.settings.get("where", {}).items()}

    @property
    def hash(self) -> str:
        """First 12 hexadecimal digits of the SHA-256 of the weights that predict, as float32."""
        digest = hashlib.sha256()
        for name, value in sorted(self.weights(compact=True).items()):
            digest.update(name.encode())
            digest.update(value.detach().cpu().float().contiguous().numpy().tobytes())
        return digest.hexdigest()[:12]

    def describe(self) -> str:
        """One line: channels, crop side, conditions."""
        one, more = ("batch", "batches") if self.task == "batch" else ("condition", "conditions")
        what = one if len(self.conditions) == 1 else more
        channels = f"{len(self.channels)} channel{'s' * (len(self.channels) != 1)}"
        return f"{channels} · {self.size} px · {len(self.conditions)} {what}"

    def weights(self, *, compact: bool = False) -> dict[str, Tensor]:
        """Return the state of the networks; `compact` leaves out the discriminator, which prediction does not need."""
        return self.networks.weights(compact=compact)

    # ---- prediction ---------------------------------------------------------------------------------------------

    def predict(
        self,
        cells: Cells,
        to: Target | Sequence[Target],
        *,
        strength: float = 1.0,
        variability: float = 0.1,
        seed: int = 0,
        batch_size: int | None = None,
        device: str | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> Cells:
        """Turn cells into what they would be under a condition, or under each of several, one after the other.

        In what cells are unlike those that the model learned from is logged as a warning, each sentence once.

        Parameters
        ----------
        cells
            Control cells (or, for a batch model, any), of the model's channels and at least its crop side. Which batch
            a cell is of is taken from the table where that says it, else from the cell.
        to
            Names of conditions, or new ones where the model's description allows them (`NewCondition`).
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
        watch = UNWATCHED if progress is None else Reported(lambda done, of, what: progress(done, of))
        targets = as_list(to)
        fitted = self.fit(cells.take([]))
        for line in differences(self, cells):
            if line not in self._logged:
                self._logged.add(line)
                logger.warning(line)
        out = np.empty((len(targets), len(cells), *fitted.pixels.shape[1:]), fitted.pixels.dtype)
        for rows, pixels in predict_blocks(
            self,
            cells,
            targets,
            strength=strength,
            variability=variability,
            seed=seed,
            batch_size=batch_size,
            watch=watch,
        ):
            for number, block in enumerate(pixels):
                out[number, rows] = block
        table = pd.concat([cells.table.assign(**{TURNED_INTO: name_of(t)}) for t in targets], ignore_index=True)
        return replace(
            fitted,
            pixels=out.reshape(-1, *out.shape[2:]),
            table=table,
            history=self.prediction_history(cells, targets, strength=strength, variability=variability, seed=seed),
        )

    def prediction_history(
        self, cells: Cells, to: Sequence[Target], *, strength: float, variability: float, seed: int
    ) -> dict[str, Any]:
        """What made predicted cells: model, hash, conditions, strength, variability, seed, and what made the cells."""
        made: dict[str, Any] = {"model": self.name, "model_hash": self.hash, "conditions": [name_of(t) for t in to]}
        new = [target.to_json() for target in to if isinstance(target, NewCondition)]
        made |= {"new_conditions": new} if new else {}
        return made | {"strength": strength, "variability": variability, "seed": seed, "cells": dict(cells.history)}

    # ---- files --------------------------------------------------------------------------------------------------

    def parts(self) -> ModelParts:
        """Return what `__init__` takes."""
        return {
            "networks": self.networks,
            "channels": self.channels,
            "conditions": self.conditions,
            "limits": self.limits,
            "task": self.task,
            "control": self.control,
            "label": self.label,
            "counts": self.counts,
            "pixel_size": self.pixel_size,
            "settings": self.settings,
            "history": self.history,
            "name": self.name,
            "descriptions": self.descriptions,
            "card": self.card,
            "has_discriminator": self.has_discriminator,
        }

    def header(self) -> dict[str, Any]:
        """Everything but the weights, JSON-able."""
        return model_file.header(self.parts())

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
        return model_file.write(self.parts(), Path(path), compact=compact, half=half)

    @classmethod
    def load(cls, path: str | Path) -> IMPA:
        """Read a `.impa` file onto the CPU.

        Raises
        ------
        ModelError
            If it is missing, damaged, written by a newer version, or its parts do not fit.
        """
        return cls(**model_file.read(Path(path)))
