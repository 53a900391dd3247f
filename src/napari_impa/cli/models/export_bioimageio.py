"""The command `models export-bioimageio`: a model under one condition as a package that other programs run."""

from __future__ import annotations

from pathlib import Path

from napari_impa.cells.choice import AS_FOUND
from napari_impa.cli.console import HowRead, Segment, SegmentOption, cells_of, segmenter_of
from napari_impa.cli.models.card_options import UNSAID_CARD, CardOptions, say_what_is_missing


def export_bioimageio(
    model: str,
    source: Path,
    *,
    to: str | None = None,
    smiles: str | None = None,
    dose: float | None = None,
    out: Path,
    about: CardOptions = UNSAID_CARD,
    segment: Segment | None = None,
    segment_option: SegmentOption = None,
    choice: HowRead = AS_FOUND,
    overwrite: bool = False,
) -> None:
    """Write a model under one condition as a package of bioimage.io, which runs without napari-impa.

    Parameters
    ----------
    model
        A run folder, a `.impa` file or a name of `models list`.
    source
        Folder of images or `.cells`, as for `crop`. Four of its control cells (for a model of batches, of all cells)
        go into the package, as its test and on its cover.
    to
        The condition or batch; not needed where the model knows one only.
    smiles
        A new compound instead, where the model describes conditions by fingerprints.
    dose
        Its dose, where the model was trained with doses.
    out
        The `.zip` file to make.
    segment
        How nuclei of whole fields are found, as for `crop`.
    overwrite
        Replace `out` where it exists.
    """
    from napari_impa.engine.describing.new_condition import name_of
    from napari_impa.errors import ConditionError
    from napari_impa.work.bioimageio.package import check_package_file
    from napari_impa.work.bioimageio.package import export_bioimageio as write
    from napari_impa.work.catalog import load_model
    from napari_impa.work.predicting.predict_into import targets_of

    if to is not None and smiles is not None:
        raise ConditionError("A package is of one condition; give --to or --smiles, not both.")
    find = segmenter_of(segment, segment_option)
    out = check_package_file(out, overwrite=overwrite)
    chosen = load_model(model)
    (target,) = targets_of(chosen, () if to is None else (to,), smiles=smiles, dose=dose)
    cells = cells_of(chosen, source, find, choice)
    card = about.of(chosen)
    made = write(out, chosen, cells, target, card=card, overwrite=overwrite)
    print(f"Saved {made.path} ({made.path.stat().st_size / 1e6:.1f} MB): cells under {name_of(target)}.")
    for line in made.warnings:
        print(f"bioimageio.spec warns: {line}")
    say_what_is_missing(card)
