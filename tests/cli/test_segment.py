"""A segmenter's settings on the command line: the same cells as by a script, kept by a run that is resumed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_impa.cells.folder import crop_source
from napari_impa.cells.segmenters import SEGMENTERS, segmenter
from napari_impa.cells.simulated.screen import write_simulated_screen
from napari_impa.cells.store import Cells, open_cells
from napari_impa.cli import main
from napari_impa.engine.training.run_folder.run import Run
from napari_impa.work.training_plan import plan_of

LARGE = 200
"""An area, in pixels, that some nuclei of the screen have and some have not."""


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("segment") / "plate"
    return write_simulated_screen(folder, size=200, batches=1, conditions=("DMSO", "shrinkage"))


@pytest.fixture(scope="module")
def tuned(screen: Path) -> Cells:
    """What a script cuts."""
    return crop_source(screen, size=32, segment=segmenter("nuclei", minimum_area=LARGE), kind="fields")


def test_crop_cuts_as_a_script_does(screen: Path, tuned: Cells, tmp_path: Path) -> None:
    main.main(
        ["crop", str(screen), "--out", str(tmp_path / "x"), "--size", "32", "--segment-option", f"minimum_area={LARGE}"]
    )
    cells = open_cells(tmp_path / "x.cells")
    np.testing.assert_array_equal(cells.pixels, tuned.pixels)
    assert cells.history["segmenter_settings"] == {"minimum_area": LARGE}
    assert 4 < len(cells) < len(crop_source(screen, size=32, segment="nuclei", kind="fields"))


def test_a_run_goes_on_with_cells_cut_alike(screen: Path, tuned: Cells, tmp_path: Path) -> None:
    options = ["--segment", "nuclei", "--segment-option", f"minimum_area={LARGE}", "--size", "32", "--steps", "1"]
    main.main(["train", str(screen), "--out", str(tmp_path / "run"), *options, "--batch-size", "2", "--device", "cpu"])
    run = Run(tmp_path / "run")
    assert run.config["source"]["count"] == len(tuned)
    assert plan_of(run.folder).segment == segmenter("nuclei", minimum_area=LARGE)
    main.main(["train", "--resume", str(run.folder), "--steps", "2"])
    assert run.history["step"].tolist() == [1, 2]


def test_predict_and_evaluate_take_them(screen: Path, tuned: Cells, tmp_path: Path) -> None:
    from napari_impa.engine.model.model import IMPA
    from napari_impa.work.predicting.predict_into import cells_for

    main.main(["train", str(screen), "--out", str(tmp_path / "r"), "--size", "32", "--steps", "1", "--batch-size", "2"])
    option = ["--segment-option", f"minimum_area={LARGE}"]
    out = tmp_path / "after.cells"
    main.main(["predict", str(tmp_path / "r"), str(screen), "--to", "shrinkage", "--out", str(out), *option])
    controls = int(np.sum(tuned.conditions == "DMSO"))
    assert len(open_cells(out)) == controls
    model = IMPA.load(tmp_path / "r" / "model.impa")
    found = cells_for(model, screen, segment=segmenter("nuclei", minimum_area=LARGE))
    np.testing.assert_array_equal(found.pixels, tuned.pixels)


@pytest.mark.parametrize("command", ["crop", "train", "predict", "evaluate", "look"])
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--segment-option", "size=3"], "has no setting 'size'; it has: diameter, threshold, minimum_area."),
        (["--segment-option", "diameter=large"], "diameter is a number of px from 0 to 400"),
        (["--segment-option", "diameter"], "'diameter' is not of the form NAME=VALUE."),
        (["--segment-option", "diameter=3", "diameter=4"], "gives diameter twice"),
        (["--segment", "cellpose", "--segment-option", "threshold=1"], "Cellpose has no setting 'threshold'"),
    ],
)
def test_wrong_ones_are_one_sentence(
    command: str, options: list[str], sentence: str, screen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = {
        "crop": ["--out", "x"],
        "train": ["--out", "x"],
        "predict": ["--to", "shrinkage", "--out", "x"],
    }.get(command, [])
    of = ["simulated-screen", screen] if command in ("predict", "evaluate") else [screen]
    with pytest.raises(SystemExit) as stop:
        main.main([str(one) for one in [command, *of, *more, *options]])
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert sentence in line


def test_help_names_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    main.main(["crop", "--help"])
    shown = "".join(capsys.readouterr().out.replace("│", " ").split())
    for kind in SEGMENTERS:
        assert kind.name in shown
        for one in kind.settings():
            assert one.name in shown
