"""The Plate dock: choose a well and a site of a plate, and its field is shown, read from the disk only then."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Layer
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QLabel, QPushButton, QToolButton, QWidget

from napari_impa.cells.layouts import AS_FOUND, LayoutChoice
from napari_impa.cells.readers import Image
from napari_impa.viewer.kit.canvas import show_layers
from napari_impa.viewer.kit.docks import Dock
from napari_impa.viewer.kit.forms import Options, Page
from napari_impa.viewer.kit.jobs import Failure, Latest, as_job
from napari_impa.viewer.kit.texts import breakable, plain
from napari_impa.viewer.layers.as_layers import LayerData, stack_layers
from napari_impa.viewer.plate.grid import PlateGrid
from napari_impa.viewer.plate.places import PlateFields, read_field, read_plate

if TYPE_CHECKING:
    import napari


class PlateDock(Dock):
    """A form over a `Source` of fields: one field at a time, as one layer a channel that keep their look."""

    title = "Look at a plate"

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        self.viewer = napari_viewer
        self._listing, self._reading = Latest(), Latest()
        self.fields: PlateFields | None = None
        self.row: int | None = None
        self.layers: dict[str, Layer] = {}
        super().__init__(on_close=self._leave, on_viewer_closed=_cancelling(self._listing, self._reading))
        self._build()
        self._listing.succeeded.connect(self._on_listed)
        self._listing.failed.connect(self._on_failed)
        self._reading.succeeded.connect(self._on_read)
        self._reading.failed.connect(self._on_failed)
        self._reading.idle.connect(self.status.rest)
        self.status.say("Choose the folder of a plate, as the microscope left it, or an OME-Zarr plate.")

    def _build(self) -> None:
        self.page = Page()
        self.open = QPushButton("Open a plate …")
        self.open.setToolTip("A folder as a plate reader writes it, an OME-Zarr plate, or any folder of images.")
        self.open.clicked.connect(self._on_open)
        self.summary = QLabel()
        self.summary.setWordWrap(True)
        self.summary.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.plate = Options(tip="Which plate of the folder.")
        self.well = Options(tip="Type a well's name to go to it.")
        self.site = Options(tip="Which field of the well.")
        self.grid = PlateGrid()
        self.told = QLabel()
        self.told.setWordWrap(True)
        form = self.page
        form.form.addRow(self.open)
        form.form.addRow(self.summary)
        form.row("Plate", self.plate)
        form.row("Well", self.well, *_steps(self.well, "well"))
        form.row("Site", self.site, *_steps(self.site, "site"))
        form.form.addRow(self.grid)
        form.form.addRow(self.told)
        self.plate.currentIndexChanged.connect(self._fill_wells)
        self.well.currentIndexChanged.connect(self._fill_sites)
        self.site.currentIndexChanged.connect(self._ask)
        self.grid.well_chosen.connect(self.choose_well)
        self.layout().addWidget(self.page, 1)
        self._build_foot()
        self._show_rows()

    # ---- the plate --------------------------------------------------------------------------------------------------

    def open_plate(self, path: str | Path, choice: LayoutChoice = AS_FOUND) -> None:
        """List a plate in the background, and show its first field."""
        self._reading.cancel()
        self.status.busy(f"Reading what is in {Path(path).name} …")
        self._listing.submit(as_job(read_plate), Path(path), choice)

    def choose_well(self, well: str) -> None:
        """Show the first field of a well of the plate that is chosen, or the same site where the well has it."""
        if well in self.well.values:
            self.well.setCurrentIndex(self.well.values.index(well))
        else:
            self.status.say(f"{well} has no images.")

    def _on_open(self) -> None:
        start = "" if self.fields is None else str(self.fields.source.path.parent)
        chosen = QFileDialog.getExistingDirectory(self, "The folder of a plate, or an OME-Zarr plate", start)
        if chosen:
            self.open_plate(chosen)

    def _on_listed(self, fields: PlateFields) -> None:
        self.status.rest()
        self.fields = fields
        self.summary.setText(breakable(fields.source.describe()))
        self.plate.refill([(plate or "–", plate) for plate in fields.rows])
        self._show_rows()
        self._fill_wells()

    def _show_rows(self) -> None:
        """Hide what there is nothing to choose of."""
        rows = {} if self.fields is None else self.fields.rows
        form = self.page.form
        form.setRowVisible(self.plate, len(rows) > 1)
        form.setRowVisible(self.well.parentWidget(), any(wells.keys() != {""} for wells in rows.values()))
        form.setRowVisible(self.site.parentWidget(), bool(rows))
        self.grid.setVisible(False)

    def _fill_wells(self, *_: Any) -> None:
        if self.fields is None or self.plate.value is None:
            return
        self.grid.show_plate(self.fields.pictures.get(self.plate.value))
        self.well.refill([(well or "–", well) for well in self.fields.rows[self.plate.value]])
        self._fill_sites()

    def _fill_sites(self, *_: Any) -> None:
        if self.fields is None or self.well.value is None:
            return
        before = self.site.currentText()
        rows = self.fields.rows[self.plate.value][self.well.value]
        titles = [self.fields.site(row) for row in rows]
        self.site.refill(list(zip(titles, rows, strict=True)))
        if before in titles:  # the same site of another well
            self.site.choose(rows[titles.index(before)])
        self.grid.show_well(self.well.value)
        self._ask()

    # ---- the field --------------------------------------------------------------------------------------------------

    def _ask(self, *_: Any) -> None:
        if self.fields is None or self.site.value is None:
            return
        told = self.fields.told(self.site.value)
        self.told.setText(breakable("\n".join(f"{name}: {text}" for name, text in told.items())))
        self.status.busy("Reading the field …")
        self._reading.submit(as_job(read_field), self.fields, self.site.value)

    def _on_read(self, read: tuple[PlateFields, int, Image]) -> None:
        fields, row, image = read
        self.row = row
        here = {name: layer for name, layer in self.layers.items() if layer in self.viewer.layers}
        if here and tuple(self.layers) == fields.source.channels[::-1]:
            for data, options, _ in field_layers(fields, row, image):
                layer = here.get(options["name"])  # what the user has removed stays away, the rest keeps its look
                if layer is not None:
                    layer.metadata, layer.scale = options["metadata"], options["scale"]
                    layer.data = data
        else:
            for layer in here.values():
                self.viewer.layers.remove(layer)
            new = field_layers(fields, row, image)
            names = [options["name"] for _, options, _ in new]
            self.layers = dict(zip(names, show_layers(self.viewer, new), strict=True))
        place = " ".join(part for part in (*fields.place(row), f"site {fields.site(row)}") if part)
        self.status.say(f"{place}: {', '.join(fields.source.channels)}")

    def _on_failed(self, failure: Failure) -> None:
        self.status.rest()
        self.status.warn(failure.message)

    def _leave(self) -> None:
        self._listing.cancel()
        self._reading.cancel()


def field_layers(fields: PlateFields, row: int, image: Image) -> list[LayerData]:
    """One layer a channel, the first one on top, with plate, well, site and channels in the metadata."""
    source = fields.source
    size = image.pixel_size or source.pixel_size
    return stack_layers(image.pixels, source.channels, size, {}, "", fields.metadata(row))


def _steps(options: Options, what: str) -> tuple[QWidget, QWidget]:
    """Buttons to the one before and the next."""
    buttons = []
    for arrow, step, said in ((Qt.ArrowType.LeftArrow, -1, "before"), (Qt.ArrowType.RightArrow, 1, "after")):
        button = QToolButton()
        button.setArrowType(arrow)
        button.setToolTip(plain(f"The {what} {said}"))
        button.setAccessibleName(f"The {what} {said}")
        button.clicked.connect(lambda _=False, step=step: _move(options, step))
        buttons.append(button)
    return buttons[0], buttons[1]


def _move(options: Options, step: int) -> None:
    options.setCurrentIndex(min(max(options.currentIndex() + step, 0), options.count() - 1))


def _cancelling(*jobs: Latest) -> Callable[[], None]:
    """What ends jobs without holding the dock."""

    def cancel() -> None:
        for job in jobs:
            job.cancel()

    return cancel
