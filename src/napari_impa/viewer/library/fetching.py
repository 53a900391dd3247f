"""Fetching in the background: sample images into the viewer, and published models from a row of the Perturb dock."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Layer
from napari.utils import progress
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from napari_impa.viewer.kit.jobs import Failure, Job, notify
from napari_impa.viewer.kit.texts import plain
from napari_impa.viewer.layers.as_layers import LayerData
from napari_impa.viewer.library.settings import SettingsError, cache_folder
from napari_impa.watch import Progress, Token, Watch

if TYPE_CHECKING:
    import napari

    from napari_impa.fetching.image_sets import ImageSet

FETCHING = "napari-impa fetching"
"""Key of a placeholder's metadata: what is being fetched for it."""

_EVERY = 0.1
"""Seconds between two reports."""


def percent(coming: Progress) -> int | None:
    """How far fetching is, where the number of bytes is known."""
    return 100 * coming.done // coming.of if coming.of else None


@dataclass(frozen=True)
class FetchedModel:
    """A model that was fetched, and what is to be said of its conditions' names."""

    name: str
    path: Path
    remark: str


class _NowAndThen(Watch):
    """Reports to a job's token ten times a second and whenever something else comes, and leaves where that leaves."""

    def __init__(self, token: Token) -> None:
        self._token, self._last, self._what = token, 0.0, ""

    def report(self, done: int, of: int, what: str = "") -> None:
        self.check()
        now = time.monotonic()
        if now - self._last > _EVERY or done == of or what != self._what:
            self._last, self._what = now, what
            self._token.report(done, of, what)

    def check(self) -> None:
        self._token.check()


# ---- sample images ---------------------------------------------------------------------------------------------------


def fetch_sample(
    viewer: napari.viewer.Viewer, images: ImageSet, folder: Path, read: Callable[[list[Path]], list[LayerData]]
) -> LayerData:
    """Fetch images in the background; their layers take the place of the empty layer that is returned meanwhile.

    napari takes a sample for failed that has no layer. Who removes that layer ends the fetching, and so does closing
    the viewer.
    """
    job = Job(_fetch_images, images, folder, read, drop_when_cancelled=True)
    bar = progress(total=100, desc=images.title)

    def find() -> Any:
        return next((layer for layer in viewer.layers if layer.metadata.get(FETCHING) is job), None)

    def on_reported(coming: Progress) -> None:
        layer, so_far = find(), percent(coming)
        if layer is not None and so_far is not None:
            layer.name = f"{images.title}: {so_far} % fetched"
            bar.update(so_far - bar.n)

    def on_removed(event: Any) -> None:
        if event.value.metadata.get(FETCHING) is job:
            job.cancel()

    def remove_placeholder() -> None:
        viewer.layers.events.removed.disconnect(on_removed)
        layer = find()
        if layer is not None:
            viewer.layers.remove(layer)
        viewer.layers.events.removed.connect(on_removed)

    def on_ended() -> None:
        bar.close()
        remove_placeholder()
        viewer.layers.events.removed.disconnect(on_removed)

    def on_succeeded(layers: list[LayerData]) -> None:
        if job.token.cancelled:  # after it had come
            return
        remove_placeholder()  # its units would be others than theirs
        for data in layers:
            viewer.add_layer(Layer.create(*data))
        viewer.reset_view()

    viewer.layers.events.removed.connect(on_removed)
    job.reported.connect(on_reported)
    job.succeeded.connect(on_succeeded)
    job.failed.connect(notify)
    job.ended.connect(on_ended)
    job.start()
    import numpy as np

    name = f"{images.title}: fetching {images.bytes / 1e6:.1f} MB …"
    return np.empty((0, 2, 2)), {"name": name, "metadata": {FETCHING: job}}, "vectors"


def _fetch_images(
    token: Token, images: ImageSet, folder: Path, read: Callable[[list[Path]], list[LayerData]]
) -> list[LayerData]:
    return read(images.fetch(folder, _NowAndThen(token)))


# ---- published models ------------------------------------------------------------------------------------------------


def fetch_model(token: Token, name: str, folder: Path) -> FetchedModel:
    """Fetch a published model by its name in the catalog; what came before a break is gone on with.

    Raises
    ------
    FetchError
        If it cannot be fetched.
    """
    from napari_impa.fetching.archive import fetch_archive_model
    from napari_impa.fetching.archive_models import by_name

    path, remark = fetch_archive_model(by_name()[name], folder, watch=_NowAndThen(token))
    return FetchedModel(name, path, remark)


class Running:
    """The job that fetches a model; it outlives the row's widgets, so that closing the viewer can end it."""

    def __init__(self) -> None:
        self.job: Job | None = None

    def cancel(self) -> None:
        """End it; what has come is kept."""
        if self.job is not None:
            self.job.cancel()


class FetchRow(QWidget):
    """A row that offers to fetch a model, shows how far that is, and lets it be stopped; hidden otherwise.

    Parameters
    ----------
    running
        Where the job is held; whoever closes the viewer cancels it.
    """

    fetched = Signal(object)
    failed = Signal(object)

    def __init__(self, running: Running) -> None:
        super().__init__()
        self.name = ""
        self._running = running
        self._bar: Any = None
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setMaximumHeight(8)
        self.button = QPushButton()
        self.button.clicked.connect(self._on_clicked)
        column = QVBoxLayout()
        column.setSpacing(3)
        column.addWidget(self.text)
        column.addWidget(self.bar)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(column, 1)
        layout.addWidget(self.button)
        self.hide()

    @property
    def busy(self) -> bool:
        """Whether a model is being fetched."""
        return self._running.job is not None

    def offer(self, name: str, size: str, meanwhile: str) -> None:
        """Offer a model of the catalog and say which one is used meanwhile; not while another is on its way."""
        if self.busy:
            return
        self.name = name
        goes_on = f"; {meanwhile} is used meanwhile" if meanwhile else ""
        self._say(
            f"Not on this computer yet ({size}){goes_on}.", "Fetch", "Fetch the model from Zenodo, in the background."
        )

    def withdraw(self) -> None:
        """Offer nothing any more, unless a model is on its way."""
        if not self.busy:
            self.hide()

    def start(self) -> None:
        """Fetch what is offered."""
        try:
            folder = cache_folder()
        except SettingsError as error:
            self.failed.emit(Failure(str(error), ""))
            return
        bar = self._bar = progress(total=100, desc=f"Fetching {self.name}")
        job = self._running.job = Job(fetch_model, self.name, folder)
        job.reported.connect(self._on_reported)
        job.succeeded.connect(self._on_succeeded)
        job.failed.connect(self._on_failed)
        job.cancelled.connect(self._on_cancelled)
        job.ended.connect(lambda: bar.close())
        self._say(f"Fetching {self.name} …", "Stop", "Stop; what has come is kept, and gone on with the next time.")
        self.bar.setRange(0, 0)
        self.bar.show()
        job.start()

    def stop(self) -> None:
        """Stop fetching; what has come is kept."""
        if self.busy:
            self.button.setEnabled(False)
            self.button.setText("Stopping …")
            self._running.cancel()

    def close_row(self) -> None:
        """Stop, and tell nobody: the dock goes away."""
        job = self._running.job
        if job is not None:
            job.cancel()
            for signal in (job.reported, job.succeeded, job.failed, job.cancelled):
                signal.disconnect()
        self._end()

    def _say(self, text: str, button: str, tip: str) -> None:
        self.text.setText(plain(text))
        self.button.setText(button)
        self.button.setToolTip(plain(tip))
        self.button.setEnabled(True)
        self.bar.hide()
        self.show()

    def _on_clicked(self) -> None:
        if self.busy:
            self.stop()
        else:
            self.start()

    def _on_reported(self, coming: Progress) -> None:
        so_far = percent(coming)
        if so_far is None or self._bar is None:
            self.text.setText(plain(f"Reading {coming.what} …"))
            return
        self.bar.setRange(0, 100)
        self.bar.setValue(so_far)
        self._bar.update(so_far - self._bar.n)
        if coming.done < coming.of:
            self.text.setText(plain(f"{self.name}: {coming.done / 1e6:.0f} of {coming.of / 1e6:.0f} MB"))
        else:
            self.text.setText("Making the model …")

    def _on_succeeded(self, model: FetchedModel) -> None:
        self._end()
        self.fetched.emit(model)

    def _on_failed(self, failure: Failure) -> None:
        self._end()
        self._say("It could not be fetched.", "Try again", "What has come is kept, and gone on with.")
        self.failed.emit(failure)

    def _on_cancelled(self) -> None:
        self._end()
        self._say("Stopped; what has come is kept.", "Go on", "Fetch the rest.")

    def _end(self) -> None:
        self._running.job = self._bar = None
        self.hide()
