"""The models that IMPA was published with: their members of the archive at Zenodo, their names, making `.impa`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from napari_impa.engine.model.card import Card
from napari_impa.errors import FetchError, ImpaError
from napari_impa.fetching.members import Member, fetch_member, is_fetched, list_members, read_record
from napari_impa.fetching.ranges import PATIENCE, RemoteFile

if TYPE_CHECKING:
    from napari_impa.cells.words import Task
    from napari_impa.engine.published.naming import Naming

ARCHIVE = "https://zenodo.org/api/records/8307629/files/IMPA_reproducibility.zip/content"
CITATION = (
    "Palma, Theis & Lotfollahi, Predicting cell morphological responses to perturbations using generative modeling, "
    "Nature Communications 16:505, 2025; checkpoints: https://doi.org/10.5281/zenodo.8307629"
)
MODELS = "models"
"""Folder of the cache for fetched models: `NAME.impa`, and `NAME/` with the members that it was made of."""

_NETS = re.compile(r"(\d+)_nets\.ckpt")
_PARTS = ("nets", "embeddings", "condition_embeddings")
_PART = re.compile(rf"_({'|'.join(_PARTS)})\.ckpt$")
_LARGEST_TABLE = 200_000_000

Tell = Callable[[str, int, int], object]


@dataclass(frozen=True)
class Published:
    """One model of the archive.

    Parameters
    ----------
    name, title
        What commands take, and what a list shows.
    folder
        What its folder is called in the archive, or ends in.
    size, channels
        Crop side, and names of the channels in the order of the data set's own table (the archive names none).
    count
        Conditions.
    bytes
        To fetch, about.
    task, description, control
        As of `engine.published.checkpoint_folder.model_of`.
    epoch
        Which of several checkpoints is meant; the last where None.
    conditions
        Their names, where they are known for certain.
    table, column
        Otherwise the end of the name of its training table in the archive, and the column of its names; empty where
        the table has to tell (`Naming`).
    """

    name: str
    title: str
    folder: str
    size: int
    channels: tuple[str, ...]
    count: int
    bytes: int
    task: Task = "perturbation"
    description: str | None = None
    control: str | None = "DMSO"
    epoch: int | None = None
    conditions: tuple[str, ...] = ()
    table: str = ""
    column: str = ""

    def path(self, cache: Path) -> Path:
        """Where its `.impa` file lies in a cache folder, once it was fetched."""
        return cache / MODELS / f"{self.name}.impa"


_BBBC021 = ("DNA", "tubulin", "actin")
_RXRX1 = ("nuclei", "ER", "actin", "RNA", "mito", "Golgi")
_CPG0000 = tuple(f"channel {number}" for number in range(1, 6))

PUBLISHED = (
    Published(
        "impa-bbbc021-six", "BBBC021, five drugs (IMPA)", "bbbc021_six", 96, _BBBC021, 5, 212_100_000,
        description="count", epoch=200,
        conditions=("AZ138", "AZ258", "cytochalasin B", "taxol", "vincristine"),
    ),
    Published(
        "impa-bbbc021-all", "BBBC021, all drugs (IMPA)", "bbbc021_all", 128, _BBBC021, 89, 219_900_000,
        description="bit", table="metadata/bbbc021_df_all.csv", column="CPD_NAME",
    ),
    Published(
        "impa-cpg0000", "cpg0000, U2OS (IMPA)", "cpg0000", 96, _CPG0000, 763, 216_000_000,
        description="table", epoch=90,
        table="metadata/metadata_large_gene2vec.csv",
    ),
    Published(
        "impa-cpg0000-batch", "cpg0000 plates (IMPA)", "cpg0000_batch", 96, _CPG0000, 10, 213_300_000,
        task="batch", control=None, table="metadata/metadata_large.csv", column="PLATE",
    ),
    Published(
        "impa-rxrx1-batch", "RxRx1 batches (IMPA)", "rxrx1_batch", 96, _RXRX1, 3, 211_900_000,
        task="batch", control=None, epoch=100, table="metadata/rxrx1_df.csv", column="BATCH",
    ),
)  # fmt: skip
"""The names of the six-drug model are those of its published configuration, `config_hydra/config/bbbc021_six.yaml`."""


def find_checkpoint(members: Sequence[Member], model: Published, member: str | None = None) -> dict[str, Member]:
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


def fetch_published(
    model: Published,
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
    tell: Tell = lambda what, done, all: None,
    alive: Callable[[], object] = lambda: None,
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
    tell
        Called with what is done, and bytes so far and in all (0 where there are none).
    alive
        Called often; what it raises ends the fetching, which another call goes on with.
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
    tell("the archive's contents", 0, 0)
    with RemoteFile(url, alive=alive, patience=patience) as remote:
        members = list_members(remote)
        parts = find_checkpoint(members, model, member)
        total, before = sum(one.packed for one in parts.values()), 0
        for one in reversed(parts.values()):  # the nets last: where they are whole, so is the rest
            at = folder / PurePosixPath(one.name).name
            fetch_member(remote, one, at, lambda done, all, before=before: tell(model.name, before + done, total))  # type: ignore[misc]
            before += one.packed
        found = None
        if names is None and not model.conditions:
            found = _training_table(remote, members, model, folder, tell)
    tell("making the model", total, total)
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
    remote: RemoteFile, members: Sequence[Member], model: Published, folder: Path, tell: Tell
) -> Path | None:
    """Fetch the table that the model was trained with, where the archive holds one that can be told."""
    fitting = [one for one in members if model.table and one.name.endswith(f"/{model.table}")]
    if len(fitting) != 1 or fitting[0].packed > _LARGEST_TABLE:
        return None
    path = folder / PurePosixPath(model.table).name
    return fetch_member(remote, fitting[0], path, lambda done, all: tell("its training table", done, all))


def convert(
    model: Published,
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
        As of `fetch_published`.
    """
    from napari_impa.engine.published.checkpoint_folder import model_of

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
    model: Published, folder: Path, names: Path | None, table: Path | None, given: Mapping[str, str | None]
) -> Naming | None:
    """Say where the names of the conditions are found; None where that is not known."""
    from napari_impa.cells.tables import read_table
    from napari_impa.engine.published.naming import Naming

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


def card_of(model: Published) -> Card:
    """Say what is known of a published model."""
    ordered = "not known" if model.channels[0] == "channel 1" else "taken from the data set's own table"
    text = (
        f"# {model.title}\n\nA checkpoint that IMPA was published with, folder `{model.folder}` of the archive at "
        f"{ARCHIVE}, converted by napari-impa. For its training, scores and limits see the paper.\n\n"
        f"The archive does not name the channels; their order is {ordered}. Compare a first prediction with real "
        "treated cells before you conclude anything."
    )
    licence = "see https://zenodo.org/records/8307629"
    return Card(model.title, "Palma, Theis & Lotfollahi", licence, "10.5281/zenodo.8307629", CITATION, text)


def remove_published(model: Published, cache: Path) -> int:
    """Remove what was fetched of a model, but not the records of what it was; returns the bytes freed."""
    folder = cache / MODELS / model.name
    files = [path for path in [model.path(cache), *folder.glob("*")] if path.is_file() and not _is_record(path)]
    freed = sum(path.stat().st_size for path in files)
    for path in files:
        path.unlink()
    return freed


def _is_record(path: Path) -> bool:
    return path.name.endswith((".ckpt.json", ".csv.json"))


def by_name() -> Mapping[str, Published]:
    """Published models by name."""
    return {model.name: model for model in PUBLISHED}


def _listed(names: Sequence[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
