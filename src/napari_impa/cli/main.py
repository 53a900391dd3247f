"""The command line: the names and defaults of the Python API; exit code 2 and one line for what a user can mend."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

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
)
for command in COMMANDS:
    app.command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 2 something that the user can mend, 130 interrupted."""
    try:
        app(arguments, exit_on_error=False, print_error=False)
    except PeerError:  # the process that failed says why
        sys.exit(2)
    except CycloptsError as error:
        if os.environ.get("RANK", "0") == "0":  # all of several processes got the same arguments
            print(f"napari-impa: {error} (see napari-impa --help)", file=sys.stderr)
        sys.exit(2)
    except ImpaError as error:
        print(f"napari-impa: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        what = f"{error.filename}: " if error.filename else ""
        print(f"napari-impa: {what}{error.strerror or error}.", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("napari-impa: interrupted.", file=sys.stderr)
        sys.exit(130)
