"""Whether a window can be opened here, said before Qt aborts; and a virtual screen for pictures where there is none."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from napari_impa.errors import MissingDependencyError

LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libOpenGL.so.0": "libopengl0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-xinerama.so.0": "libxcb-xinerama0",
}
"""Libraries that Qt and OpenGL load on Linux, and the Debian packages that bring them."""


def require_viewer() -> None:
    """Check that napari and a Qt binding are installed.

    Raises
    ------
    MissingDependencyError
        If they are not, with the line that brings them.
    """
    bindings = ("PyQt6", "PySide6", "PyQt5", "PySide2")
    if find_spec("napari") is None or not any(find_spec(name) for name in bindings):
        raise MissingDependencyError(
            "The viewer needs napari and Qt, which are not installed: pip install 'napari-impa[viewer]'."
        )


def has_screen() -> bool:
    """Whether a window can be shown: always outside Linux, there where a display is named."""
    return not sys.platform.startswith("linux") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def missing_packages() -> list[str]:
    """Debian packages whose libraries a window on Linux lacks."""
    if not sys.platform.startswith("linux"):
        return []
    missing = []
    for library, package in LIBRARIES.items():
        try:
            ctypes.CDLL(library)
        except OSError:
            missing.append(package)
    return missing


def require_screen() -> None:
    """Check that a window can be opened.

    Raises
    ------
    MissingDependencyError
        If there is no screen or a system library is missing, with the line that helps.
    """
    require_viewer()
    if not has_screen():
        raise MissingDependencyError(
            "There is no screen here (DISPLAY is not set); run this on a desktop (or through `ssh -X`), or take a "
            "picture of the window with `napari-impa demo --screenshot demo.png`, which needs Xvfb "
            "(sudo apt-get install xvfb libgl1-mesa-dri)."
        )
    require_libraries()


def require_libraries() -> None:
    """Check the system libraries alone; errors as `require_screen`."""
    missing = missing_packages()
    if missing:
        raise MissingDependencyError(
            f"OpenGL or window libraries are missing; install them with: sudo apt-get install {' '.join(missing)}"
        )


@contextmanager
def virtual_screen(width: int = 1600, height: int = 1000) -> Iterator[None]:
    """Give the process a screen of its own while no real one is there.

    Raises
    ------
    MissingDependencyError
        If Xvfb is not installed or does not start.
    """
    require_viewer()
    if has_screen():
        require_libraries()
        yield
        return
    program = shutil.which("Xvfb")
    if program is None:
        raise MissingDependencyError(
            "There is no screen here, and no Xvfb to make a virtual one: sudo apt-get install xvfb libgl1-mesa-dri"
        )
    require_libraries()
    reader, writer = os.pipe()
    command = [program, "-displayfd", str(writer), "-screen", "0", f"{width}x{height}x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=[writer], stderr=subprocess.DEVNULL)
    os.close(writer)
    try:
        with os.fdopen(reader) as pipe:
            number = pipe.readline().strip()
        if not number:
            raise MissingDependencyError(
                "Xvfb is installed but does not start; try: xvfb-run -a napari-impa demo --screenshot demo.png"
            )
        os.environ["DISPLAY"] = f":{number}"
        yield
    finally:
        os.environ.pop("DISPLAY", None)
        server.terminate()
        server.wait()
