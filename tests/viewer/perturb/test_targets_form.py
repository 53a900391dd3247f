"""The list of conditions and the box for a new compound, as a user sees and types them."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from qtpy.QtCore import Qt

import napari_impa.viewer.perturb.compound_box as compound_box
from napari_impa.engine.describing.fingerprint import CountFingerprint
from napari_impa.engine.describing.new_condition import NewCondition
from napari_impa.engine.model.model import IMPA
from napari_impa.engine.model.networks import Networks
from napari_impa.engine.model.shape import Shape
from napari_impa.viewer.library.models import Loaded
from napari_impa.viewer.perturb.form.condition_box import NOTE
from napari_impa.viewer.perturb.form.targets_form import NEVER_SEEN, TurnInto

Settle = Callable[..., None]

COMPOUNDS = {
    "aspirin": "CC(=O)Oc1ccccc1C(=O)O",
    "caffeine": "Cn1cnc2c1c(=O)n(C)c(=O)n2C",
    "ibuprofen": "CC(C)Cc1ccc(cc1)C(C)C(=O)O",
}


def loaded(conditions: list[str], **options: Any) -> Loaded:
    networks = Networks(Shape(24, 1, width=2, embedding_dims=(4,), conditions=(len(conditions),)))
    limits = np.array([[0.0, 1000.0]])
    return Loaded("", IMPA(networks, channels=["DNA"], conditions=conditions, limits=limits, **options), "", "cpu")


def of_compounds(dose: float | None = None, modalities: int = 1) -> Loaded:
    """An untrained model of three compounds, and a fourth that is described but was held out."""
    size, tables, descriptions = 1024 + (dose is not None), [], []
    for number in range(modalities):
        plain = CountFingerprint(f"m{number}" if modalities > 1 else "", dose=dose)
        vectors = [
            plain.vector(NewCondition(name, smiles, dose=None if dose is None else 10.0 ** (at + 1)), size)
            for at, (name, smiles) in enumerate(COMPOUNDS.items())
        ]
        tables.append(torch.tensor(np.stack(vectors)))
        descriptions.append(CountFingerprint(plain.modality, dose=dose, unseen={f"held out {number}": vectors[0]}))
    counts = tuple(len(table) for table in tables)
    networks = Networks(Shape(24, 1, width=2, embedding_dims=(size,) * modalities, conditions=counts))
    for number, table in enumerate(tables):
        networks.describe(table, number)
    names = [f"{name}{number or ''}" for number in range(modalities) for name in COMPOUNDS]
    limits = np.array([[0.0, 1000.0]])
    model = IMPA(networks, channels=["DNA"], conditions=names, limits=limits, descriptions=descriptions)
    return Loaded("", model, "", "cpu")


@pytest.fixture
def into(qtbot: Any) -> TurnInto:
    widget = TurnInto()
    qtbot.addWidget(widget)
    return widget


def told(into: TurnInto) -> list[tuple[Any, ...]]:
    heard: list[tuple[Any, ...]] = []
    into.changed.connect(lambda: heard.append(into.targets))
    return heard


def read(into: TurnInto, text: str, settle: Settle) -> None:
    into.compound.text.setText(text)
    into.compound.text.returnPressed.emit()
    settle(lambda: not into.compound._jobs.busy)


def test_conditions_and_their_training_cells(into: TurnInto) -> None:
    into.set_model(loaded(["a", "b", "c"], counts={"a": 1204, "b": 1}))
    notes = [into.names.item(row).data(NOTE) for row in range(3)]
    assert notes == ["1,204 cells", "1 cell", ""]
    assert into.targets == ("a",)
    assert into.label == "Turn into"
    assert not into.compound.isVisibleTo(into)


def test_held_out_conditions_are_marked(into: TurnInto) -> None:
    held = of_compounds()  # the box keeps no model alive
    into.set_model(held)
    last = into.names.item(into.names.rowCount() - 1)
    assert (last.text(), last.data(NOTE)) == ("held out 0", NEVER_SEEN)
    assert into.choose("held out 0")
    assert into.targets == ("held out 0",)


def test_batches_are_corrected_to(into: TurnInto) -> None:
    into.set_model(loaded(["1", "2"], task="batch"))
    assert into.label == "Correct to batch"
    assert "batch" in into.condition.toolTip()


def test_cells_of_a_batch_start_on_another_one(into: TurnInto) -> None:
    changes = told(into)
    into.set_model(loaded(["1", "2"], task="batch"))
    into.start_elsewhere(None)
    into.start_elsewhere("2")
    assert (into.targets, changes) == (("1",), [])
    into.start_elsewhere("1")
    assert (into.targets, changes) == (("2",), [("2",)])
    into.start_elsewhere("2")
    assert into.targets == ("1",)
    into.choose("2")
    into.start_elsewhere("2")  # somebody's own choice
    assert into.targets == ("2",)


def test_several_at_once(into: TurnInto) -> None:
    into.set_model(loaded(["a", "b", "c"]))
    heard = told(into)
    into.more.click()
    into.more.click()
    into.more.click()  # all are there already
    assert heard == [("a", "b"), ("a", "b", "c")]
    into.boxes[1].setCurrentIndex(2)
    assert heard[-1] == ("a", "c")  # each once
    into._remove(into.boxes[1])
    into._remove(into.boxes[1])
    assert into.targets == heard[-1] == ("a",)
    assert into.choose("c", "a")
    assert heard[-1] == ("c", "a")
    assert not into.choose("c", "unknown")
    assert into.targets == ("c", "a")


def test_another_model_keeps_what_it_knows(into: TurnInto) -> None:
    into.set_model(loaded(["a", "b", "c"]))
    into.choose("c", "b")
    heard = told(into)
    into.set_model(loaded(["b", "d"]))
    assert into.targets == ("b",)
    into.set_model(loaded(["e"]))
    assert into.targets == ("e",)
    assert heard == []
    into.set_model(None)
    assert into.targets == ()


def test_typing_keeps_the_old_choice_until_a_real_one_is_chosen(into: TurnInto, qtbot: Any) -> None:
    into.set_model(loaded(["alpha", "beta one", "beta two", "Gamma"]))
    heard = told(into)
    into.show()
    line = into.condition.lineEdit()
    line.selectAll()
    qtbot.keyClicks(line, "beta")
    assert into.targets == ("alpha",)
    assert heard == []
    assert into.condition.completer_object.completionCount() == 2
    qtbot.keyClick(line, Qt.Key.Key_Return)
    assert line.text() == "alpha"
    line.selectAll()
    qtbot.keyClicks(line, "AMM")
    qtbot.keyClick(line, Qt.Key.Key_Return)
    assert heard == [("Gamma",)]
    assert line.text() == "Gamma"


def test_a_name_that_the_model_does_not_know_is_told(into: TurnInto, qtbot: Any) -> None:
    into.set_model(of_compounds())
    before = into.targets
    into.condition.lineEdit().setText("no such drug")
    with qtbot.waitSignal(into.said) as said:
        qtbot.keyClick(into.condition.lineEdit(), Qt.Key.Key_Return)
    assert said.args == [
        "The model knows no condition 'no such drug'; a compound that it does not know is typed as a SMILES below."
    ]
    assert into.targets == before


def test_thousands_of_conditions(into: TurnInto, qtbot: Any) -> None:
    names = [f"compound {number:05d}" for number in range(5000)]
    into.set_model(loaded(names, counts=dict.fromkeys(names, 12)))
    into.show()
    line = into.condition.lineEdit()
    line.selectAll()
    qtbot.keyClicks(line, "4321")
    qtbot.keyClick(line, Qt.Key.Key_Return)
    assert into.targets == ("compound 04321",)


def test_a_new_compound(into: TurnInto, settle: Settle) -> None:
    held = of_compounds()  # the box keeps no model alive
    into.set_model(held)
    into.choose("caffeine")
    heard = told(into)
    assert into.compound.isVisibleTo(into)
    read(into, "O=C(O)c1ccccc1O salicylic acid", settle)
    (target,) = into.targets
    assert isinstance(target, NewCondition)
    assert (target.name, target.smiles) == ("salicylic acid", "O=C(O)c1ccccc1O")
    assert into.compound.canonical.text() == "O=C(O)c1ccccc1O"
    assert "aspirin" in into.compound.nearest.text()
    assert into.compound.drawing.renderer().isValid()
    assert not into.compound.said.isVisibleTo(into)
    into.more.click()
    assert into.targets == (target, "aspirin")
    read(into, "", settle)
    assert into.targets == heard[-1] == ("caffeine", "aspirin")
    assert not into.compound.drawing.isVisibleTo(into)


def test_a_bad_smiles_is_told_and_the_compound_before_stays(into: TurnInto, settle: Settle) -> None:
    held = of_compounds()  # the box keeps no model alive
    into.set_model(held)
    read(into, "CC(=O)Oc1ccccc1C(=O)O", settle)
    before, heard = into.targets, told(into)
    read(into, "C1CC", settle)
    assert "'C1CC' cannot be read as a SMILES" in into.compound.said.text()
    assert into.targets == before
    assert heard == []


def test_a_warning_where_no_training_compound_is_near(into: TurnInto, settle: Settle) -> None:
    held = of_compounds()  # the box keeps no model alive
    into.set_model(held)
    read(into, "C1CC2CCC1CC2", settle)
    assert "No training compound is like it" in into.compound.said.text()
    assert "below 0.4" in into.compound.said.text()
    assert into.targets[0].name == "C1CC2CCC1CC2"


def test_the_dose_of_a_new_compound(into: TurnInto, settle: Settle) -> None:
    held = of_compounds(dose=2.0)  # the box keeps no model alive
    into.set_model(held)
    assert into.compound.dose.value() == 100  # the middle one of 10, 100, 1000
    read(into, "CCO ethanol", settle)
    assert (into.targets[0].name, into.targets[0].dose) == ("ethanol 100", 100)
    into.compound.dose.setValue(7)
    assert into.targets[0].name == into.condition.currentText() == "ethanol 7"


def test_the_modality_of_a_new_compound(into: TurnInto, settle: Settle) -> None:
    held = of_compounds(modalities=2)  # the box keeps no model alive
    into.set_model(held)
    read(into, "CCO", settle)
    assert into.targets[0].modality == "m0"
    into.compound.modality.setCurrentIndex(1)
    settle(lambda: not into.compound._jobs.busy)
    assert into.targets[0].modality == "m1"
    assert "aspirin1" in into.compound.nearest.text() or "1<" in into.compound.nearest.text()


def test_typing_is_read_after_a_pause(into: TurnInto, settle: Settle, qtbot: Any) -> None:
    held = of_compounds()  # the box keeps no model alive
    into.set_model(held)
    heard = told(into)
    into.show()
    qtbot.keyClicks(into.compound.text, "CCCO")
    settle(lambda: heard)
    assert [target.name for (target,) in heard] == ["CCCO"]


def test_without_rdkit_the_box_says_what_to_install(into: TurnInto, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compound_box, "find_spec", lambda name: None)
    held = of_compounds()  # the box keeps no model alive
    into.set_model(held)
    assert not into.compound.text.isEnabled()
    assert 'pip install "napari-impa[chem]"' in into.compound.said.text()


def test_the_model_is_not_kept_alive(into: TurnInto, settle: Settle) -> None:
    one = of_compounds()
    into.set_model(one)
    read(into, "CCO", settle)
    model = weakref.ref(one.model)
    del one
    gc.collect()
    assert model() is None


@pytest.fixture
def reopened(settle: Settle, qtbot: Any) -> Callable[..., TurnInto]:
    """Another form that is given what one was left with."""

    def opened(into: TurnInto, held: Loaded) -> TurnInto:
        again = TurnInto()
        qtbot.addWidget(again)
        again.set_model(held)
        again.restore(into.kept_targets, into.compound.typed)
        settle(lambda: not again.compound._jobs.busy)
        return again

    return opened


def test_a_smiles_is_typed_again_in_the_next_form(
    into: TurnInto, settle: Settle, reopened: Callable[..., TurnInto]
) -> None:
    pytest.importorskip("rdkit")
    held = of_compounds(dose=1.0)
    into.set_model(held)
    read(into, "CCO ethanol", settle)
    into.compound.dose.setValue(30)
    (target,) = into.targets
    again = reopened(into, held)
    assert again.compound.text.text() == "CCO ethanol"
    assert again.targets == (target,)
    into.choose("caffeine")  # the compound stays in the list, and another is chosen
    other = reopened(into, held)
    assert other.targets == ("caffeine",)
    assert other.names.rowCount() == into.names.rowCount()
    read(other, "CCCO", settle)  # one that is new is chosen as ever
    assert [one.name for one in other.targets] == ["CCCO 30"]


def test_a_compound_comes_back_beside_conditions_in_order(
    into: TurnInto, settle: Settle, reopened: Callable[..., TurnInto]
) -> None:
    pytest.importorskip("rdkit")
    held = of_compounds()
    into.set_model(held)
    read(into, "CCO ethanol", settle)
    ethanol = into.targets[0]
    for targets in ((ethanol, "aspirin"), ("ibuprofen", ethanol), ("caffeine", "ibuprofen", ethanol)):
        assert into.choose(*targets)
        assert reopened(into, held).targets == targets
    again = reopened(into, held)
    read(again, "", settle)
    assert again.targets == ("caffeine", "ibuprofen")


@pytest.mark.parametrize("left", ["", "C1CC"])
def test_the_first_compound_after_a_form_without_one_is_chosen(
    into: TurnInto, left: str, settle: Settle, reopened: Callable[..., TurnInto]
) -> None:
    pytest.importorskip("rdkit")
    held = of_compounds()
    into.set_model(held)
    read(into, left, settle)  # nothing, or what cannot be read
    again = reopened(into, held)
    assert again.targets == ("aspirin",)
    read(again, "CCO ethanol", settle)
    assert [one.name for one in again.targets] == ["ethanol"]


def test_what_is_chosen_while_a_compound_is_read_again_stays(into: TurnInto, settle: Settle, qtbot: Any) -> None:
    pytest.importorskip("rdkit")
    held = of_compounds()
    into.set_model(held)
    read(into, "CCO ethanol", settle)
    again = TurnInto()
    qtbot.addWidget(again)
    again.set_model(held)
    again.restore(into.kept_targets, into.compound.typed)
    assert again.kept_targets == (None,)  # closed at once, it would be as before
    again.choose("ibuprofen")
    settle(lambda: not again.compound._jobs.busy)
    assert again.targets == ("ibuprofen",)


def names_of(into: TurnInto) -> list[str]:
    return [target if isinstance(target, str) else target.name for target in into.targets]


def test_compounds_of_a_list_beside_conditions_and_the_one_that_is_typed(into: TurnInto, settle: Settle) -> None:
    model = of_compounds()
    into.set_model(model)
    read(into, "CCN amine", settle)
    heard = told(into)
    into.take(("aspirin", NewCondition("ethanol", "CCO"), NewCondition("methane", "C")))
    assert names_of(into) == ["aspirin", "ethanol", "methane"]
    assert len(heard) == 1
    read(into, "CCCN", settle)
    assert names_of(into) == ["CCCN", "ethanol", "methane"]
    into.take((NewCondition("benzene", "c1ccccc1"),))
    assert names_of(into) == ["benzene"]
    offered = [into.names.item(row).text() for row in range(into.names.rowCount())]
    assert "ethanol" not in offered
    assert len(offered) == 3 + 1 + 2, "conditions, the one held out, the typed one and the new list's"


def test_of_a_long_list_some_are_shown_and_all_can_be_chosen(into: TurnInto) -> None:
    into.set_model(of_compounds(dose=2.0))
    said: list[str] = []
    into.said.connect(said.append)
    into.take([NewCondition(f"c{number}", "C" * (number + 1)) for number in range(9)])
    dose = into.compound.dose.value()
    assert names_of(into) == [f"c{number} {dose:g}" for number in range(6)]
    assert said == ["6 of 9 are shown; the others stand in the list of conditions."]
    assert into.choose(NewCondition(f"c8 {dose:g}", "C" * 9, dose=dose))


def test_a_list_comes_back_in_the_next_form(into: TurnInto, settle: Settle, qtbot: Any) -> None:
    model = of_compounds()
    into.set_model(model)
    read(into, "CCN amine", settle)
    into.take((NewCondition("ethanol", "CCO"), "caffeine"))
    after = TurnInto()
    qtbot.addWidget(after)
    after.set_model(model)
    after.restore(into.kept_targets, into.compound.typed)
    settle(lambda: not after.compound._jobs.busy)
    assert names_of(after) == ["ethanol", "caffeine"]
