"""What all views of a prediction share: layers that lie and look like their source, in panes, put away at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from napari.experimental import link_layers, unlink_layers
from napari.layers import Image, Layer
from numpy.typing import NDArray

from napari_impa.analysis.pictures.lettering import in_middle
from napari_impa.viewer.layers.channels import look_of
from napari_impa.viewer.layers.found_cells import Found
from napari_impa.viewer.layers.sources import MADE_BY, Look
from napari_impa.viewer.library.models import Loaded
from napari_impa.viewer.library.settings import read_settings
from napari_impa.viewer.perturb.prediction import EncodedCells, InSight
from napari_impa.viewer.perturb.request import AboutTarget, Predicted, PredictedBlock, Request
from napari_impa.viewer.perturb.views.panes import Panes
from napari_impa.watch import Token

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_impa.analysis.changes import Changes

LONGEST = 26
"""Letters of a title in a pane; of longer ones the middle is left out."""
TEXT = 8  # points, so that a name fits into its pane
LINKED = ("contrast_limits", "gamma", "colormap", "visible", "opacity")


@dataclass(frozen=True)
class ViewNeed:
    """What must be there for a view, and what is said where it is not."""

    is_there: Callable[[Found, Loaded], bool]
    otherwise: str


@dataclass(frozen=True)
class Further:
    """What a view shows that takes more than a prediction; both run in the background.

    Parameters
    ----------
    of_all
        Computes it of all cells, when they are predicted; may report blocks, and stops with its token.
    in_sight
        Computes a block of it for the cells in sight, before all are predicted.
    busy
        What is said meanwhile.
    """

    of_all: Callable[[Token, EncodedCells, Predicted], Any]
    in_sight: InSight | None = None
    busy: str = "Predicting …"


def _nothing(*_: Any) -> None:
    """Do nothing, where a view is used alone."""


@dataclass(frozen=True)
class ViewActs:
    """What a view may ask for: a cell in sight, one left out or taken in again, and cells lit up in all docks."""

    bring_up: Callable[[int], None] = _nothing
    leave_out: Callable[[int], None] = _nothing
    undo: Callable[[], None] = _nothing
    choose: Callable[[NDArray[np.intp]], None] = _nothing


class View:
    """Layers that show one prediction after another; made anew when the cells or the number of targets change.

    Parameters
    ----------
    viewer
        Where to.
    found
        The cells, and the layers they came from.
    request
        The first to be shown.
    hide
        Layers to hide meanwhile.
    real
        (N, C, S, S) real cells of a target, by its name, where the source has them.
    """

    title: ClassVar[str]
    """What the view is called in the dock; it stands for the view wherever one is chosen."""
    tip: ClassVar[str]
    """What is to be seen, in a sentence."""
    needs: ClassVar[tuple[ViewNeed, ...]] = ()
    """What must be there."""
    controls: ClassVar[type[Any] | None] = None
    """A frozen dataclass of what can be set of this view alone; the dock makes a form of it (`kit.typed_form`)."""
    further: ClassVar[Further | None] = None
    """What is computed after the prediction, and shown instead of it."""
    takes: ClassVar[type[PredictedBlock]] = PredictedBlock
    """Which blocks show the cell in sight."""
    shows_cells: ClassVar[bool] = True
    """Whether there is a cell slider."""
    alone: ClassVar[bool] = False
    """Whether everything else that is open is hidden."""
    acts: ViewActs = ViewActs()
    """What the view may ask for."""

    def __init__(
        self,
        viewer: ViewerModel,
        found: Found,
        request: Request,
        hide: Sequence[Layer],
        real: Mapping[str, NDArray[Any] | None] | None = None,
    ) -> None:
        self.found, self.panes, self.targets = found, Panes(viewer), range(len(request.targets))
        self.real = dict(real or {})
        self._links: list[tuple[Layer, ...]] = []
        self._start(request, hide)

    @classmethod
    def missing(cls, found: Found, loaded: Loaded) -> str:
        """What is not there that the view needs, in words; empty where nothing is missing."""
        return next((need.otherwise for need in cls.needs if not need.is_there(found, loaded)), "")

    @classmethod
    def says(cls, further: Any) -> str:
        """What the dock says of all that `further` has computed, in a sentence; empty where nothing."""
        return ""

    def _start(self, request: Request, hide: Sequence[Layer]) -> None:
        raise NotImplementedError

    def fits(self, request: Request, real: Mapping[str, NDArray[Any] | None]) -> bool:
        """Whether the panes are those that a request needs."""
        return len(request.targets) == len(self.targets)

    def show_block(self, block: PredictedBlock, about: AboutTarget) -> None:
        """Show some cells; where the view needs all of them, wait."""

    def show(self, predicted: Predicted, about: AboutTarget) -> None:
        """Show all predicted cells; where the view shows what is computed further, wait."""

    def show_further(self, predicted: Predicted, further: Any, about: AboutTarget) -> None:
        """Show what `further` has computed of predicted cells."""

    def show_real(self, request: Request, real: Mapping[str, NDArray[Any] | None]) -> None:
        """Show real cells of other targets, where real cells are shown."""

    def steer(self, controls: Any) -> None:
        """Follow `controls`, as they were set last."""

    def show_measured(self, changes: Changes | None) -> None:
        """Follow what was measured of the cells; None where that is not known any more."""

    def light(self, rows: NDArray[np.intp]) -> None:
        """Show which cells were chosen, in this dock or another."""

    def bring_up(self, row: int) -> None:
        """Show which cell is in sight, where there is no cell slider."""

    def rows_first(self) -> tuple[int, ...]:
        """Rows of cells that are to be predicted first, where the view has more than one in sight."""
        return ()

    def remembered(self) -> Any:
        """What the next view of this kind is to go on with; None for nothing."""
        return None

    def recall(self, remembered: Any) -> None:
        """Go on with what a view of this kind has `remembered`."""

    def close(self) -> None:
        """Take the layers away and put the viewer back as it was."""
        self.abandon()
        self.panes.restore()

    def abandon(self) -> None:
        """Let go of the layers, which stay where they are."""
        for linked in self._links:
            unlink_layers(linked, LINKED)
        self._links = []
        self.panes.disconnect()

    @property
    def whole(self) -> bool:
        """Whether none of the layers was deleted."""
        return self.panes.whole

    def looks_now(self) -> tuple[Look, ...] | None:
        """How each channel is shown at present; None where no channel is shown in its own colours."""
        return tuple(map(look_of, self._coloured)) or None

    @property
    def _coloured(self) -> Sequence[Image]:
        """Layers that show the channels in their own colours, one a channel."""
        return ()

    @property
    def _channels(self) -> tuple[str, ...]:
        return self.found.cells.channels

    def _image(self, data: NDArray[Any], channel: int, name: str, *, leading: str = "cell", **more: Any) -> Image:
        """Make a layer that lies and looks like the source's channel."""
        look, place = self.found.layers.looks[channel], self.found.layers.place
        extra = data.ndim - 2
        options: dict[str, Any] = {
            "name": name,
            "axis_labels": ((leading,) * extra + ("y", "x")) if extra else None,
            "colormap": look.colormap,
            "contrast_limits": look.contrast_limits,
            "gamma": look.gamma,
            "blending": "additive",
            "interpolation2d": read_settings().interpolation2d,
            "metadata": {MADE_BY: {}},
        }
        return Image(data, **(place.options(extra) | options | more))

    def _control(self) -> list[Image]:
        """Layers of the cells as they are, one a channel."""
        pixels = self.found.cells.pixels
        title = self.found.as_it_is
        layers = [self._image(pixels[:, c], c, title) for c in range(len(self._channels))]
        self._tell(layers, title, {"layers": list(self.found.layers.names)})
        return layers

    def _link(self, sets: Sequence[Sequence[Image]], attributes: Sequence[str] = LINKED) -> None:
        """Link the same channels of several sets of layers."""
        for same in zip(*sets, strict=True):
            link_layers(same, attributes)
            self._links.append(tuple(same))

    @staticmethod
    def _name_on_canvas(layer: Layer, *, coloured: bool = False) -> None:
        """Write a layer's name into its pane, in the channel's colour where it is to be the legend too."""
        layer.name_overlay.visible = True
        layer.name_overlay.font_size = TEXT
        if coloured:
            colour = np.asarray(layer.colormap.colors[-1][:3], float)
            layer.name_overlay.color = 0.3 + 0.7 * colour / max(colour.max(), 1e-6)

    def _layer_name(self, text: str, channel: str) -> str:
        return f"{text} · {channel}"

    def _tell(self, layers: Sequence[Layer], text: str, about: dict[str, Any]) -> None:
        text = in_middle(text, LONGEST)
        for layer, channel in zip(layers, self._channels, strict=True):
            layer.name = self._layer_name(text, channel)
            layer.metadata = {MADE_BY: about}


class FurtherResult(NamedTuple):
    """What a view shows beyond the prediction, of all cells."""

    view: type[View]
    value: Any


def compute_further(token: Token, view: type[View], encoded: EncodedCells, predicted: Predicted) -> FurtherResult:
    """Compute what a view shows beyond the prediction."""
    assert view.further is not None
    return FurtherResult(view, view.further.of_all(token, encoded, predicted))
