"""Open layers as what is trained on: the groups as plain values, and the box; no window of napari's is opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer

from napari_impa.cells.segmenters import Nuclei
from napari_impa.cells.simulated.screen import simulated_field
from napari_impa.errors import CellsError, ConditionError
from napari_impa.viewer.entry.samples import simulated_screen
from napari_impa.viewer.kit.jobs import Failure
from napari_impa.viewer.layers.cell_choice import CellChoice
from napari_impa.viewer.layers.found_cells import CROPS, LABELS
from napari_impa.viewer.layers.sources import Channel
from napari_impa.viewer.train.open_layers.layer_source import (
    CellNaming,
    CellsGroup,
    cut_group,
    guess_naming,
    join_groups,
    namings,
)
from napari_impa.viewer.train.open_layers.layers_box import LayersBox
from napari_impa.watch import Token
from napari_impa.work.survey import Looked, finished, look_closer

Settle = Callable[..., None]
NAMES = ("DNA", "actin", "tubulin")


def layers(condition: str = "DMSO", **more: Any) -> tuple[list[Image], Labels]:
    field = simulated_field(condition, size=256)
    images = [
        Image(plane, name=name, scale=(0.65, 0.65), units=("um", "um"), **more)
        for name, plane in zip(NAMES, field.pixels, strict=True)
    ]
    return images, Labels(field.labels, name="nuclei", scale=(0.65, 0.65), units=("um", "um"))


def choice_of(images: list[Image], mask: Labels | None) -> CellChoice:
    return CellChoice(tuple(Channel(image) for image in images), LABELS if mask is not None else CROPS, 0, mask)


def group(condition: str = "DMSO", plate: str | None = None, size: int = 48, **more: Any) -> CellsGroup:
    plain = choice_of(*layers(condition, **more)).plain(NAMES, size, "batch")
    return cut_group(Token(), plain, CellNaming(condition), None if plate is None else CellNaming(plate))


def test_cells_under_labels_are_named_by_a_text() -> None:
    found = group("DMSO", "p1")
    assert set(found.cells.table["condition"]) == {"DMSO"}
    assert set(found.cells.table["plate"]) == {"p1"}
    assert found.describe() == f"DMSO · p1 · {len(found.cells)} cells"
    images, mask = layers()
    y, x = found.cells.table[["y", "x"]].to_numpy()[0]
    assert np.array_equal(found.cells.pixels[0, 1], images[1].data[y - 24 : y + 24, x - 24 : x + 24])
    assert mask.data[y, x] == found.cells.table["label"][0]


@pytest.mark.parametrize("with_index", [True, False])
def test_cells_are_named_by_a_feature_of_their_label(with_index: bool) -> None:
    images, mask = layers()
    labels = np.arange(1, mask.data.max() + 1)
    names = np.where(labels < labels.mean(), "first", "rest")
    if with_index:
        mask.features = pd.DataFrame({"index": labels[::-1], "kind": names[::-1]})
    else:
        mask.features = pd.DataFrame({"kind": ["", *names]})
    choice = choice_of(images, mask)
    found = cut_group(Token(), choice.plain(NAMES, 48, "batch"), namings(choice)["kind"], None)
    table = found.cells.table
    assert (table["condition"] == np.where(table["label"] < labels.mean(), "first", "rest")).all()
    assert found.describe() == f"2 conditions · {len(table)} cells"


def test_cells_without_a_condition_are_left_out() -> None:
    images, mask = layers()
    choice = choice_of(images, mask)
    plain = choice.plain(NAMES, 48, "batch")
    whole = cut_group(Token(), plain, CellNaming("all"), None)
    first = int(whole.cells.table["label"][0])
    found = cut_group(Token(), plain, CellNaming(by_label={first: "DMSO"}), None)
    assert (len(found.cells), found.unnamed) == (1, len(whole.cells) - 1)
    assert "without a condition left out" in found.describe()
    with pytest.raises(ConditionError, match="type a name"):
        cut_group(Token(), plain, CellNaming(by_label={}), None)


def test_stacks_are_named_by_their_table() -> None:
    stack = np.random.default_rng(0).integers(0, 99, (4, 48, 48)).astype(np.uint16)
    table = pd.DataFrame({"compound": ["DMSO", "a", "a", "b"], "dose": [0.0, 1.0, 1.0, 2.0]})
    images = [Image(stack, name=name, metadata={"table": table, "label": ("compound",)}) for name in NAMES]
    choice = choice_of(images, None)
    columns = namings(choice)
    assert set(columns) == {"compound", "dose"}
    found = cut_group(Token(), choice.plain(NAMES, 48, "batch"), columns["compound"], columns["dose"])
    assert found.cells.table["condition"].tolist() == ["DMSO", "a", "a", "b"]
    assert found.cells.table["plate"].tolist() == ["0", "1", "1", "2"]


def test_metadata_of_a_layer_names_all_its_cells() -> None:
    images, mask = layers(metadata={"compound": "taxol", "dose": 2.0, "control": True, "table": "?"})
    columns = namings(choice_of(images, mask))
    assert {name: naming.text for name, naming in columns.items()} == {"compound": "taxol", "dose": "2", "table": "?"}
    assert columns["compound"].title("compound") == "compound: taxol"
    assert guess_naming(list(columns), "perturbation") == "compound"
    assert guess_naming(["a", "Plate"], "batch") == "Plate"
    assert guess_naming(["a"], "perturbation") is None


def test_groups_become_one_source() -> None:
    groups = [group("DMSO", "p1"), group("shrinkage", "p1"), group("DMSO")]
    looked = join_groups(groups, "perturbation")
    assert (looked.labels, looked.control) == (("condition",), "DMSO")
    assert looked.source.kind == "cells"
    assert looked.source.describe().startswith(f"open layers: {len(looked.source)} cells of 48×48 px")
    assert not looked.source.has_masks
    cells = looked.cells
    assert cells is not None
    assert len(cells) == sum(len(one.cells) for one in groups)
    assert cells.table["field"].nunique() == 3  # of layers of one name too
    assert cells.table["plate"].iloc[-1] == ""
    assert set(cells.counts().index) == {"DMSO", "shrinkage"}


def test_joined_cells_can_be_written_and_looked_at_closer(tmp_path: Any) -> None:
    looked = join_groups([group("DMSO"), group("shrinkage")], "perturbation")
    closer = finished(look_closer(looked, looked.labels, looked.control, {}))
    assert set(closer.examples) == {"DMSO", "shrinkage"}
    assert looked.cells is not None
    assert (looked.cells.save(tmp_path / "run") / "meta.json").is_file()


def test_groups_that_do_not_fit() -> None:
    one = group("DMSO")
    other = replace(one, cells=replace(one.cells, pixel_size=0.32))
    with pytest.raises(CellsError, match=r"0\.32 and 0\.65 µm a pixel"):
        join_groups([one, other], "perturbation")
    with pytest.raises(CellsError, match="add those"):
        join_groups([], "perturbation")
    floats = replace(one, cells=replace(one.cells, pixels=one.cells.pixels.astype(np.float32)))
    with pytest.raises(CellsError, match=r"The layers are uint\d+ and float32, .* bring all to one type"):
        join_groups([one, floats], "perturbation")


# ---- the box --------------------------------------------------------------------------------------------------------


@pytest.fixture
def box(qtbot: Any) -> Any:
    viewer = ViewerModel()
    for condition in (None, "shrinkage"):
        for data in simulated_screen(condition, size=256):
            viewer.add_layer(Layer.create(*data))
    box = LayersBox(viewer)
    qtbot.addWidget(box)
    box.show()
    box.set_segmenters([Nuclei])
    box.size.setCurrentIndex(0)
    yield box
    box.close_form()


def channels_from(box: LayersBox, suffix: str) -> None:
    for combo, name in zip(box.cells.channels, NAMES, strict=True):
        combo.setCurrentIndex(combo.findText(name + suffix))


def test_cells_that_were_added_are_known(box: LayersBox, settle: Settle) -> None:
    assert not box.hint.text()
    box.add.click()
    settle(lambda: len(box.groups) == 1 and not box._finding.busy)
    assert [combo.currentText() for combo in box.cells.channels] == list(NAMES)  # the next field's are chosen
    assert not box.hint.text()
    assert "again" not in box.add.text()
    channels_from(box, " [1]")
    assert "added already" in box.hint.text()
    assert "again" in box.add.text()
    box.remove.click()
    assert not box.hint.text()


def test_two_fields_are_added_one_after_the_other(box: LayersBox, settle: Settle) -> None:
    looks: list[Looked | None] = []
    box.looked.connect(looks.append)
    assert box.channels.ticked == ("DNA [1]", "actin [1]", "tubulin [1]")  # one image's, not both
    assert not any(combo.isVisible() for combo in box.cells.channels)  # what is ticked is said once
    box.channels.fill(list(NAMES), NAMES)
    box.channels.changed.emit()
    assert box.condition.column.currentText() == "compound: DMSO"
    box.add.click()
    assert not box.add.isEnabled()
    settle(lambda: looks)
    assert box.channels.isHidden()
    assert all(combo.isVisible() for combo in box.cells.channels)
    assert [combo.currentText() for combo in box.cells.channels] == [f"{name} [1]" for name in NAMES]
    assert box.condition.column.currentText() == "compound: shrinkage"
    settle(lambda: box.add.isEnabled())
    box.add.click()
    settle(lambda: len(looks) == 2)
    assert looks[-1] is not None
    assert set(looks[-1].source.table["condition"]) == {"DMSO", "shrinkage"}
    assert looks[-1].control == "DMSO"
    assert [box.list.item(row).text().split(" ·")[0] for row in range(2)] == ["DMSO", "shrinkage"]
    for _ in range(2):
        box.remove.click()
    assert looks[-1] is None
    assert not box.channels.isHidden()


def test_channels_are_called_as_their_layers_without_the_number_of_namesakes(box: LayersBox, settle: Settle) -> None:
    looks: list[Looked | None] = []
    box.looked.connect(looks.append)
    assert box.channels.ticked == ("DNA [1]", "actin [1]", "tubulin [1]")
    box.add.click()
    settle(lambda: looks)
    assert looks[-1] is not None
    assert looks[-1].source.channels == NAMES
    assert set(looks[-1].source.table["condition"]) == {"shrinkage"}


def test_a_typed_condition_is_asked_for(box: LayersBox, settle: Settle) -> None:
    box.condition.column.setCurrentIndex(0)
    assert not box.add.isEnabled()
    assert "type their condition" in box.hint.text()
    box.condition.text.setText("my drug")
    assert box.add.text() == "Add these cells as “my drug”"
    groups: list[Looked] = []
    box.looked.connect(groups.append)
    box.add.click()
    settle(lambda: groups)
    assert set(groups[0].source.table["condition"]) == {"my drug"}
    assert box.condition.text.text() == ""


def test_a_failure_is_told_and_the_box_ready_again(box: LayersBox, settle: Settle) -> None:
    failures: list[Failure] = []
    box.failed.connect(failures.append)
    for layer in box.viewer.layers:
        layer.data = np.zeros_like(layer.data)
    box.add.click()
    settle(lambda: failures and box.add.isEnabled())
    assert "No cell was found" in failures[0].message
    assert not box.groups


def test_nothing_open(qtbot: Any) -> None:
    viewer = ViewerModel()
    box = LayersBox(viewer)
    qtbot.addWidget(box)
    assert "Open images" in box.hint.text()
    assert not box.add.isEnabled()
    viewer.add_image(np.ones((64, 64)), name="DAPI")
    assert box.channels.ticked == ("DAPI",)
    box.close_form()
    box.deleteLater()
