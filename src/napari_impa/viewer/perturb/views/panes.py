"""Panes of napari's grid, and putting the user's own grid, camera, dims and visible layers back afterwards.

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
        self._dims: tuple[Any, ...] = _dims_of(viewer)
        self._selected: list[Layer] = []
        self._fitted: tuple[Any, ...] | None = None
        self._moving = False
        self._cells = 0
        self._bar = False
        viewer.canvas.events.size.connect(self._fit_again)
        viewer.layers.events.inserted.connect(self._keep_on_top)

    def show(
        self,
        layers: Sequence[Layer],
        *,
        hide: Sequence[Layer] = (),
        stride: int | None = None,
        columns: int = 0,
        alone: bool = False,
    ) -> None:
        """Add layers on top and hide others.

        Parameters
        ----------
        layers
            From the bottom up; the topmost `stride` of them are the left pane.
        hide
            Layers to hide; those that are visible now are shown again by `restore`.
        stride
            Layers a pane; None leaves the grid as the user has it.
        columns
            Panes beside each other; 0 for as many as let the crops be largest.
        alone
            Without the grid, and with a camera that the layers set themselves.
        """
        camera, dims = self.viewer.scene.camera, self.viewer.dims
        before = camera.center, camera.zoom, camera.angles
        self._dims = _dims_of(self.viewer)
        self._selected = list(self.viewer.layers.selection)
        self.viewer.layers.selection.clear()
        for layer in hide:
            self.hide(layer)
        for layer in layers:
            self.layers.append(layer)
            self.viewer.add_layer(layer)
        if stride is not None:
            self._borrow_grid(stride, columns)
            dims.ndisplay = 2
            self._camera = before
            self._fit()
        elif alone:
            grid = self.viewer.canvas.grid
            self._grid = grid.enabled, grid.stride, grid.shape, grid.spacing
            grid.enabled, dims.ndisplay, self._camera = False, 2, before

    def measure(self) -> None:
        """Draw napari's scale bar, once for all panes, while ours are shown."""
        bar = self.viewer.canvas.overlays.scale_bar
        self._bar = not bar.visible
        bar.visible = True

    def hide(self, layer: Layer) -> None:
        """Hide one more layer, which would be a pane of its own; it is shown again by `restore`."""
        if layer.visible:
            layer.visible = False
            self._hidden.append(layer)

    def restore(self) -> None:
        """Take our layers away and put grid, camera and visibility back."""
        for layer in self.layers:
            if layer in self.viewer.layers:
                self.viewer.layers.remove(layer)
        self.layers = []
        if self._bar:
            self.viewer.canvas.overlays.scale_bar.visible = self._bar = False
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
        _restore_dims(self.viewer, self._dims)
        self.viewer.layers.selection = {layer for layer in self._selected if layer in self.viewer.layers}
        self._selected = []

    def count(self, cells: int) -> None:
        """Say beside napari's slider, which counts steps from 0, which of so many cells is in sight, from 1."""
        self._cells = cells
        self.viewer.dims.events.current_step.connect(self._say_cell)
        self._say_cell()

    def _say_cell(self, event: Any = None) -> None:
        dims, axis = self.viewer.dims, self.cell_axis
        if axis >= 0 and self.whole:
            labels = list(dims.axis_labels)
            labels[axis] = f"cell {self.cell + 1:,} of {self._cells:,}"
            dims.axis_labels = tuple(labels)

    def disconnect(self) -> None:
        """Follow the viewer no more."""
        if self._cells:
            self.viewer.dims.events.current_step.disconnect(self._say_cell)
            self._cells = 0
        self.viewer.canvas.events.size.disconnect(self._fit_again)
        self.viewer.layers.events.inserted.disconnect(self._keep_on_top)

    @property
    def whole(self) -> bool:
        """Whether all our layers are still in the viewer."""
        return all(layer in self.viewer.layers for layer in self.layers)

    @property
    def in_grid(self) -> bool:
        """Whether our layers make panes of the grid, or stand alone."""
        return self._grid is not None

    @property
    def cell_axis(self) -> int:
        """Axis of the viewer along which the cells of a stack lie."""
        return int(self.viewer.dims.ndim) - 3

    @property
    def cell(self) -> int:
        """Row of the cell on show."""
        # our stacks lie at scale 1 from 0 there, whatever steps a source of the user's gives the slider
        return round(self.viewer.dims.point[self.cell_axis]) if self.cell_axis >= 0 else 0

    @property
    def step_before(self) -> tuple[int, ...]:
        """The viewer's step before the layers came, which says what plane of a source is meant."""
        step: tuple[int, ...] = self._dims[0]
        return step

    def _borrow_grid(self, stride: int, columns: int) -> None:
        grid, count = self.viewer.canvas.grid, -(-len(self.layers) // stride)
        self._grid = grid.enabled, grid.stride, grid.shape, grid.spacing
        columns = columns or self._columns_for(count)
        # Panes of layers that are shown later come after ours, so that only the number in a row is fixed.
        grid.stride, grid.shape, grid.spacing = -stride, (1, -1) if columns >= count else (-1, columns), 0.02
        grid.enabled = True

    def _columns_for(self, count: int) -> int:
        """So many panes in a row that square crops are largest; up to three stay beside each other."""
        if count <= 3:
            return count
        height, width = self.viewer.canvas.size
        return max(
            range(1, count + 1), key=lambda columns: (min(width / columns, height / -(-count // columns)), columns)
        )

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


def _dims_of(viewer: ViewerModel) -> tuple[Any, ...]:
    dims = viewer.dims
    return dims.current_step, dims.ndim, dims.ndisplay, dims.order, dims.axis_labels


def _restore_dims(viewer: ViewerModel, before: tuple[Any, ...]) -> None:
    """Put the dims back, as far as layers that came or went meanwhile leave the same axes."""
    step, ndim, ndisplay, order, labels = before
    dims = viewer.dims
    dims.ndisplay = ndisplay
    if dims.ndim == ndim:
        dims.order, dims.axis_labels, dims.current_step = order, labels, step
