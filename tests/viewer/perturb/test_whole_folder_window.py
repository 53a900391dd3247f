"""A whole plate from the Perturb dock in the real window: cancelled, gone on with, and the bits of the command line."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from stub_plates import spotted_plate

from napari_impa.cli import main
from napari_impa.viewer.perturb import whole_folder
from napari_impa.viewer.perturb.dock import PerturbDock
from napari_impa.viewer.perturb.whole_folder import CELLS, GO_ON, RUN, TABLE

Settle = Callable[..., None]


def files(folder: Path) -> dict[str, bytes]:
    return {str(one.relative_to(folder)): one.read_bytes() for one in sorted(folder.rglob("*")) if one.is_file()}


@pytest.fixture
def dock(make_napari_viewer: Callable[..., Any], model_path: Path, settle: Settle) -> PerturbDock:
    viewer = make_napari_viewer()
    dock = PerturbDock(viewer)
    viewer.window.add_dock_widget(dock, name="Perturb cells")
    dock.use_model(model_path)
    settle(lambda: dock.session.loaded is not None and not dock.session.busy and not dock._preparing.busy)
    return dock


@pytest.fixture(scope="module")
def plate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return spotted_plate(tmp_path_factory.mktemp("plate"), wells=24)


def test_a_plate_is_cancelled_and_gone_on_with(
    dock: PerturbDock, settle: Settle, plate: Path, model_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_impa.cells.blocks.cores", lambda: 1)
    whole = dock.whole
    assert not whole.run.button.isEnabled()
    whole.choose_folder(plate)
    settle(lambda: whole.source is not None)
    assert "24 whole fields" in whole.found.text()
    assert whole.plate.used.text().startswith("layout.csv")
    assert whole.out.text() == str(plate.parent / "BR1 predicted")
    whole.out.setText(str(tmp_path / "dock"))
    whole.report.setChecked(False)
    assert (whole.run.button.text(), whole.anew.isHidden()) == (RUN, True)
    seen: list[int] = []

    def stop(report: Any) -> None:
        seen.append(report.done)
        if report.done == 7:
            whole.run.button.click()
            assert whole.run.button.text() == "Stopping …"

    whole.run._job.reported.connect(stop)
    whole.run.button.click()
    settle(lambda: seen and not whole.run.running)
    whole.run._job.reported.disconnect(stop)
    assert [one.name for one in (tmp_path / "dock").iterdir()] == [".predicted.unfinished"]
    assert (whole.run.button.text(), whole.anew.isHidden()) == (GO_ON, False)
    assert "Half done there: BR1 → " in whole.note.text()

    targets = dock.turn_into.targets
    dock.seed.setValue(5)  # it goes on with what was asked then
    done: list[Any] = []
    whole.finished.connect(done.append)
    whole.run._job.reported.connect(lambda report: seen.append(report.done))
    seen.clear()
    whole.run.button.click()
    settle(lambda: done)
    assert seen[0] >= 8
    out = ["--out", str(tmp_path / "line" / CELLS), "--table", str(tmp_path / "line" / TABLE)]
    main.main(["predict", str(model_path), str(plate), "--to", *map(str, targets), "--segment", "nuclei", *out])
    assert files(tmp_path / "dock") == files(tmp_path / "line")
    assert whole.run.button.text() == RUN
    assert "16 cells turned; saved predicted.cells, measurements.csv" in whole.note.text()


def test_errors_are_told_and_closing_ends_it(
    dock: PerturbDock, settle: Settle, plate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(whole_folder, "notify", lambda failure: told.append(failure.message))
    whole = dock.whole
    whole.choose_folder(tmp_path / "nothing")
    settle(lambda: told)
    assert "nothing" in whole.note.text()
    whole.choose_folder(plate)
    settle(lambda: whole.source is not None)
    (tmp_path / "out" / CELLS).mkdir(parents=True)
    whole.out.setText(str(tmp_path / "out"))
    whole.run.button.click()
    settle(lambda: not whole.run.running)
    assert "exists already" in told[-1]
    whole.out.setText(str(tmp_path / "other"))
    whole.run.button.click()
    dock.viewer.window.remove_dock_widget(dock)
    settle(lambda: not any(thread.name.startswith("napari-impa") for thread in threading.enumerate()))
    assert not (tmp_path / "other" / CELLS).exists()
