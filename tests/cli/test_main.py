"""How the command line writes and ends: any code page, signals, pipes that nobody reads."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from napari_impa.cli.main import Ended, main


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_what_is_written_fits_any_code_page(
    encoding: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding, write_through=True)
    monkeypatch.setattr("sys.stdout", out)
    main(["models", "list"])
    said = out.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]
    assert ("NFκB" if encoding == "utf-8" else "NF\\u03baB") in said


def test_the_process_that_is_asked_to_end_ends_in_order(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr("napari_impa.work.catalog.catalog", lambda *_: signal.raise_signal(signal.SIGTERM))
    with pytest.raises(SystemExit) as ended:
        main(["models", "list"])
    assert ended.value.code == 143
    assert "ended; what was whole before" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (KeyboardInterrupt(), 130, "interrupted; what was whole before"),
        (Ended(), 143, "ended; what was whole before"),
        (MemoryError(), 2, "the memory does not suffice"),
    ],
)
def test_an_end_from_outside_is_said_in_a_sentence(
    error: BaseException, code: int, says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("napari_impa.work.catalog.catalog", fail)
    with pytest.raises(SystemExit) as ended:
        main(["models", "list"])
    assert ended.value.code == code
    assert says in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="signals and pipes of POSIX")
def test_a_broken_pipe_is_quiet(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "napari_impa", "models", "list"]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, timeout=120, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")
