"""Channels apart: a row for cells as they are, predicted and real, each in colours and channel by channel in grey."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from napari.layers import Image, Layer
from numpy.typing import NDArray

from napari_impa.analysis.pictures.composite import channel_colours, composite
from napari_impa.analysis.pictures.lettering import in_middle
from napari_impa.viewer.layers.sources import MADE_BY
from napari_impa.viewer.library.settings import read_settings
from napari_impa.viewer.perturb.request import Request
from napari_impa.viewer.perturb.views.side_by_side import SideBySide
from napari_impa.viewer.perturb.views.view import LONGEST


class MixedStack:
    """A colour picture (N, S, S, 3) of stacks of channels, mixed when it is looked at, with their contrast then.

    Parameters
    ----------
    layers
        One a channel, (N, S, S).
    colours
        Names of theirs.
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(self, layers: Sequence[Image], colours: Sequence[str]) -> None:
        self._layers, self._colours = tuple(layers), tuple(colours)

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, S, S, 3)."""
        return (*self._layers[0].data.shape, 3)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        first, *rest = key if isinstance(key, tuple) else (key,)
        rows = np.arange(len(self))[first]
        pixels = np.stack([np.asarray(layer.data[np.atleast_1d(rows)]) for layer in self._layers], axis=1)
        limits = np.array([layer.contrast_limits for layer in self._layers], float)
        mixed = composite(pixels, limits, self._colours)
        whole: NDArray[np.uint8] = (mixed if np.ndim(rows) else mixed[0])[(slice(None),) * np.ndim(rows) + tuple(rest)]
        return whole

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self[:].astype(dtype or self.dtype)


class ChannelsApart(SideBySide):
    """Rows of panes under one camera and one slider: the mixed picture at the left, and each channel in grey.

    Contrast limits of a channel are linked over the rows, and those of the mixed pictures.
    """

    title = "channels apart"
    tip = "A row each for the cells as they are, predicted and real: in colours, then each channel alone in grey."

    def _lay(self, sets: Sequence[list[Image]], hide: Sequence[Layer]) -> None:
        colours = channel_colours(self._channels)
        place, several = self.found.layers.place, len(self._channels) > 1
        self._mixed: list[Image] = []
        top_down: list[Image] = []
        for layers in sets:
            for layer in layers:
                layer.colormap, layer.blending = "gray", "opaque"
            if several:
                mixed = Image(
                    MixedStack(layers, colours), rgb=True, name="", axis_labels=("cell", "y", "x"),
                    interpolation2d=read_settings().interpolation2d, metadata={MADE_BY: {}}, **place.options(1),
                )  # fmt: skip
                self._mixed.append(mixed)
                top_down.append(mixed)
            top_down += layers
        self._sets = list(sets)
        self._name_rows()
        self._link(sets)
        for layer in sets[0]:
            layer.events.contrast_limits.connect(self._mix_again)
        for layer in top_down:
            self._name_on_canvas(layer)
        self.panes.show(top_down[::-1], hide=hide, stride=1, columns=len(self._channels) + several)

    @property
    def _coloured(self) -> Sequence[Image]:
        return ()

    def show_real(self, request: Request, real: Mapping[str, NDArray[Any] | None]) -> None:
        """Show real cells of other targets."""
        super().show_real(request, real)
        self._name_rows()
        self._mix_again()

    def _put(self, request: Request, number: int, rows: slice, pixels: NDArray[Any]) -> None:
        super()._put(request, number, rows, pixels)
        if rows.start <= self.panes.cell < rows.stop:
            self._mix_again()

    def _tell_all(self, request: Request, about: Any) -> None:
        super()._tell_all(request, about)
        self._name_rows()

    def _mix_again(self, event: Any = None) -> None:
        for mixed in self._mixed:
            mixed.refresh(thumbnail=False, extent=False, highlight=False)

    def _name_rows(self) -> None:
        """A row is called as its channels are, without the channel."""
        for mixed, layers in zip(self._mixed, self._sets, strict=False):
            mixed.name = in_middle(layers[0].name.removesuffix(f" · {self._channels[0]}"), LONGEST)
            mixed.metadata = layers[0].metadata
