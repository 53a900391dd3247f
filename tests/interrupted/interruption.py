"""Interrupting what is written at each operation on a file, and looking at what is read next."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from functools import cache, partial
from io import StringIO
from pathlib import Path
from unittest import mock

from napari_impa.cells import beside
from napari_impa.errors import ImpaError

from .faults import Point, broken, copies, full, watched
from .formats import NEW, OLD, Format


@dataclass
class Interrupted:
    """What was tried of a format.

    Parameters
    ----------
    points
        Operations on files of one writing, by kind.
    tried
        Interruptions, by manner.
    lost
        What was wrong after one, in words.
    """

    name: str
    points: Counter[str] = field(default_factory=Counter)
    tried: Counter[str] = field(default_factory=Counter)
    after: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)

    @property
    def line(self) -> str:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.points.items()))
        tried = ", ".join(f"{count} {manner}" for manner, count in self.tried.items())
        return (
            f"{self.name}: {self.points.total()} operations ({kinds}); {self.tried.total()} interruptions ({tried}); "
            f"old {self.after['old']}, new {self.after['new']}, lost {len(self.lost)}"
        )


@cache
def ended_tag() -> str:
    """The tag of a process of this computer that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return f"{beside.writer_tag().split('-')[0]}-{process.pid}"


@contextmanager
def _killed() -> Iterator[None]:
    """Give hidden files the names that a process gives them which has ended since."""
    with mock.patch.object(beside, "writer_tag", return_value=ended_tag()):
        yield


def interrupt(
    of: Format, folder: Path, *, most: int | None = None, say: Callable[[str], object] = lambda line: None
) -> Interrupted:
    """Interrupt the writing of a format at each operation, in four manners, and look each time at what is read.

    Parameters
    ----------
    folder
        An empty one.
    most
        Interruptions of each manner, evenly spread; None: all.
    """
    found = Interrupted(of.name)
    was, work, base = folder / "was", folder / "work", folder / "base"
    for one in (was, base):
        one.mkdir(parents=True)
    with redirect_stdout(StringIO()):
        of.write(base, OLD)
        old, old_names = of.read(base), _names(base)
        _fresh(base, work)
        with watched(work, lambda number, kind, path: None) as disk:
            of.write(work, NEW)
        found.points, count = disk.kinds, disk.count
        new, new_names = of.read(work), _names(work)
        assert old != new

        def look(what: str, at: Path, *, tidy: bool) -> None:
            try:
                now = of.read(at)
                assert now.keys() == new.keys()
                assert all(now[name] in (old[name], new[name]) for name in now), f"neither old nor new: {now}"
                first = next(iter(now))
                assert now == new or now[first] == old[first], f"{first} is new, but not all"
                found.after["new" if now == new else "old"] += 1
                if tidy:
                    rest = _names(at) - old_names - new_names
                    rest = {name for name in rest if not (of.keeps and ".unfinished" in name)}
                    assert not rest, f"left: {rest}"
                of.write(at, NEW)
                assert of.read(at) == new, "what is written next is not the new"
                assert _names(at) == new_names, f"left when it was written again: {_names(at) ^ new_names}"
            except (AssertionError, ImpaError, OSError, ValueError, KeyError) as error:
                found.lost.append(f"{what}: {type(error).__name__}: {error}"[:400])

        manners: Sequence[tuple[str, Callable[[int], Point]]] = (("full disk", full), ("failing disk", broken))
        for manner, failing in manners:
            for number in _some(count, most):
                _fresh(base, work)
                kinds: list[str] = []
                point = partial(_noting, number, kinds, failing(number))
                try:
                    with watched(work, point):
                        of.write(work, NEW)
                except ImpaError as error:
                    if ".partial" in str(error) or "\n" in str(error):
                        found.lost.append(f"{manner} at {number}: a message with a hidden name: {error}")
                except Exception as error:
                    found.lost.append(f"{manner} at {number} ({kinds}): {type(error).__name__}: {error}"[:400])
                found.tried[manner] += 1
                kind = kinds[0] if kinds else ""
                look(f"{manner} at {number} ({kind})", work, tidy=not kind.startswith("remove"))
        for manner, cut in (("killed", False), ("power cut", True)):
            _fresh(base, work)
            with _killed():
                snapshots = copies(work, was, lambda: of.write(work, NEW), after_power_cut=cut)
            chosen = set(_some(len(snapshots), most))
            for number, (what, copy) in enumerate(snapshots):
                if number in chosen:
                    found.tried[manner] += 1
                    look(f"{manner} at {number} ({what})", copy, tidy=False)
                shutil.rmtree(copy, ignore_errors=True)
    say(found.line)
    return found


def _noting(number: int, kinds: list[str], fail: Point, now: int, kind: str, path: Path) -> None:
    """Fail, and note what that was."""
    if now == number:
        kinds.append(f"{kind} {path.name}")
    fail(now, kind, path)


def _some(count: int, most: int | None) -> list[int]:
    if most is None or count <= most:
        return list(range(count))
    return sorted({round(at * (count - 1) / (most - 1)) for at in range(most)})


def _fresh(base: Path, work: Path) -> None:
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(base, work)


def _names(folder: Path) -> set[str]:
    return {str(one.relative_to(folder)) for one in folder.rglob("*")}
