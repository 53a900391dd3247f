"""JUMP as it is downloaded: its table of another computer, illumination functions, plate map and barcodes together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from napari_impa.cells.folder import crop_source
from napari_impa.cells.layouts import LayoutChoice
from napari_impa.cells.source import open_source
from napari_impa.cli.main import main
from napari_impa.work.catalog import load_model
from napari_impa.work.training_plan import cells_of, plan_of

CHANNELS = ("DNA", "ER", "RNA", "AGP", "Mito")
BATCH = "2021_04_26_Batch1"
WELLS = {"A01": "", "A02": "BRD-K1", "B01": "BRD-K2", "B02": ""}
SMILES = {"DMSO": "CS(C)=O", "aspirin": "CC(=O)Oc1ccccc1C(=O)O", "caffeine": "Cn1c(=O)c2c(ncn2C)n(C)c1=O"}
S3 = "s3://cellpainting-gallery/cpg0016-jump/source_4"


def write_table(path: Path, rows: list[dict[str, object]], separator: str = ",") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(path, sep=separator, index=False)


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    """One plate of the gallery, downloaded to a folder of the user's own choice."""
    root = tmp_path / "my jump" / "source_4"
    rng = np.random.default_rng(1)
    rows: list[dict[str, object]] = []
    for number, well in enumerate(WELLS):
        for site in (1, 2):
            row: dict[str, object] = {
                "Metadata_Source": "source_4",
                "Metadata_Batch": BATCH,
                "Metadata_Plate": "BR00121438",
            }
            row |= {"Metadata_Well": well, "Metadata_Site": site}
            folder = f"images/{BATCH}/images/BR00121438__2021-05-02T16_02_51-Measurement1/Images"
            for channel_number, channel in enumerate(CHANNELS, 1):
                name = f"r{ord(well[0]) - 64:02d}c{int(well[1:]):02d}f{site:02d}p01-ch{channel_number}sk1fk1fl1.tiff"
                pixels = rng.normal(400, 5, (96, 96))
                pixels[40:56, 40:56] += 2000 + 200 * number
                path = root / folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                tifffile.imwrite(path, pixels.astype(np.uint16))
                illumination = f"images/{BATCH}/illum/BR00121438/BR00121438_Illum{channel}.npy"
                (root / illumination).parent.mkdir(parents=True, exist_ok=True)
                np.save(root / illumination, np.full((96, 96), 2.0))
                row |= {f"URL_Orig{channel}": f"{S3}/{folder}/{name}"}
                row |= {f"FileName_Illum{channel}": Path(illumination).name}
                row |= {f"PathName_Illum{channel}": f"/home/ubuntu/bucket/projects/{Path(illumination).parent}"}
            rows.append(row)
    workspace = root / "workspace"
    tables = workspace / "load_data_csv" / BATCH / "BR00121438"
    write_table(tables / "load_data_with_illum.csv", rows)
    write_table(tables / "load_data.csv", [{k: v for k, v in row.items() if "Illum" not in k} for row in rows])
    maps = workspace / "metadata" / "platemaps" / BATCH
    write_table(
        maps / "barcode_platemap.csv", [{"Assay_Plate_Barcode": "BR00121438", "Plate_Map_Name": "JUMP-Target-1"}]
    )
    write_table(
        maps / "platemap" / "JUMP-Target-1.txt",
        [
            {"plate_map_name": "JUMP-Target-1", "well_position": well, "broad_sample": one}
            for well, one in WELLS.items()
        ],
        "\t",
    )
    write_table(
        workspace / "metadata" / "external_metadata" / "targets.tsv",
        [
            {"broad_sample": "", "pert_iname": "DMSO", "control_type": "negcon", "smiles": SMILES["DMSO"]},
            {"broad_sample": "BRD-K1", "pert_iname": "aspirin", "smiles": SMILES["aspirin"]},
            {"broad_sample": "BRD-K2", "pert_iname": "caffeine", "smiles": SMILES["caffeine"]},
        ],
        "\t",
    )  # fmt: skip
    return root


def test_conditions_controls_and_structures_are_right(gallery: Path) -> None:
    maps = gallery / "workspace" / "metadata" / "platemaps" / BATCH / "barcode_platemap.csv"
    choice = LayoutChoice(illumination="table", plate_map=str(maps), layout="load_data")
    source = open_source(gallery, choice=choice)
    assert source.channels == tuple(f"Orig{channel}" for channel in CHANNELS)
    assert len(source) == 8
    assert source.image(0).pixels.mean() < 400  # divided by 2
    cells = crop_source(source, size=24)
    assert cells.label == ("pert_iname",)
    assert cells.control == "DMSO"
    assert dict(cells.counts()) == {"DMSO": 4, "aspirin": 2, "caffeine": 2}
    of = cells.table.drop_duplicates("pert_iname").set_index("pert_iname")["smiles"].to_dict()
    assert of == SMILES
    assert set(cells.table["plate"]) == {"BR00121438"}
    assert cells.history["read_with"]["illumination"] == "table"


def test_look_says_it(gallery: Path, capsys: pytest.CaptureFixture[str]) -> None:
    maps = gallery / "workspace" / "metadata" / "platemaps" / BATCH / "barcode_platemap.csv"
    table = gallery / "workspace" / "load_data_csv" / BATCH / "BR00121438" / "load_data_with_illum.csv"
    main(["look", str(table), "--plate-map", str(maps), "--illumination", "table"])
    said = capsys.readouterr().out
    for what in ("aspirin", "caffeine", "DMSO", "OrigMito", "Illumination is corrected", "took "):
        assert what in said


def jump_tables(folder: Path) -> Path:
    """JUMP's own tables of the same plate: ids in the wells, structures, and a name for the control alone."""
    ids = {"A01": "JCP2022_033924", "A02": "JCP2022_000001", "B01": "JCP2022_000002", "B02": "JCP2022_033924"}
    known = dict(zip(dict.fromkeys(ids.values()), SMILES.values(), strict=True))
    of_wells = [
        {"Metadata_Source": "source_4", "Metadata_Plate": plate, "Metadata_Well": well, "Metadata_JCP2022": one}
        for plate in ("BR00121438", "BR00121439")
        for well, one in ids.items()
    ]
    write_table(folder / "well.csv.gz", of_wells)
    structures = [{"Metadata_JCP2022": one, "Metadata_SMILES": smiles} for one, smiles in known.items()]
    write_table(folder / "compound.csv.gz", structures)
    control = {"Metadata_JCP2022": "JCP2022_033924", "Metadata_pert_type": "negcon", "Metadata_Name": "DMSO"}
    write_table(folder / "perturbation_control.csv", [control])
    return folder / "well.csv.gz"


@pytest.mark.parametrize("own", [False, True])
def test_a_training_learns_its_conditions_by_name_and_structure(
    gallery: Path, own: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("rdkit")
    barcodes = gallery / "workspace" / "metadata" / "platemaps" / BATCH / "barcode_platemap.csv"
    named = dict(zip(SMILES, ("DMSO", "JCP2022_000001", "JCP2022_000002") if own else SMILES, strict=True))
    plate_map = jump_tables(tmp_path / "metadata") if own else barcodes
    read = [str(gallery), "--plate-map", str(plate_map), "--layout", "load_data", "--illumination", "table"]
    main(["look", *read])
    said = capsys.readouterr().out
    assert "Metadata_SMILES" in said if own else "smiles" in said
    for name in named.values():
        assert name in said
    main([
        "train", *read, "--segment", "nuclei", "--size", "24", "--steps", "2", "--batch-size", "2", "--preset", "tiny",
        "--description", "bit", "--out", str(tmp_path / "run"), "--device", "cpu",
    ])  # fmt: skip
    plan, model = plan_of(tmp_path / "run"), load_model(tmp_path / "run")
    assert plan.label == (("perturbation",) if own else ("pert_iname",))
    assert (model.control, {model.control, *model.conditions}) == ("DMSO", set(named.values()))
    assert model.channels == tuple(f"Orig{channel}" for channel in CHANNELS)
    cells = cells_of(plan)
    smiles = cells.table["Metadata_SMILES" if own else "smiles"]
    assert dict(zip(cells.conditions, smiles, strict=True)) == {named[name]: one for name, one in SMILES.items()}
