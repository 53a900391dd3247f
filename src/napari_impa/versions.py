"""Which version of this program runs, with the commit of its source tree, and of what it computes with."""

from __future__ import annotations

import os
import platform
import subprocess
import tomllib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

NAME = "napari-impa"
UNKNOWN = "0+unknown"
"""Version of files that are neither installed nor a source tree."""

_SECONDS = 10.0
_PACKAGE = "src/napari_impa"


@cache
def own_version() -> str:
    """Version of this program; of a source tree with `+g` and its commit, and `.dirty` where files differ from that.

    An installed package has what it was built as. Where git cannot tell the commit, the version stands alone.
    """
    tree = _source_tree(Path(__file__))
    try:
        found = version(NAME)
    except PackageNotFoundError:
        found = UNKNOWN if tree is None else _version_in(tree)
    if tree is None or found == UNKNOWN:
        return found
    plain, commit = found.partition("+")[0], _commit(tree)  # an installation from the tree has the commit of its day
    return f"{plain}+{commit}" if commit else plain


def versions() -> dict[str, str]:
    """Versions of what computes, for a run's `config.json` and for a model's history."""
    found = {"python": platform.python_version(), "system": platform.system(), NAME: own_version()}
    for name in ("torch", "numpy", "pandas", "scikit-image"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed as a package"
    return found


def _source_tree(module: Path) -> Path | None:
    """Top folder of the source tree that this module lies in; None where it is installed."""
    package = module.resolve().parent
    top = package.parents[1]
    return top if package == top / _PACKAGE and (top / "pyproject.toml").is_file() else None


def _version_in(tree: Path) -> str:
    """Version that a source tree gives itself where its history cannot be asked."""
    try:
        values = tomllib.loads((tree / "pyproject.toml").read_text(encoding="utf-8"))
        return str(values["tool"]["hatch"]["version"]["fallback-version"])
    except (OSError, ValueError, KeyError, TypeError):
        return UNKNOWN


def _commit(tree: Path) -> str:
    """`g` and the commit of a source tree, with `.dirty` where files differ from it; empty where git cannot tell.

    Files that git does not know count where they lie in the package. A repository around the tree is not asked.
    """
    if not (tree / ".git").exists():
        return ""
    command = ["git", "--no-optional-locks", "-c", "core.fsmonitor=false", "status", "--porcelain=v2", "--branch"]
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            [*command, "--untracked-files=all"],
            cwd=tree,
            env=own | {"GIT_CEILING_DIRECTORIES": str(tree.parent)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=True,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),  # Windows opens a console for it otherwise
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    lines = done.stdout.decode(errors="replace").splitlines()
    commit = next((line.split()[-1] for line in lines if line.startswith("# branch.oid ")), "(initial)")
    if commit == "(initial)":
        return ""
    changed = [line for line in lines if not line.startswith("#") and not line.startswith("? ")]
    changed += [line for line in lines if line.startswith(f"? {_PACKAGE}/")]
    return f"g{commit[:12]}{'.dirty' if changed else ''}"
