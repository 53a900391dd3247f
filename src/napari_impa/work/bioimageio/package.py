"""Writing a model under one condition as a package of bioimage.io (a zip), checked before it has its name."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, get_args
from warnings import catch_warnings, simplefilter
from zipfile import ZipFile

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from napari_impa.analysis.pictures.composite import display_limits
from napari_impa.analysis.pictures.montage import montage
from napari_impa.cells.beside import written_beside
from napari_impa.cells.reading import read_pixels
from napari_impa.cells.store import Cells
from napari_impa.engine.describing.new_condition import Target
from napari_impa.engine.model.card import Card
from napari_impa.engine.model.model import IMPA
from napari_impa.errors import CellsError, ConditionError, MissingDependencyError, ModelError, brief
from napari_impa.work.bioimageio.description import (
    COVER,
    GUIDE,
    SAMPLE_INPUT,
    SAMPLE_OUTPUT,
    TEST_INPUT,
    TEST_OUTPUT,
    WEIGHTS,
    description,
)
from napari_impa.work.bioimageio.exported_network import ExportedNetwork, write_torchscript
from napari_impa.work.bioimageio.guide_text import guide_text
from napari_impa.work.predicting.predict_into import rows_to_turn

TEST_CELLS = 4
"""Cells that a package is tested with, and shows."""

_COVER = (640, 320)  # pixels, as bioimage.io shows it


@dataclass(frozen=True)
class Exported:
    """A package.

    Parameters
    ----------
    path
        The zip.
    warnings
        What `bioimageio.spec` warns of, in its words.
    """

    path: Path
    warnings: tuple[str, ...]


def export_bioimageio(
    out: str | Path, model: IMPA, cells: Cells, to: Target, *, card: Card | None = None, overwrite: bool = False
) -> Exported:
    """Write a model under one condition as a package of bioimage.io, which needs neither IMPA nor napari to run.

        model = impa.load_model("runs/chx")
        export_bioimageio("chx.zip", model, cells_for(model, "plate/"), "cycloheximide 50")

    It maps cells to cells, both in the camera's units: intensity limits, style encoder, the condition's style, strength
    1 and variability 0 are part of its weights, which are TorchScript.

    Parameters
    ----------
    out
        The zip to make.
    model
        Of conditions or of batches; of the latter the batch that a cell comes from is told from the cell.
    cells
        Of which a few controls (of a model of batches, any) go into the package, as its test and on its cover.
    to
        Name of the condition, or a new one where the model's description allows it.
    card
        What the package says of the model; by default the model's own card.
    overwrite
        Replace `out` where it exists.

    Raises
    ------
    MissingDependencyError
        If `bioimageio.spec` is not installed.
    CellsError
        If `out` exists, is no zip or cannot be written.
    ConditionError
        If the model does not know the condition, or there are no cells to test with.
    ModelError
        If the cells do not fit the model, or the card holds what the format refuses, as a licence without SPDX name.
    """
    out = check_package_file(Path(out), overwrite=overwrite)
    card = _as_the_format_wants(Card.parse(model.card) if card is None else card)
    to = model.name_known(to) if isinstance(to, str) else to
    network = ExportedNetwork(model, to)
    pixels = _test_cells(model, cells)
    with written_beside(out) as partial, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as made:
        folder = Path(made)
        predicted = write_torchscript(folder / WEIGHTS, network, pixels)
        for test, sample, tensor in ((TEST_INPUT, SAMPLE_INPUT, pixels), (TEST_OUTPUT, SAMPLE_OUTPUT, predicted)):
            np.save(folder / test, tensor)
            tifffile.imwrite(folder / sample, tensor, photometric="minisblack")
        _cover(model, pixels, predicted).save(folder / COVER)
        guide = guide_text(model, to, card, tested=len(pixels))
        (folder / GUIDE).write_text(guide, encoding="utf-8")
        spec = _spec()
        version = spec.ModelDescr.implemented_format_version
        warnings = _packed(spec, description(model, to, card, format_version=version), folder, partial)
    return Exported(out, warnings)


def check_package_file(out: Path, *, overwrite: bool) -> Path:
    """The path of a package, with `.zip` where it has no ending, as one that can be written.

    Raises
    ------
    CellsError
        If it exists, or has another ending.
    MissingDependencyError
        If `bioimageio.spec` is not installed.
    """
    _spec()
    out = out if out.suffix else out.with_suffix(".zip")
    if out.suffix.lower() != ".zip":
        raise CellsError(f"A package of bioimage.io is a .zip file, not {out.name}; choose another name.")
    if out.exists() and (out.is_dir() or not overwrite):
        raise CellsError(f"{out} exists already; choose another name or remove it first.")
    return out


def _spec() -> Any:
    try:
        return import_module("bioimageio.spec")
    except ImportError as error:
        raise MissingDependencyError(
            'Packages of bioimage.io are made by bioimageio.spec: pip install "napari-impa[bioimageio]".'
        ) from error


def _as_the_format_wants(card: Card) -> Card:
    """The card with its licence as SPDX spells it (Hugging Face has small letters), and its DOI without an address."""
    words = import_module("bioimageio.spec.model.v0_5")
    licences = get_args(words.LicenseId.root_model.model_fields["root"].annotation)
    spelled = {name.casefold(): name for name in licences}
    if card.licence and card.licence.casefold() not in spelled:
        raise ModelError(
            f"The licence {card.licence!r} is no current SPDX name, which bioimage.io wants; give one, say CC-BY-4.0."
        )
    doi = re.sub(r"^(https?://(dx\.)?doi\.org/|doi:\s*)", "", card.doi.strip(), flags=re.IGNORECASE)
    try:
        if doi:
            words.Doi(doi)
    except ValueError:
        raise ModelError(f"{card.doi!r} is no DOI; give one like 10.5281/zenodo.0000000, or none.") from None
    return replace(card, licence=spelled.get(card.licence.casefold(), ""), doi=doi)


def _test_cells(model: IMPA, cells: Cells) -> NDArray[np.float32]:
    """A few of the cells that the model turns, evenly spread, as it takes them, (n, C, S, S) in the camera's units."""
    rows = rows_to_turn(model, cells)
    if not len(rows):
        what = "cells" if model.task == "batch" or cells.control is None else "control cells"
        raise ConditionError(f"There are no {what} to test the package with; give a source that holds some.")
    some = rows[np.unique(np.linspace(0, len(rows) - 1, min(TEST_CELLS, len(rows))).astype(int))]
    fitted = model.fit(cells.take(some))
    pixels: NDArray[np.float32] = np.nan_to_num(read_pixels(fitted.pixels, np.arange(len(some))).astype(np.float32))
    return np.ascontiguousarray(pixels)


def _cover(model: IMPA, pixels: NDArray[np.float32], predicted: NDArray[np.float32]) -> Image.Image:
    """Cells above what becomes of them, on the contrast of the cells."""
    drawn = montage(
        [("cells", pixels), ("predicted", predicted)],
        model.channels,
        display_limits(pixels),
        pixel_size=model.pixel_size,
    )
    picture = Image.fromarray(drawn)
    picture.thumbnail(_COVER, Image.Resampling.LANCZOS)
    cover = Image.new("RGB", _COVER)
    cover.paste(picture, ((_COVER[0] - picture.width) // 2, (_COVER[1] - picture.height) // 2))
    return cover


def _packed(spec: Any, content: dict[str, Any], folder: Path, path: Path) -> tuple[str, ...]:
    """Write the zip, read it as others will, and return what is warned of."""
    with catch_warnings():
        simplefilter("ignore", ResourceWarning)  # the files that it reads it leaves to be closed by themselves
        with spec.ValidationContext(root=folder, log_warnings=False), path.open("wb") as stream:
            described = spec.build_description(content)
            _check(spec, described)
            spec.save_bioimageio_package_to_stream(described, output_stream=stream)
            del described
        with spec.ValidationContext(log_warnings=False), ZipFile(path) as file:
            found = spec.load_description(file)
            _check(spec, found)
    entries = [entry for detail in found.validation_summary.details for entry in detail.warnings]
    return tuple(dict.fromkeys(_in_words(entry.loc, entry.msg) for entry in entries))


def _in_words(place: tuple[int | str, ...], message: str) -> str:
    where = f"{'.'.join(map(str, place))}: " if place else ""
    return where + brief(ValueError(message))


def _check(spec: Any, described: Any) -> None:
    if isinstance(described, spec.InvalidDescr):
        reason = brief(ValueError(described.get_reason()), 400)
        raise ModelError(f"bioimageio.spec refuses the package: {reason}")
