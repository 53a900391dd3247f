from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qtpy.QtWidgets import QCheckBox, QFileDialog, QFormLayout, QSpinBox

from napari_impa.engine.training.options import about_settings, option
from napari_impa.engine.training.settings import TrainingSettings
from napari_impa.errors import TrainingError
from napari_impa.viewer.kit.forms import Page
from napari_impa.viewer.train.settings_form import SettingsForm
from napari_impa.work.engine_choices import ask_engine
from napari_impa.work.tables.column_roles import kinds_in, looks_like_smiles, offer_columns

Settle = Callable[..., None]

ASPIRIN, ETHANOL, CAFFEINE = "CC(=O)Oc1ccccc1C(=O)O", "CCO", "CN1C=NC2=C1C(=O)N(C(=O)N2C)C"

SCREEN = pd.DataFrame(
    {
        "compound": ["DMSO", "aspirin", "caffeine", "TP53", "KRAS"] * 4,
        "kind": ["compound", "compound", "compound", "CRISPR", "CRISPR"] * 4,
        "dose_um": [0.0, 5.0, 10.0, 0.0, 0.0] * 4,
        "structure": ["", ASPIRIN, CAFFEINE, "", ""] * 4,
        "plate": ["A", "A", "A", "A", "A", "B", "B", "B", "B", "B"] * 2,
        "well": [f"A{number:02d}" for number in range(20)],
    }
)


@dataclass(frozen=True)
class MoreSettings(TrainingSettings):
    """Settings of a version to come."""

    blur: float = option(0.5, "how far images are blurred", label="Blur", unit="px", high=9)
    careful: bool = option(False, "slower and surer", label="Be careful", group="essential")
    shape: str = option(
        "round", "shape of the cells", label="Shape", choices=(("round", "round ones"), ("long", "long ones"))
    )


@pytest.fixture
def page(qtbot: Any) -> Page:
    made = Page()
    qtbot.addWidget(made)
    return made


@pytest.fixture
def form(page: Page) -> SettingsForm:
    made = SettingsForm(page)
    made.fill(ask_engine())
    return made


def looked(table: pd.DataFrame, kind: str = "crops", side: int = 96) -> Any:
    source = SimpleNamespace(
        table=table, shape=(side, side), has_masks=False, channels=("DAPI", "actin"), kind=kind, path=Path("plate")
    )
    return SimpleNamespace(source=source, labels=("compound",), control="DMSO")


def fit(form: SettingsForm, table: pd.DataFrame, settle: Settle, **how: Any) -> None:
    form.fit(looked(table, **how))
    settle(lambda: not form._finding.busy)


def is_shown(form: SettingsForm, name: str) -> bool:
    return not form.widgets[name].isHidden()


def settings(form: SettingsForm, **more: Any) -> TrainingSettings:
    return TrainingSettings(**{**form.values(), **more})


def test_untouched_it_gives_the_defaults_for_half_an_hour(form: SettingsForm) -> None:
    assert settings(form) == TrainingSettings(minutes=30)


def test_every_field_of_the_settings_is_asked_for_once_with_a_name_and_a_tooltip(page: Page) -> None:
    form = SettingsForm(page)
    for name, (_, _, about) in about_settings(TrainingSettings).items():
        if about.group == "data":  # task, hold out, where: asked for where the cells are
            assert name not in form.widgets
        elif about.group != "budget":
            assert form.widgets[name].toolTip(), name
            assert form._names[name].toolTip(), name
            assert form._names[name].text() or isinstance(form.widgets[name], QCheckBox), name
    assert form.amount.toolTip()
    assert form.segment.toolTip()
    assert form.nuclei.toolTip()


def test_a_new_field_appears_by_itself(page: Page) -> None:
    form = SettingsForm(page, MoreSettings)
    assert form.blur.value() == 0.5
    assert form.blur.toolTip() == "How far images are blurred."
    assert form.blur.suffix() == " px"
    assert form._names["blur"].text() == "Blur"
    assert page.form.getWidgetPosition(form.careful)[0] >= 0  # an essential one is not folded away
    assert isinstance(form._more.layout(), QFormLayout)
    assert form._more.layout().getWidgetPosition(form.blur)[0] >= 0
    form.blur.setValue(1.5)
    form.careful.setChecked(True)
    form.shape.setCurrentIndex(1)
    chosen = MoreSettings(**form.values())
    assert (chosen.blur, chosen.careful, chosen.shape) == (1.5, True, "long")


def test_torch_is_not_needed_to_make_the_form() -> None:
    import subprocess

    code = (
        "import sys, napari_impa.viewer.train.settings_form, napari_impa.viewer.train.estimator, "
        "napari_impa.viewer.train.curves, napari_impa.viewer.train.preview; sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_numbers_that_may_be_automatic(form: SettingsForm) -> None:
    assert form.threads.text() == "all cores but one"
    assert form.values()["threads"] is None
    form.threads.setValue(3)
    assert form.values()["threads"] == 3
    assert isinstance(form.batch_size, QSpinBox)
    assert form.batch_size.text() == "as suits the device"
    assert form.values()["batch_size"] is None
    form.batch_size.setValue(1)
    assert form.values()["batch_size"] == 1
    form.checkpoint_seconds.setValue(90)
    assert settings(form).checkpoint_seconds == 90.0


def test_the_budget_is_minutes_or_steps(form: SettingsForm, qtbot: Any) -> None:
    with qtbot.waitSignal(form.changed):
        form.unit.setCurrentIndex(1)
    assert (settings(form).steps, settings(form).minutes) == (3000, None)
    form.amount.setValue(250)
    assert settings(form).steps == 250


@pytest.mark.parametrize("name", ["SMILES", "Metadata_smiles", "Canonical SMILES"])
def test_a_column_of_smiles_that_is_found_by_its_name_is_not_asked_for(
    form: SettingsForm, settle: Settle, name: str
) -> None:
    pytest.importorskip("rdkit")
    fit(form, SCREEN.rename(columns={"structure": name}), settle)
    assert form.smiles.values == [None, name]
    assert form.smiles.value is None


def test_conditions_can_be_described_by_what_the_table_allows(form: SettingsForm, settle: Settle) -> None:
    pytest.importorskip("rdkit")
    fit(form, SCREEN[["compound", "plate", "well"]], settle)
    (box,) = form.description.boxes.values()
    assert box.values[:-1] == ["learned"]
    assert is_shown(form, "description")
    for name in ("smiles", "dose", "modality", "modality_dim"):
        assert not is_shown(form, name)
    fit(form, SCREEN, settle)
    assert box.values[:-1] == ["learned", "bit", "count"]
    assert form.modality.values == [None, "kind"]
    assert not is_shown(form, "dose")  # learned conditions take it as a label
    box.setCurrentIndex(1)
    assert is_shown(form, "smiles")
    assert is_shown(form, "dose")
    assert form.smiles.value == "structure"  # which is not found by its name
    form.dose.setCurrentIndex(1)
    chosen = settings(form)
    assert (chosen.description, chosen.smiles, chosen.dose) == ("bit", "structure", "dose_um")
    box.setCurrentIndex(0)  # what has no meaning any more is not handed on
    assert settings(form) == TrainingSettings(minutes=30)


def test_each_kind_of_perturbation_is_described_for_itself(form: SettingsForm, settle: Settle) -> None:
    pytest.importorskip("rdkit")
    fit(form, SCREEN, settle)
    assert not is_shown(form, "modality_dim")
    form.modality.setCurrentIndex(1)
    assert set(form.description.boxes) == {"CRISPR", "compound"}
    assert is_shown(form, "modality_dim")
    form.description.boxes["compound"].setCurrentIndex(2)
    form.modality_dim.setValue(4)
    chosen = settings(form)
    assert chosen.description == {"CRISPR": "learned", "compound": "count"}
    assert (chosen.modality, chosen.modality_dim) == ("kind", 4)
    form.modality.setCurrentIndex(0)
    assert settings(form) == TrainingSettings(minutes=30)


def test_a_table_is_chosen_as_a_file(
    form: SettingsForm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settle: Settle
) -> None:
    path = str(tmp_path / "genes.csv")
    fit(form, SCREEN, settle)
    (box,) = form.description.boxes.values()
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("", ""))
    box.setCurrentIndex(box.count() - 1)
    assert box.value == "learned"  # the dialog was left
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (path, ""))
    box.setCurrentIndex(box.count() - 1)
    assert box.currentText() == "table: genes.csv"
    assert settings(form).description == path
    assert is_shown(form, "dose")
    assert not is_shown(form, "smiles")


def test_batch_correction_hides_how_conditions_are_described(form: SettingsForm, settle: Settle) -> None:
    fit(form, SCREEN, settle)
    form.modality.setCurrentIndex(1)
    form.controls_to_themselves.setChecked(True)
    with pytest.raises(TrainingError, match="Batches are learned by name"):
        settings(form, task="batch")
    form.follow_task("batch")
    for name in ("description", "modality", "controls_to_themselves"):
        assert not is_shown(form, name)
    assert settings(form, task="batch").modality is None


def test_crop_sides_and_segmenters_are_those_that_fit(form: SettingsForm, settle: Settle) -> None:
    fit(form, SCREEN, settle, side=50)
    assert form.size.value == 48
    assert not form.segment.isEnabled()
    fit(form, SCREEN, settle, side=512, kind="fields")
    assert form.segment.isEnabled()
    assert form.nuclei.value == "DAPI"


def test_a_preset_is_suggested_until_one_is_chosen(form: SettingsForm) -> None:
    form.suggest("small")
    assert form.preset.value == "small"
    form.preset.choose("tiny")
    form.preset.activated.emit(0)
    form.suggest("paper")
    assert form.preset.value == "tiny"


def test_the_settings_of_another_run_fill_the_form(form: SettingsForm, settle: Settle) -> None:
    fit(form, SCREEN, settle)
    old = TrainingSettings(
        preset="small", size=48, steps=77, batch_size=3, threads=2, seed=5, recipe="paper", modality="kind",
        controls_to_themselves=True,
    )  # fmt: skip
    form.take(old)
    assert settings(form) == old


def test_nothing_can_be_changed_meanwhile(form: SettingsForm) -> None:
    form.set_enabled(False)
    assert not form.preset.isEnabled()
    assert not form.amount.isEnabled()
    form.set_enabled(True)
    assert form.preset.isEnabled()


def test_columns_of_a_screen() -> None:
    found = offer_columns(SCREEN, ("compound",), "DMSO")
    assert found.smiles == ("structure",)
    assert found.dose == ("dose_um",)
    assert found.kinds == {"kind": ("CRISPR", "compound")}
    assert found.conditions == 4


@pytest.mark.parametrize("text", [ASPIRIN, CAFFEINE, "C[C@@H](N)C(=O)O", "[Na+].[Cl-]"])
def test_smiles_are_known_by_their_letters(text: str) -> None:
    assert looks_like_smiles("structure", pd.Series([text, None, ETHANOL, text]))


@pytest.mark.parametrize(
    "texts", [["A01", "B02"], ["DMSO", "aspirin"], ["p53 (long)", "KRAS"], ["1", "2"], [None, ""], ["2024-05-01"]]
)
def test_other_texts_are_not_smiles(texts: list[str | None]) -> None:
    assert not looks_like_smiles("column", pd.Series(texts, dtype=object))
    assert looks_like_smiles("SMILES", pd.Series(["CCO", "x y"]))


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["x", "y", "z"])), min_size=1, max_size=30))
def test_a_kind_is_one_of_each_condition(rows: list[tuple[str, str]]) -> None:
    conditions, kinds = (pd.Series(list(column)) for column in zip(*rows, strict=True))
    found = kinds_in(kinds, conditions)
    each = pd.Series(kinds).groupby(conditions).nunique()
    if found:
        assert (each == 1).all()
        assert set(found) == set(kinds)
    else:
        assert (each > 1).any() or len(set(kinds)) < 2 or len(set(conditions)) <= len(set(kinds))
