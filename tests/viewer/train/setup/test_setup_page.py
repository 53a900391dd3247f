"""The page on which a training is set up: its plan, runs that are repeated or extended, models to go on from."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from napari.components import ViewerModel
from qtpy.QtWidgets import QFileDialog

from napari_impa.cells.layouts import LayoutChoice
from napari_impa.cells.segmenters import Nuclei
from napari_impa.cells.simulated.plate import write_simulated_plate
from napari_impa.cells.simulated.screen import simulated_cells, write_simulated_screen
from napari_impa.engine.training.settings import TrainingSettings
from napari_impa.errors import ConditionError, SourceError, TrainingError
from napari_impa.viewer.kit.dialogs import ask_for_folder
from napari_impa.viewer.kit.jobs import Failure
from napari_impa.viewer.layers.segmenter_form import MEMORY
from napari_impa.viewer.train.plate.reading_box import in_dock
from napari_impa.viewer.train.setup.setup_page import SetupPage
from napari_impa.viewer.train.setup.source_form import LAYERS
from napari_impa.work.engine_choices import ask_engine
from napari_impa.work.survey import look
from napari_impa.work.training import train_plan
from napari_impa.work.training_plan import Plan, cells_of, plan_of
from napari_impa.work.trial_cells import cells_to_try, of_run

Settle = Callable[..., None]


@pytest.fixture(scope="module")
def engine() -> Any:
    return ask_engine()


@pytest.fixture(scope="module")
def run(cells_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete run."""
    folder = tmp_path_factory.mktemp("setup") / "first"
    settings = TrainingSettings(size=48, steps=1, batch_size=3, seed=7, device="cpu", hold_out={"plate": ["sim-D"]})
    train_plan(Plan(cells_path, ("compound",), "DMSO", settings, folder))
    return folder


@pytest.fixture
def page(qtbot: Any, engine: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("napari_impa.viewer.train.estimator.Estimator.ask", lambda *_, **__: None)
    page = SetupPage(ViewerModel())
    qtbot.addWidget(page)
    page.look_asked.connect(lambda path, task, kind, how: page.show_looked(look(path, task, kind, how)))
    page.fill(engine)
    yield page
    for stop in page.stops:
        stop()
    page.source.layers.close_form()
    page.cells.clear()


def test_a_plan_is_what_was_chosen(page: SetupPage, cells_path: Path) -> None:
    page.set_source(cells_path)
    page.settings.seed.setValue(5)
    plan = page.plan()
    assert (plan.source, plan.label, plan.control, plan.cells) == (cells_path, ("compound",), "DMSO", None)
    assert (plan.settings.seed, plan.settings.size, plan.settings.minutes) == (5, 48, 30)
    assert plan.settings.hold_out == {"plate": ("sim-D",)}
    assert plan.folder.name == "screen-run"
    assert not plan.folder.exists()


def test_what_is_missing_is_said(page: SetupPage, cells_path: Path) -> None:
    page.run.folder.setText("somewhere")
    with pytest.raises(ConditionError, match="No folder is chosen"):
        page.plan()
    page.set_source(cells_path)
    page.run.folder.clear()
    with pytest.raises(ConditionError, match="No run folder"):
        page.plan()


def test_a_run_folder_that_the_user_chose_is_kept_until_there_is_another_source(
    page: SetupPage, cells_path: Path, tmp_path: Path
) -> None:
    page.set_source(cells_path)
    page.run.folder.setText(str(tmp_path / "mine"))
    page.look()  # as when another kind of images is chosen
    assert page.run.path == tmp_path / "mine"
    page.set_source(write_simulated_screen(tmp_path / "other", size=256, batches=1, conditions=("DMSO", "shrinkage")))
    assert page.run.path == tmp_path / "other-run"


def test_a_folder_with_a_run_is_resumed_by_its_own_settings_with_the_budget_asked_for(
    page: SetupPage, run: Path, cells_path: Path
) -> None:
    assert not page.run.resumes
    page.run.folder.setText(str(run))
    assert page.run.resumes
    assert "Resume" in page.run.note.text()
    page.settings.amount.setValue(12)
    page.settings.seed.setValue(99)
    plan = page.plan()
    assert (plan.settings.minutes, plan.settings.steps, plan.settings.seed) == (12, None, 7)
    assert (plan.settings.batch_size, plan.source, plan.folder) == (3, cells_path, run)


def test_a_complete_run_is_extended(page: SetupPage, run: Path) -> None:
    page.run.folder.setText(str(run))
    page.extend(page.plan())
    assert "is complete" in page.run.note.text()
    assert not page.run.note.isHidden()


def test_a_run_is_repeated_in_another_folder(page: SetupPage, run: Path, settle: Settle, cells_path: Path) -> None:
    page.repeat(run)
    settle(lambda: page.cells.looked is not None)
    assert page.settings.seed.value() == 7
    assert page.settings.values()["steps"] == 1
    assert "Settings of first" in page.run.note.text()
    plan = page.plan()
    assert (plan.source, plan.settings.batch_size) == (cells_path, 3)
    assert plan.folder != run
    page.set_source(cells_path)  # another start
    assert page.run.note.isHidden()


def test_settings_of_a_model_to_go_on_from_are_taken(
    page: SetupPage, run: Path, cells_path: Path, settle: Settle
) -> None:
    page.set_source(cells_path)
    page.settings.size.choose(24)
    page.run.go_on_from(run / "model.impa", "first")
    assert page.run.start_from.currentText() == "first"
    settle(lambda: page.settings.size.value == 48)
    assert page.plan().start_from == run / "model.impa"
    page.run.start_from.setCurrentIndex(0)
    assert page.plan().start_from is None


def test_a_model_that_is_none_is_told(page: SetupPage, tmp_path: Path, settle: Settle) -> None:
    failures: list[Failure] = []
    page.failed.connect(failures.append)
    (tmp_path / "x.impa").write_bytes(b"nothing")
    page.run.go_on_from(tmp_path / "x.impa")
    settle(lambda: failures)
    assert "x.impa" in failures[0].message


def test_layers_take_the_place_of_the_folder(page: SetupPage, cells_path: Path) -> None:
    page.set_source(cells_path)
    page.source.origin.setCurrentIndex(page.source.origin.values.index(LAYERS))
    assert page.cells.looked is None
    assert page.form.labelForField(page.source.line.parentWidget()).isHidden()
    assert not page.source.layers.isHidden()
    page.source.origin.setCurrentIndex(0)
    assert page.cells.looked is not None
    assert page.source.layers.isHidden()


def test_a_folder_is_asked_for_without_holding_the_window(qtbot: Any, page: SetupPage, tmp_path: Path) -> None:
    chosen: list[str] = []
    ask_for_folder(page, "Choose", str(tmp_path), chosen.append)
    (dialog,) = page.findChildren(QFileDialog)
    assert dialog.isVisible()
    dialog.filesSelected.emit([str(tmp_path)])
    dialog.reject()
    assert chosen == [str(tmp_path)]
    qtbot.waitUntil(lambda: not page.findChildren(QFileDialog))


def test_cells_to_try_are_held_out_controls(run: Path, cells_path: Path) -> None:
    found = of_run(run)
    assert found.model_path == run / "model.impa"
    assert found.cells is not None
    assert set(found.cells.table["compound"]) == {"DMSO"}
    assert set(found.cells.table["plate"]) == {"sim-D"}
    assert found.prefix == "control cells · "
    cells = simulated_cells(3, size=48, conditions=("DMSO", "shrinkage"))
    assert len(cells_to_try(cells, {})) == 3
    assert len(cells_to_try(replace(cells, control=None), {})) == 6


def test_cells_of_something_else_are_not_replaced(tmp_path: Path, cells_path: Path) -> None:
    screen = write_simulated_screen(tmp_path / "screen", size=256, batches=1, conditions=("DMSO", "shrinkage"))
    settings = TrainingSettings(size=48, steps=1, device="cpu")
    plan = Plan(screen, ("compound",), "DMSO", settings, tmp_path / "run")
    mine = simulated_cells(2, size=24, conditions=("DMSO",)).save(plan.cells_path)
    with pytest.raises(TrainingError, match="would be lost; choose another run folder"):
        cells_of(plan)
    assert len(list(mine.iterdir())) >= 3
    free = replace(plan, folder=tmp_path / "free")
    first = cells_of(free)
    assert len(cells_of(free)) == len(first)  # what was cut from the same images may be cut again


def test_a_segmenter_that_was_tuned_in_another_dock_is_trained_with(
    page: SetupPage, tmp_path: Path, settle: Settle
) -> None:
    screen = write_simulated_screen(tmp_path / "screen", size=256, batches=1, conditions=("DMSO", "shrinkage"))
    page.set_source(screen)
    page.source.kind.setCurrentIndex(0)  # whole fields
    settle(lambda: not page.cells.busy)
    before = page.plan()
    assert before.segment == Nuclei()
    MEMORY.remember(Nuclei(minimum_area=200))  # as a Perturb dock does
    assert page.settings.segmenter.rows.row("minimum_area").value() == 200
    page.settings.segmenter.rows.row("threshold").setValue(1.1)  # and here
    settle(lambda: not page.cells.busy)
    settings = TrainingSettings(size=24, steps=1, batch_size=2, device="cpu")
    plan = replace(page.plan(), settings=settings, folder=tmp_path / "run")
    assert plan.segment == Nuclei(minimum_area=200, threshold=1.1)
    cells = cells_of(plan)
    assert cells.history["segmenter_settings"] == {"minimum_area": 200, "threshold": 1.1}
    assert len(cells) < len(cells_of(replace(before, settings=settings, folder=tmp_path / "default")))
    train_plan(plan)
    assert plan_of(plan.folder).segment == plan.segment
    MEMORY.forget()
    page.repeat(plan.folder)  # brings its settings back
    settle(lambda: page.cells.looked is not None and not page.cells.busy)
    settle(lambda: MEMORY.recall(Nuclei) == plan.segment)
    assert page.plan().segment == plan.segment


# ---- a plate --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A plate as a microscope leaves it, and its plate map elsewhere."""
    folder = tmp_path_factory.mktemp("plate")
    images = write_simulated_plate(folder / "images", "imagexpress", wells=6, size=64)
    plate_map = folder / "map.csv"
    (images / "plate_map.csv").rename(plate_map)
    return images, plate_map


def test_a_plate_map_is_chosen_and_trained_with(page: SetupPage, plate: tuple[Path, Path]) -> None:
    images, plate_map = plate
    page.set_source(images)
    assert page.form.isRowVisible(page.source.plate_row)
    assert page.source.plate.used.text() == "none found"
    with pytest.raises(ConditionError, match="plate map"):
        page.plan()
    page.source.plate.chosen.emit(str(plate_map))
    assert page.source.plate.used.text() == "map.csv"
    assert "joined to 6 wells" in page.source.plate.used.toolTip()
    assert "DMSO (control)" in page.source.plate.legend.text().replace("&nbsp;", " ")
    plan = page.plan()
    assert (plan.label, plan.control, plan.choice.plate_map) == (("compound",), "DMSO", str(plate_map))
    page.source.plate.leave_out.click()
    assert page.source.plate.used.text() == "left out"
    assert not page.source.plate.legend.text()


def test_a_plate_is_called_as_the_map_calls_it(page: SetupPage, plate: tuple[Path, Path], tmp_path: Path) -> None:
    images, plate_map = plate
    lines = plate_map.read_text().splitlines()
    rows = [f"{name},{line}" for name in ("P7", "P8") for line in lines[1:]]
    both = tmp_path / "both.csv"
    both.write_text("\n".join([f"Plate,{lines[0]}", *rows]))
    said: list[str] = []
    page.look_asked.disconnect()

    def look_at(path: Path, task: Any, kind: Any, how: LayoutChoice) -> None:
        try:
            page.show_looked(look(path, task, kind, how))
        except SourceError as error:
            said.append(in_dock(str(error)))
            page.show_looked(None)

    page.look_asked.connect(look_at)
    page.set_source(images)
    page.source.plate.chosen.emit(str(both))
    assert said.pop().endswith("name the plates alike, or write its name into Plate name (How the folder is read).")
    page.source.reading.plate.setText("P8")
    page.source.reading.plate.editingFinished.emit()
    page.source.plate.chosen.emit(str(both))
    assert not said
    assert set(page.cells.looked.source.table["plate"]) == {"P8"}
    assert page.plan().choice.plate == "P8"
    page.set_source(images)
    assert page.source.reading.plate.text() == ""


def test_a_plate_map_in_the_folder_is_found_and_said(page: SetupPage, plate: tuple[Path, Path], tmp_path: Path) -> None:
    shutil.copytree(plate[0], tmp_path / "images")
    shutil.copy(plate[1], tmp_path / "images" / "layout.csv")
    page.set_source(tmp_path / "images")
    assert page.source.plate.used.text() == "layout.csv (guessed)"
    assert page.plan().choice.plate_map is None  # it is found again


def test_another_folder_forgets_the_plate_map(page: SetupPage, plate: tuple[Path, Path], cells_path: Path) -> None:
    page.set_source(plate[0])
    page.source.plate.chosen.emit(str(plate[1]))
    page.set_source(cells_path)
    assert page.plan().choice.plate_map is None
