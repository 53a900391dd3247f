"""The command `models export`: a model as one file with its card, to share it."""

from __future__ import annotations

from pathlib import Path

from napari_impa.cli.models.card_options import UNSAID_CARD, CardOptions, say_what_is_missing
from napari_impa.errors import ImpaError


def export(
    model: str,
    *,
    out: Path,
    about: CardOptions = UNSAID_CARD,
    half: bool = False,
    trainable: bool = False,
    overwrite: bool = False,
) -> None:
    """Write a model as one `.impa` file with its card, to share it.

    Parameters
    ----------
    model
        A run folder, a `.impa` file or a name of `models list`.
    out
        The `.impa` file to make.
    half
        Weights as float16, half the size.
    trainable
        Keep the discriminator, with which a training can go on from this model.
    overwrite
        Replace `out` where it exists.
    """
    from napari_impa.work.catalog import load_model

    out = out if out.suffix == ".impa" else out.with_name(out.name + ".impa")
    if out.exists() and not overwrite:
        raise ImpaError(f"{out} exists already; choose another name, or give --overwrite.")
    chosen = load_model(model)
    card = about.of(chosen)
    chosen.card, chosen.name = card.markdown(), out.stem
    chosen.save(out, compact=not trainable, half=half)
    print(f"Saved {out} ({out.stat().st_size / 1e6:.1f} MB).")
    say_what_is_missing(card)
