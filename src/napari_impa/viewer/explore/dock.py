"""The Explore dock: cells on a map, conditions ranked by what they do, what did this, and screens."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QFileDialog, QLineEdit, QPushButton, QTabWidget

from napari_impa.viewer.explore.causes_page import CausesPage
from napari_impa.viewer.explore.explored_cells import ExploredCells, explore_folder, explore_layers
from napari_impa.viewer.explore.map_page import MapPage
from napari_impa.viewer.explore.ranking_page import RankingPage
from napari_impa.viewer.explore.screen_page import ScreenPage
from napari_impa.viewer.explore.session import ExploreSession
from napari_impa.viewer.explore.shown_stacks import condition_strip, dose_sweep, save_profiles, strength_sweep
from napari_impa.viewer.kit.canvas import show_layers
from napari_impa.viewer.kit.dialogs import ask_for_folder, tool_button
from napari_impa.viewer.kit.docks import Dock
from napari_impa.viewer.kit.forms import Options, Page, beside, section
from napari_impa.viewer.kit.job_button import JobButton
from napari_impa.viewer.kit.jobs import Failure, Latest
from napari_impa.viewer.kit.texts import plain
from napari_impa.viewer.layers.as_layers import LayerData, cells_layers
from napari_impa.viewer.layers.cells_form import CellsForm
from napari_impa.viewer.layers.sources import MADE_BY
from napari_impa.viewer.library.models import Choice, Loaded, choices
from napari_impa.watch import Token

if TYPE_CHECKING:
    import napari

    from napari_impa.cells.segmenters import Segmenter

LAYERS, FOLDER = "layers", "folder"
CROPS = 200
"""Chosen cells that are shown as crops at most."""


def prepare(token: Token) -> tuple[list[Choice], list[type[Segmenter]], tuple[str, ...]]:
    """List models, segmenters and ways to lay out a map; imports torch, so it is run in the background."""
    from napari_impa.analysis.phenotypes.style_map import projections
    from napari_impa.cells.segmenters import available_segmenters

    here = [one for one in choices(token) if not one.to_fetch]
    return here, list(available_segmenters()), projections()


class ExploreDock(Dock):
    """A form over `ExploreSession`."""

    title = "Explore cells"

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        self.viewer = napari_viewer
        session = self.session = ExploreSession(napari_viewer)
        super().__init__(on_close=self._close, on_viewer_closed=session.abandon)
        self._build()
        self._connect()
        self._preparing, self._stacking, self._saving = Latest(self), Latest(self), Latest(self)
        self._preparing.succeeded.connect(self._on_prepared)
        self._preparing.failed.connect(self._on_failed)
        for latest in (self._stacking, self._saving):
            latest.succeeded.connect(self._add_layers)
            latest.failed.connect(self._on_failed)
            latest.idle.connect(self.status.rest)
        self._preparing.submit(prepare)
        self.status.busy("Starting torch …")

    # ---- the form ---------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.page = Page()
        self.model = Options(tip="The model whose conditions are asked about: bundled, fetched or trained lately.")
        self.source = Options([("open layers", LAYERS), ("a folder", FOLDER)], tip="Where the cells come from.")
        self.cells = CellsForm(self.viewer)
        self.folder = QLineEdit()
        self.folder.setAccessibleName("Folder")
        self.folder.setPlaceholderText("a plate, a folder of images, or .cells")
        choose = tool_button("Choose …", lambda: ask_for_folder(self, "Cells to explore", "", self.folder.setText))
        self.folder_row = beside(self.folder, choose)
        self.explore = JobButton("Explore", stop="Stop", tip="Find the cells, measure them, and put them on a map.")
        self.save = QPushButton("Save profiles …")
        self.save.setToolTip("What the cells measure, for pycytominer (CSV, parquet) or AnnData (.h5ad).")
        self.map = MapPage(self.session, self.viewer.theme)
        self.ranking = RankingPage(self.session)
        self.causes = CausesPage(self.session)
        self.screen = ScreenPage(self.session)
        self.pages = QTabWidget()
        for title, page in (
            ("Map", self.map), ("Ranking", self.ranking), ("What did this?", self.causes), ("Screen", self.screen),
        ):  # fmt: skip
            self.pages.addTab(page, title)
        self.pages.setMinimumHeight(440)
        self.where = section("Where the cells are", self.cells)
        form = self.page
        form.row("Model", self.model)
        form.row("Cells from", self.source)
        form.form.addRow(self.folder_row)
        form.form.addRow(self.where)
        form.form.addRow(beside(self.explore, self.save))
        form.form.addRow(self.pages)
        self.layout().addWidget(form, 1)
        self._build_foot()
        self._follow()

    def _connect(self) -> None:
        self.model.currentIndexChanged.connect(lambda _: self._choose_model())
        self.source.currentIndexChanged.connect(self._follow)
        self.folder.textChanged.connect(self._follow)
        self.cells.changed.connect(self._follow)
        self.explore.asked.connect(self._start)
        self.explore.succeeded.connect(self.session.set_cells)
        self.explore.failed.connect(self._on_failed)
        self.save.clicked.connect(self._save)
        session = self.session
        session.model_changed.connect(self._on_model)
        session.cells_changed.connect(self._on_cells)
        session.failed.connect(self._on_failed)
        session.busy_changed.connect(self.status.busy)
        self.map.crops_wanted.connect(self._show_crops)
        self.ranking.strip_wanted.connect(lambda: self._stack(condition_strip))
        self.ranking.doses_wanted.connect(lambda name: self._stack(dose_sweep, name))
        self.ranking.sweep_wanted.connect(lambda name: self._stack(strength_sweep, name))
        self.viewer.events.theme.connect(self._on_theme)

    def _follow(self, *_: Any) -> None:
        """Show what belongs to where the cells come from, and say what is missing."""
        layers = self.source.value == LAYERS
        self.page.form.setRowVisible(self.folder_row, not layers)
        self.page.form.setRowVisible(self.where, layers)
        missing = (self.cells.missing if layers else "") or (
            "" if layers or self.folder.text().strip() else "Choose a folder, or take the cells of open layers."
        )
        ready = self.session.loaded is not None and not missing and (not layers or self.cells.choice is not None)
        self.explore.allow(bool(ready))
        self.save.setEnabled(self.session.explored is not None)
        if self.session.loaded is not None and self.session.explored is None:
            self.status.say(missing or "Explore finds the cells, measures them and puts them on a map.")

    # ---- models and cells -------------------------------------------------------------------------------------------

    def _on_prepared(self, prepared: tuple[list[Choice], list[type[Segmenter]], tuple[str, ...]]) -> None:
        models, segmenters, ways = prepared
        self.status.rest()
        self.cells.set_segmenters(segmenters)
        self.map.offer(ways)
        self.model.refill([(choice.title, choice.key) for choice in models])
        self._choose_model()

    def _choose_model(self) -> None:
        if self.model.value is not None:
            self.explore.cancel()
            self.session.set_model(self.model.value)

    def _on_model(self, loaded: Loaded) -> None:
        self.explore.cancel()  # begun with the model before
        self.model.setToolTip(plain(f"{loaded.model.describe()}\nPredicts on: {loaded.device}"))
        self.cells.set_model(loaded.model.channels, loaded.model.size)
        self._follow()

    def _start(self) -> None:
        loaded, choice = self.session.loaded, self.cells.choice
        if loaded is None:
            return
        model = loaded.model
        if self.source.value == FOLDER:
            self.explore.start(explore_folder, loaded, Path(self.folder.text().strip()))
        elif choice is not None:
            try:
                plain = choice.plain(tuple(model.channels), model.size, "batch")  # treated cells are wanted too
            except Exception as error:
                self._on_failed(Failure.of(error))
                return
            self.explore.start(explore_layers, loaded, plain)

    def _on_cells(self, explored: ExploredCells | None) -> None:
        self._follow()
        if explored is not None:
            self.where.collapse()
            self.status.say("\n".join([f"{explored.describe()}.", *(f"⚠ {line}" for line in explored.doubts)]))

    # ---- what is shown and saved ------------------------------------------------------------------------------------

    def _show_crops(self) -> None:
        explored, rows = self.session.explored, self.session.chosen
        if explored is not None and len(rows):
            some = explored.cells.take(rows[:CROPS])
            self._add_layers(cells_layers(explored.loaded.model.fit(some), "chosen · "))

    def _stack(self, make: Any, *more: Any) -> None:
        explored, chosen = self.session.explored, self.session.chosen
        if explored is not None:
            self.status.busy("Predicting …")
            self._stacking.submit(make, explored, int(chosen[0]) if len(chosen) else 0, *more)

    def _add_layers(self, layers: list[LayerData] | Path) -> None:
        if isinstance(layers, Path):
            self.status.say(f"Saved {layers}.")
            return
        made = {MADE_BY: {"explored": True}}
        show_layers(self.viewer, [
            (data, {**options, "metadata": {**made, **options["metadata"]}}, kind) for data, options, kind in layers
        ])  # fmt: skip

    def _save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self, "Save profiles", "profiles.csv", "Profiles (*.csv *.parquet *.h5ad)"
        )
        if path:
            self.save_profiles(Path(path))

    def save_profiles(self, path: Path) -> None:
        """Write the profiles of the cells, in the background."""
        if self.session.explored is not None:
            self.status.busy("Measuring …")
            self._saving.submit(save_profiles, self.session.explored, path)

    def _on_failed(self, failure: Failure) -> None:
        self.status.rest()
        self.status.warn(failure.message)

    def _on_theme(self, event: Any = None) -> None:
        self.map.plot.take_colours(self.viewer.theme)

    def _close(self) -> None:
        for button in self._buttons:
            button.cancel()
        self._preparing.cancel()
        self._stacking.cancel()
        self._saving.cancel()
        self.viewer.events.theme.disconnect(self._on_theme)
        self.cells.close_form()
        self.session.close()

    @property
    def _buttons(self) -> tuple[JobButton, ...]:
        return self.explore, self.ranking.rank, self.causes.button, self.screen.run

    def closeEvent(self, event: Any) -> None:
        """Let jobs end with the window."""
        for button in self._buttons:
            button.cancel()
        super().closeEvent(event)
