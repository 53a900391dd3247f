"""The model that a training has made so far, with everything that its file says about it."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from napari_impa.cells.store import Cells
from napari_impa.engine.describing.description import Description
from napari_impa.engine.model.model import IMPA
from napari_impa.engine.model.networks import Networks
from napari_impa.engine.training.data.fingerprint import fingerprint
from napari_impa.engine.training.data.training_cells import TrainingCells
from napari_impa.engine.training.steps.step import Step
from napari_impa.versions import versions


class TrainedModel:
    """Make models out of a training's weights.

    Parameters
    ----------
    cells, data
        What is trained on.
    descriptions
        How the conditions of each modality are described.
    name
        The model's.

    Attributes
    ----------
    source
        Where the cells came from, JSON-able.
    """

    def __init__(self, cells: Cells, data: TrainingCells, descriptions: Sequence[Description], name: str) -> None:
        self._settings, self._limits = data.settings, data.limits
        self._about: dict[str, Any] = {
            "channels": cells.channels,
            "conditions": data.conditions,
            "descriptions": list(descriptions),
            "task": data.settings.task,
            "control": cells.control if data.settings.task == "perturbation" else None,
            "label": cells.label,
            "counts": data.counts,
            "pixel_size": cells.pixel_size,
            "name": name,
        }
        self.source = {
            "cells": dict(cells.history),
            "count": len(cells),
            "label": list(cells.label),
            "control": cells.control,
            "fingerprint": fingerprint(data),
        }

    def make(self, step: Step[Any], *, steps: int, seconds: float, started_from: Mapping[str, Any] | None) -> IMPA:
        """Make the model of the weights as they are (their running average where there is one), on the CPU."""
        networks = Networks(step.networks.shape)
        networks.load_state_dict(step.averaged_state())
        history = {
            "steps": steps,
            "seconds": round(seconds, 1),
            "device": step.device.type,
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "source": self.source,
            "versions": versions(),
            **({"start_from": started_from} if started_from else {}),
        }
        settings = self._settings.to_json()
        return IMPA(networks, limits=self._limits, settings=settings, history=history, **self._about)
