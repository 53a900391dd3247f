from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Generator
from typing import Any

import numpy as np
import pytest
import torch

from napari_impa.errors import ModelError
from napari_impa.viewer.kit.jobs import Failure, Job, Latest, as_job
from napari_impa.watch import UNWATCHED, CancelledError, Token, Watch


class Recorder:
    """The signals of a job in their order."""

    def __init__(self, job: Any) -> None:
        self.heard: list[tuple[str, Any]] = []
        job.reported.connect(lambda value: self.heard.append(("reported", value)))
        job.succeeded.connect(lambda value: self.heard.append(("succeeded", value)))
        job.failed.connect(lambda value: self.heard.append(("failed", value)))
        if isinstance(job, Job):
            job.cancelled.connect(lambda: self.heard.append(("cancelled", None)))
            job.ended.connect(lambda: self.heard.append(("ended", None)))


def add(token: Token, *numbers: int) -> int:
    for number in numbers:
        token.send(number)
    return sum(numbers)


def test_reports_then_result_then_end(qtbot) -> None:
    job = Job(add, 1, 2)
    recorder = Recorder(job)
    with qtbot.waitSignal(job.ended):
        job.start()
    assert recorder.heard == [("reported", 1), ("reported", 2), ("succeeded", 3), ("ended", None)]
    assert not job.running


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (RuntimeError("shapes differ\nmore"), "RuntimeError: shapes differ"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"), "Not enough memory"),
        (MemoryError(), "Not enough memory"),
        (ModelError("The model takes 3 channels."), "The model takes 3 channels."),
        (StopIteration(), "StopIteration"),
        (SystemExit(3), "SystemExit"),
    ],
)
def test_no_error_is_lost(qtbot, error: BaseException, message: str) -> None:
    def fail(token: Token) -> None:
        raise error

    job = Job(fail)
    recorder = Recorder(job)
    with qtbot.waitSignal(job.ended):
        job.start()
    kind, failure = recorder.heard[0]
    assert kind == "failed"
    assert message in failure.message
    assert "\n" not in failure.message
    assert "Traceback" in failure.details


def test_what_a_job_was_given_is_forgotten(qtbot) -> None:
    class Model:
        pass

    def fail(token: Token, model: Model) -> None:
        raise RuntimeError("no")

    model = Model()
    alive = weakref.ref(model)
    job = Job(fail, model)
    recorder = Recorder(job)
    with qtbot.waitSignal(job.ended):
        job.start()
    del model
    gc.collect()
    assert alive() is None
    assert isinstance(recorder.heard[0][1], Failure)


def test_cancelled_job_ends(qtbot) -> None:
    def wait(token: Token) -> None:
        token._cancelled.wait(10)
        token.check()

    job = Job(wait)
    recorder = Recorder(job)
    with qtbot.waitSignal(job.ended):
        job.start()
        job.cancel()
    assert recorder.heard == [("cancelled", None), ("ended", None)]


def test_token_says_when_to_stop() -> None:
    token = Token()
    token.check()
    token.send("nobody hears this")
    token.cancel()
    with pytest.raises(CancelledError):
        token.check()


def test_only_the_newest_request_counts(qtbot) -> None:
    begun = threading.Event()
    made: list[int] = []

    def slow(token: Token, number: int) -> int:
        made.append(number)
        begun.set()
        token._cancelled.wait(0.2 if number == 3 else 10)
        token.send(number)
        return number  # a job that does not heed its cancellation

    latest = Latest()
    recorder = Recorder(latest)
    with qtbot.waitSignal(latest.idle):
        latest.submit(slow, 1)
        assert begun.wait(5)
        latest.submit(slow, 2)
        latest.submit(slow, 3)
    assert made == [1, 3]
    assert recorder.heard == [("reported", 3), ("succeeded", 3)]
    assert not latest.busy


def test_latest_survives_a_failure(qtbot) -> None:
    def fail(token: Token) -> None:
        raise RuntimeError("no")

    latest = Latest()
    recorder = Recorder(latest)
    for function, args in ((fail, ()), (add, (2, 2))):
        with qtbot.waitSignal(latest.idle):
            latest.submit(function, *args)
    assert [kind for kind, _ in recorder.heard] == ["failed", "reported", "reported", "succeeded"]


def test_no_thread_is_left(qtbot) -> None:
    before = threading.active_count()
    latest = Latest()
    for _ in range(5):
        with qtbot.waitSignal(latest.idle):
            latest.submit(lambda token: np.zeros(3))
    assert threading.active_count() == before


def test_functions_that_know_no_jobs_are_run_as_such() -> None:
    def counted(most: int, *, watch: Watch = UNWATCHED) -> Generator[int, None, str]:
        for number in range(most):
            watch.check()
            yield number
        return "done"

    def plain(one: int) -> int:
        return one + 1

    sent: list[int] = []
    token = Token(sent.append)
    assert as_job(counted)(token, 3) == "done"
    assert sent == [0, 1, 2]
    assert as_job(plain)(token, 3) == 4
    token.cancel()
    with pytest.raises(CancelledError):
        as_job(counted)(token, 3)
    assert as_job(counted).__name__ == "counted"  # by which the thread is called
