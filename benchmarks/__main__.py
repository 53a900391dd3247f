"""Measure what the engine is promised to do, each as a ratio: `python -m benchmarks [ROW …]`.

Every ratio is of two things timed alternately in this run (the median, with the lowest and the highest), with the floor
beside it: what the same work would take at the machine's measured matrix rate or bandwidth.  Nothing else should run.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from benchmarks.measure import Options, Row, bandwidth, machine, matrix_rate
from napari_impa.engine.device import choose_device

ROWS = {
    "measure": "measuring:rows",
    "predict": "prediction:rows",
    "read": "reading:pool_rows",
    "many": "reading:million_rows",
    "waiting": "reading:waiting_rows",
    "plate": "plate:rows",
    "precision": "steps:precision_rows",
    "folded": "steps:folded_rows",
    "step": "steps:rows",
    "replayed": "training:replayed_rows",
    "training": "training:training_rows",
    "runaway": "runaway:rows",
    "crop": "crop:rows",
    "screen": "exploring:screen_rows",
    "explore": "exploring:dock_rows",
    "viewer": "viewer:rows",
    "train-dock": "train_dock:rows",
    "long_use": "long_use:rows",
}
"""Module and function of each row; imported when asked for, as some need more than others."""


def rows_named(name: str) -> Callable[[Options], Iterator[Row]]:
    """Return what measures a row."""
    module, function = ROWS[name].split(":")
    found: Callable[[Options], Iterator[Row]] = getattr(importlib.import_module(f"benchmarks.{module}"), function)
    return found


def main(arguments: list[str] | None = None) -> None:
    """Measure the rows asked for, print them as a Markdown table and write JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"{', '.join(ROWS)}; all of them where none is given")
    parser.add_argument("--quick", action="store_true", help="a tiny version of every row, to try the command")
    parser.add_argument("--repeats", type=int, default=5, help="alternations of each pair (default 5)")
    parser.add_argument("--cycles", type=int, default=300, help="of long_use: how often docks are opened (default 300)")
    parser.add_argument("--device", default="auto", help="auto, cuda, mps or cpu")
    parser.add_argument("--threads", type=int, help="CPU threads of torch")
    parser.add_argument(
        "--folder", type=Path, help="where synthetic cells are made (1 GB; default: a temporary folder)"
    )
    parser.add_argument("--json", type=Path, help="write all figures there")
    given = parser.parse_args(arguments)
    unknown = [name for name in given.rows if name not in ROWS]
    if unknown or min(given.repeats, given.cycles) < 1:
        parser.error(
            f"no row {unknown[0]}; the rows are {', '.join(ROWS)}"
            if unknown
            else "--repeats and --cycles are at least 1"
        )
    if given.threads:
        torch.set_num_threads(given.threads)
    device = choose_device(given.device).device
    about = machine(device)
    print(", ".join(f"{key} {value}" for key, value in about.items()), flush=True)
    limits = {"matrix_flop_per_second": matrix_rate(device, torch.float32, quick=given.quick)}
    limits["bytes_per_second"] = bandwidth(device, quick=given.quick)
    print(f"at best {limits['matrix_flop_per_second'] / 1e9:.4g} GFLOP/s in float32", end=" and ")
    print(f"{limits['bytes_per_second'] / 1e9:.3g} GB/s of memory\n", flush=True)
    print("| row | ratio | lowest–highest | of | against | floor | wanted |\n|---|---|---|---|---|---|---|", flush=True)
    measured: list[Row] = []
    if given.folder:
        Path(given.folder).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        options = Options(given.quick, 2 if given.quick else given.repeats, device, Path(folder), given.cycles)
        for name in given.rows or ROWS:
            for row in rows_named(name)(options):
                measured.append(row)
                cells = (row.name, f"{row.ratio:.2f}", f"{row.lowest:.2f}–{row.highest:.2f}", row.of, row.against)
                print(f"| {' | '.join((*cells, row.floor, row.verdict))} |", flush=True)
    if given.json:
        rows = [dataclasses.asdict(row) for row in measured]
        given.json.write_text(json.dumps({"machine": about, "limits": limits, "rows": rows}, indent=1, allow_nan=False))


if __name__ == "__main__":
    main()
