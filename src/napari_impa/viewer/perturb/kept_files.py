"""What is written of a prediction, and the recipe that makes it again; in the background."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from napari_impa.cells.beside import free
from napari_impa.viewer.layers.channels import ChannelLayers
from napari_impa.viewer.layers.found_cells import Found
from napari_impa.watch import Reported, Token

if TYPE_CHECKING:
    from napari_impa.analysis.kept_prediction import KeptPrediction
    from napari_impa.viewer.library.models import Loaded
    from napari_impa.viewer.perturb.request import Predicted
    from napari_impa.work.reproduce import Reproduction

FIELD, TABLE, FIGURE = "field", "table", "figure"
"""Kinds of files but those that `analysis` writes part by part."""


def result_of(
    found: Found, predicted: Predicted, loaded: Loaded, features: Mapping[str, pd.DataFrame] | None = None
) -> KeptPrediction:
    """Gather what is kept of a prediction: controls, each target's cells, and real treated cells if there are any."""
    from napari_impa.analysis.kept_prediction import KeptCells, KeptPrediction
    from napari_impa.engine.describing.new_condition import name_of
    from napari_impa.engine.model.prediction import TURNED_INTO

    request, control, measured = predicted.request, found.cells, features or {}
    how: dict[str, Any] = {
        "strength": request.strength, "variability": request.variability, "seed": request.seed,
    }  # fmt: skip
    parts, treated = [KeptCells(found.as_it_is, found.as_it_is, control, features=measured.get(found.as_it_is))], []
    for number, target in enumerate(request.targets):
        name, title = name_of(target), request.title(number)
        cells = replace(
            control,
            pixels=predicted.pixels[number],
            table=control.table.assign(**{TURNED_INTO: name}),
            history=loaded.model.prediction_history(control, [target], **how),
        )
        about = {"model": loaded.model.name, "model_hash": loaded.hash, "condition": name, **how}
        parts.append(KeptCells(title, name, cells, about, measured.get(title)))
        real = found.treated(name)
        if real is not None and len(real):
            table = found.treated_table(name)
            cells = replace(control, pixels=real, table=table, history=dict(control.history))
            treated.append(KeptCells(f"real {name}", name, cells, features=measured.get(f"real {name}")))
    return KeptPrediction(tuple(parts + treated), {}, found.layers.place.kept, _looks(found.layers))


def write(
    token: Token,
    kind: str,
    path: Path,
    row: int,
    found: Found,
    predicted: Predicted,
    loaded: Loaded,
    features: Mapping[str, pd.DataFrame],
) -> list[Path]:
    """Write one kind of file; reports progress in words.

    Raises
    ------
    CellsError
        If it cannot be written.
    """
    from napari_impa.analysis import kept_prediction as keep

    if kind == TABLE and not _all_measured(predicted, features):
        token.send("Measuring …")
        features = measured(token, found, predicted)
    token.send("Saving …")
    result = result_of(found, predicted, loaded, features)

    def say(done: int, of: int, what: str) -> None:
        if done < of:
            token.send(f"Saving {done + 1} of {of} …")

    watch = Reported(say)

    if kind == FIELD:
        titles = [predicted.request.title(number) for number in range(len(predicted.request.targets))]
        fields = dict(zip(titles, map(found.paste, predicted.pixels), strict=True))
        there = {title: field for title, field in fields.items() if field is not None}
        return keep.save_fields(replace(result, fields=there), path, watch=watch)
    if kind == TABLE:
        return [keep.save_table(result, path)]
    if kind == FIGURE:
        return [keep.save_figure(result, path, first=row)]
    return keep.save_parts(result, path, kind, watch=watch)  # type: ignore[arg-type]


def _all_measured(predicted: Predicted, features: Mapping[str, pd.DataFrame]) -> bool:
    titles = (predicted.request.title(number) for number in range(len(predicted.request.targets)))
    return all(title in features for title in titles)


def measured(token: Token, found: Found, predicted: Predicted) -> dict[str, pd.DataFrame]:
    """Measure all cells of a prediction, as *What changed* does; by title a row a cell."""
    from napari_impa.analysis.changes import Changes
    from napari_impa.analysis.measurements import Yardstick

    yardstick, request = Yardstick.of(found.cells), predicted.request
    names = Changes(yardstick.columns, np.empty(0), np.empty(0))
    parts: dict[str, Any] = {found.as_it_is: found.cells.pixels}
    for number, pixels in enumerate(predicted.pixels):
        parts[request.title(number)] = pixels
        real = found.treated(request.name(number))
        if real is not None and len(real):
            parts[f"real {request.name(number)}"] = real
    return {title: names.wide(yardstick.measure(pixels, watch=token)) for title, pixels in parts.items()}


def find_recipe(
    token: Token, found: Found, predicted: Predicted, loaded: Loaded, saved: Path | None
) -> Reproduction | None:
    """Find the `.cells` folder that the layers show, or that was saved of these cells; None where there is none."""
    from napari_impa.work.reproduce import matching_source

    shown = getattr(found.layers.planes[0].data, "filename", None)
    for path, is_saved in ((Path(shown).parent if shown else None, False), (saved, True)):
        start = None if path is None else matching_source(path, found.cells, loaded.model)
        if path is not None and start is not None:
            return _recipe(path, *start, found, predicted, loaded, saved=is_saved)
    return None


def save_start(token: Token, path: Path, found: Found, predicted: Predicted, loaded: Loaded) -> Reproduction:
    """Save the cells that are turned, for a script to start from.

    Raises
    ------
    CellsError
        If they cannot be written there.
    """
    from napari_impa.analysis.kept_prediction import VIEW, KeptCells, KeptPrediction

    token.send("Saving the cells …")
    view = KeptPrediction((), {}, found.layers.place.kept, _looks(found.layers)).view(
        KeptCells(found.as_it_is, found.as_it_is, found.cells)
    )
    cells = replace(found.cells, history={**found.cells.history, VIEW: view})
    path = path if path.suffix == ".cells" else path.with_name(f"{path.name}.cells")
    return _recipe(cells.save(free(path)), (), None, found, predicted, loaded, saved=True)


def _recipe(
    source: Path,
    label: tuple[str, ...],
    control: str | None,
    found: Found,
    predicted: Predicted,
    loaded: Loaded,
    *,
    saved: bool,
) -> Reproduction:
    from napari_impa.work.reproduce import Reproduction, found_by

    request, key = predicted.request, loaded.key
    key = str(Path(key).resolve()) if Path(key).exists() else key
    how = (request.targets, request.strength, request.variability, request.seed)
    return Reproduction(
        key, loaded.hash, source.resolve(), label, control, *how, saved=saved, found_by=found_by(found.cells.history)
    )


def _looks(layers: ChannelLayers) -> list[dict[str, Any]]:
    return [look.kept for look in layers.looks]
