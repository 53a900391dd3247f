"""Channels apart: a row for cells as they are, predicted and real, each in colours and channel by channel in grey."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from napari.layers import Image, Layer
from numpy.typing import NDArray

from napari_impa.analysis.pictures.composite import mixed, shown_between
from napari_impa.analysis.pictures.lettering import in_middle
from napari_impa.viewer.layers.sources import MADE_BY, pure_colours
from napari_impa.viewer.library.settings import read_settings
from napari_impa.viewer.perturb.request import AboutTarget, Request
from napari_impa.viewer.perturb.views.side_by_side import SideBySide
from napari_impa.viewer.perturb.views.view import LONGEST

_WIDE = 4
"""So many panes beside each other have room for the longest title."""


class MixedStack:
    """A colour picture (N, S, S, 3) of stacks of channels, mixed when it is looked at: their contrast and gamma then.

    Parameters
    ----------
    layers
        One a channel, (N, S, S).
    colours
        (C, 3) from 0 to 1: what each channel is at full intensity.
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(self, layers: Sequence[Image], colours: NDArray[np.float64]) -> None:
        self._layers, self._colours = tuple(layers), colours

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
        gammas = np.array([layer.gamma for layer in self._layers], np.float32)[:, None, None]
        coloured = mixed(shown_between(pixels, limits) ** gammas, self._colours)
        which = (slice(None),) * np.ndim(rows) + tuple(rest)
        whole: NDArray[np.uint8] = (coloured if np.ndim(rows) else coloured[0])[which]
        return whole

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self[:].astype(dtype or self.dtype)


class ChannelsApart(SideBySide):
    """Rows of panes under one camera and one slider: the mixed picture at the left, and each channel in grey.

    Contrast limits and gamma of a channel are linked over the rows, and those of the mixed pictures.  The first pane of
    a row says whose cells it shows, the first row which channel a column is: more would not fit into the panes.
    """

    title = "channels apart"
    tip = "A row each for the cells as they are, predicted and real: in colours, then each channel alone in grey."

    def _lay(self, sets: Sequence[list[Image]], hide: Sequence[Layer]) -> None:
        colours = pure_colours(self.found.layers.looks)
        place, several = self.found.layers.place, len(self._channels) > 1
        self._mixed: list[Image] = []
        top_down: list[Image] = []
        for layers in sets:
            for layer in layers:
                layer.colormap, layer.blending = "gray", "opaque"
            if several:
                picture = Image(
                    MixedStack(layers, colours), rgb=True, name="", axis_labels=("cell", "y", "x"),
                    interpolation2d=read_settings().interpolation2d, metadata={MADE_BY: {}}, **place.options(1),
                )  # fmt: skip
                self._mixed.append(picture)
                top_down.append(picture)
            top_down += layers
        self._sets = list(sets)
        self._name_rows()
        self._link(sets)
        for layer in sets[0]:
            layer.events.contrast_limits.connect(self._mix_again)
            layer.events.gamma.connect(self._mix_again)
        for layer in (*self._mixed, *sets[0]) if several else top_down:
            self._name_on_canvas(layer)
        self.panes.show(top_down[::-1], hide=hide, stride=1, columns=self._columns)

    @property
    def _coloured(self) -> Sequence[Image]:
        return ()

    def show_real(self, request: Request, real: Mapping[str, NDArray[Any] | None]) -> None:
        """Show real cells of other targets."""
        super().show_real(request, real)
        self._name_rows()
        self._mix_again()

    def show_all(self, request: Request, pixels: NDArray[Any], about: AboutTarget) -> None:
        """Put all cells into the stacks, and a cell into the thumbnail of the mixed picture."""
        super().show_all(request, pixels, about)
        for picture in self._mixed:
            picture.refresh(data_displayed=False, extent=False, highlight=False)

    def _put(self, request: Request, number: int, rows: slice, pixels: NDArray[Any]) -> None:
        super()._put(request, number, rows, pixels)
        if rows.start <= self.panes.cell < rows.stop:
            self._mix_again()

    def _tell_all(self, request: Request, about: Any) -> None:
        super()._tell_all(request, about)
        self._name_rows()

    def _mix_again(self, event: Any = None) -> None:
        for picture in self._mixed:
            picture.refresh(thumbnail=False, extent=False, highlight=False)

    def _name_rows(self) -> None:
        """A row is called as its channels are, without the channel."""
        for picture, layers in zip(self._mixed, self._sets, strict=False):
            name = layers[0].name.removesuffix(f" · {self._channels[0]}")
            name = self.found.as_it_is if layers is self._sets[0] else name
            picture.name, picture.metadata = self._cut(name), layers[0].metadata

    def _layer_name(self, text: str, channel: str) -> str:
        """Names of the first row are the titles of the columns."""
        name = super()._layer_name(text, channel)
        return self._cut(name) if text == in_middle(self.found.as_it_is, LONGEST) else name

    @property
    def _columns(self) -> int:
        return len(self._channels) + (len(self._channels) > 1)

    def _cut(self, text: str) -> str:
        """Leave so many letters as fit into a pane, which is the narrower the more channels there are."""
        return in_middle(text, min(LONGEST, LONGEST * _WIDE // self._columns))
