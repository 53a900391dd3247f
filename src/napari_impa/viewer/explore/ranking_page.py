"""The page of the ranking: conditions by how far they move the cells, how sure that is, and what has to be beaten."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from napari_impa.viewer.explore.explored_cells import ExploredCells
from napari_impa.viewer.explore.result_table import ResultTable
from napari_impa.viewer.explore.shown_stacks import doses_of
from napari_impa.viewer.kit.forms import Wrapped, beside
from napari_impa.viewer.kit.job_button import JobButton
from napari_impa.viewer.kit.texts import plain
from napari_impa.watch import Token

if TYPE_CHECKING:
    import pandas as pd

    from napari_impa.viewer.explore.session import ExploreSession

SHOWN = {
    "condition": "condition", "likeness": "likeness", "effect": "effect", "sureness": "sure", "outside": "outside",
    "real_effect": "real", "cells_lost": "cells lost", "by_descriptors": "descriptors", "by_neighbour": "neighbour",
    "moved_most": "moves most",
}  # fmt: skip
"""Columns of `screen_table` that are shown, and what they are called."""

TIPS = {
    "likeness": "Share of the way from control cells to the wanted phenotype: 1 is there, 0 as far as control cells.",
    "effect": "How far cells are moved, in standard deviations of control cells (root mean square).",
    "sureness": "Effect over effect and spread of the noise: 1 where chance moves no cell, ½ where as far.",
    "outside": "Share of the predicted cells that are like no real cell here.",
    "moved_most": "The measurements that move most, in standard deviations of control cells.",
    "real_effect": "The same of real treated cells, where there are any.",
    "cells_lost": "log₂ of how many times fewer real cells an image has than one of controls: what counting says.",
    "by_descriptors": "The effect that physicochemical descriptors say, from the other compounds' real effects.",
    "by_neighbour": "The real effect of the most similar other compound (Tanimoto).",
}


class RankingPage(QWidget):
    """A button, a table, and what to look at of its rows.

    Signals
    -------
    strip_wanted, sweep_wanted, doses_wanted
        One cell under every condition; a condition's strengths, or its compound's doses, by its name.
    """

    strip_wanted = Signal()
    sweep_wanted = Signal(str)
    doses_wanted = Signal(str)

    def __init__(self, session: ExploreSession) -> None:
        super().__init__()
        self.session = session
        self.rank = JobButton("Rank the conditions", stop="Stop", tip="Turn the control cells into every condition.")
        self.table = ResultTable(SHOWN, TIPS)
        self.moved = Wrapped()
        self.told = Wrapped()
        self.strip = QPushButton("One cell, all conditions")
        self.strip.setToolTip("A chosen cell (or the first) under every condition, as a stack in new layers.")
        self.sweep = QPushButton("Strengths")
        self.sweep.setToolTip("The same cell under the condition of the row, strength 0 to 2, as a stack.")
        self.doses = QPushButton("Doses")
        self.doses.setToolTip("The same cell under each dose of the row's compound, as a stack; real cells beside it.")
        self.doses.hide()
        self.save = QPushButton("Save …")
        self.save.setToolTip("The whole table, as CSV or parquet.")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 6, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.rank)
        column.addWidget(self.table, 1)
        column.addWidget(self.moved)
        column.addWidget(self.told)
        column.addWidget(beside(self.strip, self.sweep, self.doses, self.save))
        self.rank.asked.connect(self._start)
        self.rank.succeeded.connect(self._on_ranked)
        self.rank.failed.connect(session.failed)
        self.strip.clicked.connect(self.strip_wanted)
        self.sweep.clicked.connect(lambda: self.table.condition and self.sweep_wanted.emit(self.table.condition))
        self.doses.clicked.connect(lambda: self.table.condition and self.doses_wanted.emit(self.table.condition))
        self.save.clicked.connect(self.table.save)
        self.table.condition_chosen.connect(lambda _: self.sweep.setEnabled(True))
        self.table.condition_chosen.connect(self._say_moved)
        self.table.condition_chosen.connect(self._offer_doses)
        session.cells_changed.connect(self._on_cells)
        self._on_cells(None)

    def _on_cells(self, explored: ExploredCells | None) -> None:
        import pandas as pd

        self.rank.cancel()
        self.rank.allow(explored is not None)
        self.table.show_table(pd.DataFrame())
        self.told.setText("")
        self.moved.setText("")
        for button in (self.strip, self.sweep, self.save):
            button.setEnabled(False)
        self.strip.setEnabled(explored is not None)
        self.doses.hide()

    def _offer_doses(self, condition: str) -> None:
        explored = self.session.explored
        known = () if explored is None else explored.loaded.model.conditions
        self.doses.setVisible(bool(doses_of(known, condition)))

    def _say_moved(self, condition: str) -> None:
        """Say in full, under the table, what a condition moves most: its column is narrow."""
        text = self.table.said_of(condition, "moved_most")
        self.moved.setText(plain(f"{condition} moves most: {text}.") if text else "")

    def _start(self) -> None:
        if self.session.explored is not None:
            self.rank.start(rank, self.session.explored)

    def _on_ranked(self, table: pd.DataFrame) -> None:
        from napari_impa.work.exploring.screen_table import agreement

        self.table.show_table(table)
        if len(table):
            self._say_moved(str(table["condition"].iloc[0]))
        self.save.setEnabled(True)
        beside_it = agreement(table)
        said = [f"{row.ranking} {row.spearman:.2f}" for row in beside_it.itertuples()]
        self.told.setText(
            plain(f"Same order as real cells (Spearman): {', '.join(said)}.") if said
            else "These cells hold too few real conditions to say how good the ranking is."
        )  # fmt: skip


def rank(token: Token, explored: ExploredCells, **more: Any) -> pd.DataFrame:
    """Rank the conditions of the model for the cells there are, at most `FEW` of them."""
    from napari_impa.work.exploring.screen import ScreenPlan, ranking

    plan = ScreenPlan(targets=explored.targets, most=FEW, batch_size=explored.loaded.batch_size, **more)
    return ranking(plan, model=explored.loaded.model, cells=explored.cells, watch=token)


FEW = 200
"""Cells that a ranking on screen asks."""
