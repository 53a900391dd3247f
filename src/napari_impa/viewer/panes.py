"""Panes of napari's grid, and putting the user's own grid, camera and visible layers back afterwards.

The grid counts layers: every `stride` of them make a pane.  Counted from the top of the list (a negative stride),
our layers make whole panes however many layers of the user's lie below, as long as ours stay on top.  A pane without a
visible layer takes no room, so the field's own layers are hidden meanwhile; shown again, they make further panes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from napari.layers import Layer

if TYPE_CHECKING:
    from napari.components import ViewerModel


class Panes:
    """Our layers on top of a viewer's, in panes of the grid or over the field."""

    def __init__(self, viewer: ViewerModel) -> None:
        self.viewer = viewer
        self.layers: list[Layer] = []
        self._hidden: list[Layer] = []
        self._grid: tuple[Any, ...] | None = None
        self._camera: tuple[Any, ...] | None = None
        self._fitted: tuple[Any, ...] | None = None
        self._moving = False
        viewer.canvas.events.size.connect(self._fit_again)
        viewer.layers.events.inserted.connect(self._keep_on_top)

    def show(self, layers: Sequence[Layer], *, hide: Sequence[Layer] = (), stride: int | None = None) -> None:
        """Add layers on top and hide others.

        Parameters
        ----------
        layers
            From the bottom up; the topmost `stride` of them are the left pane.
        hide
            Layers to hide; those that are visible now are shown again by `restore`.
        stride
            Layers a pane; None leaves the grid as the user has it.
        """
        camera = self.viewer.scene.camera
        before = camera.center, camera.zoom, camera.angles
        self.viewer.layers.selection.clear()
        for layer in hide:
            if layer.visible:
                layer.visible = False
                self._hidden.append(layer)
        for layer in layers:
            self.layers.append(layer)
            self.viewer.add_layer(layer)
        if stride is not None:
            self._borrow_grid(stride)
            self._camera = before
            self._fit()

    def restore(self) -> None:
        """Take our layers away and put grid, camera and visibility back."""
        for layer in self.layers:
            if layer in self.viewer.layers:
                self.viewer.layers.remove(layer)
        self.layers = []
        for layer in self._hidden:
            layer.visible = True
        self._hidden = []
        if self._grid is not None:
            grid = self.viewer.canvas.grid
            grid.enabled, grid.stride, grid.shape, grid.spacing = self._grid
            self._grid = None
        if self._camera is not None:
            camera = self.viewer.scene.camera
            camera.center, camera.zoom, camera.angles = self._camera
            self._camera = self._fitted = None

    def disconnect(self) -> None:
        """Follow the viewer no more."""
        self.viewer.canvas.events.size.disconnect(self._fit_again)
        self.viewer.layers.events.inserted.disconnect(self._keep_on_top)

    @property
    def whole(self) -> bool:
        """Whether all our layers are still in the viewer."""
        return all(layer in self.viewer.layers for layer in self.layers)

    def _borrow_grid(self, stride: int) -> None:
        grid = self.viewer.canvas.grid
        self._grid = grid.enabled, grid.stride, grid.shape, grid.spacing
        grid.stride, grid.shape, grid.spacing = -stride, (1, -1), 0.02
        grid.enabled = True

    def _fit(self) -> None:
        """Let one crop fill its pane."""
        camera, layer = self.viewer.scene.camera, self.layers[-1]
        low, high = layer.extent.world[:, -2:] + layer.scale[-2:] * [[-0.5], [0.5]]
        height, width = self.viewer.canvas.viewbox_size(self.viewer.layers)
        camera.center = (0.0, *(float(value) for value in (low + high) / 2))
        camera.zoom = 0.97 * min(height / (high - low)[0], width / (high - low)[1])
        self._fitted = camera.center, camera.zoom

    def _fit_again(self) -> None:
        """Follow the window's size, unless the user has moved the camera."""
        camera = self.viewer.scene.camera
        if self._fitted == (camera.center, camera.zoom) and self.whole:
            self._fit()

    def _keep_on_top(self, event: Any) -> None:
        """Move what was added meanwhile below our layers, so that the panes stay whole."""
        if self._moving or not self.layers or event.value in self.layers or not self.whole:
            return
        ours = [self.viewer.layers.index(layer) for layer in self.layers]
        if event.index > min(ours):
            self._moving = True
            try:
                self.viewer.layers.move(event.index, min(ours))
            finally:
                self._moving = False
