"""The command `models export`: a model as one file with its card, to share it."""

from __future__ import annotations

from pathlib import Path

from napari_impa.errors import ImpaError


def export(
    model: str,
    *,
    out: Path,
    card: Path | None = None,
    title: str | None = None,
    author: str | None = None,
    licence: str | None = None,
    doi: str | None = None,
    citation: str | None = None,
    description: str | None = None,
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
    card
        Markdown file of the card; the options below replace its fields.
    title
        What lists show.
    author
        Who made it.
    licence
        Terms of use, say CC-BY-4.0.
    doi
        Where it is published.
    citation
        What to cite.
    description
        What it was trained on, how good it is, and where its limits are.
    half
        Weights as float16, half the size.
    trainable
        Keep the discriminator, with which a training can go on from this model.
    overwrite
        Replace `out` where it exists.
    """
    from napari_impa.engine.model.card import Card
    from napari_impa.work.catalog import load_model

    out = out if out.suffix == ".impa" else out.with_name(out.name + ".impa")
    if out.exists() and not overwrite:
        raise ImpaError(f"{out} exists already; choose another name, or give --overwrite.")
    chosen = load_model(model)
    known = Card.parse(chosen.card if card is None else card.read_text(encoding="utf-8"))
    known = known.with_fields(title=title, author=author, licence=licence, doi=doi, citation=citation, text=description)
    missing = [name for name in ("title", "author", "licence") if not getattr(known, name)]
    chosen.card, chosen.name = known.markdown(), out.stem
    chosen.save(out, compact=not trainable, half=half)
    print(f"Saved {out} ({out.stat().st_size / 1e6:.1f} MB).")
    if missing:
        print(f"Its card does not say: {', '.join(missing)}; give it as --{missing[0]}, so that others may use it.")
