from __future__ import annotations

import pandas as pd
import pytest

from napari_impa.cells.tables import guess_control, guess_labels
from napari_impa.cells.words import (
    BATCH_LABEL,
    CONTROL_MARK,
    DOSE,
    IMAGED_TOGETHER,
    MODALITY,
    ONE_FIELD,
    PLATE,
    SITE,
    SMILES,
    TREATMENT,
    WELL,
    Word,
    guess_nuclei_channel,
)


@pytest.mark.parametrize("column", ["{}", "Metadata_{}", "Image_Metadata_{}", "Image_Metadata_{}_DAPI"])
@pytest.mark.parametrize(
    ("word", "name"),
    [
        (PLATE, "plate"),
        (BATCH_LABEL, "Batch"),
        (WELL, "WELL"),
        (SITE, "site"),
        (TREATMENT, "Compound"),
        (TREATMENT, "cpd_name"),
        (TREATMENT, "Compounds"),
        (TREATMENT, "Sample Name"),
        (DOSE, "Concentration"),
        (DOSE, "Final conc"),
        (SMILES, "SMILES"),
        (MODALITY, "Modality"),
        (CONTROL_MARK, "Is control"),
    ],
)
def test_a_word_is_found_in_any_case_and_with_what_is_put_around_it(word: Word, name: str, column: str) -> None:
    given = column.format(name)
    assert word.find(["other", given]) == given
    assert word.find(pd.DataFrame(columns=["other", given])) == given
    assert word.find(["other", given], but=[given]) is None


@pytest.mark.parametrize(
    ("word", "column"),
    [
        (PLATE, "plates"),
        (PLATE, "template"),
        (PLATE, "Metadata_"),
        (PLATE, "metadata"),
        (PLATE, "Metadata_Plate_DAPI"),  # only CellProfiler's image tables end so
        (WELL, "wells"),
        (DOSE, "concerning"),
        (DOSE, "overdose"),
        (DOSE, "DMSO conc"),  # the same in all wells, and no dose
        (DOSE, "stock_concentration"),
        (TREATMENT, "compound_count"),
        (SITE, 3),
    ],
)
def test_what_only_resembles_a_word_is_none(word: Word, column: object) -> None:
    assert not word.fits(column)
    assert word.find([column]) is None


def test_the_preferred_column_comes_first_then_the_plain_one_then_the_leftmost() -> None:
    columns = ["Replicate", "Metadata_Plate", "Plate", "PLATE", "batch"]
    assert IMAGED_TOGETHER.all(columns) == ["Plate", "PLATE", "Metadata_Plate", "batch", "Replicate"]
    assert BATCH_LABEL.all(columns) == ["batch", "Plate", "PLATE", "Metadata_Plate"]
    assert DOSE.all(["conc", "dose_um"]) == ["conc", "dose_um"]


def test_what_tells_fields_apart_is_no_treatment() -> None:
    assert all(ONE_FIELD.fits(name) for name in ("Metadata_Plate", "Well", "fov", "row", "Week", "cell_id"))
    assert not any(ONE_FIELD.fits(name) for name in ("compound", "dose", "smiles", "file"))


def test_a_table_of_cellprofiler_names_its_conditions() -> None:
    table = pd.DataFrame(
        {
            "Metadata_Plate": ["p1", "p2", "p1"],
            "Image_Metadata_Compound": ["DMSO", "taxol", "taxol"],
            "Image_Metadata_Concentration": [0.0, 1.0, 3.0],
        }
    )
    assert guess_labels(table) == ["Image_Metadata_Compound", "Image_Metadata_Concentration"]
    assert guess_labels(table, "batch") == ["Metadata_Plate"]
    assert guess_control(table, ["Image_Metadata_Compound"]) == "DMSO"
    marked = pd.DataFrame({"gene": ["a", "b", "b"], "Metadata_control_type": [None, "negcon", "negcon"]})
    assert guess_control(marked, "gene") == "b"


@pytest.mark.parametrize(
    ("channels", "expected"),
    [
        (["DNA", "actin", "tubulin"], 0),
        (["FITC_NFkB", "DAPI"], 1),
        (["ConA", "SYTO14", "Hoechst 33342"], 2),
        (["Hoechst33342", "ConA"], 0),
        (["conA", "H33342"], 1),
        (["mitochondria", "nuclei_stain"], 1),
        (["RNA nuclear", "w1DAPI", "w2GFP"], 1),
        (["actin", "tubulin"], None),
        (["OrigRNA", "OrigER", "OrigDNA"], 2),
        (["dnase", "cdna", "cDNA"], None),
        ([], None),
    ],
)
def test_the_nuclei_channel_is_known_by_name(channels, expected):
    assert guess_nuclei_channel(channels) == expected
