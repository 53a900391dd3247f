"""Which version and commit a run records: of source trees, with and without git, and of installed packages."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import napari_impa
from napari_impa import versions

SOURCE = Path(napari_impa.__file__).parent
PYPROJECT = '[project]\nname = "napari-impa"\n[tool.hatch.version]\nfallback-version = "0.1.0.dev7"\n'

SAY = "import json, napari_impa.versions as v; print(json.dumps([v.__file__, v.own_version(), v.versions()]))"
RUN = """
import json, sys
from napari_impa.engine.training.run_folder.run import Run
from napari_impa.engine.training.settings import TrainingSettings
from napari_impa.engine.training.steps import recipe_named
run = Run(sys.argv[1]); run.start(TrainingSettings(size=24), recipe_named("default"), {})
import napari_impa
print(json.dumps([run.config["versions"], napari_impa.__version__]))
"""


def git(tree: Path, *arguments: str) -> str:
    who = ["-c", "user.name=n", "-c", "user.email=n@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *who, *arguments], cwd=tree, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def python(tree: Path, script: str, *arguments: str, **environment: str) -> list[object]:
    """What a script prints that takes the package from a tree's source, as JSON."""
    own = os.environ | {"PYTHONPATH": str(tree / "src")} | environment
    command = [sys.executable, "-c", script, *arguments]
    return json.loads(subprocess.run(command, env=own, capture_output=True, text=True, check=True).stdout)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A source tree that git does not know."""
    tree = tmp_path / "around" / "tree"
    (tree / "src" / "napari_impa").mkdir(parents=True)
    for path in (SOURCE / "__init__.py", SOURCE / "versions.py"):
        shutil.copy(path, tree / "src" / "napari_impa")
    (tree / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    (tree / ".gitignore").write_text("__pycache__/\n", encoding="utf-8")
    return tree


@pytest.fixture
def committed(tree: Path) -> Path:
    """A source tree with one commit."""
    if shutil.which("git") is None:
        pytest.skip("needs git")
    for arguments in (("init", "-q"), ("add", "."), ("commit", "-qm", "all")):
        git(tree, *arguments)
    return tree


def said(tree: Path, **environment: str) -> str:
    file, own, found = python(tree, SAY, **environment)
    assert Path(str(file)).parents[2] == tree
    assert isinstance(found, dict)
    assert found["napari-impa"] == own
    return str(own)


def test_a_run_from_a_source_tree_records_version_and_commit(committed: Path, tmp_path: Path) -> None:
    shutil.copytree(SOURCE, committed / "src" / "napari_impa", dirs_exist_ok=True)
    git(committed, "add", ".")
    git(committed, "commit", "-qm", "whole")
    found, own = python(committed, RUN, str(tmp_path / "run"))
    commit = git(committed, "rev-parse", "HEAD")
    assert isinstance(found, dict)
    assert own == found["napari-impa"]
    assert str(own)[0].isdigit()
    assert str(own).endswith(f"+g{commit[:12]}")


def test_a_changed_tree_is_dirty(committed: Path) -> None:
    commit = git(committed, "rev-parse", "HEAD")[:12]
    assert said(committed).endswith(f"+g{commit}")
    (committed / "notes.txt").write_text("not part of the program", encoding="utf-8")
    assert said(committed).endswith(f"+g{commit}")
    new = committed / "src" / "napari_impa" / "new.py"
    new.write_text("", encoding="utf-8")
    assert said(committed).endswith(f"+g{commit}.dirty")
    new.unlink()
    (committed / "pyproject.toml").write_text(PYPROJECT + "\n", encoding="utf-8")
    assert said(committed).endswith(f"+g{commit}.dirty")


def test_without_a_commit_the_version_stands_alone(committed: Path, tmp_path: Path) -> None:
    assert "+g" in said(committed)
    assert "+g" not in said(committed, PATH=str(tmp_path / "nothing"))  # no git
    hook = str(tmp_path / "nothing")  # as in a hook of another repository
    assert "+g" in said(committed, GIT_DIR=hook)
    git_folder = committed / ".git"
    git_folder.rename(tmp_path / "elsewhere")
    git(committed.parent, "init", "-q")  # of a repository around it
    git(committed.parent, "commit", "-qm", "around", "--allow-empty")
    assert "+g" not in said(committed)
    git_folder.mkdir()  # a broken one
    assert "+g" not in said(committed)
    shutil.rmtree(git_folder)
    git(committed, "init", "-q")  # one without a commit
    assert "+g" not in said(committed)


def test_a_tree_that_is_not_installed_has_the_version_of_its_own(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise versions.PackageNotFoundError(name)

    monkeypatch.setattr(versions, "version", absent)
    monkeypatch.setattr(versions, "__file__", str(tree / "src" / "napari_impa" / "versions.py"))
    assert versions.own_version.__wrapped__() == "0.1.0.dev7"
    (tree / "pyproject.toml").write_text("[project]\n", encoding="utf-8")
    assert versions.own_version.__wrapped__() == "0+unknown"


def test_an_installed_package_has_the_version_that_it_was_built_as(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "lib" / "site-packages" / "napari_impa" / "versions.py"
    module.parent.mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    (tmp_path / "lib" / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    monkeypatch.setattr(versions, "version", lambda name: "0.2.dev3+gabc")
    monkeypatch.setattr(versions, "__file__", str(module))
    assert versions.own_version.__wrapped__() == "0.2.dev3+gabc"
