"""Which models of the list fit the images that are open: their names, and a line where the one chosen does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal

from napari_impa.viewer.kit.forms import Wrapped
from napari_impa.viewer.kit.texts import breaks, joined, rich
from napari_impa.viewer.layers.channel_guess import guess_channels
from napari_impa.viewer.layers.sources import offered_channels, place_of

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_impa.viewer.library.models import Choice

NAMED, LINKED = 5, 3
"""How many channels and models a line names at most."""

ANOTHER_SIZE = 0.05
"""Share by which pixels may be larger or smaller than the model's."""


@dataclass(frozen=True)
class OpenImages:
    """Names of the channels that are open, the first one on top, and their pixel size in µm where it is known."""

    channels: tuple[str, ...]
    pixel_size: float | None = None

    @classmethod
    def of(cls, viewer: ViewerModel) -> OpenImages:
        """What a viewer shows, but for layers that were made here."""
        offered = offered_channels(list(viewer.layers)[::-1])
        return cls(tuple(one.name for one in offered), place_of(offered[0]).pixel_size if offered else None)

    def fit(self, channels: Sequence[str], pixel_size: float | None) -> int:
        """How well a model fits: 2 where each channel is open by name, 1 where its pixels are others, else 0."""
        if not channels or None in guess_channels(channels, self.channels):
            return 0
        known = pixel_size and self.pixel_size
        return 1 if known and abs(self.pixel_size / pixel_size - 1) > ANOTHER_SIZE else 2  # type: ignore[operator]


class FittingLine(Wrapped):
    """Hidden where nothing is open, or no model of the list fits better than the one chosen does.

    Signals
    -------
    wanted
        The key of a model that was clicked.
    changed
        Which models fit is another question: other channels are open.
    """

    wanted = Signal(str)
    changed = Signal()

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self.viewer = viewer
        self.open = OpenImages.of(viewer)
        for event in self._list_events:
            event.connect(self._on_layers)
        self.linkActivated.connect(self.wanted)
        self.hide()

    @property
    def _list_events(self) -> tuple[Any, ...]:
        events = self.viewer.layers.events
        return events.inserted, events.removed, events.renamed

    def fitting(self, choices: Mapping[str, Choice]) -> dict[str, int]:
        """How well each model fits what is open (`OpenImages.fit`)."""
        return {key: self.open.fit(one.channels, one.pixel_size) for key, one in choices.items()}

    def say(self, choices: Mapping[str, Choice], chosen: str | None) -> None:
        """Name models that fit better than the one chosen; where none does and it has not as many, those that have."""
        fits, here = self.fitting(choices), self.open.channels
        best = max(fits.values(), default=0)
        now = choices.get(chosen or "")
        as_many = now is not None and len(now.channels) == len(here)
        self.setVisible(bool(here) and fits.get(chosen or "", 0) < max(best, int(not as_many)))
        if self.isHidden():
            self.clear()
            return
        several = f"{len(here)} channels are" if len(here) > 1 else "1 channel is"
        names = ", ".join(here[:NAMED]) + (" …" if len(here) > NAMED else "")
        what = rich(f"{several} open ({{}})", breaks(names))
        if best:
            better = [key for key, fit in fits.items() if fit == best]
            self.setText(rich("{}: {} {}.", what, self._links(choices, better), ("fits", "fit")[len(better) > 1]))
            return
        alike = [key for key, one in choices.items() if len(one.channels) == len(here) and key != chosen]
        others = rich("; as many: {}.", self._links(choices, alike)) if alike else "."
        self.setText(rich("{}; no model of the list has channels of these names{}", what, others))

    def close_line(self) -> None:
        """Follow the viewer no more."""
        for event in self._list_events:
            event.disconnect(self._on_layers)

    def _links(self, choices: Mapping[str, Choice], keys: Sequence[str]) -> Any:
        links = [rich('<a href="{}">{}</a>', key, breaks(choices[key].title)) for key in keys[:LINKED]]
        return joined(", ", [*links, *([rich("and {} more", len(keys) - LINKED)] if len(keys) > LINKED else [])])

    def _on_layers(self, event: Any = None) -> None:
        now = OpenImages.of(self.viewer)
        if now != self.open:
            self.open = now
            self.changed.emit()
