"""Describing a finished model: its conditions by a table of SMILES or numbers, so that it takes new ones; minutes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from napari_impa.cells.source import Source, open_source
from napari_impa.cells.tables import condition_names, shortest
from napari_impa.cells.words import DOSE, SMILES
from napari_impa.engine.describing import BY_FILE, BY_SMILES, kind_named, names_of
from napari_impa.engine.describing.description import Description
from napari_impa.engine.describing.named_numbers import read_named
from napari_impa.engine.describing.style_fit import StyleFit
from napari_impa.errors import ConditionError, TrainingError
from napari_impa.watch import UNWATCHED, Watch
from napari_impa.work.catalog import load_model

if TYPE_CHECKING:
    from napari_impa.engine.model.model import IMPA

MOST_NEW = 1000
"""Conditions that the model was not trained on and that are kept in its file by name, at most."""

ROUGH = 10
"""Different descriptions below which the error of those left out is rough."""

FAR = 0.1
"""How far, in units of the spread between conditions, a known style moves before it is named."""

_NAMED = 5


@dataclass(frozen=True, eq=False)
class DescribedModel:
    """A model whose conditions were described afterwards.

    Parameters
    ----------
    model
        The new model.
    fit
        What was fitted, and how good it is.
    new
        Names of conditions that the model was not trained on and now knows by their description.
    left_out
        How many more there were, which are not kept.
    """

    model: IMPA
    fit: StyleFit
    new: tuple[str, ...]
    left_out: int = 0

    @property
    def lines(self) -> list[str]:
        """What the user has to know of it, in sentences."""
        fit, names = self.fit, self.model.conditions
        different = int(fit.groups.max()) + 1
        found = [
            f"Fitted {len(names)} conditions by {self.model.descriptions[0].plural}. Left out in turn, the style of "
            f"each is predicted from the others with an error of {fit.error:.2f} "
            "(0: as it was learned from cells; 1: no better than the mean of the other conditions)."
        ]
        if fit.error >= 1:
            found.append(
                "The descriptions say nothing of how cells look here: a new condition is predicted no better than by "
                "the mean of those known."
            )
        elif different < ROUGH:
            found.append(f"With {different} different descriptions that is rough.")
        moved = [(far, name) for far, name in zip(fit.moved, names, strict=True) if far > FAR]
        text = f"The known conditions moved by {fit.moved.mean():.1%} of the spread between conditions"
        if moved:
            listed = ", ".join(f"{name} {far:.0%}" for far, name in sorted(moved, reverse=True)[:_NAMED])
            text += (
                f"; more than {FAR:.0%}: {listed}{' …' if len(moved) > _NAMED else ''}. For these take the old model"
            )
        found.append(f"{text}.")
        found += [f"{_listed(alike)} have one description and cannot be told apart." for alike in self._alike]
        if self.new:
            found.append(f"Known by description alone, and not trained on: {_listed(self.new)}.")
        if self.left_out:
            found.append(f"{self.left_out:,} rows that name no condition of the model are left out.")
        return found

    @property
    def _alike(self) -> list[list[str]]:
        return [[self.model.conditions[row] for row in rows] for rows in self.fit.alike]


def describe_model(
    model: IMPA | str | Path,
    told: str | Path,
    *,
    source: str | Path | Source | None = None,
    kind: str | None = None,
    label: Sequence[str] = (),
    control: str | None = None,
    smiles: str | None = None,
    watch: Watch = UNWATCHED,
) -> DescribedModel:
    """Describe the conditions of a trained model, so that it takes new ones; neither cells nor pixels are read.

        found = describe_model("runs/chx", "smiles.csv")
        print("\\n".join(found.lines))
        found.model.save("chx-described.impa")

    Parameters
    ----------
    model
        The model, or what `load_model` takes. It stays as it is.
    told
        A CSV table: names of conditions first, then a column of SMILES, or numbers. Or `bit` or `count`, where the
        table of `source` holds SMILES. A compound stands for its only dose.
    source
        A plate, opened or as `open_source` takes it.
    kind
        `bit` or `count`, for a table of SMILES; `bit` where not given.
    label, control
        How the source's table names conditions and the control; as the model has them where not given.
    smiles
        The column of SMILES; found by its name where not given.
    watch
        Told how many conditions were left out to see how good it is.

    Raises
    ------
    ConditionError
        If a condition has no row or no description, several have one because they are doses of one compound, a SMILES
        cannot be read, or there are fewer than three to learn from.
    ModelError
        If there is no such model, or its conditions cannot be described afterwards.
    SourceError
        If the source cannot be read.
    TrainingError
        If it is not said what describes the conditions.
    MissingDependencyError
        If fingerprints are asked for without RDKit.
    """
    from napari_impa.engine.model.described_afterwards import describe_afterwards, require_describable

    chosen = load_model(model) if isinstance(model, (str, Path)) else model
    require_describable(chosen)
    if str(told) in names_of(BY_SMILES):
        if source is None:
            raise TrainingError(f"{told} needs the plate whose table holds SMILES; or give a table of SMILES instead.")
        plate = source if isinstance(source, Source) else open_source(source)
        facts, where = _facts_of_plate(chosen, plate, label, control, smiles), plate.path.name
        described, path = _kind(str(told)), ""
    else:
        facts, path, where = _facts_of_table(Path(told), smiles), str(told), Path(told).name
        described = _kind_of(facts, Path(told), kind)
    keys = _keys(chosen, facts.index, where)
    _require_smiles(chosen, facts, keys, described)
    described_too = facts[facts["smiles"] != ""] if described.needs == "smiles" else facts
    other = [name for name in described_too.index if name not in {*keys.values(), *_controls(chosen)}]
    new = other if len(other) <= MOST_NEW else []
    rows = facts.loc[[*keys.values(), *new]].assign(key=[*keys.values(), *new])
    description, raw = described.of_training(rows, "", path, standardize=True)
    vectors = description.complete(raw, None)
    trained = vectors[: len(keys)]
    _require_one_dose(chosen, trained)
    unseen = dict(zip(new, vectors[len(keys) :], strict=True))
    made, fit = describe_afterwards(chosen, replace(description, unseen=unseen), trained, watch=watch)
    made.settings |= {"description": path or str(told)}
    made.history["described"] |= {"by": where}
    return DescribedModel(made, fit, tuple(new), len(other) - len(new))


def require_free(out: str | Path) -> None:
    """Check that a described model can be written to a place.

    Raises
    ------
    TrainingError
        If there is a file, or a folder that is not empty.
    """
    out = Path(out)
    if out.exists() and (out.suffix == ".impa" or not out.is_dir() or any(out.iterdir())):
        raise TrainingError(f"{out} exists already; choose another place for the described model.")


def save_described(found: DescribedModel, out: str | Path) -> Path:
    """Write a described model into a new folder, as `model.impa`, or into a new `.impa` file; returns the file.

    Raises
    ------
    TrainingError
        As `require_free`, or if the folder cannot be made.
    ModelError
        If the file cannot be written.
    """
    require_free(out)
    out = Path(out)
    path = out if out.suffix == ".impa" else out / "model.impa"
    found.model.name = path.stem if path == out else out.resolve().name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(f"{path.parent} cannot be made ({error.strerror}); choose another place.") from error
    return found.model.save(path)


def describe_beside(model: Path, table: Path, *, watch: Watch = UNWATCHED) -> tuple[Path, DescribedModel]:
    """Describe the model of a run folder or file by a table, into a new file beside it: `NAME-described.impa`.

    Raises
    ------
    ImpaError
        As `describe_model` and `save_described`.
    """
    found = describe_model(model, table, watch=watch)
    name = f"{model.resolve().name.removesuffix('.impa')}-described"
    names = (name if number == 1 else f"{name}-{number}" for number in range(1, 10_000))
    free = next(path for one in names if not (path := model.resolve().with_name(f"{one}.impa")).exists())
    watch.check()
    return save_described(found, free), found


# ---- what describes each condition ----------------------------------------------------------------------------------


def _kind(name: str) -> type[Description]:
    found = kind_named(name)
    if found is None or not found.needs:
        raise TrainingError(f"A description is {' or '.join(names_of(BY_SMILES))}, or a table, not {name!r}.")
    return found


def _kind_of(facts: pd.DataFrame, path: Path, kind: str | None) -> type[Description]:
    """The kind that a table is: of structures where it has SMILES, else of numbers."""
    if "smiles" in facts.columns:
        return BY_SMILES[0] if kind is None else _kind(kind)
    if kind is not None and _kind(kind) not in BY_FILE:
        raise ConditionError(f"{path.name} has no column of SMILES, which {kind} fingerprints need.")
    return BY_FILE[0]


def _facts_of_table(path: Path, smiles: str | None) -> pd.DataFrame:
    """What a table says of each condition, by its name: `smiles`, or nothing where it holds numbers."""
    table = read_named(path)
    column = SMILES.find(table.columns) if smiles is None else smiles
    if column is None:
        return pd.DataFrame(index=table.index.unique())
    if column not in table.columns:
        listed = ", ".join(map(str, table.columns)) or "none"
        raise ConditionError(f"{path.name} has no column {column!r} after the names; its columns are: {listed}.")
    return _smiles_by_name(table.index, table[column], path.name)


def _facts_of_plate(
    model: IMPA, plate: Source, label: Sequence[str], control: str | None, smiles: str | None
) -> pd.DataFrame:
    """The SMILES of each condition in a plate's table, by its name."""
    table = plate.table
    column = SMILES.find(table.columns) if smiles is None else smiles
    if column is None or column not in table.columns:
        raise ConditionError(
            f"The table of {plate.path.name} has no column {column or 'smiles'!r}; give a table of SMILES instead."
        )
    names = condition_names(table, tuple(label) or model.label, model.control if control is None else control)
    treated = ~np.isin(names.astype(str), [name for name in _controls(model) if name not in model.conditions])
    return _smiles_by_name(names[treated], table[column][treated], plate.path.name)


def _smiles_by_name(names: Any, smiles: pd.Series, where: str) -> pd.DataFrame:
    texts = ["" if pd.isna(value) else str(value).strip() for value in smiles]
    facts = pd.DataFrame({"name": np.asarray(names), "smiles": texts}).drop_duplicates()
    facts = facts[(facts["smiles"] != "") | ~facts["name"].duplicated(keep=False)]
    twice = facts["name"][facts["name"].duplicated()]
    if len(twice):
        raise ConditionError(f"{where} has more than one SMILES for {twice.iloc[0]!r}; mend it.")
    return facts[facts["name"] != ""].set_index("name")


def _keys(model: IMPA, names: pd.Index, where: str) -> dict[str, str]:
    """Condition → what it is called in the facts: by its name, else by that of the compound without the dose.

    Raises
    ------
    ConditionError
        If some are not there.
    """
    there = set(names)
    keys = {one: one if one in there else _without_dose(model, one) for one in model.conditions}
    missing = [name for name, key in keys.items() if key not in there]
    if missing:
        none = " (none of its rows names one)" if len(missing) == len(keys) else ""
        raise ConditionError(f"{where} has no row for {_listed(missing)} of the model {model.name!r}{none}; add it.")
    return keys


def _without_dose(model: IMPA, condition: str) -> str:
    """`cycloheximide 50` → `cycloheximide`, where the dose is the model's first or last label column."""
    doses = DOSE.all(model.label)
    if len(doses) != 1 or len(model.label) < 2:
        return condition
    if model.label[-1] == doses[0]:
        return condition.rpartition(" ")[0]
    return condition.partition(" ")[2] if model.label[0] == doses[0] else condition


def _controls(model: IMPA) -> Sequence[str]:
    return () if model.control is None else (shortest(model.control),)


def _require_smiles(model: IMPA, facts: pd.DataFrame, keys: Mapping[str, str], kind: type[Description]) -> None:
    if kind.needs != "smiles":
        return
    without = [name for name, key in keys.items() if not facts["smiles"][key] and name not in _controls(model)]
    if without:
        raise ConditionError(f"{_listed(without)} {'has' if len(without) == 1 else 'have'} no SMILES; write it down.")


def _require_one_dose(model: IMPA, vectors: Any) -> None:
    """Check that no compound has several doses, which one and the same description would stand for."""
    seen: dict[tuple[str, bytes], str] = {}
    for name, vector in zip(model.conditions, vectors, strict=True):
        other = seen.setdefault((_without_dose(model, name), vector.tobytes()), name)
        if other != name:
            raise ConditionError(
                f"{other} and {name} are doses of one compound, which a description that is added afterwards cannot "
                f"tell apart; train with --description and --dose {DOSE.find(model.label)} instead."
            )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    if more or len(names) < 2:
        return ", ".join(names[:_NAMED]) + more
    return f"{', '.join(names[:-1])} and {names[-1]}"
