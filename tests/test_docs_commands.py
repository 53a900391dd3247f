"""The commands of the guides: each is one that the program takes, with its options and their values."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import pytest

from napari_impa.cli.main import app

REPOSITORY = Path(__file__).parents[1]
PAGES = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted((REPOSITORY / "docs").glob("*.md"))]

OTHERS = {"bash", "certutil", "dask", "export", "head", "mkdocs", "pip", "py", "pytest", "python", "python3", "sbatch"}
OTHERS |= {"sha256sum", "source", "tox"}
"""What else may stand in a block: programs that are not ours."""

EXTRAS = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]


def commands(page: Path) -> list[list[str]]:
    """All commands of a page's blocks of shell, as the shell would split them."""
    found = []
    for block in re.findall(r"^```sh\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.M | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(re.sub(r"\$\([^)]*\)|\$\w+", "4", line), comments=True)
            words = [word for word in words if word not in ("nohup", "&", "2>&1")]
            if ">" in words:
                words = words[: words.index(">")]
            while "&&" in words:
                found.append(words[: words.index("&&")])
                words = words[words.index("&&") + 1 :]
            found += [words] if words else []
    return found


def ours(words: list[str]) -> list[str] | None:
    """The arguments of a command of `napari-impa`, also where torchrun starts it; None of any other."""
    if words[0].rpartition("/")[2] == "napari-impa":
        return words[1:]
    return words[words.index("napari_impa") + 1 :] if "napari_impa" in words else None


ALL = [(page, words) for page in PAGES for words in commands(page)]


@pytest.mark.parametrize("page", sorted({page for page, _ in ALL}), ids=lambda page: page.stem)
def test_every_command_is_one(page: Path) -> None:
    """Its name, its options and their values are what the program takes; extras and scripts are there."""
    for words in commands(page):
        arguments, program = ours(words), words[0].rpartition("/")[2]
        if arguments is not None:
            app.parse_args(arguments, exit_on_error=False, print_error=False)
            continue
        assert program in OTHERS or "=" in program or program == "pre-commit", words
        for extras in re.findall(r"(?:napari-impa|\.)\[([\w,]+)\]", " ".join(words)):
            assert set(extras.split(",")) <= set(EXTRAS), words
        for path in re.findall(r"\b(?:tests|docs|examples|benchmarks)/[\w/.-]+", " ".join(words)):
            assert (REPOSITORY / path).exists(), words


def test_there_are_many() -> None:
    assert sum(ours(words) is not None for _, words in ALL) >= 70
