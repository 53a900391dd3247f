"""The commands of the guides: those of all pages, and what they take as given, made small, so that each can be run.

`python tests/guide_commands.py` says how many there are of each kind.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from napari_impa.cells.store import Cells

REPOSITORY = Path(__file__).parents[1]
PAGES = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted((REPOSITORY / "docs").glob("*.md"))]

NOT_RUN = {
    r"(python3 -m venv|\.venv/bin/pip install|pip install|\.venv/bin/pre-commit) .*": "installs; see CI's jobs",
    r"python3 tests/run\.py": "is these tests",
    r"\.venv/bin/napari-impa demo": "opens a window; tests/viewer/entry does it",
    r"python -m benchmarks.*": "takes long; tests/test_benchmarks.py runs each row",
    r"napari-impa models fetch impa-bbbc021-six": "fetches 212 MB; tests of fetching have a server of their own",
    r"dask (scheduler|worker).*": "goes on until it is stopped; tests/cells/test_parts.py shares work out",
    r"napari-impa crop .* --dask .*": "wants that scheduler",
    r"napari-impa profile .*\.h5ad": "wants anndata, which does not go with pandas 3 yet",
    r"source .*|head=.*": "is for the shell of a job",
}  # fmt: skip
"""Commands that are only parsed, as regular expressions, and why."""

STANDS_FOR = {"/data/screen": "data/screen", "MODEL": "model", "SOURCE": "source.cells"}
"""What is called otherwise where the commands are run."""


def commands(page: Path) -> list[list[str]]:
    """All commands of a page's blocks of shell, as the shell would split them."""
    found = []
    for block in re.findall(r"^```sh\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.M | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(re.sub(r"\$\([^)]*\)|\$\w+", "4", line), comments=True)
            words = [word for word in words if word not in ("nohup", "&", "2>&1")]
            if ">" in words:
                words = words[: words.index(">")]
            while "&&" in words:
                found.append(words[: words.index("&&")])
                words = words[words.index("&&") + 1 :]
            found += [words] if words else []
    return found


def in_text(page: Path) -> list[list[str]]:
    """Commands of ours that stand in a sentence or a table of a page with what they are given."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.DOTALL)
    found = [re.sub(r"\s+", " ", one) for one in re.findall(r"`(napari-impa [^`…]+)`", text)]
    split = [shlex.split(one) for one in found]
    return [words for words in split if len(words) > 2 + (words[1] == "models") and "COMMAND" not in words]


def ours(words: Sequence[str]) -> list[str] | None:
    """The arguments of a command of `napari-impa`, also where torchrun starts it; None of any other."""
    if words[0].rpartition("/")[2] == "napari-impa":
        return list(words[1:])
    return list(words[words.index("napari_impa") + 1 :]) if "napari_impa" in words else None


def why_not_run(words: Sequence[str]) -> str | None:
    """Why a command is only parsed; None of one that is run."""
    line = " ".join(words)
    return next((why for pattern, why in NOT_RUN.items() if re.fullmatch(pattern, line)), None)


def small(words: Sequence[str]) -> list[str]:
    """The arguments of a command of ours, with the sizes of a screen replaced by those of a test."""
    arguments = ours(words)
    assert arguments is not None, words
    name = arguments[0]
    if name == "train":
        for option in ("--minutes", "--steps", "--preset", "--batch-size"):
            if option in arguments:
                at = arguments.index(option)
                del arguments[at : at + 2]
        if "--describe" not in arguments:
            arguments += ["--steps", "2", "--size", "24", "--batch-size", "4", "--device", "cpu", "--threads", "1"]
    elif name == "simulate-plate":
        arguments += ["--size", "224"]
    elif name == "screen":
        arguments += ["--cells", "16"]
    elif name == "evaluate":
        arguments += ["--most", "24", *(() if "--features" in arguments else ("--features", "fast"))]
    if name == "crop" and "--jobs" not in arguments:
        arguments += ["--jobs", "1"]
    if "--jobs" in arguments:  # a process would take longer to start than to cut
        arguments[arguments.index("--jobs") + 1] = "1"
    return [STANDS_FOR.get(one, one) for one in arguments]


CONDITIONS = ("DMSO", "microtubule poison", "shrinkage", "actin inhibitor")


@cache
def _drawn() -> Cells:
    """Cells of four conditions on two plates, 22 of each on each, of the size that bundled models take."""
    from napari_impa.cells.simulated.screen import simulated_cells

    return simulated_cells(44, size=64, plates=2, conditions=CONDITIONS)


def cells(
    names: Sequence[str] = ("microtubule poison", "shrinkage"), plates: Sequence[str] = ("sim-A", "sim-B"),
    label: Sequence[str] = ("compound",),
) -> Callable[[Path], object]:  # fmt: skip
    """What makes `.cells` of a control, two compounds with these names and a third; with doses and structures."""
    called = dict(zip(CONDITIONS, ("DMSO", *names, "actin inhibitor"), strict=True))
    compounds = list(called.values())
    facts = pd.DataFrame({
        "smiles": ["CS(C)=O", "CCCCCCCC", "c1ccccc1", "CCO"], "dose_um": [0, 1, 1, 1],
        "gene": ["none", "TP53", "KRAS", "BRAF"], "name": ["none", "taxol", "TP53", "KRAS"],
        "kind": ["", "compound", "CRISPR", "CRISPR"],
    }, compounds)  # fmt: skip

    def make(path: Path) -> None:
        drawn = _drawn()
        table = drawn.table.replace({"compound": called, "plate": dict(zip(("sim-A", "sim-B"), plates, strict=True))})
        table = table.join(facts, on="compound")
        replace(drawn, table=table, label=tuple(label)).save(path)

    return make


def folder(compounds: Sequence[str], plates: Sequence[str]) -> Callable[[Path], object]:
    """What makes a folder of whole fields with a `metadata.csv`, a compound or two and a control on two plates."""
    from napari_impa.cells.simulated.screen import simulated_screen, write_simulated_screen

    def make(path: Path) -> None:
        conditions = CONDITIONS[: 1 + len(compounds)]
        fields = simulated_screen(fields=1, plates=2, size=320, conditions=conditions)
        called = dict(zip(conditions, ("DMSO", *compounds), strict=True))
        said = dict(zip(("sim-A", "sim-B"), plates, strict=True))
        screen = [
            replace(one, table={
                **one.table, "plate": said[str(one.table["plate"])], "compound": called[str(one.table["compound"])],
                "dose_um": float(one.table["compound"] != "DMSO"),
            })
            for one in fields
        ]  # fmt: skip
        write_simulated_screen(path, screen)

    return make


def run(*options: str, source: str = "plate.cells") -> Callable[[Path], object]:
    """What trains a run on the page's own cells."""

    def make(path: Path) -> None:
        from napari_impa.cli.main import app

        app(small(["napari-impa", "train", source, "--out", str(path), *options]), result_action="return_value")

    return make


def text(content: str) -> Callable[[Path], object]:
    """What writes a small table."""
    return lambda path: path.write_text(content, encoding="utf-8")


def plate_without_map(path: Path) -> None:
    """A plate whose map lies elsewhere: in `layout.xlsx` of the folder in which the page's commands are run."""
    from workbooks import write_xlsx

    from napari_impa.cells.simulated.plate import write_simulated_plate

    write_simulated_plate(path, "phenix", wells=6, size=192)
    plate_map = path / "plate_map.csv"
    rows = pd.read_csv(plate_map)[["well", "compound", "control_type"]]
    write_xlsx(Path("layout.xlsx"), {"wells": [list(rows.columns), *rows.to_numpy().tolist()]})
    plate_map.unlink()


def checkpoint(path: Path) -> None:
    """A folder of a published checkpoint, and the table of its training."""
    from published_stand_ins import random_networks, write_published

    from napari_impa.engine.model.shape import Shape

    names = ["AZ138", "AZ258", "DMSO", "taxol"]
    shape = Shape(24, 3, width=2, style_dim=3, noise_dim=4, embedding_dims=(6,), conditions=(3,))
    write_published(path, random_networks(shape))
    Path("training_table.csv").write_text("compound\n" + "\n".join(names) + "\n", encoding="utf-8")


CANDIDATES = "name,smiles\nethanol,CCO\naspirin,CC(=O)Oc1ccccc1C(=O)O\n"
STRUCTURES = "name,smiles\ncycloheximide,CC1CC(C)C(=O)C(C1)C(O)C\ntaxol,CCCCCCCC\nactin inhibitor,CCO\n"
GENES = "gene,dim_0,dim_1\nTP53,0.31,-1.2\nKRAS,0.02,0.88\nBRAF,0.4,0.1\nnone,0.1,0.2\n"

GIVEN: dict[str, dict[str, Callable[[Path], object]]] = {
    "README": {"plate.cells": cells(), "your/folder": folder(("cycloheximide",), ("p1", "p2"))},
    "batch-correction": {"screen.cells": cells()},
    "conditions": {
        "plate.cells": cells(("cycloheximide", "taxol")), "gene2vec.csv": text(GENES),
        "smiles.csv": text(STRUCTURES),
        "candidates.csv": text(CANDIDATES), "runs/chx": run(),
    },
    "explore": {
        "source.cells": cells(("nocodazole 1", "taxol")), "model": run("--description", "bit", source="source.cells"),
        "library.sdf": lambda path: write_sdf(path),
    },
    "new-compounds": {
        "compounds.cells": cells(("albendazole", "flubendazole")), "screen.cells": cells(),
        "candidates.csv": text(CANDIDATES),
    },
    "plates": {"screen/BR1": plate_without_map},
    "published-checkpoints": {"checkpoints/bbbc021_six": checkpoint},
    "report": {"plate.cells": cells(), "runs/plate": run("--hold-out", "plate=sim-B")},
    "scores": {
        "plate": folder(("cycloheximide", "taxol"), ("P1", "P3")),
        "runs/chx": run("--label", "compound", "--hold-out", "plate=P3", source="plate"),
    },
    "servers": {
        "data/screen": folder(("taxol", "nocodazole"), ("P1", "P7")),
    },
    "sharing": {"plate.cells": cells(("cycloheximide", "taxol")), "runs/chx": run()},
    "slurm": {"data/screen": folder(("taxol", "nocodazole"), ("P1", "P7"))},
    "train": {
        "my-plate": folder(("taxol", "nocodazole"), ("P1", "P2")), "my plate-run.cells": cells(),
        "my plate-run": run("--hold-out", "plate=sim-B", source="my plate-run.cells"),
    },
}  # fmt: skip
"""By page, what its commands take as given, in the order in which it is made."""


def write_sdf(path: Path) -> None:
    """Two structures."""
    from rdkit import Chem

    with Chem.SDWriter(str(path)) as writer:
        for name, smiles in (("ethanol", "CCO"), ("octane", "CCCCCCCC")):
            molecule = Chem.MolFromSmiles(smiles)
            molecule.SetProp("_Name", name)
            writer.write(molecule)


def main() -> None:
    """Count."""
    found = [words for page in PAGES for words in commands(page)]
    left = [words for words in found if why_not_run(words)]
    counts = np.array([len(found) - len(left), len(left), sum(len(in_text(page)) for page in PAGES)])
    print("{} commands are run, {} are only parsed, and {} more in sentences.".format(*counts))
    for words in left:
        print(f"{why_not_run(words)}: {' '.join(words)}")


if __name__ == "__main__":
    main()
