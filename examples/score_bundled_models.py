"""Score the bundled models on cells they never saw: python examples/score_bundled_models.py [BBBC014 folder] [NAME …].

Prints the tables of `docs/bundled-models.md`.  Simulated cells are drawn anew, from a seed that no training had (or
from `--seed`); what each truly becomes is known.  The model of real cells is scored where the folder of its images is
given (`train_tnfa.py` says which); control, predicted and real cells, and the histogram of what was measured on them,
go into `tnfa-nfkb.png`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage as ndi
from skimage.filters import threshold_otsu
from train_tnfa import cells_of

import napari_impa as impa
from napari_impa.analysis.attribution.attributions import attributions
from napari_impa.analysis.attribution.fair_pixel_classifier import FairPixelClassifier
from napari_impa.analysis.classifier import ConditionClassifier
from napari_impa.analysis.counterfactual import Phenotype, format_counterfactuals, score_counterfactuals
from napari_impa.analysis.features.quick import deep_features
from napari_impa.analysis.nucleus_and_ring import central_nucleus_mask, nuclear_to_ring_ratio
from napari_impa.analysis.pictures.composite import display_limits
from napari_impa.analysis.pictures.montage import montage
from napari_impa.analysis.score_table import format_table
from napari_impa.cells.simulated.compounds import COMPOUNDS, MECHANISMS

TRUE_CHANGE = """Against the true counterfactual, after a Gaussian blur of 1 px, medians over cells: correlation of the
changes; error (root mean square, and mean absolute) of predicted to true over that of untransformed to true."""


def simulated_screen(seed: int) -> None:
    """Perturbations of simulated cells, whose true counterfactual is known."""
    model = impa.load_model("simulated-screen")
    cells = impa.simulated_cells(120, size=model.size, seed=seed)
    print(format_table(impa.evaluate(model, cells, where={"plate": ["sim-D"]})))
    print(f"\n{TRUE_CHANGE}\n{format_counterfactuals(score_counterfactuals(model, cells.controls()))}")


def simulated_batches(seed: int) -> None:
    """Two batches of all conditions, corrected to each other."""
    model = impa.load_model("simulated-batches")
    cells = impa.simulated_cells(80, size=model.size, seed=seed).labelled(["batch"], None)
    print(format_table(impa.evaluate(model, cells, where={"plate": ["sim-C", "sim-D"]})))
    own = np.concatenate([model.encode(part).style.cpu() for part in np.array_split(cells.pixels, 10)])
    starts = model.networks.start(torch.from_numpy(own), None)
    told = torch.cdist(starts, model.networks.start_style).argmin(1).numpy()
    right = np.mean(np.array(model.conditions)[told] == cells.conditions)
    print(f"\nWhere no table says which batch a cell is of, the model tells it from the cell: {right:.0%} are right.")
    print(f"\n{TRUE_CHANGE}\n{format_counterfactuals(score_counterfactuals(model, cells))}")


def simulated_compounds(seed: int) -> None:
    """Compounds that the training never saw, given as SMILES."""
    model = impa.load_model("simulated-compounds")
    new = {
        impa.NewCondition(one.name, smiles=one.smiles): Phenotype(one.phenotype, one.strength)
        for one in COMPOUNDS
        if one.held_out
    }
    control = impa.simulated_cells(60, size=model.size, seed=seed, conditions=("DMSO",))
    table = score_counterfactuals(model, control, new)
    real = impa.simulated_cells(80, size=model.size, seed=seed + 1)
    judge = ConditionClassifier.fit(deep_features(real.pixels, model.limits), real.conditions, "DMSO")
    taken = {
        name.name: judge.conditions(deep_features(model.predict(control, name).pixels, model.limits)) for name in new
    }
    print("Compounds that the training never saw, from their SMILES.")
    print(f"{TRUE_CHANGE}\n{format_counterfactuals(table)}")
    print("\nWhat cells under them are taken for, by a classifier of the simulated phenotypes:")
    shares = pd.DataFrame({name: pd.Series(found).value_counts(normalize=True) for name, found in taken.items()}).T
    shares = shares.reindex(columns=["DMSO", *MECHANISMS.values()], fill_value=0).fillna(0)
    shares.insert(0, "its mechanism's", [phenotype.condition for phenotype in new.values()])
    print(shares.to_string(float_format=lambda share: f"{100 * share:.0f} %"))


def tnfa(folder: str) -> None:
    """NFκB of real cells under TNFα, on the halves of the wells that the training never saw."""
    model, cells = impa.load_model("tnfa-nfkb"), cells_of(folder)
    kept = cells.take((cells.table["half"] == "right").to_numpy())
    control, real = kept.controls(), kept.treated("TNFalpha")
    shown = {"control": control, "predicted": model.predict(control, "TNFalpha"), "real": real}
    ground = float(np.quantile(control.pixels[:, 0], 0.01))
    print("Nuclear to ring ratio of NFκB, held-out halves of both wells:")
    print(f"  {'':<10}{'cells':>6}{'median':>8}{'mean':>8}{'quartiles':>14}")
    middle, ratios = {}, {}
    for name, some in shown.items():
        nuclei = central_nucleus_mask(some.pixels[:, 1])
        ratio = nuclear_to_ring_ratio(some.pixels[:, 0], nuclei, ring_width=5, gap=1, background=ground)
        ratios[name] = ratio[np.isfinite(ratio)]
        low, middle[name], high = np.nanpercentile(ratio, (25, 50, 75))
        print(f"  {name:<10}{len(some):>6}{middle[name]:>8.2f}{np.nanmean(ratio):>8.2f}{low:>8.2f}–{high:.2f}")
    print(f"  predicted is {100 * (middle['predicted'] / middle['real'] - 1):+.0f} % off the real one")
    what_mattered(control.pixels, shown["predicted"].pixels, real.pixels, model.limits)
    print(f"\n{format_table(impa.evaluate(model, cells, where={'half': ['right']}))}")
    some = np.linspace(0, len(control) - 1, 8).astype(int)
    others = np.linspace(0, len(real) - 1, 8).astype(int)
    rows = [(name, part.pixels[others if name == "real" else some]) for name, part in shown.items()]
    cells_drawn = Image.fromarray(montage(rows, ("NFkB", "DAPI"), display_limits(real.pixels), split=True))
    curves = histogram(ratios, cells_drawn.width)
    whole = Image.new("RGB", (cells_drawn.width, cells_drawn.height + curves.height))
    whole.paste(cells_drawn, (0, 0))
    whole.paste(curves, (0, cells_drawn.height))
    whole.save("tnfa-nfkb.png")
    print("\nPictures and histogram: tnfa-nfkb.png")


def what_mattered(control: np.ndarray, predicted: np.ndarray, real: np.ndarray, limits: np.ndarray) -> None:
    """Where the smallest part of the change lies that makes a classifier of real cells see a treated cell."""
    classifier = FairPixelClassifier.fit(control, real, limits)
    found = attributions(classifier, control, predicted)
    smooth = ndi.gaussian_filter(control[:, 1].astype(float), (0, 1, 1))
    every = np.stack([one > threshold_otsu(one) for one in smooth])
    own = central_nucleus_mask(control[:, 1])
    there = own.any((1, 2)) & (found.sizes > 0)
    print(
        f"\nWhat mattered (a classifier of real cells, right in {classifier.accuracy:.0%} of those it never saw): "
        f"{np.nanmedian(found.sizes):.1%} of the pixels of both channels make {found.flipped.mean():.0%} of the cells "
        f"treated ones; QuAC's score {np.median(found.areas):.2f}. Medians of the shares of mask and of crop:"
    )
    for name, nuclei in (("the cell's own nucleus and ring", own), ("nuclei and rings of all cells of a crop", every)):
        inside = ndi.binary_dilation(nuclei, np.ones((1, 3, 3)), iterations=6)  # a gap of 1, a ring of 5 pixels
        inside, masks = inside[there], found.masks[there]
        of_mask = (masks * inside[:, None]).sum((1, 2, 3)) / masks.sum((1, 2, 3))
        print(f"  {name:<42}{np.median(of_mask):>6.0%}{np.median(inside.mean((1, 2))):>6.0%}")
    for number, channel in enumerate(("NFκB", "DAPI")):
        share = found.masks[there, number].sum((1, 2)) / found.masks[there].sum((1, 2, 3))
        print(f"  {f'of the mask in {channel}':<42}{np.median(share):>6.0%}")


def histogram(values: dict[str, np.ndarray], width: int, height: int = 260, most: float = 4.0) -> Image.Image:
    """Draw the share of cells a bin for each set of nuclear to ring ratios, with a line at its median."""
    canvas = Image.new("RGB", (width, height))
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(15)
    left, right, foot = 20, width - 20, height - 45
    bins = np.linspace(0, most, 33)
    shares = {name: np.histogram(np.clip(some, 0, most), bins)[0] / len(some) for name, some in values.items()}
    top = max(share.max() for share in shares.values())

    def across(ratio: float) -> float:
        return left + (right - left) * min(ratio, most) / most

    for tick in np.arange(0, most + 0.1, 0.5):
        draw.text((across(tick), foot + 12), f"{tick:g}", fill="white", font=font, anchor="mm")
    draw.line([(left, foot), (right, foot)], fill="white")
    draw.text((width / 2, foot + 32), "nuclear to ring ratio of NFkB", fill="white", font=font, anchor="mm")
    colours = {"control": "#999999", "predicted": "#ffb000", "real": "#4fa3ff"}
    for line, (name, share) in enumerate(shares.items()):
        at = zip((bins[:-1] + bins[1:]) / 2, share, strict=True)
        draw.line([(across(x), foot - (foot - 15) * y / top) for x, y in at], fill=colours[name], width=3)
        middle = across(float(np.median(values[name])))
        draw.line([(middle, 15), (middle, foot)], fill=colours[name])
        draw.text((right, 20 + 20 * line), name, fill=colours[name], font=font, anchor="rm")
    return canvas


SCORES = {"simulated-screen": simulated_screen, "simulated-batches": simulated_batches}
SCORES |= {"simulated-compounds": simulated_compounds}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Score the bundled models on cells they never saw.")
    parser.add_argument("what", nargs="*", help=f"the folder of BBBC014, and which of {', '.join(SCORES)}; else all")
    parser.add_argument("--seed", type=int, default=9, help="of the simulated cells; trainings had 1, 2 and 3")
    given = parser.parse_args()
    folders = [name for name in given.what if Path(name).is_dir()]
    names = [name for name in given.what if name not in folders]
    for unknown in set(names) - {*SCORES, "tnfa-nfkb"}:
        parser.error(f"there is no folder and no model {unknown!r}; the models are: {', '.join(SCORES)}, tnfa-nfkb")
    for name, score in SCORES.items():
        if not names or name in names:
            print(f"\n=== {name} ===\n")
            score(given.seed)
    for folder in folders if not names or "tnfa-nfkb" in names else ():
        print("\n=== tnfa-nfkb ===\n")
        tnfa(folder)
