"""The commands under `models`: what there is, what one is, fetching, sharing, and converting published ones."""

from __future__ import annotations

from collections.abc import Callable

from cyclopts import App

from napari_impa.cli.models.convert import import_model
from napari_impa.cli.models.export import export
from napari_impa.cli.models.export_bioimageio import export_bioimageio
from napari_impa.cli.models.fetch import fetch, remove
from napari_impa.cli.models.listing import info, list_models

COMMANDS: dict[str, Callable[..., None]] = {
    "list": list_models, "info": info, "fetch": fetch, "remove": remove, "export": export,
    "export-bioimageio": export_bioimageio, "import": import_model,
}  # fmt: skip
"""Every command under `models` by its name."""

models_app = App(name="models", help="Models and images: list, fetch, share.", result_action="return_value")
for name, command in COMMANDS.items():
    models_app.command(command, name=name)
