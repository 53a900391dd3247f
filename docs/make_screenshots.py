"""Make the pictures that pages of the docs show, by driving the real window: `docs/make_screenshots.py [FOLDER]`.

Where there is no screen, the pictures are made on a virtual one (Xvfb).  Real images (BBBC014, BBBC022) are shown where
`--shared` or NAPARI_IMPA_SHARED names the folder that holds them.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import explore_pictures
import networks_picture
import perturb_pictures
import pooch
import train_pictures
from PIL import Image

from napari_impa.viewer.entry.display import virtual_screen

IMAGES = Path(__file__).parent / "images"
SCREEN = (2000, 1200)
SIZE = perturb_pictures.SIZE
PICTURES = ("networks", "demo", "explore", "train", "perturb")
STRENGTHS = (0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Of the moving picture, there and back."""


def names() -> set[str]:
    """Every picture that this makes, by its file's name."""
    made = {"networks.svg", "demo.png", "demo.gif"}
    return made | explore_pictures.names() | train_pictures.names() | perturb_pictures.names()


def demo_pictures(folder: Path) -> None:
    """The demo, the first thing that a user sees; and its cells on the way from the control to the condition."""
    from napari_impa.viewer.entry.demo import open_demo, wait_for_prediction
    from napari_impa.viewer.perturb.dock import PerturbDock

    viewer = open_demo()
    viewer.window.resize(*SIZE)
    dock = PerturbDock.open_in(viewer)
    wait_for_prediction(dock)
    perturb_pictures.photograph(viewer, folder / "demo.png", SIZE)
    frames = []
    for strength in STRENGTHS:
        dock.strength.setValue(strength)
        perturb_pictures.wait_until(lambda: not dock.session.busy)
        frames.append(folder / f".demo-{strength:g}.png")
        perturb_pictures.photograph(viewer, frames[-1], SIZE)
    moving(folder / "demo.gif", frames)
    viewer.close()


def moving(path: Path, frames: list[Path], side: int = 800, milliseconds: int = 500) -> None:
    """Save frames as a picture that goes through them and back again; the frames are removed."""
    pictures = []
    for frame in frames:
        with Image.open(frame) as file:
            whole = file.convert("RGB")
        pictures.append(whole.resize((side, whole.height * side // whole.width), Image.Resampling.LANCZOS))
        frame.unlink()
    palette = pictures[-1].quantize(64, method=Image.Quantize.MEDIANCUT)
    first, *more = [one.quantize(palette=palette, dither=Image.Dither.NONE) for one in pictures + pictures[-2:0:-1]]
    first.save(path, save_all=True, append_images=more, duration=milliseconds, loop=0, optimize=True)
    print(f"{path} ({path.stat().st_size / 1e3:.0f} kB)", flush=True)


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
    given.folder.mkdir(parents=True, exist_ok=True)
    if "networks" in wanted:
        networks_picture.draw(given.folder / "networks.svg")
    if set(wanted) == {"networks"}:
        return
    with virtual_screen(*SCREEN):
        if "demo" in wanted:
            demo_pictures(given.folder)
        if "explore" in wanted:
            explore_pictures.make(given.folder)
        if "train" in wanted:
            train_pictures.guide(given.folder, given.train_on, minutes=given.train_minutes)
        if "perturb" in wanted:
            perturb_pictures.make(
                given.folder, given.shared, minutes=given.minutes, cache=given.cache, models=models
            )  # fmt: skip


if __name__ == "__main__":
    main()
