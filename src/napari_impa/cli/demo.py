"""The command `demo`: napari with the simulated screen and the bundled model."""

from __future__ import annotations

from pathlib import Path


def demo(*, screenshot: Path | None = None) -> None:
    """Open napari on the simulated screen with the bundled model.

    Parameters
    ----------
    screenshot
        Save a picture of the window and quit; where there is no screen, on a virtual one (Xvfb).
    """
    from napari_impa.viewer.entry.display import require_screen, virtual_screen

    if screenshot is None:
        require_screen()
        from napari_impa.viewer.entry.demo import run_demo

        run_demo()
        return
    with virtual_screen():
        from napari_impa.viewer.entry.demo import run_demo

        run_demo(screenshot=screenshot)
    print(f"Saved {screenshot}.")
