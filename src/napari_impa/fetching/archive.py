"""Fetching a published model: its members of the archive at Zenodo, their names, making `.impa` of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from napari_impa.cells.sheets.typed_table import read_table
from napari_impa.engine.published.checkpoint_folder import model_of
from napari_impa.engine.published.naming import Naming
from napari_impa.errors import FetchError, ImpaError
from napari_impa.fetching.archive_models import ARCHIVE, MODELS, ArchiveModel, card_of
from napari_impa.fetching.members import Member, fetch_member, is_fetched, list_members, read_record
from napari_impa.fetching.ranges import PATIENCE, RemoteFile
from napari_impa.watch import UNWATCHED, PartOf, Watch

_NETS = re.compile(r"(\d+)_nets\.ckpt")
_PARTS = ("nets", "embeddings", "condition_embeddings")
_PART = re.compile(rf"_({'|'.join(_PARTS)})\.ckpt$")
_LARGEST_TABLE = 200_000_000


def find_checkpoint(members: Sequence[Member], model: ArchiveModel, member: str | None = None) -> dict[str, Member]:
    """Find a model's checkpoint among the members of the archive.

    Parameters
    ----------
    members
        All of the archive's.
    model
        The model.
    member
        A folder, or a `…_nets.ckpt`, of the archive, where the model's own name is not to decide.

    Returns
    -------
    Its members by part: nets, embeddings and, with several modalities that are embedded, condition_embeddings.

    Raises
    ------
    FetchError
        If no checkpoint fits, or several.
    """
    nets = {one.name: one for one in members if _NETS.fullmatch(PurePosixPath(one.name).name)}
    if member is not None:
        wanted = member.strip("/")
        fitting = [name for name in nets if name == wanted or name.startswith(f"{wanted}/")]
    else:
        ending = re.compile(rf"(?:^|[_/-]){re.escape(model.folder)}/", re.IGNORECASE)
        fitting = [name for name in nets if ending.search(f"{PurePosixPath(name).parent}/")]
    folders = sorted({str(PurePosixPath(name).parent) for name in fitting})
    if len(folders) != 1:
        listed = folders or sorted({str(PurePosixPath(name).parent) for name in nets})
        what = f"{len(folders)} folders fit" if folders else f"no folder {member or model.folder!r} holds a checkpoint"
        raise FetchError(
            f"In the archive {what} for {model.name}; choose one with --member: {_listed(listed) or 'there is none'}."
        )
    epochs = {int(_NETS.fullmatch(PurePosixPath(name).name)[1]): name for name in fitting}  # type: ignore[index]
    chosen = epochs.get(model.epoch if model.epoch is not None else -1, epochs[max(epochs)])
    by_name = {one.name: one for one in members}
    parts = {part: by_name.get(chosen.replace("_nets.ckpt", f"_{part}.ckpt")) for part in _PARTS}
    found = {part: one for part, one in parts.items() if one is not None}
    if "embeddings" not in found:
        raise FetchError(f"The archive holds {chosen}, but no embeddings beside it; choose another with --member.")
    return found


def fetch_archive_model(
    model: ArchiveModel,
    cache: Path,
    *,
    url: str = ARCHIVE,
    member: str | None = None,
    names: Path | None = None,
    column: str | None = None,
    control: str | None = None,
    smiles: str | None = None,
    modality: str | None = None,
    description: str | Mapping[str, str] | None = None,
    channels: Sequence[str] | None = None,
    watch: Watch = UNWATCHED,
    patience: Sequence[float] = PATIENCE,
) -> tuple[Path, str]:
    """Fetch a model's members of the archive into a cache folder and make its `.impa` file of them.

    Parameters
    ----------
    model
        Which one.
    cache
        The cache folder.
    url
        Of the archive.
    member
        See `find_checkpoint`.
    names
        Table of its training, where neither the names that are known nor the archive's own table are to count.
    column, control, smiles, modality
        As of `engine.published.naming.Naming`; what is known of the model where not given.
    description, channels
        As of `engine.published.checkpoint_folder.model_of`; what is known of the model where not given.
    watch
        Hears what is done, and bytes so far and in all (0 where there are none); where it leaves, another call goes on.
    patience
        Seconds to wait before each further attempt.

    Returns
    -------
    The `.impa` file, and a sentence on its conditions' names where they are numbers for now; else an empty text.

    Raises
    ------
    FetchError
        If something cannot be fetched, or is damaged.
    ImpaError
        If the members make no model, or the names do not fit.
    """
    folder = cache / MODELS / model.name
    given = {"column": column, "control": control, "smiles": smiles, "modality": modality}
    how: dict[str, Any] = {"given": given, "description": description, "channels": channels}
    table = folder / PurePosixPath(model.table).name
    if member is None and _are_whole(folder) and (names or model.conditions or is_fetched(table)):
        return convert(model, folder, cache, names=names, table=table if is_fetched(table) else None, **how)
    watch.report(0, 0, "the archive's contents")
    with RemoteFile(url, watch=watch, patience=patience) as remote:
        members = list_members(remote)
        parts = find_checkpoint(members, model, member)
        total, before = sum(one.packed for one in parts.values()), 0
        for one in reversed(parts.values()):  # the nets last: where they are whole, so is the rest
            at = folder / PurePosixPath(one.name).name
            fetch_member(remote, one, at, PartOf(watch, before, total, model.name))
            before += one.packed
        found = None
        if names is None and not model.conditions:
            found = _training_table(remote, members, model, folder, watch)
    watch.report(total, total, "making the model")
    for other in folder.glob("*.ckpt"):  # of another --member before
        if other.name not in {PurePosixPath(one.name).name for one in parts.values()}:
            other.unlink()
    return convert(model, folder, cache, names=names, table=found, **how)


def _are_whole(folder: Path) -> bool:
    """Whether all members of one checkpoint, and none of another, are there as they were fetched."""
    parts = list(folder.glob("*.ckpt"))
    checkpoints = {_PART.sub("", str(read_record(path).get("member"))) for path in parts}
    nets = any(_NETS.fullmatch(path.name) for path in parts)
    return nets and len(parts) > 1 and len(checkpoints) == 1 and all(is_fetched(path) for path in parts)


def _training_table(
    remote: RemoteFile, members: Sequence[Member], model: ArchiveModel, folder: Path, watch: Watch
) -> Path | None:
    """Fetch the table that the model was trained with, where the archive holds one that can be told."""
    fitting = [one for one in members if model.table and one.name.endswith(f"/{model.table}")]
    if len(fitting) != 1 or fitting[0].packed > _LARGEST_TABLE:
        return None
    path = folder / PurePosixPath(model.table).name
    return fetch_member(remote, fitting[0], path, PartOf(watch, 0, fitting[0].packed, "its training table"))


def convert(
    model: ArchiveModel,
    folder: Path,
    cache: Path,
    *,
    names: Path | None,
    table: Path | None,
    given: Mapping[str, str | None],
    description: str | Mapping[str, str] | None = None,
    channels: Sequence[str] | None = None,
) -> tuple[Path, str]:
    """Make the `.impa` file of members that were fetched.

    Names that do not fit are an error, unless all that is said of them is what is known of the model.

    Parameters
    ----------
    model, folder, cache
        The model, where its members lie, and the cache folder.
    names, table
        The table that the user gave, and the archive's own.
    given
        What the user said of them, by the parameters of `Naming`.
    description, channels
        As of `fetch_archive_model`.
    """
    naming = _naming(model, folder, names, table, given)
    sure = names is not None or bool(model.conditions) or any(given.values())
    how: dict[str, Any] = {
        "channels": channels or model.channels, "task": model.task, "description": description or model.description,
    }  # fmt: skip
    why = "" if naming is not None else "the table of its training is not in the archive"
    try:
        made = model_of(folder, naming=naming, **how)
    except ImpaError as error:
        if sure or naming is None:
            raise
        made, why = model_of(folder, **how), f"the table in the archive does not fit ({str(error).rstrip('.')})"
    made.name = model.name
    made.card = card_of(model).markdown()
    path = model.path(cache)
    made.save(path, compact=True)
    if not why:
        return path, ""
    kinds = " --modality COLUMN" if len(made.descriptions) > 1 else ""
    return path, (
        f"The conditions of {model.name} are numbered: {why}. Name them by the table of its training, with "
        f"'napari-impa models fetch {model.name} --names TABLE --column COLUMN{kinds}'."
    )


def _naming(
    model: ArchiveModel, folder: Path, names: Path | None, table: Path | None, given: Mapping[str, str | None]
) -> Naming | None:
    """Say where the names of the conditions are found; None where that is not known."""
    control = given.get("control") or model.control
    if names is None and model.conditions:
        known = folder / "conditions.csv"
        known.write_text("\n".join(["compound", *model.conditions, control or ""]) + "\n", encoding="utf-8")
        return Naming(known, "compound", control)
    path = names or table
    if path is None:
        return None
    column = model.column if names is None or model.column in read_table(path).columns else ""
    return Naming(path, given.get("column") or column or None, control, given.get("smiles"), given.get("modality"))


def remove_archive_model(model: ArchiveModel, cache: Path) -> int:
    """Remove what was fetched of a model, but not the records of what it was; returns the bytes freed."""
    folder = cache / MODELS / model.name
    files = [path for path in [model.path(cache), *folder.glob("*")] if path.is_file() and not _is_record(path)]
    freed = sum(path.stat().st_size for path in files)
    for path in files:
        path.unlink()
    return freed


def _is_record(path: Path) -> bool:
    return path.name.endswith((".ckpt.json", ".csv.json"))


def _listed(names: Sequence[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
