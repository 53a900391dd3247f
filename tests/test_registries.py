"""The lists that one file and one line extend: entries are what the list declares, and CONTRIBUTING's examples fit.

An example in CONTRIBUTING is a block of Python that begins with the path of its file, and the name behind the list in
`REGISTRIES` is what it defines.
"""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np
import pandas as pd
import PIL.Image
import pytest

from napari_impa.cells.layouts import AS_FOUND, SourceFiles

REPOSITORY = Path(__file__).parents[1]

REGISTRIES = {
    "napari_impa.cells.readers.READERS": "BMP",
    "napari_impa.cells.layouts.LAYOUTS": "NAMED_FILES",
    "napari_impa.cells.plate_maps.FORMS": "",
    "napari_impa.cells.sheets.SHEET_FORMATS": "",
    "napari_impa.cells.simulated.plate_writers.PLATE_WRITERS": "",
    "napari_impa.cells.segmenters.SEGMENTERS": "Otsu",
    "napari_impa.engine.describing.DESCRIPTIONS": "Embedding",
    "napari_impa.engine.training.steps.RECIPES": "",
    "napari_impa.engine.training.presets.PRESETS": "",
    "napari_impa.engine.training.steps.terms.TERMS": "",
    "napari_impa.analysis.metrics.METRICS": "MEDIAN_CHANGE",
    "napari_impa.analysis.features.FEATURE_SPACES": "",
    "napari_impa.viewer.perturb.views.VIEWS": "Ratio",
}
"""Each list, and what CONTRIBUTING shows as another entry; empty where it shows none."""


def split(registry: str) -> tuple[ModuleType, str]:
    module, _, name = registry.rpartition(".")
    if ".viewer." in module:
        pytest.importorskip("napari")
    return importlib.import_module(module), name


def is_entry(entry: Any, kind: Any) -> bool:
    """Whether a value is of the type of a list's entries: an instance of a class, or a subclass for `type[…]`."""
    if get_origin(kind) is type:
        return isinstance(entry, type) and issubclass(entry, get_args(kind)[0])
    return isinstance(entry, get_origin(kind) or kind)


def kind_of(registry: str) -> Any:
    """Return the type of a list's entries, as declared: `tuple[KIND, ...]`; else that of the first."""
    module, name = split(registry)
    declared = get_type_hints(module).get(name)
    return get_args(declared)[0] if declared else type(getattr(module, name)[0])


@pytest.mark.parametrize("registry", REGISTRIES)
def test_every_entry_is_what_the_list_declares(registry: str) -> None:
    module, name = split(registry)
    entries = getattr(module, name)
    assert entries
    for entry in entries:
        assert is_entry(entry, kind_of(registry)), entry
    names = [next(getattr(entry, key) for key in ("name", "kind", "title") if hasattr(entry, key)) for entry in entries]
    assert len(set(names)) == len(names)


def examples() -> dict[str, str]:
    """Python blocks of CONTRIBUTING by the path that they begin with."""
    blocks = re.findall(
        r"^```python\n# (src/\S+\.py)\n(.*?)^```", (REPOSITORY / "CONTRIBUTING.md").read_text("utf-8"), re.M | re.S
    )
    return dict(blocks)


def example(registry: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make what CONTRIBUTING shows as another entry."""
    package = registry.rpartition(".")[0].replace(".", "/")
    name = REGISTRIES[registry]
    (code,) = (code for path, code in examples().items() if package in path and re.search(rf"\b{name}\b", code))
    module = ModuleType("example")
    monkeypatch.setitem(sys.modules, "example", module)  # where dataclasses look for it
    exec(compile(code, "CONTRIBUTING.md", "exec"), module.__dict__)
    return getattr(module, name)


def test_the_example_of_a_segmenter_finds_nuclei(monkeypatch: pytest.MonkeyPatch) -> None:
    find = example("napari_impa.cells.segmenters.SEGMENTERS", monkeypatch)(minimum_area=3)
    image = np.zeros((1, 16, 16))
    image[0, 2:5, 2:5] = image[0, 9:13, 8:12] = 10
    image[0, 0, 15] = 10
    labels = find(image)
    assert sorted(np.unique(labels, return_counts=True)[1]) == [9, 16, 231]
    assert [one.name for one in find.settings()] == ["factor", "minimum_area"]


def test_the_example_of_a_reader_reads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    reader = example("napari_impa.cells.readers.READERS", monkeypatch)
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    PIL.Image.fromarray(pixels).save(tmp_path / "x.bmp")
    image = reader.read(tmp_path / "x.bmp", False)
    assert np.array_equal(image.pixels, np.moveaxis(pixels, -1, 0))
    assert reader.suffixes == (".bmp",)


def test_the_example_of_a_layout_lists(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    layout = example("napari_impa.cells.layouts.LAYOUTS", monkeypatch)
    for name in ("DMSO_1", "DMSO_2", "taxol_1"):
        np.save(tmp_path / f"{name}.npy", np.zeros((2, 8, 8)))
    source = SourceFiles(tmp_path)
    assert layout.fits(source)
    listing = layout.entries(source, AS_FOUND)
    assert listing.table["condition"].tolist() == ["DMSO", "DMSO", "taxol"]
    assert [entry.files[0].stem for entry in listing.entries] == ["DMSO_1", "DMSO_2", "taxol_1"]
    np.save(tmp_path / "plain.npy", np.zeros((2, 8, 8)))
    assert not layout.fits(SourceFiles(tmp_path))


def test_the_example_of_a_description_describes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kind = example("napari_impa.engine.describing.DESCRIPTIONS", monkeypatch)
    np.savez(tmp_path / "proteins.npz", a=[1.0, 2.0], b=[3.0, 4.0])
    facts = pd.DataFrame({"key": ["b", "a"]})
    description, numbers = kind.of_training(facts, "", str(tmp_path / "proteins.npz"), standardize=False)
    assert numbers.tolist() == [[3, 4], [1, 2]]
    again = kind.from_json(description.to_json(), np.zeros((0, 2)))
    assert again.complete(numbers, None).tolist() == [[3, 4], [1, 2]]


@pytest.mark.parametrize("registry", [key for key, value in REGISTRIES.items() if value])
def test_the_example_in_contributing_is_an_entry(registry: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_entry(example(registry, monkeypatch), kind_of(registry))


def test_examples_are_of_files_that_are_not_there_yet() -> None:
    assert examples()
    for path in examples():
        assert not (REPOSITORY / path).exists(), path
        assert (REPOSITORY / path).parent.is_dir(), path
