"""The models that IMPA was published with: where the archive at Zenodo has them, and what is known of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from napari_impa.cells.words import Task
from napari_impa.engine.model.card import Card

ARCHIVE = "https://zenodo.org/api/records/8307629/files/IMPA_reproducibility.zip/content"
CITATION = (
    "Palma, Theis & Lotfollahi, Predicting cell morphological responses to perturbations using generative modeling, "
    "Nature Communications 16:505, 2025; checkpoints: https://doi.org/10.5281/zenodo.8307629"
)
MODELS = "models"
"""Folder of the cache for fetched models: `NAME.impa`, and `NAME/` with the members that it was made of."""


@dataclass(frozen=True)
class ArchiveModel:
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

ARCHIVE_MODELS = (
    ArchiveModel(
        "impa-bbbc021-six", "BBBC021, five drugs (IMPA)", "bbbc021_six", 96, _BBBC021, 5, 212_100_000,
        description="count", epoch=200,
        conditions=("AZ138", "AZ258", "cytochalasin B", "taxol", "vincristine"),
    ),
    ArchiveModel(
        "impa-bbbc021-all", "BBBC021, all drugs (IMPA)", "bbbc021_all", 128, _BBBC021, 89, 219_900_000,
        description="bit", table="metadata/bbbc021_df_all.csv", column="CPD_NAME",
    ),
    ArchiveModel(
        "impa-cpg0000", "cpg0000, U2OS (IMPA)", "cpg0000", 96, _CPG0000, 763, 216_000_000,
        description="table", epoch=90,
        table="metadata/metadata_large_gene2vec.csv",
    ),
    ArchiveModel(
        "impa-cpg0000-batch", "cpg0000 plates (IMPA)", "cpg0000_batch", 96, _CPG0000, 10, 213_300_000,
        task="batch", control=None, table="metadata/metadata_large.csv", column="PLATE",
    ),
    ArchiveModel(
        "impa-rxrx1-batch", "RxRx1 batches (IMPA)", "rxrx1_batch", 96, _RXRX1, 3, 211_900_000,
        task="batch", control=None, epoch=100, table="metadata/rxrx1_df.csv", column="BATCH",
    ),
)  # fmt: skip
"""The names of the six-drug model are those of its published configuration, `config_hydra/config/bbbc021_six.yaml`."""


def by_name() -> Mapping[str, ArchiveModel]:
    """ArchiveModel models by name."""
    return {model.name: model for model in ARCHIVE_MODELS}


def card_of(model: ArchiveModel) -> Card:
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
