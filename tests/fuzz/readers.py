"""The readers: for each, true files, how they are read, and texts that Hypothesis invents for it.

What is read is used as commands and docks do. A new reader is a function of true files, one that reads, and its line in
`READERS`.
"""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from .hostile import TEXTS, Input, of_folder
from .served import read_from_server

MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Reader:
    """A reader.

    Parameters
    ----------
    name
        What it is called on the command line.
    seeds
        Writes true files into an empty folder, and gives them as inputs.
    read
        Reads what an input is.
    invented
        Inputs that Hypothesis invents; None: there are none.
    beside
        Bytes of memory that it may take beside eight times those of the file: what reading takes at all, or, of what
        is compressed, the limit that the reader states.
    """

    name: str
    seeds: Callable[[Path], Sequence[Input]]
    read: Callable[[Path], object]
    invented: st.SearchStrategy[Input] | None = None
    beside: int = 64 * MEGABYTE


# ---- models ---------------------------------------------------------------------------------------------------------


@cache
def small_model() -> Any:
    import torch

    from napari_impa.engine.model.model import IMPA
    from napari_impa.engine.model.networks import Networks
    from napari_impa.engine.model.shape import Shape

    shape = Shape(size=24, channels=2, width=2, style_dim=4, noise_dim=4, embedding_dims=(4,), conditions=(2,))
    networks = Networks(shape).initialize(torch.Generator().manual_seed(0))
    return IMPA(
        networks, channels=("DNA", "actin"), conditions=("x", "y 10"), limits=np.array([[0.0, 900.0]] * 2), name="m",
        control="DMSO", label=("drug", "dose_um"), card="# A model\n\nLicence: MIT\n\nText.",
        history={"steps": 10, "seconds": 3.0, "device": "cpu", "date": "2026-01-01", "gap_closed": 0.5},
    )  # fmt: skip


def _models(folder: Path) -> list[Input]:
    small_model().save(folder / "m.impa", compact=True)
    return [of_folder(folder, "m.impa")]


def _model(path: Path) -> None:
    from napari_impa.cli.models.listing import info

    info(str(path))


def _catalog_line(path: Path) -> None:
    from napari_impa.work.catalog import of_file
    from napari_impa.work.tables.text_table import aligned

    entry = of_file(path)
    aligned([(entry.name, entry.task, ", ".join(entry.channels), str(entry.count), entry.megabytes)], right=(3,))
    entry.card.markdown()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(TEXTS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
HEADER_KEYS = (
    "format", "shape", "channels", "conditions", "limits", "control", "label", "task", "name", "counts", "history",
    "settings", "descriptions", "unseen", "card", "pixel_size",
)  # fmt: skip
HEADERS = st.dictionaries(st.sampled_from(HEADER_KEYS) | st.text(max_size=5), JSON, max_size=12)


def _model_of(header: Any) -> Input:
    head = json.dumps({"__metadata__": {"napari_impa": json.dumps(header)}}).encode()
    return Input({"m.impa": struct.pack("<Q", len(head)) + head}, "m.impa", f"invented {header!r}"[:200])


def _published(folder: Path) -> list[Input]:
    import torch

    from napari_impa.engine.published.checkpoint_folder import NETWORKS

    networks = small_model().networks

    def part(name: str) -> dict[str, Any]:
        return {f"module.{key}": value.clone() for key, value in networks.get_submodule(name).state_dict().items()}

    torch.save({name: part(name) for name in NETWORKS}, folder / "000010_nets.ckpt")
    torch.save({"embedding_matrix": part("embedding_matrix")}, folder / "000010_embeddings.ckpt")
    return [of_folder(folder)]


def _checkpoint(path: Path) -> None:
    from napari_impa.work.catalog import load_model

    load_model(path).describe()


def _cards(folder: Path) -> list[Input]:
    text = "# A model\n\nAuthor: A. Author\nLicence: CC BY 4.0\nDOI: 10.1/x\nCite: one\n\n## Use\n\nText `code`.\n"
    (folder / "card.txt").write_text(text, encoding="utf-8")
    return [of_folder(folder, "card.txt")]


def _card(path: Path) -> None:
    from napari_impa.engine.model.card import Card

    if path.is_file():  # cards come as texts, in models
        Card.parse(path.read_text(encoding="utf-8", errors="replace")).markdown()


CARDS = st.builds(
    lambda parts: Input({"card.txt": "".join(parts).encode("utf-8", "replace")}, "card.txt", "invented"),
    st.lists(st.sampled_from(("#", "# ", "\n", "\n\n", " " * 2000, "#" * 3000, "Licence:", "DOI: ", "x", ":", "\t"))
             | st.text(max_size=30), max_size=30),
)  # fmt: skip


# ---- images ---------------------------------------------------------------------------------------------------------


def _pixels(*shape: int, dtype: Any = np.uint16) -> Any:
    return np.random.default_rng(0).integers(0, 200, shape).astype(dtype)


def _tiffs(folder: Path) -> dict[str, dict[str, Any]]:
    about = {"axes": "CYX", "Channel": {"Name": ["DNA", "actin"]}, "PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "µm"}
    return {
        "ome.ome.tif": {"data": _pixels(2, 24, 24), "ome": True, "metadata": about},
        "deep.ome.tif": {"data": _pixels(2, 3, 2, 16, 16), "ome": True, "metadata": {"axes": "TZCYX"}},
        "imagej.tif": {"data": _pixels(2, 24, 24), "imagej": True, "metadata": {"axes": "CYX", "Labels": ["a", "b"]}},
        "plain.tif": {"data": _pixels(24, 24), "compression": "zlib"},
        "pages.tif": {"data": _pixels(3, 24, 24, dtype=np.uint8), "photometric": "minisblack", "compression": "lzw"},
        "colour.tif": {"data": _pixels(24, 24, 3, dtype=np.uint8), "photometric": "rgb", "tile": (16, 16)},
        "float.tif": {"data": _pixels(32, 32, dtype=np.float32), "bigtiff": True},
        "labels.tif": {"data": _pixels(24, 24) // 50, "compression": "packbits"},
    }


def _images(folder: Path, *more: str) -> list[Input]:
    import PIL.Image
    import tifffile

    for name, how in _tiffs(folder).items():
        tifffile.imwrite(folder / name, **how)
    PIL.Image.fromarray(_pixels(24, 24, dtype=np.uint8)).save(folder / "grey.png")
    PIL.Image.fromarray(_pixels(24, 24, 3, dtype=np.uint8)).save(folder / "colour.png")
    PIL.Image.fromarray(_pixels(24, 24, dtype=np.uint8) // 50).convert("P").save(folder / "palette.png")
    np.save(folder / "a.npy", _pixels(2, 24, 24))
    np.save(folder / "b.npy", _pixels(24, 24, 3, dtype=np.float32))
    whole = of_folder(folder)
    return [replace(whole, files={name: data}, target=name) for name, data in whole.files.items()]


def _image(path: Path) -> None:
    from napari_impa.cells.readers import probe_image, read_image

    probe_image(path)
    image = read_image(path)
    assert image.pixels.ndim == 3


def _masks(path: Path) -> None:
    from napari_impa.cells.readers import as_labels, read_masks

    for plane in read_masks(path).pixels:
        as_labels(plane, path)


def _saved_pictures(folder: Path) -> list[Input]:
    from napari_impa.cells.store import Cells
    from napari_impa.cells.tiff import TiffPicture, save_cells_ome_tiff, save_ome_tiff

    look = {"colormap": {"name": "cyan", "colors": [[0, 0, 0, 1], [0, 1, 1, 1]]}, "contrast_limits": [0, 9], "gamma": 1}
    view = {
        "title": "t", "axis": "cell", "scale": [0.5, 0.5], "translate": [1, 2], "units": ["um", "um"],
        "looks": [look] * 2, "affine": np.eye(3).tolist(), "made_by": {"model": "m", "condition": "x"},
    }  # fmt: skip
    save_ome_tiff(TiffPicture(_pixels(2, 24, 24), ("DNA", "actin"), 0.5, view), folder / "f")
    cells = Cells(_pixels(3, 2, 24, 24), pd.DataFrame({"a": [1, 2, 3]}), ("DNA", "actin"), 0.5)
    save_cells_ome_tiff(cells, folder / "c", view)
    whole = of_folder(folder)
    return [replace(whole, files={name: data}, target=name) for name, data in whole.files.items()]


def _picture(path: Path) -> None:
    from napari_impa.cells.tiff import read_ome_tiff

    read_ome_tiff(path)


def _as_layers(path: Path) -> None:
    from napari_impa.viewer.entry.reader import get_placed_reader, read_placed

    if get_placed_reader(str(path)) is not None:
        read_placed(str(path))


# ---- cells ----------------------------------------------------------------------------------------------------------


def _cells(folder: Path) -> list[Input]:
    from napari_impa.cells.store import Cells

    table = pd.DataFrame({"field": ["a"] * 4, "y": [1.5] * 4, "drug": ["DMSO", "x"] * 2, "dose_um": [0, 1.5, 0, 10]})
    cells = Cells(_pixels(4, 2, 24, 24), table, ("DNA", "actin"), 0.5, ("drug", "dose_um"), "DMSO", {"source": "s"})
    cells.save(folder / "x")
    inside = of_folder(folder / "x.cells")
    # changed by hand or not: without checksums a change is met by what reads it
    bare = dict(inside.files)
    meta = json.loads(bare["meta.json"])
    del meta["checksums"]
    bare["meta.json"] = json.dumps(meta).encode()
    return [
        Input({f"x.cells/{name}": data for name, data in files.items()}, "x.cells")
        for files in (bare, bare, inside.files)
    ]


def _use_cells(path: Path) -> None:
    from napari_impa.cells.source import open_source
    from napari_impa.cells.store import open_cells

    cells = open_cells(path)
    repr(cells)
    if cells.label:
        cells.counts()
    cells.take([0] if len(cells) else [])
    open_source(path).describe()
    open_cells(path, in_memory=True)


# ---- tables ---------------------------------------------------------------------------------------------------------

WORDS = st.sampled_from((
    "plate", "well", "compound", "dose", "dose_um", "smiles", "control", "file", "site", "batch", "name", "A1", "A01",
    "B2", "H12", "P1", "DMSO", "CCO", "1.5", "1,5", "", "10 µM", "10", *TEXTS,
))  # fmt: skip
ROWS = st.lists(st.lists(WORDS | st.text(max_size=12), max_size=6), max_size=8)


def _table_of(rows: Sequence[Sequence[str]], separator: str, encoding: str) -> Input:
    text = "\n".join(separator.join(row) for row in rows)
    return Input({"t.csv": text.encode(encoding, "replace")}, "t.csv", f"invented {text[:100]!r}")


CSVS = st.builds(
    _table_of, ROWS, st.sampled_from(",,,;\t|"), st.sampled_from(("utf-8", "utf-8-sig", "utf-16", "cp1252"))
)


def _one_file(name: str, text: str) -> Callable[[Path], list[Input]]:
    def seeds(folder: Path) -> list[Input]:
        (folder / name).write_text(text, encoding="utf-8")
        return [of_folder(folder, name)]

    return seeds


TABLE = "plate,well,compound,dose_um,smiles,batch\nP1,A01,DMSO,0,CS(C)=O,1\nP1,A02,x,1.5,CCO,1\nP2,B01,y,10,CCC,2\n"
NUMBERS = "name,a,b,c\nDMSO,0,0,0\nx,1.5,2,3\ny,2.5,-1,1e-3\n"
NEW = "name,smiles,dose_um\nnew,CCO,1\nother,CCC,10\n"
MAP = "plate,well,compound,dose\nP1,A1,DMSO,0\nP1,A2,x,1 µM\nP1,B1,y,10 nM\nP1,B2,DMSO,0\n"
GRID = "compound,1,2,3,4\nA,DMSO,x,y,DMSO\nB,x,y,DMSO,x\n\ndose,1,2,3,4\nA,0,1,10,0\nB,1,10,0,1\n"


def _use_table(path: Path) -> None:
    from napari_impa.cells.tables import condition_names, guess_control, guess_labels, read_table

    table = read_table(path)
    labels = guess_labels(table)
    if labels:
        guess_control(table, labels)
        condition_names(table, labels)
    table.describe(include="all")


def _descriptions(path: Path) -> None:
    from napari_impa.engine.describing.named_numbers import read_descriptions

    read_descriptions(path)


def _new_conditions(path: Path) -> None:
    from napari_impa.engine.describing.new_condition import read_new_conditions

    read_new_conditions(path, small_model().descriptions)


def _plate_maps(folder: Path) -> list[Input]:
    (folder / "t.csv").write_text(MAP, encoding="utf-8")
    (folder / "g.csv").write_text(GRID, encoding="utf-8")
    whole = of_folder(folder)
    return [replace(whole, files={name: data}, target=name) for name, data in whole.files.items()]


def _workbooks(folder: Path) -> list[Input]:
    inside = folder / "w.xlsx"
    sheets = {
        "layout": [row.split(",") for row in GRID.split("\n")],
        "Map": [row.split(",") for row in MAP.split("\n")],
    }
    try:
        from workbooks import write_xlsx
    except ImportError:
        from tests.workbooks import write_xlsx
    write_xlsx(inside, sheets, merged=["A1:B1"])
    return [of_folder(folder, "w.xlsx")]


def _plate_map(path: Path) -> None:
    from napari_impa.cells.plate_maps.plate_map import read_plate_map

    len(read_plate_map(path, ("P1",)))


# ---- folders --------------------------------------------------------------------------------------------------------


def _plates(folder: Path) -> list[Input]:
    from napari_impa.cells.simulated.plate import write_simulated_plate
    from napari_impa.cells.simulated.plate_writers import PLATE_WRITERS

    found = []
    for writer in PLATE_WRITERS:
        with suppress(ImportError):
            found.append(of_folder(write_simulated_plate(folder / writer.name, writer.name, wells=2, size=32)))
    return [one for one in found if one.size < MEGABYTE]


def _folders(folder: Path) -> list[Input]:
    import tifffile

    images = io.BytesIO()
    tifffile.imwrite(images, _pixels(2, 32, 32), photometric="minisblack", compression="zlib")
    image = images.getvalue()
    table = "file,compound,plate,well\na.tif,DMSO,P1,A01\nb.tif,x,P1,A02\n"
    index = "SAMPLE_KEY,DOSE,CPD_NAME,SMILES,STATE,ANNOT,PLATE,WELL\nP1_A_1,0,DMSO,C,control,x,P1,A\n"
    npy = io.BytesIO()
    np.save(npy, _pixels(32, 32, 3, dtype=np.uint8))
    plate = {f"P1_{well}_s1_w{channel}.tif": image for well in ("A01", "A02") for channel in (1, 2)}
    return [
        Input({"metadata.csv": table.encode(), "a.tif": image, "b.tif": image}),
        Input({"DMSO/a.tif": image, "x/b.tif": image, "x/b_mask.tif": image}),
        Input({"metadata/index.csv": index.encode(), "P1/P1_A_1.npy": npy.getvalue()}),
        Input({**plate, "plate_map.csv": MAP.encode()}),
    ]


def _folder(path: Path) -> None:
    from napari_impa.cells.source import open_source

    source = open_source(path)
    source.describe()
    if source.entries:
        source.entries[0].image()
        source.entries[0].labels()
        source.entries[0].cells()


def _runs(folder: Path) -> list[Input]:
    from napari_impa.engine.model import tensor_file
    from napari_impa.engine.training.run_folder.run import Run
    from napari_impa.engine.training.settings import TrainingSettings
    from napari_impa.engine.training.steps import recipe_named

    run = Run(folder / "run")
    run.start(TrainingSettings(size=24), recipe_named("default"), {"count": 3, "label": ["drug"], "control": "DMSO"})
    run.keep_source(folder, ["drug"], "DMSO")
    run.append_history([{"step": n, "seconds": n / 3, "stage": "adversarial", "cycle": 1 / n} for n in (1, 2, 3)])
    run.append_gaps(2, 1.0, 0.5, {"x": 0.5})
    small_model().save(run.model_path, compact=True)
    position = {"step": 3, "seconds": 1.0, "autoencoder_ended": 1, "scoring": 0.1}
    tensor_file.write_tensors(run.checkpoint_path, {}, position)
    return [of_folder(folder)]


def _listed_runs(path: Path) -> None:
    from napari_impa.cli.runs import runs
    from napari_impa.engine.training.run_folder.run import Run

    runs(path)
    run = Run(path / "run")
    for name in ("settings", "recipe", "history", "gaps", "best", "source", "started_from"):
        with suppress_typed():
            getattr(run, name)


def suppress_typed() -> Any:
    from napari_impa.errors import ImpaError

    return suppress(ImpaError)


# ---- servers --------------------------------------------------------------------------------------------------------


def _served_models(folder: Path) -> list[Input]:
    (model,) = _models(folder)
    head = 'HTTP/1.1 200 OK\r\nContent-Length: {size}\r\nETag: "one"\r\nContent-Type: application/x\r\n\r\n'
    moved = "HTTP/1.1 302 Found\r\nLocation: /other.impa\r\nContent-Length: 0\r\n\r\n"
    body = model.files["m.impa"]
    return [Input({"head.http": text.encode(), "body.impa": body}) for text in (head, head, moved)]


def _served_archives(folder: Path) -> list[Input]:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("checkpoints/a/000200_nets.ckpt", "checkpoints/a/000200_embeddings.ckpt", "metadata/t.csv"):
            archive.writestr(f"IMPA/{name}", name * 300)
    head = (
        "HTTP/1.1 206 Partial\r\nContent-Range: bytes {start}-{last}/{size}\r\nContent-Length: {length}\r\n"
        "ETag: \"one\"\r\n\r\n"
    )  # fmt: skip
    return [Input({"head.http": head.encode(), "body.zip": packed.getvalue()})]


READERS = (
    Reader("model", _models, _model, st.builds(_model_of, HEADERS | JSON)),
    Reader("catalog", _models, _catalog_line, st.builds(_model_of, HEADERS | JSON)),
    Reader("published", _published, _checkpoint),
    Reader("card", _cards, _card, CARDS),
    Reader("image", _images, _image),
    Reader("masks", _images, _masks),
    Reader("ome-tiff", _saved_pictures, _picture),
    Reader("layers", _saved_pictures, _as_layers),
    Reader("cells", _cells, _use_cells),
    Reader("table", _one_file("t.csv", TABLE), _use_table, CSVS),
    Reader("descriptions", _one_file("t.csv", NUMBERS), _descriptions, CSVS),
    Reader("new-conditions", _one_file("t.csv", NEW), _new_conditions, CSVS),
    Reader("plate-map", _plate_maps, _plate_map, CSVS),
    Reader("workbook", _workbooks, _plate_map),
    Reader("plate", _plates, _folder),
    Reader("folder", _folders, _folder),
    Reader("run", _runs, _listed_runs),
    Reader("download", _served_models, read_from_server),
    Reader("archive", _served_archives, read_from_server),
)
"""All of them."""
