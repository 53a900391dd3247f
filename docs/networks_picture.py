"""The figure of the networks (`images/networks.svg`), with the sizes that the program's own networks have."""

from __future__ import annotations

from html import escape
from pathlib import Path

WIDTH, HEIGHT = 900, 470
GREY, BLUE, ORANGE, GREEN = "#eceff1", "#d6e4f5", "#fde3cf", "#dcefdc"


def draw(path: Path, *, size: int = 64, channels: int = 3) -> None:
    """Draw the networks of the preset `tiny` for crops of a side."""
    import torch

    from napari_impa.engine.model.networks import Networks
    from napari_impa.engine.model.shape import Shape
    from napari_impa.engine.training.presets import PRESETS

    shape = Shape(size=size, channels=channels, width=PRESETS[0].width)
    with torch.device("meta"):
        networks = Networks(shape)
        content = networks.generator.content(torch.empty(1, channels, size, size))
    image = f"{channels} × {size} × {size}"
    maps = " × ".join(map(str, content.shape[1:]))
    downs = shape.generator_downs
    parts = [
        box(20, 60, 120, 70, GREY, "control cell x", image),
        box(200, 60, 170, 70, BLUE, "G, encoder", f"{downs} blocks halve it, 2 more"),
        box(430, 60, 120, 70, GREY, "content c", maps),
        box(610, 60, 130, 70, BLUE, "G, decoder", f"2 blocks, {downs} double it"),
        box(780, 60, 100, 70, GREY, "predicted", image),
        box(20, 210, 120, 60, GREY, "condition y", f"described by {shape.embedding_dims[0]}"),
        box(20, 290, 120, 60, GREY, "noise z", f"{shape.noise_dim} numbers"),
        box(200, 240, 170, 70, ORANGE, "M, mapping network", "a linear map"),
        box(430, 240, 120, 70, GREY, "style s", f"{shape.style_dim} numbers"),
        box(610, 220, 130, 60, GREEN, "D, discriminator", "real, for this y?"),
        box(610, 300, 130, 60, ORANGE, "F, style encoder", "the style again"),
        arrow(140, 95, 200, 95), arrow(370, 95, 430, 95), arrow(550, 95, 610, 95), arrow(740, 95, 780, 95),
        arrow(140, 240, 200, 268), arrow(140, 320, 200, 284), arrow(370, 275, 430, 275),
        path_of("M 490 240 C 490 170, 640 190, 660 130"), label(395, 165, "into every block (AdaIN)"),
        path_of("M 830 130 C 830 230, 800 250, 740 250"), path_of("M 850 130 C 850 320, 800 330, 740 330"),
        label(20, 30, "Predicting: content of the cell, style of the condition", bold=True),
        label(20, 185, "What the cell becomes", bold=True), label(610, 205, "Learning from it", bold=True),
        box(20, 395, 860, 55, "#ffffff", "", ""),
        label(35, 418, "Cycle: the predicted cell under the style F(x) of the cell itself has to be x again."),
        label(35, 438, "Style: F has to find s in it. Adversarial: D has to take it for a real one of the condition."),
    ]  # fmt: skip
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" role="img">\n'
        "<title>The networks of IMPA</title>\n"
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 L8 4 L0 8 z" fill="#455a64"/></marker></defs>\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="8" fill="#fafafa"/>\n' + "\n".join(parts) + "\n</svg>\n",
        encoding="utf-8",
    )
    print(path)


def box(x: int, y: int, width: int, height: int, colour: str, title: str, below: str) -> str:
    """A box with a name and what it is."""
    middle = x + width // 2
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="5" fill="{colour}" stroke="#90a4ae"/>'
        f'<text x="{middle}" y="{y + height // 2 - 4}" text-anchor="middle" font-size="14" fill="#212121">'
        f"{escape(title)}</text>"
        f'<text x="{middle}" y="{y + height // 2 + 15}" text-anchor="middle" font-size="11" fill="#455a64">'
        f"{escape(below)}</text>"
    )


def label(x: int, y: int, text: str, *, bold: bool = False) -> str:
    """Words beside."""
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x}" y="{y}" font-size="13" fill="#37474f"{weight}>{escape(text)}</text>'


def arrow(x: int, y: int, to_x: int, to_y: int) -> str:
    """A straight arrow."""
    return path_of(f"M {x} {y} L {to_x} {to_y}")


def path_of(way: str) -> str:
    """An arrow along a way."""
    return f'<path d="{way}" fill="none" stroke="#455a64" stroke-width="1.5" marker-end="url(#tip)"/>'
