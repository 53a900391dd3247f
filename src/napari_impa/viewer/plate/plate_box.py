"""Which plate map says what is in the wells, what of it did not fit, and a picture of each plate to click on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from napari_impa.cells.plate_maps.found import NO_PLATE_MAP
from napari_impa.cells.plate_maps.picture import PlatePicture, plate_pictures
from napari_impa.cells.segmenters import Segmenter
from napari_impa.cells.source import Source
from napari_impa.cells.wells import Well
from napari_impa.cells.words import WELL
from napari_impa.viewer.kit.dialogs import open_dialog, tool_button
from napari_impa.viewer.kit.forms import Options, Wrapped
from napari_impa.viewer.kit.jobs import Latest, as_job
from napari_impa.viewer.kit.texts import breakable, breaks, joined, plain, rich
from napari_impa.viewer.plate.grid import PlateGrid, colours_of
from napari_impa.viewer.plate.well_view import WellView
from napari_impa.work.survey import Looked
from napari_impa.work.tables.conditions_table import in_natural_order
from napari_impa.work.well_cells import well_cells

MOST = 12
"""Conditions that the legend names."""

_TABLES = "Plate maps (*.csv *.tsv *.txt *.xlsx *.xls *.ods *.parquet *.csv.gz);;All files (*)"


class PlateBox(QWidget):
    """A line about the plate map in use, with what changes it; under it the plate.

    Signals
    -------
    chosen
        The plate map that was chosen: its path, `none` for none, None for the one in the folder.
    """

    chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        line = QHBoxLayout()
        self.used = Wrapped()
        self.used.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)  # what is left
        self.choose = tool_button("Choose …", self._choose, "A table, workbook or grid that says what is in the wells.")
        self.leave_out = tool_button("Leave out", lambda: self.chosen.emit(NO_PLATE_MAP), "Use no plate map.")
        line.addWidget(self.used, 1)
        line.addWidget(self.choose)
        line.addWidget(self.leave_out)
        column.addLayout(line)
        self.plate = Options(tip="The plate that is shown.")
        self.plate.currentIndexChanged.connect(self._on_plate)
        self.view, self.legend = PlateGrid(), Wrapped()
        self.view.well_chosen.connect(self.look_at)
        self.well = WellView()
        for widget in (self.plate, self.view, self.legend, self.well):
            column.addWidget(widget)
        self.folder = Path()
        self._looked: Looked | None = None
        self._pictures: tuple[PlatePicture, ...] = ()
        self._limits: NDArray[np.float64] | None = None
        self._nuclei: tuple[Segmenter | None, str | None] = (None, None)
        self._reading = Latest(self)
        self._reading.succeeded.connect(self.well.show_cells)
        self._reading.failed.connect(lambda failure: self.well.say(f"⚠ {failure.message}"))
        self.stop = self._reading.cancel

    def fill(self, source: Source) -> bool:
        """Say which plate map is used for a source; returns whether it has wells at all."""
        self.folder = source.path
        report, asked = source.plate_map, source.choice.plate_map
        if report is not None:
            self.used.setText(breakable(report.name + ("" if asked else " (guessed)"), 12))
            found = [] if asked else ["Found in the folder, as the only table that fits."]
            self.used.setToolTip(plain("\n".join([report.name, *found, *report.sentences()])))
        else:
            self.used.setText("left out" if asked == NO_PLATE_MAP else "none found")
            self.used.setToolTip("Choose a table that says what is in each well.")
        self.leave_out.setVisible(report is not None)
        return WELL.find(source.table) is not None

    def show_conditions(
        self,
        source: Source,
        label: Sequence[str],
        control: str | None,
        held: NDArray[np.bool_] | None = None,
        looked: Looked | None = None,
    ) -> None:
        """Draw the plates with the conditions that these columns name, and which rows are held out.

        Cells of a well that is clicked are shown where it is given what was `looked` at.
        """
        if self._looked is None or looked is None or self._looked.source.path != source.path:
            self._limits = None
            self._forget_well()
        self._looked = looked
        self._pictures = plate_pictures(source.table, label, control, source.plate_map, held)
        before = self.plate.value
        names = [one.plate for one in self._pictures]
        self.plate.refill([(name or "plate", name) for name in names])
        if before in names:
            self.plate.choose(before)
        self.plate.setVisible(len(names) > 1)
        self._show_plate()

    def find_nuclei_by(self, segment: Segmenter | None, nuclei_channel: str | None) -> None:
        """Take how nuclei are found in the fields of a well."""
        self._nuclei = (segment, nuclei_channel)

    def take_limits(self, limits: NDArray[np.float64] | None) -> None:
        """Take the contrast (C, 2) that the other pictures have."""
        self._limits = limits

    def look_at(self, well: str) -> None:
        """Show some cells of a well of the plate that is shown, or say why there are none."""
        shown = self._shown
        if shown is None or self._looked is None:
            return
        at = Well.parse(well)
        one = shown.at(at.row, at.column)
        self._reading.cancel()
        self.view.show_well(well)
        if one is None or not one.images:
            by_map = "" if self._looked.source.plate_map is None else ", and the plate map says nothing of it"
            what = f", though the plate map says {one.condition}" if one is not None and one.condition else by_map
            self.well.say(f"{well} has no images in this folder{what}.")
            return
        named = f"{shown.plate} {well}".strip()
        what = f"{one.condition}{', control' * one.control}" if one.condition else "nothing says what is in it"
        self.well.ask(rich("<b>{}</b> · {}{}", breaks(named), breaks(what), " · held out" * one.held))
        self._reading.submit(as_job(well_cells), self._looked, shown.plate, well, self._limits, *self._nuclei)

    @property
    def _shown(self) -> PlatePicture | None:
        chosen = next((one for one in self._pictures if one.plate == self.plate.value), None)
        return chosen or (self._pictures[0] if self._pictures else None)

    def _forget_well(self) -> None:
        self._reading.cancel()
        self.view.show_well("")
        self.well.say("")

    def _on_plate(self) -> None:
        self._forget_well()
        self._show_plate()

    def _show_plate(self) -> None:
        shown = self._shown
        names = sorted({name for one in self._pictures for name in one.conditions}, key=in_natural_order)
        colours = colours_of(names)
        self.view.show_plate(shown, names)
        sign = '<span style="color:{}">●</span>&nbsp;{}'
        signs = [rich(sign, colours[name].name(), name) for name in names[:MOST]]
        controls = sorted({one.condition for one in shown.wells if one.control}) if shown else []
        signs = [rich("◎&nbsp;{} (control)", name) for name in controls] + signs
        signs += [rich("and {} more", len(names) - MOST)] if len(names) > MOST else []
        if shown is not None and any(not one.images for one in shown.wells):
            signs.append(rich("hatched: no images"))
        if shown is not None and any(one.held for one in shown.wells):
            signs.append(rich("dot: held out"))
        self.legend.setText(joined("&nbsp; ", signs))
        self.legend.setVisible(bool(signs))

    def _choose(self) -> None:
        folder = self.folder if self.folder.is_dir() else self.folder.parent
        dialog = QFileDialog(self, "Choose a plate map", str(folder), _TABLES)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(self.chosen.emit)
        open_dialog(dialog)
