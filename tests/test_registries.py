"""The lists that one file and one line extend: entries are what the list declares, and CONTRIBUTING's examples fit.

An example in CONTRIBUTING is a block of Python that begins with the path of its file, and the name behind the list in
`REGISTRIES` is what it defines.
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from types import ModuleType
from typing import Any, get_args, get_origin, get_type_hints

import pytest

REPOSITORY = Path(__file__).parents[1]

REGISTRIES = {
    "napari_impa.analysis.metrics.METRICS": "MEDIAN_CHANGE",
    "napari_impa.analysis.features.FEATURE_SPACES": "",
    "napari_impa.cells.layouts.LAYOUTS": "",
    "napari_impa.cells.readers.READERS": "",
    "napari_impa.cells.segmenters.SEGMENTERS": "",
    "napari_impa.engine.describing.DESCRIPTIONS": "",
}
"""Each list, and what CONTRIBUTING shows as another entry; empty where it shows none."""


def split(registry: str) -> tuple[ModuleType, str]:
    module, _, name = registry.rpartition(".")
    return importlib.import_module(module), name


def is_entry(entry: Any, kind: Any) -> bool:
    """Whether a value is of the type of a list's entries: an instance of a class, or a subclass for `type[…]`."""
    if get_origin(kind) is type:
        return isinstance(entry, type) and issubclass(entry, get_args(kind)[0])
    return isinstance(entry, get_origin(kind) or kind)


def kind_of(registry: str) -> Any:
    """Return the type of a list's entries, which is declared: `tuple[KIND, ...]`."""
    module, name = split(registry)
    kind, rest = get_args(get_type_hints(module)[name])
    assert rest is Ellipsis
    return kind


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


@pytest.mark.parametrize("registry", [key for key, value in REGISTRIES.items() if value])
def test_the_example_in_contributing_is_an_entry(registry: str) -> None:
    package = registry.rpartition(".")[0].replace(".", "/")
    name = REGISTRIES[registry]
    (code,) = (code for path, code in examples().items() if package in path and re.search(rf"\b{name}\b", code))
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(code, "CONTRIBUTING.md", "exec"), names)
    assert is_entry(names[name], kind_of(registry))


def test_examples_are_of_files_that_are_not_there_yet() -> None:
    assert examples()
    for path in examples():
        assert not (REPOSITORY / path).exists(), path
        assert (REPOSITORY / path).parent.is_dir(), path
