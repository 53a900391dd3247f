"""The page of a screen: all conditions and a file of compounds, ranked in the background into a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QFileDialog, QFormLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from napari_impa.viewer.explore.explored_cells import ExploredCells
from napari_impa.viewer.explore.ranking_page import SHOWN, TIPS
from napari_impa.viewer.explore.result_table import ResultTable
from napari_impa.viewer.kit.dialogs import tool_button
from napari_impa.viewer.kit.forms import Options, Wrapped, beside, name_after
from napari_impa.viewer.kit.job_button import JobButton
from napari_impa.viewer.kit.texts import breakable, plain
from napari_impa.watch import Token

if TYPE_CHECKING:
    import pandas as pd

    from napari_impa.viewer.explore.session import ExploreSession

CLUSTERS = {"phenotype": "phenotype", "structure": "structure"}


class ScreenPage(QWidget):
    """Rows that say what is screened and where to, one button, and the first rows of the table."""

    def __init__(self, session: ExploreSession) -> None:
        super().__init__()
        self.session = session
        self.compounds = QLineEdit()
        self.compounds.setPlaceholderText("the model's own conditions alone")
        tip = "Compounds with names: CSV with a column smiles, .smi or .sdf; for models of structures."
        self.compounds.setToolTip(plain(tip))
        self.like = Options([("the size of the effect", None)], tip="What comes first: strong effects, or likeness.")
        self.out = QLineEdit()
        self.out.setPlaceholderText("a table, .csv or .parquet")
        self.out.setToolTip("The table; a screen that was left is gone on with.")
        self.run = JobButton(
            "Screen", stop="Stop", tip="Rank them into a table; what is done is kept where it is left."
        )
        self.table = ResultTable(
            SHOWN | CLUSTERS, TIPS | dict.fromkeys(CLUSTERS, "Clusters of what is alike, 1 that of the first row.")
        )
        self.told = Wrapped()
        form = QFormLayout()
        form.setVerticalSpacing(4)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for title, widget in (
            ("Compounds", beside(self.compounds, tool_button("Choose …", self._choose_compounds))),
            ("Rank by", self.like),
            ("Save into", beside(self.out, tool_button("Choose …", self._choose_out))),
        ):
            name_after(title, widget)
            form.addRow(QLabel(plain(title)), widget)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 6, 0, 0)
        column.setSpacing(4)
        column.addLayout(form)
        column.addWidget(self.run)
        column.addWidget(self.table, 1)
        column.addWidget(self.told)
        self.out.textChanged.connect(self._follow)
        self.compounds.textChanged.connect(self._follow)
        self.like.currentIndexChanged.connect(self._follow)
        self.run.asked.connect(self._start)
        self.run.succeeded.connect(self._on_done)
        self.run.failed.connect(session.failed)
        self.run.stopped.connect(lambda: self.told.setText("Stopped; Screen goes on with what was left."))
        session.cells_changed.connect(self._on_cells)
        self._follow()

    def _on_cells(self, explored: ExploredCells | None) -> None:
        import pandas as pd

        self.run.cancel()
        self.table.show_table(pd.DataFrame())
        self.told.setText("")
        conditions = () if explored is None else explored.conditions
        self.like.refill([("the size of the effect", None), *((f"likeness to real {n}", n) for n in conditions)])
        self._follow()

    def _follow(self, *_: Any) -> None:
        self.told.setText("")  # which was of another screen
        self.run.allow(self.session.explored is not None and bool(self.out.text().strip()))

    def _choose_compounds(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Compounds", "", "Compounds (*.csv *.tsv *.txt *.smi *.sdf *.gz)")
        if path:
            self.compounds.setText(path)

    def _choose_out(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Save the screen", "screen.csv", "Tables (*.csv *.parquet)")
        if path:
            self.out.setText(path)

    def _start(self) -> None:
        explored, compounds = self.session.explored, self.compounds.text().strip()
        if explored is not None:
            self.told.setText("")
            where, file = Path(self.out.text().strip()), Path(compounds) if compounds else None
            self.run.start(run_screen, explored, where, file, self.like.value)

    def _on_done(self, done: tuple[pd.DataFrame, str]) -> None:
        table, said = done
        self.table.show_table(table.head(200))
        self.told.setText(breakable(said))


def run_screen(
    token: Token, explored: ExploredCells, out: Path, compounds: Path | None, like: str | None
) -> tuple[pd.DataFrame, str]:
    """Screen into a table, as the command line does; what was left of the same is gone on with."""
    from napari_impa.work.exploring.asked import screened_targets
    from napari_impa.work.exploring.screen import ScreenPlan, screen

    model = explored.loaded.model
    targets, unread = screened_targets(model, None, compounds)
    plan = ScreenPlan(targets=targets, wanted=like, batch_size=explored.loaded.batch_size)
    how: dict[str, Any] = {"model": model, "cells": explored.cells, "watch": token}
    table = screen(plan, out, resume=True, **how)
    said = f"{len(table):,} conditions screened into {out if out.suffix else out.with_suffix('.csv')}."
    return table, said + (f" Left out: {'; '.join(unread[:3])}{' …' if len(unread) > 3 else ''}" if unread else "")
