"""Tasks shared by processes: order, losses, leaving, and a real dask scheduler."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from worker_tasks import end_first, refuse, square

from napari_impa.errors import MissingDependencyError, SourceError, WorkersError
from napari_impa.watch import CancelledError, Watch
from napari_impa.workers import ALONE, Workers, _of_version


def test_one_process_does_all_itself() -> None:
    assert list(ALONE.in_order(square, ((n,) for n in range(4)))) == [(n * n, os.getpid()) for n in range(4)]
    assert not ALONE.are_others


def test_several_give_the_same_in_the_same_order_and_take_few_ahead() -> None:
    taken: list[int] = []

    def tasks() -> Iterator[tuple[int, float]]:
        for number in range(12):
            taken.append(number)
            yield number, 0.3 if number == 0 else 0.0  # the first comes last

    found = []
    for result, process in Workers(2).in_order(square, tasks()):
        found.append((result, process))
        assert len(taken) <= len(found) + 4
    assert [result for result, _ in found] == [n * n for n in range(12)]
    assert os.getpid() not in {process for _, process in found}


def test_what_a_lost_process_had_is_computed_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tasks = ((number, str(tmp_path), 1) for number in range(8))
    assert list(Workers(2).in_order(end_first, tasks)) == list(range(8))
    assert len(list(tmp_path.iterdir())) == 1
    (said,) = caplog.messages
    assert said.startswith("A process was lost; what was not done yet is computed again (part ")


def test_a_task_that_ends_its_process_again_and_again_is_given_up(tmp_path: Path) -> None:
    with pytest.raises(WorkersError, match=r"part \d was lost 3 times; it may need more memory"):
        list(Workers(2).in_order(end_first, ((number, str(tmp_path), 99) for number in range(3, 5))))


def test_errors_of_a_task_arrive_as_they_are() -> None:
    with pytest.raises(SourceError, match=r"^0\.tif is damaged\.$"):
        list(Workers(2).in_order(refuse, ((number,) for number in range(4))))


def test_work_is_left_within_a_second() -> None:
    class Leaving(Watch):
        def check(self) -> None:
            if time.monotonic() > self.end:
                raise CancelledError

        end = float("inf")

    watch = Leaving()
    results = Workers(2).in_order(square, ((number, 60.0 if number else 0.0) for number in range(4)), watch=watch)
    next(results)
    watch.end = time.monotonic()
    with pytest.raises(CancelledError):
        next(results)
    assert time.monotonic() - watch.end < 1


@pytest.mark.parametrize("jobs", [0, -2])
def test_there_is_one_process_at_least(jobs: int) -> None:
    with pytest.raises(WorkersError, match=f"at least 1 process, not {jobs}"):
        Workers(jobs)


# ---- a scheduler ----------------------------------------------------------------------------------------------------


def test_without_dask_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(MissingDependencyError, match=r"napari-impa\[cluster\]"):
        next(Workers(dask="tcp://127.0.0.1:1").in_order(square, [(1,)]))


def test_an_address_where_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("napari_impa.workers.ANSWER", 0.3)
    with pytest.raises(WorkersError, match=r"No dask scheduler answers at tcp://127\.0\.0\.1:1 "):
        next(Workers(dask="tcp://127.0.0.1:1").in_order(square, [(1,)]))


def test_workers_of_another_version_are_refused() -> None:
    with pytest.raises(WorkersError, match=r"and this is 9\.9; install the same on all machines"):
        _of_version("9.9", square, (1,))


def test_a_scheduler_gives_the_same_in_the_same_order_though_a_worker_is_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    distributed = pytest.importorskip("distributed")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]))
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, scheduler_port=0, silence_logs=50
    ) as cluster:
        results = Workers(dask=cluster.scheduler_address).in_order(square, ((n, 0.05) for n in range(20)))
        found = [next(results)]
        os.kill(found[0][1], signal.SIGKILL)
        found += list(results)
    assert [result for result, _ in found] == [n * n for n in range(20)]
    assert os.getpid() not in {process for _, process in found}
