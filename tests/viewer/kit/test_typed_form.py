from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from qtpy.QtWidgets import QFormLayout, QLabel, QWidget

from napari_impa.viewer.kit.typed_form import TypedForm


@dataclass(frozen=True)
class Example:
    count: int = field(
        default=0, metadata={"title": "Count", "low": 0, "high": 9, "step": 1, "unit": "px", "automatic": "any"}
    )
    share: float = field(default=1.0, metadata={"low": 0.0, "high": 3.0, "step": 0.5, "help": "How much."})
    length: float = field(default=7, metadata={"high": 400, "step": 1})
    exact: bool = True


@pytest.fixture
def holder(qtbot: Any) -> QWidget:
    widget = QWidget()
    qtbot.addWidget(widget)
    return widget


@pytest.fixture
def page(holder: QWidget) -> QFormLayout:
    return QFormLayout(holder)


def test_a_row_a_field_with_what_its_type_says(page: QFormLayout) -> None:
    form = TypedForm(page, Example(share=2.0), last=("share",))
    labels = [page.itemAt(row, QFormLayout.ItemRole.LabelRole).widget() for row in range(page.rowCount())]
    assert [label.text() for label in labels if isinstance(label, QLabel)] == ["Count", "length", "", "share"]
    assert form.row("exact").text() == "exact"  # beside the box
    count, share = form.row("count"), form.row("share")
    assert (count.minimum(), count.maximum(), count.suffix(), count.text()) == (0, 9, " px", "any")
    assert (share.maximum(), share.singleStep(), share.toolTip()) == (3.0, 0.5, "How much.")
    assert form.row("length").text() == "7"
    assert form.value == Example(share=2.0)


def test_it_tells_when_a_value_is_another_one(page: QFormLayout, qtbot: Any) -> None:
    form = TypedForm(page, Example)
    with qtbot.waitSignal(form.changed):
        form.row("count").setValue(4)
    with qtbot.waitSignal(form.changed):
        form.row("exact").setChecked(False)
    assert form.value == Example(4, 1.0, 7, False)


def test_what_the_program_shows_is_not_told(page: QFormLayout, qtbot: Any) -> None:
    form = TypedForm(page, Example)
    with qtbot.assertNotEmitted(form.changed):
        form.show_value(Example(5, 0.5, 9, False))
    assert form.value == Example(5, 0.5, 9, False)
    assert form.row("count").text() == "5 px"
    assert type(form.value.count) is int


def test_rows_are_hidden_and_go(page: QFormLayout) -> None:
    before = TypedForm(page, Example)
    after = TypedForm(page, Example)
    before.set_visible(False)
    assert not page.isRowVisible(before.row("share"))
    assert page.isRowVisible(after.row("share"))
    before.remove()
    assert page.rowCount() == 4
    assert after.value == Example()
