"""Make the pictures that pages of the docs show, by driving the real window: `docs/make_screenshots.py [FOLDER]`.

Where there is no screen, the pictures are made on a virtual one (Xvfb).  Real images (BBBC014, BBBC022) are shown where
`--shared` or NAPARI_IMPA_SHARED names the folder that holds them.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import networks_picture
import perturb_pictures
import pooch
import train_pictures

from napari_impa.viewer.entry.display import virtual_screen

IMAGES = Path(__file__).parent / "images"
LARGE, SCREEN = (1600, 1000), (2000, 1200)
PICTURES = ("networks", "demo", "train", "perturb")


def picture(viewer: Any, path: Path, size: tuple[int, int]) -> None:
    """Save the whole window at a size."""
    from napari_impa.viewer.entry.demo import save_picture

    viewer.window.resize(*size)
    save_picture(viewer, path)
    perturb_pictures.shrink(path, colours=128)
    print(path)


def demo_pictures(folder: Path) -> None:
    """The demo: the first thing that a user sees."""
    from napari_impa.viewer.entry.demo import open_demo, wait_for_prediction
    from napari_impa.viewer.perturb.dock import PerturbDock

    viewer = open_demo()
    viewer.window.resize(*LARGE)
    wait_for_prediction(PerturbDock.open_in(viewer))
    picture(viewer, folder / "demo.png", LARGE)
    viewer.close()


def main() -> None:
    """Make all pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=IMAGES)
    parser.add_argument("--only", choices=PICTURES, action="append", help="some pictures alone")
    parser.add_argument("--shared", type=Path, default=os.environ.get("NAPARI_IMPA_SHARED"), help="real images")
    parser.add_argument("--minutes", type=float, default=4, help="to train a model on real images (default 4)")
    parser.add_argument("--cache", type=Path, default=Path(pooch.os_cache("napari-impa")), help="keeps such models")
    parser.add_argument("--model", action="append", default=[], metavar="SOURCE=PATH", help="a model for real images")
    parser.add_argument("--train-on", type=Path, help="images for the guide to training; else a simulated plate")
    parser.add_argument("--train-minutes", type=float, help="to train in that guide; else what the dock offers")
    given = parser.parse_args()
    models = {name: Path(path) for name, _, path in (pair.partition("=") for pair in given.model)}
    wanted = given.only or PICTURES
    if "networks" in wanted:
        networks_picture.draw(given.folder / "networks.svg")
    if set(wanted) == {"networks"}:
        return
    with virtual_screen(*SCREEN):
        if "demo" in wanted:
            demo_pictures(given.folder)
        if "train" in wanted:
            train_pictures.guide(given.folder, given.train_on, minutes=given.train_minutes)
        if "perturb" in wanted:
            perturb_pictures.make(
                given.folder, given.shared, minutes=given.minutes, cache=given.cache, models=models
            )  # fmt: skip


if __name__ == "__main__":
    main()
