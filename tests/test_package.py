"""The package as a whole: what importing it costs, what it ships, which room may import which."""

from __future__ import annotations

import ast
import graphlib
import importlib
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from importlib import metadata, resources
from pathlib import Path

import pytest

import napari_impa

REPOSITORY = Path(__file__).parents[1]
PACKAGE = Path(napari_impa.__file__).parent


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True)


def import_seconds() -> float:
    """Time that `import napari_impa` takes, its own imports included, as `-X importtime` measures it."""
    last = python("-X", "importtime", "-c", "import napari_impa").stderr.strip().splitlines()[-1]
    _, cumulative, module = last.split("|")
    assert module.strip() == "napari_impa"
    return int(cumulative) / 1e6


def test_import_is_light() -> None:
    loaded = json.loads(python("-c", "import json, sys, napari_impa; print(json.dumps(list(sys.modules)))").stdout)
    heavy = {"torch", "napari", "qtpy", "superqt", "magicgui", "pandas", "numpy", "skimage", "scipy"}
    assert heavy.isdisjoint(name.partition(".")[0] for name in loaded)


def test_import_is_fast() -> None:
    assert min(import_seconds() for _ in range(3)) < 0.2


def test_cells_load_no_torch() -> None:
    paths = (path.relative_to(PACKAGE.parent).with_suffix("") for path in (PACKAGE / "cells").rglob("[!_]*.py"))
    names = ", ".join(".".join(path.parts) for path in paths)
    loaded = python("-c", f"import sys, {names}; print('torch' in sys.modules, 'napari' in sys.modules)").stdout
    assert loaded.split() == ["False", "False"]


@pytest.mark.parametrize("name", napari_impa.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    assert name in dir(napari_impa)
    assert getattr(napari_impa, name).__doc__


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'cell'"):
        napari_impa.cell  # noqa: B018


def test_names_for_type_checkers_are_the_lazy_names() -> None:
    source = Path(napari_impa.__file__).read_text(encoding="utf-8")
    typed = {
        name.strip(): room
        for room, names in re.findall(r"^    from napari_impa\.(\S+) import (.+)$", source, flags=re.MULTILINE)
        for name in names.split(",")
    }
    assert typed == napari_impa._ROOMS
    assert {*typed, "__version__"} == set(napari_impa.__all__)


def test_version() -> None:
    version = pytest.importorskip("packaging.version")
    version.Version(napari_impa.__version__)


def test_typed_and_with_its_manifest() -> None:
    files = resources.files("napari_impa")
    assert files.joinpath("py.typed").is_file()
    assert files.joinpath("napari.yaml").is_file()


def test_manifest_is_found_by_napari() -> None:
    try:
        entry_points = metadata.distribution("napari-impa").entry_points
    except metadata.PackageNotFoundError:
        pytest.skip("napari-impa is not installed here")
    (entry,) = entry_points.select(group="napari.manifest")
    assert (entry.name, entry.value) == ("napari-impa", "napari_impa:napari.yaml")


def test_manifest_is_valid_and_every_command_exists() -> None:
    npe2 = pytest.importorskip("npe2")
    manifest = npe2.PluginManifest.from_file(str(resources.files("napari_impa").joinpath("napari.yaml")))
    assert manifest.name == "napari-impa"
    package, _, icon = str(manifest.icon).partition(":")
    assert resources.files(package).joinpath(icon).is_file()
    assert manifest.contributions.commands
    for command in manifest.contributions.commands:
        module, _, attribute = command.python_name.partition(":")
        assert callable(getattr(importlib.import_module(module), attribute)), command.id


@pytest.mark.skipif(not (REPOSITORY / ".git").exists(), reason="the link at the top is in the repository only")
def test_manifest_at_the_top_is_the_one_that_ships() -> None:
    shipped = REPOSITORY / "src" / "napari_impa" / "napari.yaml"
    top = REPOSITORY / "napari.yaml"
    link = not top.is_symlink() and top.read_text(encoding="utf-8").strip()  # a checkout without links holds its target
    assert top.resolve() == shipped or link == "src/napari_impa/napari.yaml"


def test_import_contracts_hold() -> None:
    pytest.importorskip("importlinter")
    command = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    result = subprocess.run(
        [sys.executable, "-c", command, "--no-cache"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_no_module_is_in_a_circle() -> None:
    """Module by module, packages' `__init__` included, where the contract looks at siblings."""
    grimp = pytest.importorskip("grimp")
    graph = grimp.build_graph("napari_impa", cache_dir=None)
    imports = {m: graph.find_modules_directly_imported_by(m) for m in graph.modules}
    graphlib.TopologicalSorter(imports).prepare()


def test_no_folder_has_more_than_fifteen_modules() -> None:
    counts = Counter(path.parent for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")
    assert {folder.name: count for folder, count in counts.items() if count > 15} == {}


def names_defined(path: Path) -> Iterator[str]:
    """Classes and type aliases of a module."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if re.match(r"[A-Z]\w*[a-z]", name):
                yield name


def test_no_two_classes_or_types_have_one_name() -> None:
    where: dict[str, list[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for name in names_defined(path):
            where.setdefault(name, []).append(path.relative_to(PACKAGE).as_posix())
    assert {name: paths for name, paths in where.items() if len(paths) > 1} == {}


def test_ci_runs_the_command_that_the_readme_gives() -> None:
    command = "python3 tests/run.py"
    assert f"\n{command}\n" in (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert command in (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8")
