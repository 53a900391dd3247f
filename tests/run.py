"""Install napari-impa with what its tests need into .venv-test, and run them: `python3 tests/run.py [pytest options]`.

By default everything that the plugin does is tested, on few cases. `--slow` adds the
tests marked `slow`, which repeat a proof on more cases (all presets, more processes, more kills, a whole plate in the
window), and draws more examples of each property: half an hour more, for the night.

Needs Python 3.11 or later with pip, nothing else. On Debian and Ubuntu the tests of the viewer draw into a virtual
display; the system packages for that are installed where this runs as root, otherwise the line that installs them is
printed.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
ENVIRONMENT = REPOSITORY / ".venv-test"
PYTHON = ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
EXTRAS = "viewer,chem,evaluate"
MOST_WORKERS = 4
"""Tests at a time, each with its own display and up to 2 GB of memory."""


def main() -> int:
    """Do everything; the exit code is pytest's."""
    if sys.version_info < (3, 11):  # noqa: UP036  (this script is run by whatever Python there is)
        sys.exit(f"napari-impa needs Python 3.11 or later; this is {sys.version.split()[0]}.")
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(__doc__)
        return 0
    advice = install_system_packages()
    run(sys.executable, "-m", "venv", str(ENVIRONMENT))
    pip("pip>=25.1")  # the first that reads dependency groups
    pip(f".[{EXTRAS}]", "--group", "test")
    # What is given on the command line counts: `-n 0` runs them one by one.
    cores = os.cpu_count() or 1
    workers = min(cores, MOST_WORKERS)
    environment = {"OMP_NUM_THREADS": str(cores // workers), **os.environ}
    command = [str(PYTHON), "-m", "pytest", "-n", str(workers), "--dist", "worksteal", *sys.argv[1:]]
    code = subprocess.call(command, cwd=REPOSITORY, env=environment)
    if code and advice:
        print(advice, file=sys.stderr)
    return code


def install_system_packages() -> str:
    """Bring what Debian and Ubuntu lack; return the advice to print where that takes another user, else nothing."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-query")):
        return ""
    wanted = (REPOSITORY / "tests" / "system-packages.txt").read_text(encoding="utf-8").split()
    if importlib.util.find_spec("ensurepip") is None:  # Debian keeps a part of venv in a package of its own
        wanted.append(f"python{sys.version_info.major}.{sys.version_info.minor}-venv")
    missing = [name for name in wanted if not is_installed(name)]
    if not missing:
        return ""
    install = ["apt-get", "install", "--yes", "--no-install-recommends", *missing]
    if os.geteuid() == 0:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        run("apt-get", "update", env=environment)
        run(*install, env=environment)
        return ""
    advice = f"The tests of the viewer need system packages that are missing here:\n  sudo {' '.join(install)}"
    print(advice, file=sys.stderr)
    return advice


def is_installed(package: str) -> bool:
    """Whether dpkg has the package, for whichever architecture."""
    query = ["dpkg-query", "--show", "--showformat=${db:Status-Status}", package]
    return subprocess.run(query, capture_output=True, text=True, check=False).stdout.startswith("installed")


def pip(*arguments: str) -> None:
    """Install into the environment, at the tested versions."""
    run(str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "-c", "constraints.txt", *arguments)


def run(*command: str, env: dict[str, str] | None = None) -> None:
    """Run one command in the repository; its failure ends everything."""
    print("+", " ".join(command), flush=True)
    if code := subprocess.call(command, cwd=REPOSITORY, env=env):
        sys.exit(code)


if __name__ == "__main__":
    sys.exit(main())
