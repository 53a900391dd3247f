"""What columns and channels are called: the one list of names that say plate, well, dose, compound, SMILES, nuclei, …

A name counts in any case, with spaces or hyphens for underscores, and with what CellProfiler and its kin put around
it: `Plate`, `Metadata_Plate`, `Image_Metadata_Plate` and `Image_Metadata_Plate_DAPI` all say *plate*.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

Task = Literal["perturbation", "batch"]
"""What a training is about: control cells become treated ones, or cells move between batches."""

SIDE = 64
"""Side in pixels that crops of whole fields have where none is asked for, and that a model is trained on."""

_PREFIXES = ("image_metadata_", "metadata_")
_SEPARATORS = re.compile(r"[\s_-]+")


@dataclass(frozen=True)
class Word:
    """The names of columns that say one thing.

    Parameters
    ----------
    names
        By preference, in lower case with underscores.
    more
        Matches the beginning of further names; they come after `names`.
    """

    names: tuple[str, ...]
    more: re.Pattern[str] | None = None

    def __add__(self, other: Word) -> Word:
        """This word's names, then the other's."""
        return Word(tuple(dict.fromkeys((*self.names, *other.names))), self.more or other.more)

    def rank(self, column: Hashable) -> tuple[int, int] | None:
        """How well a column's name fits, the smaller the better, or None where it does not.

        The preferred of `names` comes first; of columns that say the same, the one without a prefix.
        """
        for longer, name in enumerate(_spellings(column)):
            if name in self.names:
                return self.names.index(name), longer
            if self.more is not None and self.more.match(name):
                return len(self.names), 0  # as they come in the table
        return None

    def fits(self, column: Hashable) -> bool:
        """Whether a column's name says this."""
        return self.rank(column) is not None

    def all(self, columns: Iterable[Hashable], but: Iterable[Hashable] = ()) -> list[str]:
        """Return the columns whose names say this, the preferred first.

        Parameters
        ----------
        columns
            Names, or a table.
        but
            Columns to leave out, such as the labels.
        """
        without = set(but)
        ranked = [(rank, column) for column in columns if (rank := self.rank(column)) and column not in without]
        return [str(column) for _, column in sorted(ranked, key=lambda pair: pair[0])]

    def find(self, columns: Iterable[Hashable], but: Iterable[Hashable] = ()) -> str | None:
        """Return the first of `all`, or None.

        >>> PLATE.find(["Metadata_Well", "Metadata_Plate"]), PLATE.find(["well"])
        ('Metadata_Plate', None)
        """
        return next(iter(self.all(columns, but)), None)


def _spellings(column: Hashable) -> Iterator[str]:
    """The name as it stands, without its prefix, and without the channel that comes after it."""
    name = _SEPARATORS.sub("_", str(column).strip().casefold())
    yield name
    prefix = next((prefix for prefix in _PREFIXES if name.startswith(prefix)), None)
    if prefix is not None:
        short = name.removeprefix(prefix)
        yield short
        # BBBC021 has the plate once a channel: Image_Metadata_Plate_DAPI
        if prefix == _PREFIXES[0] and "_" in short:
            yield short.rpartition("_")[0]


def plain_name(column: Hashable) -> str:
    """A column's name in lower case with underscores, without what CellProfiler puts before it.

    >>> plain_name("Metadata_Well Position"), plain_name("dose (µM)")
    ('well_position', 'dose_(µm)')
    """
    return list(_spellings(column))[:2][-1]


def micromolar_name(dose: Hashable) -> str:
    """What the column is called that holds a column of doses in µM.

    >>> micromolar_name("Dose"), micromolar_name("dose (nM)")
    ('dose_um', 'dose_um')
    """
    return f"{plain_name(dose).split('_(')[0]}_um"


PLACE = ("field", "y", "x", "label")
"""Columns that say where a cell was cut: field name, centre row and column in pixels, label in the mask."""

PLATE = Word(("plate", "plate_id", "plate_name", "plate_barcode", "assay_plate_barcode", "barcode"))
"""On which plate a cell is."""

BATCH = Word(("batch",))
"""In which batch it was prepared and imaged."""

PERIOD = Word(("week", "experiment", "run"))
"""When it was: what stands for a batch where none is named."""

REPLICATE = Word(("replicate",))
"""Which of several equal plates or wells it is from."""

IMAGED_TOGETHER = PLATE + BATCH + PERIOD + REPLICATE
"""Which cells were stained and imaged together: what scores are taken across, and what is held out."""

BATCH_LABEL = BATCH + PLATE + PERIOD
"""What a model that corrects between batches takes for its conditions."""

PLATE_MAP = Word(("plate_map_name", "platemap_name", "plate_map", "platemap"))
"""Which map of wells a plate follows."""

WELL = Word(("well", "well_position", "well_id", "well_name"))
"""In which well of its plate a cell is."""

ROW = Word(("row", "well_row"))
"""In which row of the plate its well is."""

COLUMN = Word(("column", "col", "well_column", "well_col"))
"""In which column of the plate its well is."""

SITE = Word(("site", "fov", "field", "field_given", "image"))
"""In which of the images of a well a cell is."""

TIME = Word(("timepoint", "time"))
"""At which time a field was imaged."""

CROP = Word(("cell", "cell_id", "crop", "object"))
"""Which of the cells of a field a ready crop shows."""

ONE_FIELD = PLATE + WELL + SITE + ROW + COLUMN + BATCH + PERIOD + REPLICATE + TIME + CROP
"""What tells a field or a ready crop from all others, where every channel is a file of its own."""

ACQUISITION = Word(("acquisition", "measurement"))
"""In which of several measurements of one plate it was imaged."""

WHERE_IMAGED = ONE_FIELD + ACQUISITION + Word(PLACE)
"""Where and when a cell was imaged: none of these says what was done to it."""

CONDITION = Word(("condition",))
"""What names a condition as a whole."""

TREATMENT = Word((
    "compound", "drug", "perturbation", "treatment", "gene", "cpd_name", "compound_name", "drug_name",
    "perturbation_name", "gene_name", "molecule", "sirna", "guide", "label_given", "pert_iname", "broad_sample",
    "gene_symbol", "symbol", "jcp2022", "compounds", "drugs", "perturbations", "treatments", "genes", "molecules",
    "sirnas", "guides", "sgrna", "sgrnas", "cpd", "cmpd", "compound_id", "drug_id", "treatment_name", "chemical",
    "chemicals", "reagent", "reagents", "substance", "inhibitor", "inhibitors", "agent", "stimulus", "sample_name",
    "well_content", "well_contents", "contents",
))  # fmt: skip
"""What was done to a cell: a compound, a gene or the like."""

DOSE = Word((), re.compile(
    r"(?:(?!stock|source|cell|dmso|solvent|vehicle|serum|[dr]na|protein|max|min)[a-z]+_)?"
    r"(?:dose|dosage|conc|concentration)(?![a-z])|m{1,2}oles_per_liter$"
))  # fmt: skip
"""How much of it: `dose`, `dose_um`, `Final conc`, `Concentration (µM)`, `Metadata_mmoles_per_liter`."""

MECHANISM = Word(("moa", "mechanism", "mechanism_of_action"))
"""How a compound acts."""

SOLVENT = Word(("solvent", "vehicle"))
"""In what a compound was dissolved: what a control got."""

SMILES = Word(("smiles",), re.compile(r".*smiles"))
"""The structure of the compound, as SMILES."""

MODALITY = Word(("modality",))
"""Of which kind the perturbation is, where there are several."""

CONTROL_MARK = Word(("control", "is_control", "state", "control_type", "pert_type", "well_type", "sample_type", "role"))
"""Whether a row is an untreated control, by one of `CONTROL_MARKS`."""

CONTROL_MARKS = frozenset({
    "1", "true", "yes", "y", "control", "ctrl", "negative", "neg", "negcon", "negative_control", "negative control",
    "neg_ctrl", "negctrl", "neg_control", "dmso", "vehicle", "solvent", "untreated", "mock",
})  # fmt: skip
"""Values by which such a column marks a control, in lower case."""

LESSER_MARKS = frozenset({"empty"})
"""Values by which it marks wells that got nothing: controls where it marks no others."""

CONTROLS = (
    "dmso", "jcp2022_033924", "control", "ctrl", "untreated", "vehicle", "mock", "negative", "negative control",
    "negative_control", "neg", "neg_ctrl", "negctrl", "empty", "none", "pbs", "wt", "wildtype", "wild type",
    "non-targeting", "nontargeting", "scrambled", "dimethyl sulfoxide", "dimethyl sulphoxide", "no treatment",
    "unstimulated",
)  # fmt: skip
"""Usual names of the untreated control, by preference, in lower case."""

SAID_OF_WELLS = (
    CONDITION + TREATMENT + DOSE + MECHANISM + SMILES + MODALITY + CONTROL_MARK
    + Word(("cell_line", "cell_type", "cells", "replicate", "batch", "solvent"))
)  # fmt: skip
"""What a plate map says: the title of a grid that is called so is understood."""

# From the surest to the vaguest; a dye's name must stand by itself, so that "DNA" is not found in "cDNAx".
_NUCLEAR = (
    r"dapi|hoechst\d*|h(?:o|oe|oechst)? ?33(?:342|258)|draq\d*|siR-?dna|h2b|nuclearmask",
    r"dna|histone|nuclei|nucleus|nuclear|propidium|sytox|to-?pro-?3",
    r"nuc|blue",
)


def guess_nuclei_channel(channels: Sequence[str]) -> int | None:
    """Number of the channel that by its name shows nuclei (DAPI, Hoechst, DNA …), or None if no name says so."""
    # JUMP's OrigDNA is two words, cDNA is one.
    apart = [f"{channel} {re.sub('(?<=[a-z]{2})(?=[A-Z])', ' ', channel)}".replace("_", " ") for channel in channels]
    for names in _NUCLEAR:
        for index, channel in enumerate(apart):
            if re.search(rf"(?<![a-z])(?:{names})(?![a-z])", channel, re.IGNORECASE):
                return index
    return None


def guess_nuclei_masks(names: Sequence[str]) -> int | None:
    """Number of the masks that by their name are of nuclei; None where no name says so, or several do."""
    named = [index for index, name in enumerate(names) if re.search(r"nuc(?!leol)", name, re.IGNORECASE)]
    return named[0] if len(named) == 1 else None
