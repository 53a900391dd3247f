"""The pages of the docs: links that resolve, pictures that are shown and small, modules and messages that exist."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
from pathlib import Path

import pytest

import napari_impa

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


def test_every_picture_is_shown_and_made_by_a_script_and_they_are_small(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = {(page.parent / target).resolve() for page in PAGES for target in targets(page)}
    pictures = set(IMAGES.iterdir())
    assert pictures <= shown, f"shown by no page: {sorted(path.name for path in pictures - shown)}"
    monkeypatch.syspath_prepend(IMAGES.parent)
    made = importlib.import_module("make_screenshots").names()
    assert {path.name for path in pictures} <= made, "made by no script"
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


def test_every_page_is_in_the_navigation_of_the_site() -> None:
    """Or it is one that a hook makes of another file; and nothing else is."""
    made = {"contributing.md", "changelog.md", "security.md"}
    made |= {f"cards/{path.name}" for path in (Path(napari_impa.__file__).parent / "models").glob("*.md")}
    made |= {f"notebooks/{path.stem}.md" for path in (REPOSITORY / "docs" / "notebooks").glob("*.ipynb")}
    shown = re.findall(
        r"^ {6,}- (?:[^:\n]+: )?([\w/-]+\.md)$", (REPOSITORY / "mkdocs.yml").read_text("utf-8"), flags=re.M
    )
    assert len(shown) == len(set(shown))
    assert set(shown) == made | {path.name for path in (REPOSITORY / "docs").glob("*.md")}


def test_every_public_name_is_on_the_page_of_the_api() -> None:
    page = (REPOSITORY / "docs" / "api.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^::: napari_impa\.(\w+)$", page, flags=re.M)) == sorted(napari_impa.__all__)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(REPOSITORY).as_posix())
def test_lists_and_tables_are_seen_by_the_site_too(page: Path) -> None:
    """Where GitHub takes a line for the begin of a list or a table, Python's Markdown wants an empty one before it."""
    text = re.sub(r"^(```|---\n).*?^(```|---\n)", "", page.read_text(encoding="utf-8"), flags=re.M | re.DOTALL)
    item = r"(?:- |\d+\. |\|)"
    assert re.findall(rf"^(?!{item}| |#|\s*$).+\n{item}.*", text, flags=re.M) == []
    assert re.findall(r"^ {1,3}(?:- |\d+\. ).*", text, flags=re.M) == []  # a list in a list stands 4 columns in


def messages() -> str:
    """All that the program may say, one text a line, with … for what is filled in."""
    texts = []
    for path in Path(napari_impa.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                texts.append("".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
    return "\n".join(texts)


@pytest.mark.parametrize(
    ("name", "quoted", "least"), [("faq", r"^### `(.+)`$", 20), ("report", r"^\| \*(.+?)\* \|", 10)]
)
def test_the_program_says_what_a_page_explains(name: str, quoted: str, least: int) -> None:
    """The messages of the page of troubles, and the first lines of a verdict."""
    page, said = (REPOSITORY / "docs" / f"{name}.md").read_text(encoding="utf-8"), messages()
    found = re.findall(quoted, page, flags=re.M)
    assert len(found) >= least
    for message in found:
        parts = [re.escape(part) for part in re.split(r"[… ]*…[… ]*", message) if part]
        assert re.search(r"[^\n]*".join(parts), said), message


def is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False
