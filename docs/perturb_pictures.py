"""Pictures of the Perturb dock: of its views, sources of images and themes those that a page shows."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pages import shown
from PIL import Image

SIZE = (1280, 800)
THEMES = ("dark", "light")
COLOURS = 128
"""Of the palette of a picture: enough for a window, a third of the bytes."""


@dataclass(frozen=True)
class Source:
    """Images that the dock is shown on.

    Parameters
    ----------
    name
        Of the pictures; for real images also of their folder.
    condition
        What the cells are turned into; the model's first where None.
    training
        How a model is trained on them, as `impa.read_cells` and `impa.train` take it; None for the bundled model.
    field
        Row of the source's table that is shown.
    """

    name: str
    condition: str | None = None
    reading: Mapping[str, Any] | None = None
    task: str = "perturbation"
    field: int = 0


SCREEN = Source("simulated", "mitotic arrest")
REAL = (
    Source("bbbc014_tnfa", "TNFalpha", {"label": "compound", "control": "untreated", "size": 48}, field=1),
    Source("bbbc022_u2os", None, {"label": "well", "size": 96}, task="batch"),
)


def names() -> set[str]:
    """Every picture that can be made, by its file's name; of these `pages.shown` are."""
    from napari_impa.viewer.perturb.views import VIEWS

    sources, views = [one.name for one in (SCREEN, *REAL)], [_words(view) for view in VIEWS]
    return {f"perturb-{source}-{view}-{theme}.png" for source in sources for view in views for theme in THEMES}


def _words(view: Any) -> str:
    title: str = view.title
    return title.replace(" ", "-")


def make(folder: Path, shared: Path | None, *, minutes: float, cache: Path, models: Mapping[str, Path]) -> list[Path]:
    """Make all pictures there can be; real images need the folder that holds them.

    Parameters
    ----------
    folder
        Where to.
    shared
        Folder with `data/bbbc014_tnfa` and `data/bbbc022_u2os`, or None.
    minutes
        How long a model is trained for real images, where none is given or cached.
    cache
        Where such models are kept.
    models
        Models by source.
    """
    paths = list(pictures(folder, SCREEN, None, None))
    for source in REAL:
        data = None if shared is None else shared / "data" / source.name
        if data is None or not data.is_dir():
            print(f"{source.name}: left out, no {data or 'folder of real images (--shared)'}", flush=True)
            continue
        model = models.get(source.name) or trained(source, data, cache, minutes)
        paths += pictures(folder, source, data, model)
    total = sum(path.stat().st_size for path in paths)
    print(
        f"{len(paths)} pictures, {total / 1e6:.1f} MB, the largest {max(p.stat().st_size for p in paths) / 1e3:.0f} kB"
    )
    return paths


def trained(source: Source, data: Path, cache: Path, minutes: float) -> Path:
    """A model of real images, trained where the cache has none."""
    import napari_impa as impa

    run = cache / f"{source.name}-{minutes:g}-minutes"
    if not (run / "model.impa").is_file():
        cells = impa.read_cells(data, **(source.reading or {}))
        print(f"training {minutes:g} minutes on {cells}", flush=True)
        impa.train(cells, run, task=source.task, minutes=minutes)
    return run / "model.impa"


def pictures(folder: Path, source: Source, data: Path | None, model: Path | None) -> Iterator[Path]:
    """Yield the pictures of a source that a page shows."""
    import napari
    from napari.layers import Layer

    from napari_impa.viewer.entry.samples import simulated_screen
    from napari_impa.viewer.perturb.dock import PerturbDock
    from napari_impa.viewer.perturb.views import VIEWS

    viewer = napari.Viewer(title="napari-impa", show_welcome_screen=False)
    for layer in simulated_screen() if data is None else real_layers(data, source.field):
        viewer.add_layer(Layer.create(*layer))
    viewer.window.resize(*SIZE)
    dock = PerturbDock.open_in(viewer)
    if model is not None:
        dock.use_model(model)
    session = dock.session
    wait_until(lambda: session.result is not None and not session.busy)
    if source.condition is not None:
        choose(dock, source.condition)
    wanted = shown()
    for view in VIEWS:
        names = {theme: f"perturb-{source.name}-{_words(view)}-{theme}.png" for theme in THEMES}
        if wanted.isdisjoint(names.values()):
            continue
        show(dock, view)
        wait_until(lambda: not session.busy)
        for theme, name in names.items():
            if name not in wanted:
                continue
            viewer.theme = theme
            viewer.window.resize(*SIZE)
            if not viewer.canvas.grid.enabled:  # panes follow the window by themselves
                wait_until(lambda: viewer.window._qt_window.width() == SIZE[0])
                viewer.fit_to_view()
            yield photograph(viewer, folder / name, SIZE)
    viewer.close()


def real_layers(data: Path, row: int) -> list[tuple[Any, dict[str, Any], str]]:
    """Layers of one field, the first channel on top."""
    from napari_impa.cells.source import open_source
    from napari_impa.viewer.layers.as_layers import limits_to_show
    from napari_impa.viewer.layers.sources import channel_colormaps

    field = open_source(data).field(row, masks=False)
    size, layers = field.pixel_size or 1.0, []
    for plane, name, colour in zip(field.pixels, field.channels, channel_colormaps(field.channels), strict=True):
        options = {
            "name": name, "scale": (size, size), "units": ("um", "um") if field.pixel_size else None,
            "colormap": colour, "contrast_limits": limits_to_show(plane),
            "blending": "additive",
        }  # fmt: skip
        layers.append((plane, options, "image"))
    return layers[::-1]


def choose(dock: Any, condition: str) -> None:
    """Turn the cells into a condition, through the form."""
    dock.condition.setCurrentIndex(dock.condition.findData(condition))
    wait_until(lambda: not dock.session.busy)


def show(dock: Any, view: str) -> None:
    """Choose a view, through the form."""
    dock.view.setCurrentIndex(dock.view.values.index(view))


def photograph(viewer: Any, path: Path, size: tuple[int, int], colours: int = COLOURS) -> Path:
    """Save the whole window with a palette of its own."""
    from napari_impa.viewer.entry.demo import save_picture

    save_picture(viewer, path)
    with Image.open(path) as picture:
        if picture.size != size:
            print(f"{path.name}: the window is {picture.size}, not {size}: the screen or the dock is too large")
    shrink(path, colours)
    print(f"{path} ({os.path.getsize(path) / 1e3:.0f} kB)", flush=True)
    return path


def shrink(path: Path, colours: int = COLOURS) -> None:
    """Save a picture again with few colours."""
    with Image.open(path) as picture:
        palette = picture.convert("RGB").quantize(colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    palette.save(path, optimize=True)


def wait_until(condition: Callable[[], object], seconds: float = 300) -> None:
    """Let the window work until a condition holds."""
    from qtpy.QtWidgets import QApplication

    until = time.monotonic() + seconds
    while not condition():
        QApplication.processEvents()
        time.sleep(0.01)
        if time.monotonic() > until:
            raise TimeoutError("the window did not get there")
