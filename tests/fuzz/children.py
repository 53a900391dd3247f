"""Inputs read in child processes, a batch each, with limits of memory and time; what became of each."""

from __future__ import annotations

import hashlib
import io
import json
import os
import resource
import shutil
import signal
import stat
import sys
import tempfile
import time
import traceback
import unicodedata
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from napari_impa.errors import ImpaError

from .hostile import Input, mutate
from .reader import MEGABYTE, Reader

CPU_SECONDS = 5.0
"""What an input may take."""

TIMES = 8
"""Memory that an input may take, in sizes of its files, beside what the reader states."""

ADDRESSES = 3072 * MEGABYTE
"""What a child may ask the system for, beside what it has when it begins."""

FIRST, BATCH = 20, 200
"""Inputs of the first batch, which is tried whatever the time, and the most of a later one. Each is twice the one
before, so that a run that ends sooner tries the first of the same inputs."""

INVENTED = 0.25
"""Of a batch, where Hypothesis invents inputs for the reader."""

LONGEST = 900
"""Letters of a message."""

_STUCK = 20.0  # seconds without work: it waits for something that does not come


class SlowError(BaseException):
    """An input takes too long; no reader catches this."""


class StuckError(BaseException):
    """An input waits for what does not come."""


@dataclass
class Finding:
    """An input that was neither read nor refused in words of ours, or took too much."""

    reader: str
    kind: str
    error: str
    where: str
    said: str
    count: int = 1
    kept: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        return self.reader, self.kind, self.error.split(":")[0], self.where


@dataclass
class Tally:
    """What became of the inputs of one reader."""

    reader: str
    outcomes: Counter[str] = field(default_factory=Counter)
    findings: dict[tuple[str, ...], Finding] = field(default_factory=dict)
    seconds: float = 0.0
    slowest: float = 0.0
    most: int = 0

    @property
    def inputs(self) -> int:
        return self.outcomes.total()

    @property
    def tried(self) -> int:
        """Inputs that could be written, and so were given to the reader."""
        return self.inputs - self.outcomes["no input"]

    def add(self, finding: Finding) -> None:
        known = self.findings.setdefault(finding.key, finding)
        if known is not finding:
            known.count += 1


def fuzz(
    reader: Reader, begin: int, *, inputs: int | None = None, seconds: float | None = None, keep: Path | None = None
) -> Tally:
    """Try a reader on inputs of a seed, in child processes.

    Parameters
    ----------
    begin
        The seed.
    inputs, seconds
        How many, or for how long; the true files are made before, and a first batch is tried in any case.
    keep
        Folder for the inputs of findings.
    """
    tally, began = Tally(reader.name), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="impa-fuzz-", dir=_fast()) as scratch:
        seeds = _seeds(reader, Path(scratch) / "seeds")
        until = None if seconds is None else time.monotonic() + seconds
        number, most = 0, FIRST
        while (inputs is None or number < inputs) and (number == 0 or until is None or time.monotonic() < until):
            count = most if inputs is None else min(most, inputs - number)
            ends = None if number == 0 else until
            number += _batch(reader, seeds, begin, number, count, ends, Path(scratch) / "work", keep, tally)
            most = min(2 * most, BATCH)
    tally.seconds = time.monotonic() - began
    return tally


def _fast() -> str | None:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def _seeds(reader: Reader, folder: Path) -> list[Input]:
    """The true inputs, each of which is read; what reading needs is imported by that."""
    folder.mkdir()
    seeds = list(reader.seeds(folder))
    for number, one in enumerate(seeds):
        with _heard(), suppress(ImpaError):
            reader.read(one.write(folder.with_name(f"true{number}")))
    return seeds


def _batch(
    reader: Reader,
    seeds: Sequence[Input],
    begin: int,
    first: int,
    count: int,
    until: float | None,
    work: Path,
    keep: Path | None,
    tally: Tally,
) -> int:
    """Read some inputs in a child, up to a time; returns how many were begun."""
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(receive)
            with os.fdopen(send, "w", buffering=1, errors="replace") as out:
                _read_all(reader, seeds, begin, first, count, until, work, keep, out)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(send)
    begun, said, last = 0, "", ""
    with os.fdopen(receive, errors="replace") as lines:
        for line in lines:
            try:
                told = json.loads(line)
            except ValueError:
                continue
            if "begin" in told:
                begun, said = begun + 1, told["begin"]
                last = said
                continue
            said = ""
            tally.outcomes[told["outcome"]] += 1
            tally.slowest, tally.most = max(tally.slowest, told["cpu"]), max(tally.most, told["memory"])
            for finding in told["findings"]:
                tally.add(Finding(**finding))
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 1:
        raise RuntimeError("the fuzzer itself failed, as is told above")
    if said or status:
        name = signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else "exit"
        kept = ""
        if keep is not None and work.is_dir():
            kept = str(keep / f"{reader.name}-killed-{begin}-{first + begun}")
            _keep(work, kept)
        if said:
            tally.outcomes["slow" if name == "SIGXCPU" else "killed"] += 1
        tally.add(Finding(reader.name, "killed", name, "", said or f"after {last or 'nothing was read'}", 1, kept))
    shutil.rmtree(work, ignore_errors=True)
    return max(begun, 1)


def _read_all(
    reader: Reader,
    seeds: Sequence[Input],
    begin: int,
    first: int,
    count: int,
    until: float | None,
    work: Path,
    keep: Path | None,
    out: Any,
) -> None:
    """In the child: the inputs of a batch, mutated and invented."""
    _limit_memory()
    warnings.simplefilter("ignore")
    others = {name: data for one in seeds[:8] for name, data in list(one.files.items())[:8]}
    invented = round(count * INVENTED) if reader.invented is not None else 0

    def late() -> bool:
        return until is not None and time.monotonic() > until

    def one(given: Input) -> None:
        print(json.dumps({"begin": given.said}), file=out)
        print(json.dumps(_read(reader, given, work, keep)), file=out)

    for number in range(first, first + count - invented):
        if late():
            return
        random = Random(f"{begin} {reader.name} {number}")
        one(mutate(random.choice(seeds), random, others))
    if invented and reader.invented is not None:

        @seed(begin * 1_000_003 + first)
        @settings(
            max_examples=invented, database=None, deadline=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(reader.invented)
        def invent(made: Input) -> None:
            if not late():
                one(made)

        invent()


def _read(reader: Reader, given: Input, work: Path, keep: Path | None) -> dict[str, Any]:
    """Read one input, and say what became of it."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    outcome, findings = "read", list[dict[str, Any]]()

    def found(kind: str, error: str, where: str = "") -> None:
        kept = ""
        if keep is not None:
            alike = hashlib.sha256(f"{error[:40]}{where}".encode("utf-8", "replace")).hexdigest()[:8]
            kept = str(keep / f"{reader.name}-{kind}-{alike}")
            _keep(work, kept)
        one = Finding(reader.name, kind, error[:300], where, given.said[:200], 1, kept)
        findings.append(vars(one))

    try:
        target = given.write(work)
    except (OSError, ValueError):  # a name that no file can have
        return {"outcome": "no input", "cpu": 0.0, "memory": 0, "findings": []}
    before, began = _memory(reset=True)[0], time.process_time()
    printed = io.StringIO()
    try:
        with _heard(printed), _limit_time():
            reader.read(target)
    except ImpaError as error:
        outcome = "typed"
        if wrong := wrong_error(error):
            found("message", f"{wrong}: {type(error).__name__}: {str(error)[:200]!r}", _where(error))
    except SlowError as error:
        outcome = "slow"
        found("slow", "SlowError", _where(error))
    except StuckError as error:
        outcome = "slow"
        found("stuck", "StuckError", _where(error))
    except BaseException as error:
        outcome = "untyped"
        found("untyped", f"{type(error).__name__}: {' '.join(str(error).split())[:200]}", _where(error))
    cpu, memory = time.process_time() - began, max(0, _memory()[1] - before)
    if wrong := wrong_output(printed.getvalue()):
        found("output", wrong)
    if cpu > CPU_SECONDS and outcome != "slow":
        outcome = "slow"
        found("slow", f"{cpu:.1f} s")
    allowed = TIMES * given.size + reader.beside
    if memory > allowed:
        outcome = "memory"
        found("memory", f"{memory >> 20} MB for {given.size} bytes, of {allowed >> 20} MB")
    return {"outcome": outcome, "cpu": cpu, "memory": memory, "findings": findings}


def _keep(work: Path, kept: str) -> None:
    """Copy an input, but the pipes in it, which cannot be copied; of alike ones the first."""

    def pipes(folder: str, names: list[str]) -> list[str]:
        return [name for name in names if stat.S_ISFIFO(os.lstat(os.path.join(folder, name)).st_mode)]

    with suppress(OSError):
        shutil.copytree(work, kept, symlinks=True, ignore=pipes)


def wrong_message(text: str) -> str:
    """What is wrong with a message: it is to be one sentence, of letters that a terminal shows; empty: nothing."""
    if not text.strip():
        return "empty"
    if len(text) > LONGEST:
        return f"{len(text)} letters"
    return "control characters" if _controls(text) else ""


def wrong_error(error: ImpaError) -> str:
    """What is wrong with a refusal. What it is shown as has no control characters, but it may be of several lines."""
    several = bool(error.args) and "\n" in str(error.args[0])
    return wrong_message(str(error)) or "several lines" * several


def wrong_output(text: str) -> str:
    """What is wrong with what a command prints: it is of letters and lines; empty: nothing."""
    control = _controls(text.replace("\n", "").replace("\t", ""))
    return f"control characters {control[:20]!r} are printed" if control else ""


def _controls(text: str) -> str:
    return "".join(letter for letter in text if unicodedata.category(letter) in ("Cc", "Cs"))


def _where(error: BaseException) -> str:
    """The last line of ours that an error came through."""
    ours = [one for one in traceback.extract_tb(error.__traceback__) if "napari_impa/" in one.filename]
    return f"{ours[-1].filename.partition('napari_impa/')[2]}:{ours[-1].lineno}" if ours else ""


@contextmanager
def _heard(printed: io.StringIO | None = None) -> Iterator[None]:
    """Nothing is printed: it is put into `printed`."""
    out = io.StringIO() if printed is None else printed
    with redirect_stdout(out), redirect_stderr(out):
        yield


@contextmanager
def _limit_time() -> Iterator[None]:
    """Raise where an input takes too much CPU time, or waits; what does not hear that is killed soon after."""

    def slow(*_: Any) -> None:
        raise SlowError

    def stuck(*_: Any) -> None:
        if time.process_time() - began < 0.1:
            raise StuckError
        signal.alarm(int(_STUCK))

    began = time.process_time()
    signal.signal(signal.SIGPROF, slow)
    signal.signal(signal.SIGALRM, stuck)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (int(began + 3 * CPU_SECONDS) + 1, hard))
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    signal.alarm(int(_STUCK))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)


def _limit_memory() -> None:
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + ADDRESSES,) * 2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (256 * MEGABYTE,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _memory(*, reset: bool = False) -> tuple[int, int]:
    """Bytes of memory in use, and the most there have been; with `reset` the most counts from here."""
    if sys.platform != "linux":
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most, most
    if reset:
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    now, most = (int(status.partition(f"{key}:")[2].split()[0]) << 10 for key in ("VmRSS", "VmHWM"))
    return now, most
