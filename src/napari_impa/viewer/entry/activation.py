"""What napari runs when the plugin is first used: the context menu's entry, and which reader opens our own files."""

from __future__ import annotations

import os
from typing import Any

from app_model import Application
from app_model.expressions import Expr
from app_model.types import Action, MenuRule

PLUGIN = "napari-impa"

OURS = (f"*.cells{os.sep}", "*.impa.ome.tif")
"""Paths, as napari's preferences write them, that no other reader opens as they were meant."""

FOLDERS = f"*{os.sep}"
"""Any folder: napari asks who opens it wherever a plugin opens some; ours hands what is no plate to napari's own."""

PERTURB_LAYERS = "napari-impa.perturb_layers"
_CONTEXT = "napari/layers/context"


def activate(context: Any) -> None:
    """Prefer our reader for what is ours, and add the context menu's entry, until `context` is disposed.

    napari takes no entries of manifests into the layer list's context menu, so it is added to napari's application.
    """
    prefer_our_reader()
    context.register_disposable(forget_our_reader)
    app = Application.get_app("napari")
    if app is not None and PERTURB_LAYERS not in app.commands:
        context.register_disposable(add_context_entry(app))


def add_context_entry(app: Application) -> Any:
    """Add *Perturb cells* to the context menu of image layers; returns what takes it away again."""
    return app.register_action(
        Action(
            id=PERTURB_LAYERS,
            title="Perturb cells (IMPA)",
            tooltip="Open the Perturb dock.",
            callback=perturb_layers,
            menus=[MenuRule(id=_CONTEXT, group="navigation", when=Expr.parse("num_selected_image_layers > 0"))],
        )
    )


def perturb_layers() -> None:
    """Open the Perturb dock of the current viewer."""
    import napari

    from napari_impa.viewer.perturb.dock import PerturbDock

    viewer = napari.current_viewer()
    if viewer is not None:
        PerturbDock.open_in(viewer)


def prefer_our_reader() -> None:
    """Let napari open what is ours, and folders that only we and napari read, without asking.

    What the user chose otherwise stays; where another plugin reads folders too, napari asks.
    """
    from napari.settings import get_settings

    plugins = get_settings().plugins
    before = plugins.extension2reader
    wanted = {pattern: PLUGIN for pattern in OURS if pattern not in before}
    if others_read_folders():
        wanted = {**before, **wanted}
        if wanted.get(FOLDERS) == PLUGIN:
            del wanted[FOLDERS]
    else:
        wanted = {FOLDERS: PLUGIN, **before, **wanted}
    if wanted != before:
        plugins.extension2reader = wanted


def forget_our_reader() -> None:
    """Take our reader out of napari's preferences when the plugin is disabled: it would be missed for each folder."""
    from napari.settings import get_settings

    plugins = get_settings().plugins
    ours = (*OURS, FOLDERS)
    plugins.extension2reader = {
        pattern: reader
        for pattern, reader in plugins.extension2reader.items()
        if pattern not in ours or reader != PLUGIN
    }


def others_read_folders() -> bool:
    """Whether a plugin besides this one and napari itself reads folders."""
    from npe2 import PluginManager

    readers = PluginManager.instance().iter_compatible_readers([os.getcwd()])
    return bool({reader.plugin_name for reader in readers} - {PLUGIN, "napari"})
