"""README and recipe as PyPI, the napari hub and conda-forge take them: whole addresses, the same dependencies."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]


def on_pypi() -> str:
    """README after the substitutions that hatch-fancy-pypi-readme makes."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    made = project["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]
    text = "\n".join((REPOSITORY / part["path"]).read_text(encoding="utf-8") for part in made["fragments"])
    for one in made["substitutions"]:
        text = re.sub(one["pattern"], one["replacement"], text)
    return text


def test_whatever_it_leads_to_has_a_whole_address_of_a_file_that_is_there() -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", on_pypi())
    relative = re.findall(r"\]\((?!https?:|#)([^)\s]+)\)", (REPOSITORY / "README.md").read_text(encoding="utf-8"))
    assert len(relative) > 5
    assert [target for target in targets if not target.startswith(("https://", "#"))] == []
    ours = [re.sub(r"^https://(?:raw\.)?github(?:usercontent)?\.com/napari-impa/napari-impa/", "", t) for t in targets]
    paths = [re.sub(r"^(?:blob/)?main/", "", one) for one in ours if re.match(r"(?:blob/)?main/", one)]
    assert sorted(paths) == sorted(relative)
    assert [path for path in paths if not (REPOSITORY / path.partition("#")[0]).exists()] == []


def test_it_renders() -> None:
    markdown = pytest.importorskip("readme_renderer.markdown")
    html = markdown.render(on_pypi())
    assert html is not None
    assert "<details>" in html
    assert '<img src="https://raw.githubusercontent.com/napari-impa/napari-impa/main/docs/images/demo.gif"' in html


def test_the_recipe_for_conda_wants_what_pyproject_wants() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    recipe = (REPOSITORY / "packaging" / "conda-forge" / "recipe.yaml").read_text(encoding="utf-8")
    run = recipe[recipe.index("  run:") : recipe.index("tests:")]
    names = {"matplotlib-base": "matplotlib", "pytorch": "torch"}  # as conda-forge calls them
    wanted = {names.get(name, name) + least for name, least in re.findall(r"- ([\w-]+) (>=[\w.]+)$", run, flags=re.M)}
    assert wanted == set(project["dependencies"])
