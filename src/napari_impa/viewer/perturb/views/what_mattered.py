"""What mattered: the smallest part of each prediction that makes a classifier of real cells see a treated cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
from napari.layers import Image, Layer
from napari.utils import Colormap
from numpy.typing import NDArray

from napari_impa.cells.tables import condition_names
from napari_impa.errors import ConditionError
from napari_impa.viewer.layers.found_cells import Found
from napari_impa.viewer.library.models import Loaded
from napari_impa.viewer.perturb.prediction import EncodedCells
from napari_impa.viewer.perturb.request import AboutTarget, Predicted, PredictedBlock, Request
from napari_impa.viewer.perturb.views.stacks import Stacks
from napari_impa.viewer.perturb.views.view import Further, ViewNeed
from napari_impa.watch import Token, Watch

if TYPE_CHECKING:
    from napari_impa.analysis.attribution.attributions import Attributions
    from napari_impa.analysis.attribution.fair_pixel_classifier import FairPixelClassifier

FEWEST = 20
"""Real cells of a condition that a classifier needs, as in `analysis.attribution`, whose import takes seconds."""

MASK = Colormap([[1.0, 0.55, 0.1, 0.0], [1.0, 0.55, 0.1, 0.75]], name="what mattered")
"""See-through where nothing mattered, orange where it did."""

_CLASSIFIERS: WeakKeyDictionary[Found, dict[str, FairPixelClassifier]] = WeakKeyDictionary()
"""Of the cells of docks that are open, by condition: they do not depend on strength, variability and seed."""


def _has_real_cells(found: Found, loaded: Loaded) -> bool:
    """Whether controls stand apart, and the source has real cells of a condition that the model knows."""
    layers = found.layers
    if layers.table is None or not layers.label or layers.control is None or loaded.model.task == "batch":
        return False
    names, counts = np.unique(
        condition_names(layers.table, layers.label, layers.control).astype(str), return_counts=True
    )
    known = set(loaded.model.conditions) - {layers.control}
    return any(count >= FEWEST and name in known for name, count in zip(names, counts, strict=True))


REAL_CELLS = ViewNeed(
    _has_real_cells,
    f"Needs real cells to learn from: open crops (.cells) that hold {FEWEST} controls and {FEWEST} treated cells or "
    "more.",
)


@dataclass(frozen=True, eq=False)
class MaskBlock(PredictedBlock):
    """Masks of some predicted cells, float32 from 0 to 1."""


@dataclass(frozen=True)
class MaskFacts:
    """What is said of the masks of a target.

    Parameters
    ----------
    size
        Median share of the pixels of all channels that they take.
    flipped
        Share of the cells that the classifier takes for treated, the part under the mask pasted in.
    area
        Median of QuAC's score.
    accuracy
        Of the classifier, on cells that it never saw.
    how
        What it learned from, to end a sentence.
    """

    size: float
    flipped: float
    area: float
    accuracy: float
    how: str


@dataclass(frozen=True, eq=False)
class FoundMasks:
    """Masks (T, N, C, S, S) of all cells, and what is said of those of each target."""

    masks: NDArray[np.float32]
    facts: tuple[MaskFacts, ...]


class _Asked(Watch):
    """Whether to go on, asked of a token that hears blocks alone."""

    def __init__(self, token: Token) -> None:
        self._token = token

    def check(self) -> None:
        """Leave the work if the token says so."""
        self._token.check()


def mask_cells(token: Token, encoded: EncodedCells, predicted: Predicted) -> FoundMasks:
    """Masks of all predictions, reporting each `MaskBlock`.

    Raises
    ------
    ConditionError
        If the source has too few real cells of a target, or they do not differ from the controls.
    """
    from napari_impa.analysis.attribution.attributions import attributions

    found, request = encoded.found, predicted.request
    watch, numbers = _Asked(token), range(len(request.targets))
    judges = [classifier_of(found, encoded.loaded, request.name(number), watch) for number in numbers]
    masks = np.zeros((len(numbers), *found.cells.pixels.shape), np.float32)
    parts: list[list[Attributions]] = [[] for _ in numbers]
    for rows in encoded.pieces(token):
        for number in numbers:
            part = attributions(
                judges[number],
                found.cells.pixels[rows],
                predicted.pixels[number, rows],
                rows=np.arange(rows.start, rows.stop),
                watch=watch,
            )
            parts[number].append(part)
            masks[number, rows] = part.masks
            token.send(MaskBlock(request, number, rows, part.masks))
    return FoundMasks(masks, tuple(map(_facts, parts)))


def classifier_of(found: Found, loaded: Loaded, condition: str, watch: Watch) -> FairPixelClassifier:
    """Classifiers of a dock's controls and of the source's real cells of a condition, trained once."""
    from napari_impa.analysis.attribution.fair_pixel_classifier import FairPixelClassifier, groupings_of

    kept = _CLASSIFIERS.setdefault(found, {})
    if condition not in kept:
        treated = found.treated(condition)
        if treated is None or min(len(treated), len(found.cells)) < FEWEST:
            raise ConditionError(
                f"What mattered for {condition} takes {FEWEST} real cells of it and {FEWEST} controls to learn from; "
                f"there are {0 if treated is None else len(treated)} and {len(found.cells)}."
            )
        groupings = groupings_of(found.cells.table, found.treated_table(condition), found.layers.label)
        kept[condition] = FairPixelClassifier.fit(
            found.cells.pixels, treated, loaded.model.limits, groupings=groupings, watch=watch
        )
    return kept[condition]


def _facts(parts: Sequence[Attributions]) -> MaskFacts:
    sizes, flipped, areas = (
        np.concatenate([getattr(p, name) for p in parts]) for name in ("sizes", "flipped", "areas")
    )
    first, told = parts[0], sizes[np.isfinite(sizes)]  # the others are taken for treated to begin with
    size = float(np.median(told)) if len(told) else 0.0
    return MaskFacts(size, float(flipped.mean()), float(np.median(areas)), first.accuracy, first.how)


class WhatMattered(Stacks):
    """The control cell in grey, and over it, in orange, the part of the change that makes it a treated one."""

    title = "what mattered"
    tip = (
        "Orange: the smallest part of the change, channel by channel, after which a classifier of real cells takes "
        "the control cell for a treated one."
    )
    needs = (REAL_CELLS,)
    further = Further(mask_cells, busy="Learning from real cells what mattered …")

    @classmethod
    def says(cls, further: FoundMasks) -> str:
        """How small the masks are, what they do, and how far the classifier can be believed."""
        return " ".join(
            f"{fact.size:.0%} of the pixels make {fact.flipped:.0%} of the cells treated ones to a classifier that is "
            f"right in {fact.accuracy:.0%} of real cells that it never saw; trained {fact.how}."
            for fact in further.facts
        )

    def _open(self, hide: Sequence[Layer]) -> None:
        channels = range(len(self._channels))
        self.grounds: list[list[Image]] = []
        self.stacks = []
        self.facts: dict[int, MaskFacts] = {}
        options = {"colormap": MASK, "contrast_limits": (0.0, 1.0), "gamma": 1.0, "blending": "translucent"}
        panes: list[Layer] = []
        for _ in self.targets:
            grounds = self._control()
            for ground in grounds:
                ground.colormap = "gray"
                ground.blending = "opaque"
            masks = [self._empty(channel, self.title, dtype=np.float32, **options) for channel in channels]
            self._tell(masks, " …", {})
            self.grounds.append(grounds)
            self.stacks.append(masks)
            for mask, ground in zip(masks, grounds, strict=True):
                self._name_on_canvas(mask)
                panes += [mask, ground]
        if len(self.targets) > 1:
            self._link(self.stacks)
            self._link(self.grounds)
        self.panes.show(panes[::-1], hide=hide, stride=2, columns=len(channels) if len(self.targets) > 1 else 0)

    @property
    def _coloured(self) -> Sequence[Image]:
        return ()

    def show_block(self, block: PredictedBlock, about: AboutTarget) -> None:
        """Show masks as they come; predicted pixels are no part of this view."""
        if isinstance(block, MaskBlock):
            self._put(block.request, block.number, block.rows, block.pixels)

    def show(self, predicted: Predicted, about: AboutTarget) -> None:
        """Take away the masks of another request; those of this one come later."""
        if self._request != predicted.request:
            for number in self.targets:
                everything = np.zeros(self.found.cells.pixels.shape, np.float32)
                self._put(predicted.request, number, slice(0, len(everything)), everything)
            self._there[:] = False

    def show_further(self, predicted: Predicted, further: FoundMasks, about: AboutTarget) -> None:
        """Show the masks of all cells, and say how far they can be believed."""
        self.facts = dict(enumerate(further.facts))
        self._told = None
        self.show_all(predicted.request, further.masks, lambda number: about(number) | vars(self.facts[number]))

    def _tell_all(self, request: Request, about: AboutTarget) -> None:
        if self._told != request:
            self._told = request
            for number in self.targets:
                fact = self.facts.get(number)
                text = (f", {fact.size:.0%}" if fact else "") + f" · {request.title(number)}"
                self._tell(self.stacks[number], text, about(number))

    def _layer_name(self, text: str, channel: str) -> str:
        return f"{text} · {channel}" if text == self.found.as_it_is else f"{channel}: what mattered{text}"
