"""The Python script and the command that make the same cells again, as text."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from subprocess import list2cmdline
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_impa.cells.segmenters import SEGMENTERS, Segmenter, segmenter
from napari_impa.cells.store import Cells, open_cells
from napari_impa.engine.describing.new_condition import NewCondition, Target, name_of
from napari_impa.errors import ConditionError, ImpaError

if TYPE_CHECKING:
    from napari_impa.engine.model.model import IMPA


@dataclass(frozen=True)
class Reproduction:
    """What a prediction takes.

    Parameters
    ----------
    model
        What `load_model` takes.
    model_hash
        Of its weights.
    source
        The `.cells` folder that holds the cells to turn.
    label, control
        Label columns and control whose cells alone are turned; all cells where there is no control.
    targets
        Names of conditions, or new ones.
    strength, variability, seed
        As `IMPA.predict` takes them.
    saved
        The cells were saved for this, as what they were cut from is no `.cells` folder.
    found_by
        How their nuclei were found (`found_by`), to cut others alike; None where that is not known.
    """

    model: str
    model_hash: str
    source: Path
    label: tuple[str, ...]
    control: str | None
    targets: tuple[Target, ...]
    strength: float
    variability: float
    seed: int
    saved: bool = False
    found_by: Segmenter | None = None

    @property
    def out(self) -> str:
        """Name of the `.cells` folder to write."""
        names = " ".join(name_of(target) for target in self.targets)
        names += f" x{self.strength:g}" if self.strength != 1 else ""
        names += f" seed {self.seed}" if self.seed else ""
        return "".join(letter if letter.isalnum() or letter in " -_.+" else "_" for letter in names)[:80] + ".cells"


def script(made: Reproduction) -> str:
    """Write a Python script that runs as it stands and saves the predicted cells in the folder it is run in."""
    where = "saved from napari's Perturb dock, for the images they were cut from may be anywhere"
    lines = [
        '"""Turn the same cells again, as napari-impa did."""',
        "",
        "import napari_impa as impa",
        "",
        f"model = impa.load_model({made.model!r})  # hash {made.model_hash[:12]}",
        *([f"# {where}"] if made.saved else []),
        *([] if made.found_by is None else _how_to_cut(made.found_by)),
        f"cells = impa.open_cells({str(made.source)!r})",
    ]
    if made.control is not None:
        lines.append(f"cells = cells.labelled({list(made.label)!r}, {made.control!r}).controls()")
    targets = [_python(target) for target in made.targets]
    lines += [
        f"to = [{', '.join(targets)}]",
        f"after = model.predict(cells, to, strength={made.strength}, variability={made.variability}, seed={made.seed})",
        f"print(after.save({made.out!r}))",
        "",
    ]
    return "\n".join(lines)


def found_by(history: Mapping[str, Any]) -> Segmenter | None:
    """Return the segmenter that cells were cut by, with its settings; None where their history names none."""
    name = str(history.get("segmenter", ""))
    known = any(kind.name == name for kind in SEGMENTERS)
    return segmenter(name, **history.get("segmenter_settings", {})) if known else None


def _how_to_cut(find: Segmenter) -> list[str]:
    """Say how other images are cut as these cells were, as comments of a script."""
    words = f"segment={find.name!r}"
    options = f"--segment {find.name}"
    if find.changed:
        given = ", ".join(f"{name}={value}" for name, value in find.changed.items())
        words = f"segment=segmenter({find.name!r}, {given})"
        options += f" --segment-option {' '.join(f'{name}={value}' for name, value in find.changed.items())}"
    return [
        f"# their nuclei were found with {options}; other images are cut alike by",
        *(["# from napari_impa.cells.segmenters import segmenter"] if find.changed else []),
        f'# cells = impa.read_cells("images/", size=model.size, {words})',
    ]


def command(made: Reproduction) -> str:
    """Write the `napari-impa predict` command, quoted for this system's shell.

    Raises
    ------
    ConditionError
        If the command line has no words for the new conditions.
    """
    arguments = ["napari-impa", "predict", made.model, str(made.source)]
    known = [target for target in made.targets if isinstance(target, str)]
    new = [target for target in made.targets if isinstance(target, NewCondition)]
    if len(new) > 1 or any(target.smiles is None or target.modality is not None for target in new):
        raise ConditionError("The command line takes one new compound, by its SMILES; copy the Python script instead.")
    if known:
        arguments += ["--to", *known]
    for target in new:
        arguments += ["--smiles", str(target.smiles)]
        arguments += [] if target.dose is None else ["--dose", f"{target.dose}"]
    arguments += ["--out", made.out]
    for name, value in (("strength", made.strength), ("variability", made.variability), ("seed", made.seed)):
        arguments += [f"--{name}", f"{value}"]
    if made.control is None:
        arguments.append("--all-cells")
    return list2cmdline(arguments) if sys.platform == "win32" else shlex.join(arguments)


def matching_source(path: Path, cells: Cells, model: IMPA) -> tuple[tuple[str, ...], str | None] | None:
    """Whether a `.cells` folder, as the model takes it, holds exactly these cells.

    Returns
    -------
    Label columns and control, the model's or else the folder's own, if its controls are these cells; no columns and
    None if all of its cells are; None if neither.
    """
    try:
        stored = open_cells(path)
        label, control = stored.label, stored.control
        if model.label and model.control is not None and set(model.label) <= set(stored.table.columns):
            label, control = model.label, model.control
        if label and control is not None and _same(model.fit(stored.labelled(label, control).controls()), cells):
            return tuple(label), control
        return ((), None) if _same(model.fit(stored), cells) else None
    except ImpaError:
        return None


def _same(some: Cells, others: Cells) -> bool:
    return some.pixels.shape == others.pixels.shape and np.array_equal(some.pixels, others.pixels)


def _python(target: Target) -> str:
    if isinstance(target, str):
        return repr(target)
    given: dict[str, Any] = {
        name: getattr(target, name) for name in ("smiles", "dose", "vector", "kind", "modality")
    }  # fmt: skip
    words = [repr(target.name)] + [f"{name}={value!r}" for name, value in given.items() if value is not None]
    return f"impa.NewCondition({', '.join(words)})"
