"""The pages of the docs: links that resolve, pictures that are shown and small, modules that exist."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
IMAGES = REPOSITORY / "docs" / "images"
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "tests/data/*.md", "src/napari_impa/models/*.md")
    for path in REPOSITORY.glob(pattern)
)


def targets(page: Path) -> list[str]:
    """What a page links to or shows."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"\]\(<?([^)>\s]+)>?\)", text) + re.findall(r"(?:src|href)=\"([^\"]+)\"", text)


def anchors(page: Path) -> set[str]:
    """Names of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(REPOSITORY).as_posix())
def test_every_link_resolves(page: Path) -> None:
    for target in targets(page):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        assert path.exists(), target
        if anchor:
            assert anchor in anchors(path), target


def test_every_picture_is_shown_and_they_are_small() -> None:
    shown = {(page.parent / target).resolve() for page in PAGES for target in targets(page)}
    pictures = set(IMAGES.iterdir())
    assert pictures <= shown, f"shown by no page: {sorted(path.name for path in pictures - shown)}"
    assert sum(path.stat().st_size for path in pictures) < 3e6


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(REPOSITORY).as_posix())
def test_every_module_that_is_named_is_there(page: Path) -> None:
    """`napari_impa.room.module.name`, in text and code, and paths into the package; but not what a diff would add."""
    text = re.sub(r"^```diff.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for dotted in set(re.findall(r"napari_impa(?:\.[a-z_]+)+", text)):
        parts = dotted.split(".")
        found = next(n for n in range(len(parts), 0, -1) if is_module(".".join(parts[:n])))
        module = importlib.import_module(".".join(parts[:found]))
        for name in parts[found:]:
            assert hasattr(module, name), dotted
            module = getattr(module, name)
    added = re.findall(r"^# (src/\S+)$", text, flags=re.MULTILINE)  # examples of files that one would write
    for path in set(re.findall(r"(?:src/napari_impa|tests|docs|examples|benchmarks)/[\w/.-]+\.(?:py|sh|txt|md)", text)):
        assert "NAME" in path or path in added or (REPOSITORY / path).exists(), path


def is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False
