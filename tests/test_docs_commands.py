"""The commands of the guides: each is one that the program takes, and is run, page by page, on something small."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from guide_commands import GIVEN, NOT_RUN, PAGES, commands, in_text, ours, small, why_not_run

from napari_impa.cli.main import app, main

REPOSITORY = Path(__file__).parents[1]

OTHERS = {"bash", "certutil", "dask", "export", "head", "mkdocs", "pip", "py", "pytest", "python", "python3", "sbatch"}
OTHERS |= {"sha256sum", "source", "tox"}
"""What else may stand in a block: programs that are not ours."""

EXTRAS = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]


ALL = [(page, words) for page in PAGES for words in commands(page)]


WITH_COMMANDS = sorted({page for page, _ in ALL})
RUN = sorted({page for page, words in ALL if why_not_run(words) is None})
QUICK = {"README", "plates", "sharing", "start"}
"""Pages whose commands are run wherever tests run; those of the others are the same commands with other options."""


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=lambda page: page.stem)
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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_stands_whole_in_a_sentence_is_one_too(page: Path) -> None:
    for words in in_text(page):
        app.parse_args(words[1:], exit_on_error=False, print_error=False)


def test_each_is_run_or_is_ours_not_to_run() -> None:
    """What is no command of ours has its reason not to be run, and no reason is left over."""
    assert [words for _, words in ALL if ours(words) is None and why_not_run(words) is None] == []
    lines = [" ".join(words) for _, words in ALL]
    assert [pattern for pattern in NOT_RUN if not any(re.fullmatch(pattern, line) for line in lines)] == []
    assert set(GIVEN) <= {page.stem for page in RUN}
    assert sum(why_not_run(words) is None for _, words in ALL) >= 60


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, id=page.stem, marks=() if page.stem in QUICK else pytest.mark.slow) for page in RUN],
)
def test_every_command_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order of the page, in one folder, each with what those before it left."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NAPARI_IMPA_CACHE", str(tmp_path / "cache"))
    for name, make in GIVEN.get(page.stem, {}).items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        make(Path(name))
    for words in commands(page):
        if why_not_run(words) is None:
            main(small(words))
