"""The rows of the model: a list of all that there are, what is said of the one chosen, and fetching one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari.utils.notifications import show_info
from qtpy.QtCore import QObject, Qt, Signal
from qtpy.QtWidgets import QFileDialog, QLabel, QMenu, QToolButton

from napari_impa.viewer.kit.forms import Options, Page, Wrapped, beside
from napari_impa.viewer.kit.jobs import Latest
from napari_impa.viewer.kit.texts import plain
from napari_impa.viewer.library.fetching import FetchedModel, FetchRow, Running
from napari_impa.viewer.library.models import Choice, Loaded, choices, of_path, remember
from napari_impa.viewer.perturb.form.fitting_line import FittingLine
from napari_impa.watch import Token

if TYPE_CHECKING:
    from napari_impa.cells.segmenters import Segmenter
    from napari_impa.viewer.perturb.session import PerturbSession

FITS = "✓ "
"""Before the name of a model whose channels are open."""

TIPS = ("", "Its channels are open, with pixels of another size.\n", "Its channels are open.\n")
"""What the list says of a model first, by how well it fits."""


def prepare(token: Token) -> tuple[list[Choice], list[type[Segmenter]]]:
    """List models and segmenters; imports torch, so it is run in the background."""
    from napari_impa.cells.segmenters import available_segmenters

    return choices(token), list(available_segmenters())


class ModelRows(QObject):
    """Rows of a page that set the model of a session.

    Parameters
    ----------
    page
        Where the rows are added.
    session
        Told which model is chosen; followed where it says which goes on.
    running
        Holds the job that fetches a model.

    Signals
    -------
    prepared
        The segmenters that are installed, when torch is there.
    said
        What there is to say of the list of models.
    failed
        `Failure`
    """

    prepared = Signal(object)
    said = Signal(str)
    failed = Signal(object)

    def __init__(self, page: Page, session: PerturbSession, running: Running) -> None:
        super().__init__(page)
        self.session, self._page = session, page
        self.kept = ""
        self._wanted: str | None = None
        self.choices: dict[str, Choice] = {}
        self.fetch, self.fitting = FetchRow(running), FittingLine(session.viewer)
        self._build(page)
        self.fitting.wanted.connect(self._on_wanted)
        self.fitting.changed.connect(self._mark_fitting)
        self.model.currentIndexChanged.connect(self._on_chosen)
        self.fetch.fetched.connect(self._on_fetched)
        self.fetch.failed.connect(self.failed)
        session.model_failed.connect(self._on_model_failed)
        self.listing, self.preparing = Latest(self), Latest(self)
        self.listing.succeeded.connect(self._list)
        self.preparing.succeeded.connect(self._on_prepared)
        self.preparing.failed.connect(self.failed)

    def _build(self, page: Page) -> None:
        self.model = Options(tip="The model that turns cells: bundled, trained lately, or opened from a file.")
        self.open = QToolButton()
        self.open.setText("⋯")
        self.open.setAccessibleName("Open a model")
        self.open.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.open.setStyleSheet("QToolButton::menu-indicator { image: none; }")
        self.open.setToolTip("Open a model file (.impa), a run folder or a published checkpoint.")
        menu = QMenu(self.open)
        menu.addAction("Open a model file …", self._open_file)
        menu.addAction("Open a run or checkpoint folder …", self._open_folder)
        self.open.setMenu(menu)
        self.about = QLabel()
        page.row("Model", beside(self.model, self.open))
        page.form.addRow("", self.about)
        page.form.addRow(self.fitting)
        self.doubts = Wrapped()
        self.doubts.hide()
        page.form.addRow(self.doubts)
        page.form.addRow(self.fetch)

    def start(self, kept: str) -> None:
        """List what there is, in the background, and choose one: one wanted meanwhile, the kept one, or the first."""
        self.kept = kept
        self.preparing.submit(prepare)

    def use_model(self, path: str | Path) -> None:
        """Add a model to the list and choose it."""
        choice = of_path(path)
        remember(path)
        self._wanted = choice.key
        if not self.preparing.busy:
            self._add_and_choose(choice)

    def show_model(self, loaded: Loaded) -> None:
        """Say what a model is that was loaded, and where it is weak."""
        from napari_impa.engine.model.misfits import weaknesses

        self.about.setText(plain(loaded.model.describe()))
        about = f"{loaded.key}\nChannels: {', '.join(loaded.model.channels)}\nPredicts on: {loaded.device}"
        self.about.setToolTip(plain(about))
        choice = self.choices.get(loaded.key) or of_path(loaded.key)
        self.choices[loaded.key] = replace(
            choice, channels=tuple(loaded.model.channels), pixel_size=loaded.model.pixel_size
        )
        self._mark_fitting()
        self.say_doubts(weaknesses(loaded.model))

    def say_doubts(self, lines: tuple[str, ...]) -> None:
        """Say, in one line under the model, why its pictures may be wrong; the tooltip has all reasons."""
        more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
        self.doubts.setText(plain(f"⚠ {lines[0]}{more}") if lines else "")
        self.doubts.setToolTip(plain("\n".join(lines)))
        self.doubts.setVisible(bool(lines))

    def close_rows(self) -> None:
        """End what runs, and follow the viewer no more."""
        self.fitting.close_line()
        self.fetch.close_row()
        self.listing.cancel()
        self.preparing.cancel()

    # ---- the list ---------------------------------------------------------------------------------------------------

    def _add_and_choose(self, choice: Choice) -> None:
        if choice.key not in self.model.values:
            self.model.add(choice.title, choice.key)
        self.model.choose(choice.key)
        self._on_chosen()

    def _on_prepared(self, prepared: tuple[list[Choice], list[type[Segmenter]]]) -> None:
        models, segmenters = prepared
        self.prepared.emit(segmenters)
        self._list(models)

    def _list(self, models: list[Choice]) -> None:
        self.choices = {choice.key: choice for choice in models}
        self.model.refill([(choice.title, choice.key) for choice in models])
        self._mark_fitting()
        popup = self.model.view()
        popup.setMinimumWidth(popup.sizeHintForColumn(0) + 2 * popup.verticalScrollBar().sizeHint().width())
        if self._wanted is None and self.kept and self._is_here(self.kept):
            self._wanted = self.kept
        if self._wanted is not None:
            self._add_and_choose(self.choices.get(self._wanted) or of_path(self._wanted))
        elif self.model.count():
            self._on_chosen()
        else:
            self.said.emit("There is no model yet: train one on a folder, or open one.")

    def _mark_fitting(self) -> None:
        """Mark the models that fit what is open, and say where another one fits better."""
        fits = self.fitting.fitting(self.choices)
        for number, key in enumerate(self.model.values):
            choice = self.choices.get(key) or of_path(key)
            about, fit = choice.about or choice.key, fits.get(key, 0)
            self.model.setItemText(number, f"{FITS if fit else ''}{choice.title}")
            self.model.setItemData(number, plain(f"{TIPS[fit]}{about}"), Qt.ItemDataRole.ToolTipRole)
        self.fitting.say(self.choices, self.model.value)

    def _on_wanted(self, key: str) -> None:
        if self.model.choose(key):
            self._on_chosen()

    def _is_here(self, key: str) -> bool:
        choice = self.choices.get(key)
        return Path(key).exists() if choice is None else not choice.to_fetch

    def _on_chosen(self) -> None:
        key = self.model.value
        choice = self.choices.get(key)
        self.model.setToolTip(plain(choice.about if choice is not None and choice.about else str(key)))
        self.fitting.say(self.choices, key)
        if choice is not None and choice.to_fetch:
            loaded = self.session.loaded
            self.fetch.offer(choice.key, choice.to_fetch, "" if loaded is None else loaded.model.name)
            return
        self.fetch.withdraw()
        if key is not None:
            self.session.set_model(key)

    def _on_fetched(self, fetched: FetchedModel) -> None:
        """List the model as one that is here now, and choose it."""
        self._wanted = fetched.name
        self.listing.submit(choices)
        show_info(plain(fetched.remark or f"{fetched.name} is on this computer now."))

    def _on_model_failed(self) -> None:
        """Let the list say which model goes on; the first where the one of a dock before does not open any more."""
        kept, self.kept = self.kept, ""
        if self.session.loaded is not None:
            self.model.choose(self.session.loaded.key)
        elif kept:
            self._wanted = None
            broken = self.model.value
            others = (key for key in self.model.values if key != broken and self._is_here(key))
            if self.model.choose(next(others, None)):
                self._on_chosen()

    def _open_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self._page, "Open a model", "", "IMPA models (*.impa)")
        if path:
            self.use_model(path)

    def _open_folder(self) -> None:
        path = QFileDialog.getExistingDirectory(self._page, "Open a run or a published checkpoint")
        if path:
            self.use_model(path)
