"""A few inputs of each reader, as `python -m tests.fuzz` tries many; and that the fuzzer sees what it is to see."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from itertools import count
from pathlib import Path
from random import Random
from types import SimpleNamespace

import pytest

pytest.importorskip("resource", reason="readers are tried in forked processes with limits, which Windows has not")

from fuzz import __main__ as command
from fuzz.children import CPU_SECONDS, FIRST, Tally, fuzz, wrong_error, wrong_message, wrong_output
from fuzz.hostile import Input, mutate
from fuzz.reader import Reader
from fuzz.readers import READERS

from napari_impa.errors import SourceError


@pytest.mark.parametrize("inputs", [5, pytest.param(200, marks=pytest.mark.slow)])
def test_each_reader_reads_or_refuses(inputs: int, tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "--inputs", str(inputs), "--keep", str(tmp_path)],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False,
    )  # fmt: skip
    print(run.stdout)
    assert run.returncode == 0, run.stdout + run.stderr
    assert all(f"\n{reader.name} " in run.stdout for reader in READERS)


def test_the_same_seed_gives_the_same_inputs() -> None:
    whole = Input({"a/t.csv": b"plate,well\nP1,A01\n", "m.json": b'{"a": [1, 2]}'})
    once, again = ([mutate(whole, Random(number), {"x": b"abc"}) for number in range(60)] for _ in range(2))
    assert once == again
    assert len({repr(one) for one in once}) > 40


def _hostile(path: Path) -> None:
    """Do what the input's file says."""
    what = (path / "what").read_text() if (path / "what").is_file() else "read"
    if "refuse" in what:
        raise SourceError("It is wrong.")
    if "raise" in what:
        raise ValueError("unexpected")
    if "loop" in what:
        began = time.process_time()
        while time.process_time() < began + 4 * CPU_SECONDS:
            pass
    if "take" in what:
        assert len(b"x" * (100 << 20))
    if "print" in what:
        print("\x1b[31mred")
    if "lines" in what:
        raise SourceError("It is wrong:\nthe 2nd line.")
    if "pipe" in what:
        os.mkfifo(path / "pipe")
    if "die" in what:
        os.kill(os.getpid(), signal.SIGKILL)
    if "later" in what:
        os._exit = lambda code: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("what", "outcome", "kind"),
    [
        ("", "read", None), ("refuse", "typed", None), ("raise", "untyped", "untyped"),
        ("lines", "typed", "message"), ("print", "read", "output"), ("take", "memory", "memory"),
        ("die", "killed", "killed"), ("pipe and die", "killed", "killed"), ("later", "read", "killed"),
        pytest.param("loop", "slow", "slow", marks=pytest.mark.slow),
    ],
)  # fmt: skip
def test_what_an_input_does_is_seen(
    what: str, outcome: str, kind: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fuzz.children.mutate", lambda given, random, others: given)
    reader = Reader("hostile", lambda folder: [Input({"what": what.encode()})], _hostile_in_child)
    tally: Tally = fuzz(reader, 0, inputs=1, keep=tmp_path)
    assert tally.outcomes == {outcome: 1}
    assert [finding.kind for finding in tally.findings.values()] == ([kind] if kind else [])
    for finding in tally.findings.values():
        assert "as it is" in finding.said
        assert (Path(finding.kept) / "what").read_text() == what


def _hostile_in_child(path: Path) -> None:
    if path.name == "work":
        _hostile(path)


def test_each_reader_is_tried_whatever_the_time_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = count()  # a second from each look at it to the next
    monkeypatch.setattr(
        "fuzz.children.time", SimpleNamespace(monotonic=lambda: next(clock), process_time=time.process_time)
    )
    reader = Reader("hostile", lambda folder: [Input({"what": b"read"})], lambda path: None)
    assert fuzz(reader, 0, seconds=0).inputs == FIRST
    assert FIRST < fuzz(reader, 0, seconds=6).inputs < 2 * FIRST


def test_a_reader_that_nothing_was_given_to_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tallies = {one.name: Tally(one.name) for one in READERS[:2]}
    tallies[READERS[0].name].outcomes["read"] = 3
    tallies[READERS[1].name].outcomes["no input"] = 3
    monkeypatch.setattr(command, "fuzz", lambda reader, *_, **__: tallies[reader.name])
    ends = []
    for names in (list(tallies), list(tallies)[:1]):
        monkeypatch.setattr(sys, "argv", ["fuzz", "--keep", str(tmp_path), *names])
        ends.append(command.main())
    assert ends == [1, 0]
    assert capsys.readouterr().out.count("no input was tried") == 1


def test_messages() -> None:
    assert wrong_message("x.csv is empty; give another.") == ""
    assert wrong_message("") == "empty"
    assert "letters" in wrong_message("a" * 2000)
    assert wrong_message("two\nlines") == wrong_message("\x1b[31m") == "control characters"
    assert wrong_error(SourceError("One sentence.")) == ""
    assert wrong_error(SourceError("Two.\nLines.")) == "several lines"
    assert wrong_error(SourceError("")) == "empty"
    assert wrong_output("a\tb\nc\n") == ""
    assert "x1b" in wrong_output("\x1b[31m")
