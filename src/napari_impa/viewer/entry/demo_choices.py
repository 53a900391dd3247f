"""What the demo chooses in its dock as soon as there is something to choose from: the condition, and a cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject

if TYPE_CHECKING:
    from napari_impa.viewer.layers.found_cells import Found
    from napari_impa.viewer.perturb.dock import PerturbDock


class DemoChoices(QObject):
    """Goes with its dock: PySide6 would hold functions connected to a session, and what they name, for good."""

    def __init__(self, dock: PerturbDock, condition: str) -> None:
        super().__init__(dock)
        self._dock, self._condition = dock, condition
        dock.session.model_changed.connect(self._choose_condition)
        dock.session.cells_changed.connect(self._choose_cell)

    def _choose_condition(self, _: Any) -> None:
        box = self._dock.condition
        at = box.findData(self._condition)
        if at >= 0:
            box.setCurrentIndex(at)

    def _choose_cell(self, found: Found | None) -> None:
        """Bring a cell in the middle of the field up, not the first one, which is at its border."""
        session = self._dock.session
        if found is not None and found.field is not None and session.result is None and not session.cell:
            table = found.cells.table
            away = (table["y"] - found.field.shape[-2] / 2) ** 2 + (table["x"] - found.field.shape[-1] / 2) ** 2
            session.show_cell(int(away.to_numpy().argmin()))
