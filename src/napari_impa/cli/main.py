"""The command line: the names and defaults of the Python API; exit code 2 and one line for what a user can mend."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from cyclopts import App, CycloptsError

from napari_impa.cli.crop import crop
from napari_impa.cli.demo import demo
from napari_impa.cli.evaluate import evaluate
from napari_impa.cli.look import look
from napari_impa.cli.models import models_app
from napari_impa.cli.plate import plate
from napari_impa.cli.predict import predict
from napari_impa.cli.profile import profile
from napari_impa.cli.runs import runs
from napari_impa.cli.screen import screen
from napari_impa.cli.simulate_plate import simulate_plate
from napari_impa.cli.train import train
from napari_impa.errors import ImpaError, PeerError

COMMANDS = (demo, look, plate, crop, train, runs, predict, screen, profile, evaluate, models_app, simulate_plate)
"""Every command; one that is added is a file of its own and its name here."""

app = App(
    name="napari-impa",
    help="See beside each cell the cell it would become under a compound.",
    version=lambda: __import__("napari_impa").__version__,
    result_action="return_value",
    suppress_keyboard_interrupt=False,
)
for command in COMMANDS:
    app.command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 2 something that the user can mend, 130 interrupted, 143 ended.

    What is written goes into files and pipes of any code page; letters that it lacks are written as `\\u03ba`.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        with _ended_as_interrupted():
            app(arguments, exit_on_error=False, print_error=False)
            sys.stdout.flush()
    except PeerError:  # the process that failed says why
        sys.exit(2)
    except CycloptsError as error:
        if os.environ.get("RANK", "0") == "0":  # all of several processes got the same arguments
            print(f"napari-impa: {error} (see napari-impa --help)", file=sys.stderr)
        sys.exit(2)
    except ImpaError as error:
        print(f"napari-impa: {error}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:  # who read it has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except MemoryError:
        print(
            "napari-impa: the memory does not suffice; use fewer processes (--jobs 1), smaller images or a smaller "
            "batch, or close other programs.",
            file=sys.stderr,
        )
        sys.exit(2)
    except OSError as error:
        what = f"{error.filename}: " if error.filename else ""
        print(f"napari-impa: {what}{error.strerror or error}.", file=sys.stderr)
        sys.exit(2)
    except Ended:
        print(f"napari-impa: ended; {_KEPT}", file=sys.stderr)
        sys.exit(143)
    except KeyboardInterrupt:
        print(f"napari-impa: interrupted; {_KEPT}", file=sys.stderr)
        sys.exit(130)


_KEPT = "what was whole before is as it was, and nothing half-written is left."


class Ended(KeyboardInterrupt):
    """The process was asked to end (SIGTERM): everything is left as when a user interrupts it."""


@contextmanager
def _ended_as_interrupted() -> Iterator[None]:
    """Leave by an exception where the process is asked to end, so that everything is put in order on the way."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(*_: object) -> None:
        raise Ended

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
