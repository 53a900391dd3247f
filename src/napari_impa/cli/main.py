"""The command line: the names and defaults of the Python API; exit code 2 and one line for what a user can mend."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, CycloptsError, Parameter

from napari_impa.cli.console import (
    Segment,
    Several,
    columns_of,
    progress_bar,
    progress_watch,
    read_for,
    sharing,
    speaker,
)
from napari_impa.cli.models import models_app
from napari_impa.cli.train import runs, train
from napari_impa.errors import ImpaError, PeerError

app = App(
    name="napari-impa",
    help="See beside each cell the cell it would become under a compound.",
    version=lambda: __import__("napari_impa").__version__,
    result_action="return_value",
)
app.command(models_app)


@app.command
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


@app.command
def crop(
    source: Path,
    *,
    out: Path,
    size: int | None = None,
    segment: Segment | None = None,
    nuclei_channel: str | None = None,
    border: Literal["skip", "pad"] = "skip",
    label: Annotated[list[str] | None, Several] = None,
    control: str | None = None,
    overwrite: bool = False,
) -> None:
    """Cut the cells out of images into a `.cells` folder.

    Parameters
    ----------
    source
        Folder of images with `metadata.csv`, or with one subfolder a condition; IMPA's own layout; or `.cells`.
    out
        The `.cells` folder to make.
    size
        Crop side in pixels: 96 for whole fields, the stored side for ready crops.
    segment
        How nuclei are found, which makes every image a whole field; by default the source's masks where it has them,
        else `nuclei`.
    nuclei_channel
        Name or number of the channel that shows nuclei; guessed from the names.
    border
        Leave out cells too near to the border, or pad them.
    label
        Columns whose values, joined, name a cell's condition.
    control
        Label value of the untreated control.
    overwrite
        Replace `out` where it exists.
    """
    from napari_impa.cells.folder import crop_source, crop_summary
    from napari_impa.cells.source import open_source

    with sharing() as share:
        say = speaker(share.rank)
        opened = open_source(source, kind="fields" if segment else None)
        say(opened.describe())
        with progress_bar("images", share.rank) as progress:
            cells = crop_source(
                opened, out, size=size, segment=segment, nuclei_channel=nuclei_channel, border=border, label=label,
                control=control, overwrite=overwrite, share=share, progress=progress,
            )  # fmt: skip
        say(crop_summary(cells))
        say(f"Saved {out if out.suffix == '.cells' else out.with_name(out.name + '.cells')}.")


app.command(train)
app.command(runs)


@app.command
def predict(
    model: str,
    source: Path,
    *,
    to: Annotated[list[str] | None, Several] = None,
    smiles: str | None = None,
    dose: float | None = None,
    new: Path | None = None,
    out: Path,
    strength: float = 1.0,
    variability: float = 0.1,
    seed: int = 0,
    segment: Segment | None = None,
    all_cells: bool = False,
    device: str = "auto",
    batch_size: int | None = None,
    overwrite: bool = False,
) -> None:
    """Turn control cells into what they would be under each condition, into a `.cells` folder.

    Parameters
    ----------
    model
        A `.impa` file, a run folder, or the name of a bundled model.
    source
        Folder of images or `.cells`, as for `crop`.
    to
        Names of conditions.
    smiles
        A new compound, where the model describes conditions by fingerprints.
    dose
        Its dose, where the model was trained with doses.
    new
        CSV table of new conditions: the name first, then a SMILES (and dose), or the numbers that describe it.
    out
        The `.cells` folder to make.
    strength
        0 the cell as it is, 1 the condition, beyond it exaggerated.
    variability
        Factor of the noise.
    seed
        Seed of the noise.
    segment
        How nuclei of whole fields are found, as for `crop`.
    all_cells
        Turn treated cells too, not the controls alone.
    device
        auto, cuda, mps or cpu.
    batch_size
        Cells at a time.
    overwrite
        Replace `out` where it exists.
    """
    import numpy as np

    from napari_impa.cells.parts import Share, write_cells
    from napari_impa.cells.store import CellsWriter, shortest
    from napari_impa.engine.describing.new_condition import NewCondition, name_of, read_new_conditions
    from napari_impa.engine.distributed import processes
    from napari_impa.engine.model.prediction import TURNED_INTO, predict_blocks
    from napari_impa.work.catalog import load_model

    with processes() as group:
        say, share = speaker(group.rank), Share(group.rank, group.count, group.agree)
        chosen = load_model(model).to(group.device(device))
        targets: list[str | NewCondition] = [*(to or ())]
        if smiles is not None:
            name = smiles if dose is None else f"{smiles} {shortest(dose)}"
            targets.append(NewCondition(name, smiles=smiles, dose=dose))
        elif dose is not None:
            raise ImpaError("--dose is the dose of a new compound; give its SMILES too.")
        if new is not None:
            targets += read_new_conditions(new, chosen.descriptions)
        if not targets:
            raise ImpaError("Nothing to turn cells into; give --to, --smiles or --new.")
        for target in targets:
            chosen.embedding(target)
        names = [name_of(target) for target in targets]
        cells = read_for(chosen, source, segment, group.rank)
        rows = np.arange(len(cells))
        if chosen.task == "perturbation" and not all_cells and cells.control is not None:
            rows = np.flatnonzero(cells.is_control)
            say(f"{len(rows):,} of {len(cells):,} cells are controls ({shortest(cells.control)}).")
        like = chosen.fit(cells.take([]))
        how: dict[str, Any] = {"strength": strength, "variability": variability, "seed": seed}
        history = chosen.prediction_history(cells, targets, **how)
        writer = CellsWriter(
            out, like.channels, like.size, like.pixels.dtype, pixel_size=cells.pixel_size, label=cells.label,
            control=cells.control, history=history, overwrite=overwrite,
        )  # fmt: skip
        with progress_watch("cells", group.rank) as watch:
            blocks = predict_blocks(
                chosen, cells, targets, **how, batch_size=batch_size, rows=rows, share=share, watch=watch
            )
            write_cells(
                writer,
                (
                    (pixels, cells.table.iloc[rows[part]].assign(**{TURNED_INTO: name}))
                    for part, images in blocks
                    for name, pixels in zip(names, images, strict=True)
                ),
                share,
            )
        say(f"{len(rows):,} cells turned into {', '.join(names)}; saved {writer.path}.")


@app.command
def evaluate(
    model: str,
    source: Path,
    *,
    where: Annotated[list[str] | None, Several] = None,
    strength: float = 1.0,
    variability: float = 0.1,
    seed: int = 0,
    nuclei_channel: str | None = None,
    segment: Segment | None = None,
    device: str = "auto",
    json_file: Annotated[Path | None, Parameter(name="--json")] = None,
    montage: Path | None = None,
) -> None:
    """Score predictions on real cells, beside the untreated control and real treated cells.

    Parameters
    ----------
    model
        A `.impa` file, a run folder, or the name of a bundled model.
    source
        Folder of images or `.cells`, as for `crop`.
    where
        COLUMN=VALUE of the cells to score; by default those that the training held out.
    strength
        As for `predict`.
    variability
        As for `predict`.
    seed
        Seed of the noise and of samples.
    nuclei_channel
        Name or number (from 0) of the channel that shows nuclei, which a batch model has to keep; guessed from the
        names, else the first.
    segment
        How nuclei of whole fields are found, as for `crop`.
    device
        auto, cuda, mps or cpu.
    json_file
        Write the table there too.
    montage
        Save a picture of control, predicted and real treated cells.
    """
    from napari_impa.analysis.pictures.evaluation_montage import save_evaluation_montage
    from napari_impa.analysis.score_table import format_table
    from napari_impa.analysis.scores import evaluate as score
    from napari_impa.work.catalog import load_model

    chosen = load_model(model).to(device)
    cells = read_for(chosen, source, segment)
    scored = columns_of(where) or None
    table = score(
        chosen, cells, where=scored, strength=strength, variability=variability, seed=seed,
        nuclei_channel=nuclei_channel,
    )  # fmt: skip
    print(format_table(table))
    if json_file is not None:
        rows = json.loads(table.to_json(orient="records"))
        json_file.write_text(
            json.dumps({"settings": table.attrs, "rows": rows}, indent=1, default=str), encoding="utf-8"
        )
        print(f"Saved {json_file}.")
    if montage is not None:
        save_evaluation_montage(
            montage,
            chosen,
            cells,
            where=scored,
            strength=strength,
            variability=variability,
            seed=seed,
        )
        print(f"Saved {montage}.")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 2 something that the user can mend, 130 interrupted."""
    try:
        app(arguments, exit_on_error=False, print_error=False)
    except PeerError:  # the process that failed says why
        sys.exit(2)
    except CycloptsError as error:
        if os.environ.get("RANK", "0") == "0":  # all of several processes got the same arguments
            print(f"napari-impa: {error} (see napari-impa --help)", file=sys.stderr)
        sys.exit(2)
    except ImpaError as error:
        print(f"napari-impa: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        what = f"{error.filename}: " if error.filename else ""
        print(f"napari-impa: {what}{error.strerror or error}.", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("napari-impa: interrupted.", file=sys.stderr)
        sys.exit(130)
