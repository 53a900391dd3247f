"""Units of doses: read from names and values, said, and never converted in silence."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_impa.cells.plate_maps.units import as_numbers, unit_of, with_doses


@pytest.mark.parametrize(
    ("column", "unit", "factor"),
    [
        ("concentration_um", "µM", 1), ("dose_uM", "µM", 1), ("dose (nM)", "nM", 1e-3), ("Dose [µM]", "µM", 1),
        ("Concentration (μM)", "µM", 1), ("mmoles_per_liter", "mM", 1e3), ("Metadata_mmoles_per_liter", "mM", 1e3),
        ("Image_Metadata_Concentration_uM", "µM", 1), ("conc_pM", "pM", 1e-6), ("dose_mM", "mM", 1e3),
        ("concentration (mol/L)", "M", 1e6), ("dose (M)", "M", 1e6), ("dose_nanomolar", "nM", 1e-3),
        ("conc umol per l", "µM", 1), ("dose (µg/ml)", "μg/ml", None), ("dose_ug_ml", "ug_ml", None),
        ("concentration (%)", "%", None), ("dose (MOI)", "MOI", None),
    ],
)  # fmt: skip
def test_units_are_read_from_names(column: str, unit: str, factor: float | None) -> None:
    found = unit_of(column)
    assert found is not None
    assert (found.column, found.unit, found.factor) == (column, unit, factor)


@pytest.mark.parametrize(
    "column", ["dose", "Concentration", "dose_level", "volume_um", "compound", "dose_m", "conc (x2y)"]
)
def test_names_without_a_unit(column: str) -> None:
    assert unit_of(column) is None


@pytest.mark.parametrize(
    ("texts", "numbers"),
    [
        (["1", "2.5", ""], [1, 2.5, np.nan]), (["0,5", "1"], [0.5, 1]), (["1,000", "2"], None),
        (["0,125", "2"], [0.125, 2]), (["1e-3", "1E4"], [1e-3, 1e4]), (["1", "high"], None), (["1,5", "1.5"], None),
        (["", ""], None), (["inf"], None),
    ],
)  # fmt: skip
def test_numbers_are_numbers_only_where_all_are(texts: list[str], numbers: list[float] | None) -> None:
    found = as_numbers(np.array(texts, object))
    if numbers is None:
        assert found is None
    else:
        np.testing.assert_array_equal(found, numbers)


def table(**columns: list[str]) -> pd.DataFrame:
    return pd.DataFrame(columns, dtype=object)


def test_a_unit_in_a_name_is_said_and_the_numbers_stay() -> None:
    found = with_doses(table(compound=["a", "b"], **{"dose (nM)": ["10", "20"]}))
    assert found.values["dose (nM)"].tolist() == [10, 20]
    assert found.values["compound"].dtype == object
    assert [str(unit) for unit in found.units] == ["dose (nM) is in nM (times 0.001 in µM)"]
    assert found.notes == ()


def test_units_beside_numbers_are_brought_to_one_and_the_original_is_kept() -> None:
    found = with_doses(table(dose=["10 µM", "100nM", "0", ""]))
    assert list(found.values.columns) == ["dose_um", "dose"]
    np.testing.assert_array_equal(found.values["dose_um"], [10, 0.1, 0, np.nan])
    assert found.values["dose"].tolist() == ["10 µM", "100nM", "0", ""]
    assert found.notes == ("dose has its units beside its numbers; dose_um is the same in µM, converted.",)
    assert with_doses(table(dose=["10 µM", "high"])).notes == ()


def test_a_column_of_units_is_taken_into_account() -> None:
    found = with_doses(table(dose=["1", "1", "0"], dose_unit=["µM", "nM", ""]))
    assert list(found.values.columns) == ["dose_um", "dose", "dose_unit"]
    assert found.values["dose_um"].tolist() == [1, 0.001, 0]
    assert found.values["dose"].tolist() == [1, 1, 0]
    unknown = with_doses(table(dose=["1", "1"], unit=["µM", "drops"]))
    assert list(unknown.values.columns) == ["dose", "unit"]
