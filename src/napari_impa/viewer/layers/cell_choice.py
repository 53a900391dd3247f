"""What the form says about cells, and turning it into plain values for the background."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np
from napari.layers import Labels, Layer, Points, Shapes

from napari_impa.viewer.layers.channels import channel_layers
from napari_impa.viewer.layers.found_cells import CROPS
from napari_impa.viewer.layers.masks import centres_of, labels_plane, lying_elsewhere, region_of
from napari_impa.viewer.layers.sources import Channel

if TYPE_CHECKING:
    from napari_impa.cells.segmenters import Segmenter


@dataclass(frozen=True, eq=False)
class CellChoice:
    """Where the cells are to come from.

    Parameters
    ----------
    channels
        One for each of the model's channels.
    method
        A segmenter's name, `labels`, `points` or `crops`.
    nuclei_channel
        Which of the channels shows nuclei.
    mask
        The Labels or Points layer, for those methods.
    region
        Where cells are wanted; None for the whole field.
    steps
        For each leading axis which step is meant, or None for all, of one axis at most.
    segmenter
        With its settings, of the kind that `method` names; for labels, what goes for them too.
    """

    channels: tuple[Channel, ...]
    method: str
    nuclei_channel: int = 0
    mask: Labels | Points | None = None
    region: Shapes | None = None
    steps: tuple[int | None, ...] = ()
    segmenter: Segmenter | None = None

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The channels' layers, each once."""
        return tuple(dict.fromkeys(channel.layer for channel in self.channels))

    def same_cells(self) -> tuple[Any, ...]:
        """Return something that is equal for choices which mean the same cells; no layer is held by it."""
        parts = () if self.region is None else tuple(np.asarray(shape).tobytes() for shape in self.region.data)
        layers = tuple((ref(channel.layer), channel.position) for channel in self.channels)
        return layers, self.method, None if self.mask is None else ref(self.mask), parts, self.steps

    def plain(self, channels: tuple[str, ...], size: int, task: str) -> tuple[Any, ...]:
        """Return what `find_cells` takes after its token, for a model of such channels, crop side and task.

        Raises
        ------
        CellsError
            As `channel_layers` and `region_of`.
        """
        layers = channel_layers(self.channels, steps=self.steps, stacks=self.method == CROPS)
        first = self.channels[0]
        mask: Any = None
        if isinstance(self.mask, Labels):
            mask = labels_plane(self.mask, first, self.steps)
            elsewhere = lying_elsewhere(mask, layers.planes, layers.names[0])
            layers = replace(layers, remarks=(*layers.remarks, *elsewhere))
        elif isinstance(self.mask, Points):
            mask = centres_of(self.mask, first, self.steps)
        region = None if self.region is None or self.method == CROPS else region_of(self.region, first, self.steps)
        return layers, channels, size, self.method, self.nuclei_channel, mask, region, self.segmenter, task
