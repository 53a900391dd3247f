"""What the commands of the command line share: options from settings, reading sources, progress, processes."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from inspect import Parameter as OneParameter
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

from cyclopts import Parameter

from napari_impa.cells.choice import LayoutChoice
from napari_impa.cells.segmenters import SEGMENTERS, Nuclei, Segmenter, Setting, segmenter
from napari_impa.engine.training.settings import TrainingSettings
from napari_impa.errors import ImpaError
from napari_impa.watch import Reported, Watch

if TYPE_CHECKING:
    from napari_impa.cells.parts import Share
    from napari_impa.cells.store import Cells
    from napari_impa.engine.model.model import IMPA

REDRAWN = 0.1
"""Seconds between two drawings of a progress bar."""

if TYPE_CHECKING:
    Segment = str
else:
    Segment = Literal[tuple(kind.name for kind in SEGMENTERS)]

Several = Parameter(consume_multiple=True, negative=())
"""An option that takes several values."""


def _about_settings() -> str:
    """Say what each segmenter can be given, for the help."""
    kinds = [f"{kind.name}: {', '.join(map(_about, kind.settings()))}" for kind in SEGMENTERS]
    return f"NAME=VALUE of what the segmenter can be given, of `nuclei` where none is named. {'; '.join(kinds)}."


def _about(one: Setting) -> str:
    return f"{one.name}{f' ({one.unit})' if one.unit.isalpha() else ''}"


HowRead = Annotated[LayoutChoice, Parameter(name="*")]
"""Options that say how a folder is read: its layout, which Z planes and times."""

SegmentOption = Annotated[list[str] | None, Several, Parameter(help=_about_settings())]
"""Settings of a segmenter."""


def segmenter_of(segment: str | None, settings: Sequence[str] | None) -> Segmenter | None:
    """`"nuclei", ["diameter=24"]` → `Nuclei(diameter=24)`; None where nothing is asked for.

    Raises
    ------
    ImpaError
        If there is no such setting, or the value does not fit.
    """
    if segment is None and not settings:
        return None
    values = columns_of(settings, "NAME=VALUE")
    twice = next((name for name, several in values.items() if len(several) > 1), None)
    if twice is not None:
        raise ImpaError(f"--segment-option gives {twice} twice.")
    return segmenter(segment or Nuclei.name, **{name: value for name, (value,) in values.items()})


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for every field of `TrainingSettings` that it does not name itself."""
    own = signature(command)
    options = {name: option for name, option in own.parameters.items() if option.kind is not option.VAR_KEYWORD}
    types = get_type_hints(TrainingSettings)
    for entry in fields(TrainingSettings):
        if entry.name not in options:
            how = Parameter(help=f"{entry.metadata['help']}.")
            options[entry.name] = OneParameter(
                entry.name,
                OneParameter.KEYWORD_ONLY,
                default=entry.default,
                annotation=Annotated[types[entry.name], how],
            )
    command.__signature__ = own.replace(parameters=list(options.values()))  # type: ignore[attr-defined]
    return command


def columns_of(pairs: Sequence[str] | None, form: str = "COLUMN=VALUE") -> dict[str, list[str]]:
    """`["plate=A", "plate=B"]` → `{"plate": ["A", "B"]}`."""
    columns: dict[str, list[str]] = {}
    for pair in pairs or ():
        column, separator, value = pair.partition("=")
        if not (separator and column and value):
            raise ImpaError(f"{pair!r} is not of the form {form}.")
        columns.setdefault(column, []).append(value)
    return columns


def description_of(kinds: Sequence[str] | None) -> str | dict[str, str] | None:
    """`["bit"]` → `"bit"`; `["compound=bit", "CRISPR=genes.csv"]` → by modality."""
    if not kinds:
        return None
    if len(kinds) == 1 and "=" not in kinds[0]:
        return kinds[0]
    try:
        by_modality = columns_of(kinds)
    except ImpaError:
        by_modality = {}
    if not by_modality or any(len(kind) > 1 for kind in by_modality.values()):
        raise ImpaError("--description is one KIND, or MODALITY=KIND once for each modality.")
    return {modality: kind for modality, (kind,) in by_modality.items()}


def counted(counts: Mapping[str, int], most: int = 24, control: str | None = None) -> str:
    """Names with their counts, told apart from numbers in the names; of very many the first.

    >>> counted({"cycloheximide 15": 388, "DMSO": 1})
    'cycloheximide 15: 388 cells, DMSO: 1 cell'
    """
    said = [
        f"{name}{' (the control)' * (name == control)}: {count:,} cell{'s' * (count != 1)}"
        for name, count in counts.items()
    ]
    return ", ".join(said[:most]) + (f" and {len(said) - most:,} more" if len(said) > most else "")


def speaker(rank: int) -> Callable[[str], None]:
    """What prints a line; of several processes only the first does."""
    return print if rank == 0 else lambda line: None


@contextmanager
def sharing() -> Iterator[Share]:
    """Which part of the work is this process's; without torchrun all of it, and torch is not loaded."""
    from napari_impa.cells.parts import Share

    if "RANK" not in os.environ:
        yield Share()
        return
    from napari_impa.engine.distributed import processes

    with processes() as group:
        yield Share(group.rank, group.count, group.agree)


@contextmanager
def progress_watch(unit: str, rank: int = 0, *, parts: float = 1) -> Iterator[Watch]:
    """Show a progress bar of what reports to this watch, on a terminal, and for the first of several processes.

    Parameters
    ----------
    unit
        What is counted.
    rank
        Of this process.
    parts
        How many of what is reported make one of the unit.
    """
    from tqdm import tqdm

    def units(count: int) -> float:
        return count if parts == 1 else round(count / parts, 1)

    shown = [-REDRAWN]

    def show(done: int, of: int, what: str) -> None:
        bar.total = units(of) or None
        bar.set_postfix_str(what, refresh=False)
        bar.update(units(done) - bar.n)
        if time.monotonic() - shown[0] >= REDRAWN:  # tqdm itself draws what has moved, not what has begun
            bar.refresh()
            shown[0] = time.monotonic()

    with tqdm(unit=f" {unit}", leave=False, disable=rank > 0 or not sys.stderr.isatty()) as bar:
        yield Reported(show)


def cells_of(model: IMPA, source: Path, segment: Segmenter | None, choice: LayoutChoice) -> Cells:
    """Read the cells of a source for a model, and print what was found and what is doubtful."""
    from napari_impa.cells.source import open_source
    from napari_impa.work.doubts import doubts
    from napari_impa.work.predicting.predict_into import cells_for

    opened = open_source(source, kind="fields" if segment else None, choice=choice)
    print("\n".join([opened.describe(), *opened.passed_over()]))
    with progress_watch("images") as watch:
        cells = cells_for(model, opened, segment=segment, watch=watch)
    for line in doubts(cells, model):
        print(f"Warning: {line}")
    return cells


def save_json(path: Path, values: Any) -> None:
    """Write values as JSON and say so; where that fails, what stood at the path before stays.

    Raises
    ------
    CellsError
        If the file cannot be written.
    """
    from napari_impa.cells.beside import written_beside

    with written_beside(path) as partial:
        partial.write_text(json.dumps(values, indent=1, default=str), encoding="utf-8")
    print(f"Saved {path}.")
