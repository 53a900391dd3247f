"""Pictures of the guide "Train on your own folder", by real mouse clicks in the real window, which are counted."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from perturb_pictures import shrink, wait_until

SIZE = (1280, 800)
FIELDS, PLATES, FIELD = 3, 3, 512
"""Of the simulated plate: fields a well, plates, side in pixels."""
STAGES = ("open", "choose", "found", "settings", "watch", "trained", "perturb")
"""What there is a picture of, in order."""


def names() -> set[str]:
    """Every picture that is made, by its file's name."""
    return {f"train-{number}-{stage}.png" for number, stage in enumerate(STAGES, 1)}


class User:
    """A user's mouse, which counts its clicks and takes pictures on the way.

    Parameters
    ----------
    viewer
        Whose window is used.
    folder
        Of the pictures.
    prefix
        Of their names.
    """

    def __init__(self, viewer: Any, folder: Path, prefix: str) -> None:
        self.viewer, self.folder, self.prefix = viewer, folder, prefix
        self.clicks: list[str] = []
        self.paths: list[Path] = []

    def click(self, widget: Any, what: str, at: Any = None) -> None:
        """Click on a widget, which has to be in sight and enabled."""
        from qtpy.QtCore import QPoint, Qt
        from qtpy.QtTest import QTest

        assert widget.isEnabled(), f"{what} cannot be clicked"
        assert not widget.visibleRegion().isEmpty(), f"{what} is out of sight"
        QTest.mouseClick(widget, Qt.MouseButton.LeftButton, pos=at or QPoint(*(side // 2 for side in _sides(widget))))
        self.clicks.append(what)

    def choose_folder(self, path: Path) -> None:
        """Click on a folder in the file dialog that is open, and on its button."""
        from qtpy.QtWidgets import QAbstractItemView, QApplication, QDialogButtonBox, QFileDialog

        (dialog,) = (one for one in QApplication.topLevelWidgets() if isinstance(one, QFileDialog) and one.isVisible())
        dialog.setDirectory(str(path.parent))  # where the user was last
        views = (dialog.findChild(QAbstractItemView, name) for name in ("listView", "treeView"))
        rows = next(view for view in views if view.isVisible())

        def index() -> Any:
            model, root = rows.model(), rows.rootIndex()
            found = (model.index(row, 0, root) for row in range(model.rowCount(root)))
            return next((one for one in found if one.data() == path.name), None)

        wait_until(lambda: index() is not None)
        rows.scrollTo(index())
        wait_for(0.3)
        self.click(rows.viewport(), f"the folder {path.name}", rows.visualRect(index()).center())
        wait_for(0.3)
        self.picture("choose", dialog)
        box = dialog.findChild(QDialogButtonBox)
        self.click(box.button(QDialogButtonBox.StandardButton.Open), "Choose, in the dialog")

    def picture(self, name: str, dialog: Any = None) -> None:
        """Save a picture of the whole window, with the dialog before it."""
        from napari_impa.viewer.entry.demo import save_picture

        assert name == STAGES[len(self.paths)]
        path = self.folder / f"{self.prefix}-{len(self.paths) + 1}-{name}.png"
        save_picture(self.viewer, path)
        if dialog is not None:
            from PIL import Image

            part = path.with_name(f".{path.name}")
            dialog.grab().save(str(part), "PNG")
            with Image.open(path) as window, Image.open(part) as front:
                whole = window.convert("RGB")
                whole.paste(
                    front.convert("RGB"), tuple((a - b) // 2 for a, b in zip(whole.size, front.size, strict=True))
                )
            part.unlink()
            whole.save(path)
        shrink(path, colours=64 if name == "perturb" else 256)  # curves whose colours are near each other stay apart
        self.paths.append(path)
        print(path, flush=True)


def wait_for(seconds: float) -> None:
    """Let the window work for a while."""
    until = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() > until)


def _sides(widget: Any) -> tuple[int, int]:
    return widget.width(), widget.height()


def guide(
    folder: Path, source: Path | None = None, *, minutes: float | None = None, prefix: str = "train"
) -> list[str]:
    """Take a folder to a trained model in Perturb, with nothing but clicks; returns the clicks.

    Parameters
    ----------
    folder
        Of the pictures.
    source
        The images; a simulated plate where None.
    minutes
        Trained instead of the dock's own default.
    prefix
        Of the pictures' names.
    """
    import napari

    from napari_impa.viewer.perturb.dock import PerturbDock
    from napari_impa.viewer.train.dock import TrainDock
    from napari_impa.viewer.train.session import READY

    with tempfile.TemporaryDirectory() as scratch:
        images = simulated_plate(Path(scratch)) if source is None else _copied(source, Path(scratch))
        viewer = napari.Viewer(title="napari-impa", show_welcome_screen=False)
        viewer.window.resize(*SIZE)
        user = User(viewer, folder, prefix)
        dock = TrainDock(viewer)
        viewer.window.add_dock_widget(dock, name="Train on a folder")
        wait_until(lambda: dock.status.text() == "")
        wait_for(1)
        user.picture("open")
        user.click(dock.setup.source.choose, "Choose …")
        wait_for(0.5)
        user.choose_folder(images)
        wait_until(lambda: dock.setup.cells.looked is not None)
        wait_until(lambda: not dock.setup.cells.busy and not dock.setup.estimator.busy)
        user.picture("found")
        bar = dock.setup.verticalScrollBar()
        bar.setValue(bar.maximum())
        user.picture("settings")
        if minutes is not None:
            dock.setup.settings.amount.setValue(minutes)
        user.click(dock.start, "Start")
        wait_until(lambda: dock.watch.gaps.best_step is not None or dock.state == READY, seconds=7200)
        user.picture("watch")
        wait_until(lambda: dock.state == READY, seconds=7200)
        wait_for(1)
        user.picture("trained")
        print(dock.status.text(), flush=True)
        user.click(dock.use, "Use in Perturb")
        perturb = PerturbDock.open_in(viewer)
        wait_until(lambda: perturb.session.result is not None and not perturb.session.busy, seconds=300)
        wait_for(1)
        user.picture("perturb")
        viewer.close()
    print(f"{len(user.clicks)} clicks: {', '.join(user.clicks)}", flush=True)
    return user.clicks


def simulated_plate(folder: Path) -> Path:
    """Write a simulated screen as a user's own folder."""
    from napari_impa.cells.simulated.screen import write_simulated_screen

    return write_simulated_screen(folder / "my plate", fields=FIELDS, plates=PLATES, batches=2, size=FIELD)


def _copied(source: Path, scratch: Path) -> Path:
    """Copy the images to where a run may be written beside them."""
    return Path(shutil.copytree(source, scratch / source.name))
