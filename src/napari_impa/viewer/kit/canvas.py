"""Layers that a dock shows while a view has the canvas for itself: the view, which would hide them, steps aside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakMethod

from napari.layers import Layer

if TYPE_CHECKING:
    from napari.components import ViewerModel

_HOLDERS: list[WeakMethod[Callable[[Sequence[Layer]], None]]] = []


def tell_of_layers(step_aside: Callable[[Sequence[Layer]], None]) -> None:
    """Let a method, which is held weakly, be called with layers that docks add by `show_layers`, in any viewer."""
    _HOLDERS[:] = [held for held in _HOLDERS if held() is not None]
    _HOLDERS.append(WeakMethod(step_aside))


def show_layers(viewer: ViewerModel, data: Sequence[tuple[Any, dict[str, Any], str]]) -> list[Layer]:
    """Add layers that are to be seen at once, and return them.

    Parameters
    ----------
    viewer
        Where to.
    data
        Of each layer its data, its options and its type.
    """
    layers = [viewer.add_layer(Layer.create(*one)) for one in data]
    for held in list(_HOLDERS):
        step_aside = held()
        if step_aside is not None:
            step_aside(layers)
    return layers
