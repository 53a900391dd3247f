"""In place: the field as it would look, with the predicted cells where they were cut."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from napari.layers import Image, Layer
from numpy.typing import NDArray

from napari_impa.viewer.perturb.prediction import EncodedCells
from napari_impa.viewer.perturb.request import AboutTarget, Predicted, Request
from napari_impa.viewer.perturb.views.view import Further, View, ViewNeed
from napari_impa.watch import Token

FIELD = ViewNeed(lambda found, loaded: found.field is not None, "Crops have no field to be put back into.")


def paste_cells(token: Token, encoded: EncodedCells, predicted: Predicted) -> list[NDArray[Any]]:
    """For each target the field (C, H, W), or (T, C, H, W) of all steps, with its predicted cells."""
    fields = []
    for pixels in predicted.pixels:
        token.check()
        field = encoded.found.paste(pixels)
        assert field is not None
        fields.append(field)
    return fields


class InPlace(View):
    """The field with the predicted cells where they were cut; its own channels are hidden meanwhile."""

    title = "in place"
    tip = "The field as it would look: predicted cells put back where they were cut, soft at the seams."
    needs = (FIELD,)
    further = Further(paste_cells)
    shows_cells = False
    fields: list[list[Image]]

    def _start(self, request: Request, hide: Sequence[Layer]) -> None:
        assert self.found.field is not None
        self._hide = hide
        self.fields = []

    @property
    def _coloured(self) -> Sequence[Image]:
        return self.fields[0] if self.fields else ()

    def show_further(self, predicted: Predicted, further: list[NDArray[Any]], about: AboutTarget) -> None:
        """Show a field for each target; several are panes of the grid."""
        layers_of = self.found.layers
        laid = [[layers_of.in_series(plane)[0] for plane in np.moveaxis(field, -3, 0)] for field in further]
        options = layers_of.in_series(further[0][..., 0, :, :])[1]
        if not self.fields:
            self.fields = [
                [self._image(plane, c, "in place", leading="step", **options) for c, plane in enumerate(field)]
                for field in laid
            ]
            top_down = [layer for layers in self.fields for layer in layers]
            several = len(self.fields) > 1
            if several:
                self._link(self.fields)
                for layer in top_down:
                    self._name_on_canvas(layer, coloured=True)
            self.panes.show(top_down[::-1], hide=self._hide, stride=len(self._channels) if several else None)
            if self.found.layers.place.pixel_size:
                self.panes.measure()
        else:
            for layers, field in zip(self.fields, laid, strict=True):
                for layer, plane in zip(layers, field, strict=True):
                    layer.data = plane
        for number in self.targets:
            self._tell(self.fields[number], predicted.request.title(number), about(number))
