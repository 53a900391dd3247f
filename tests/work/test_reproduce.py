from __future__ import annotations

import shlex
import sys
from copy import copy
from dataclasses import replace
from pathlib import Path

import pytest

from napari_impa.cells.segmenters import segmenter
from napari_impa.cells.simulated.screen import CONTROL, simulated_cells
from napari_impa.engine.describing.new_condition import NewCondition
from napari_impa.engine.model.model import IMPA
from napari_impa.errors import ConditionError
from napari_impa.work.reproduce import Reproduction, command, found_by, matching_source, script

MADE = Reproduction(
    "simulated-screen", "0123456789abcdef", Path("my cells.cells"), (), None, ("it's 'x' 5",), 1.25, 0.1, 7
)


def test_script_is_python_and_says_what_it_starts_from() -> None:
    text = script(replace(MADE, saved=True))
    compile(text, "script", "exec")
    assert "saved from napari" in text
    assert "strength=1.25, variability=0.1, seed=7" in text
    assert "saved from" not in script(MADE)
    controls = script(replace(MADE, label=("compound", "dose"), control="DMSO"))
    assert ".labelled(['compound', 'dose'], 'DMSO').controls()" in controls


def test_new_conditions_are_described() -> None:
    new = NewCondition("CCO 5", smiles="CCO", dose=5.0)
    assert "impa.NewCondition('CCO 5', smiles='CCO', dose=5.0)" in script(replace(MADE, targets=(new,)))
    words = shlex.split(command(replace(MADE, targets=("a", new))))
    assert words[words.index("--smiles") + 1] == "CCO"
    assert words[words.index("--dose") + 1] == "5.0"
    for targets in ((new, new), (NewCondition("v", vector=(1.0,)),)):
        with pytest.raises(ConditionError, match="Python script"):
            command(replace(MADE, targets=targets))


@pytest.mark.skipif(sys.platform == "win32", reason="quoted for another shell there")
def test_command_is_quoted() -> None:
    words = shlex.split(command(MADE))
    assert words[:4] == ["napari-impa", "predict", "simulated-screen", "my cells.cells"]
    assert words[words.index("--to") + 1] == "it's 'x' 5"
    assert "--all-cells" in words
    assert "--all-cells" not in command(replace(MADE, label=("compound",), control="DMSO"))


def test_a_folder_matches_its_controls_or_all_of_its_cells(tmp_path: Path, model: IMPA) -> None:
    cells = simulated_cells(3, size=48, conditions=(CONTROL, "shrinkage"))
    model = copy(model)
    model.label = ("compound",)
    path = cells.save(tmp_path / "all.cells")
    assert matching_source(path, cells, model) == ((), None)
    assert matching_source(path, cells.controls(), model) == (model.label, model.control)
    assert matching_source(path, cells.take([1, 0]), model) is None
    assert matching_source(tmp_path, cells, model) is None


def test_how_nuclei_were_found_is_in_the_script(tmp_path: Path) -> None:
    tuned = found_by({"segmenter": "nuclei", "segmenter_settings": {"diameter": 24, "threshold": 1.5}})
    assert tuned == segmenter("nuclei", diameter=24, threshold=1.5)
    text = script(replace(MADE, found_by=tuned))
    compile(text, "script", "exec")
    assert "--segment nuclei --segment-option diameter=24 threshold=1.5" in text
    assert "segment=segmenter('nuclei', diameter=24, threshold=1.5))" in text
    assert "size=model.size, segment='nuclei')" in script(replace(MADE, found_by=found_by({"segmenter": "nuclei"})))
    for history in ({}, {"segmenter": "points"}):
        assert found_by(history) is None
    assert "nuclei" not in script(MADE)
