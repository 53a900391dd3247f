"""Plate maps of several plates: barcodes, JUMP's tables, and what lies beside them."""

from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd
import pytest

from napari_impa.cells.plate_maps import FORMS, read_plate_map
from napari_impa.cells.tables import guess_control, guess_labels
from napari_impa.errors import SourceError


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = text.encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    """Barcodes and maps as the Cell Painting Gallery keeps them."""
    here = tmp_path / "metadata" / "platemaps" / "batch"
    write(here / "barcode_platemap.csv", "Assay_Plate_Barcode,Plate_Map_Name\nBR1,MAP_A\nBR2,MAP_A\nBR3,MAP_B\n")
    write(
        here / "platemap" / "MAP_A.txt",
        "plate_map_name\twell_position\tbroad_sample\tmmoles_per_liter\nMAP_A\tA01\t\t\nMAP_A\tA02\tBRD-1\t0.005\n",
    )
    write(here / "platemap" / "MAP_B.txt", "plate_map_name\twell_position\tbroad_sample\nMAP_B\ta1\tBRD-2\n")
    write(
        tmp_path / "metadata" / "external_metadata" / "compounds.tsv",
        "broad_sample\tpert_iname\tcontrol_type\tsmiles\n\tDMSO\tnegcon\tCS(C)=O\nBRD-1\ttaxol\t\tCC\n",
    )
    return here / "barcode_platemap.csv"


def test_barcodes_name_the_map_of_each_plate(gallery: Path) -> None:
    found = read_plate_map(gallery)
    assert found.plates is not None
    rows = zip(found.plates, found.wells, found.values["pert_iname"].fillna("-"), strict=True)
    assert list(rows) == [
        ("BR1", "A01", "DMSO"), ("BR1", "A02", "taxol"), ("BR2", "A01", "DMSO"), ("BR2", "A02", "taxol"),
        ("BR3", "A01", "-"),
    ]  # fmt: skip
    assert found.form == "2 maps of 3 plates"
    assert [str(unit) for unit in found.units] == ["mmoles_per_liter is in mM (times 1000 in µM)"]
    assert any(
        note.startswith("pert_iname, control_type, smiles from compounds.tsv, by broad_sample") for note in found.notes
    )
    assert read_plate_map(gallery.parent).wells.tolist() == found.wells.tolist()


def test_of_many_barcodes_those_with_images_are_read(gallery: Path) -> None:
    (gallery.parent / "platemap" / "MAP_B.txt").unlink()
    found = read_plate_map(gallery, ["BR2"])
    assert found.plates is not None
    assert set(found.plates) == {"BR2"}
    assert "barcode_platemap.csv is of 2 plates more, of which there are no images." in found.notes
    with pytest.raises(SourceError, match=r"names the map MAP_B, which is not in .*platemap.*bring MAP_B\.txt"):
        read_plate_map(gallery)


def test_jump_tables_are_joined_by_their_ids(tmp_path: Path) -> None:
    head = "Metadata_Source,Metadata_Plate,Metadata_Well,Metadata_JCP2022\n"
    rows = ["BR1,A01,JCP2022_033924", "BR1,A02,JCP2022_000001", "BR1,A03,JCP2022_900001", "BR2,A01,JCP2022_000001"]
    write(tmp_path / "well.csv.gz", head + "".join(f"source_4,{row}\n" for row in rows))
    write(
        tmp_path / "plate.csv.gz", "Metadata_Source,Metadata_Batch,Metadata_Plate\nsource_4,b1,BR1\nsource_4,b2,BR2\n"
    )
    write(
        tmp_path / "compound.csv.gz",
        "Metadata_JCP2022,Metadata_InChIKey,Metadata_SMILES\nJCP2022_033924,I,CS(C)=O\nJCP2022_000001,K,CC\n",
    )
    write(tmp_path / "orf.csv.gz", "Metadata_JCP2022,Metadata_Symbol\nJCP2022_900001,TP53\n")
    write(
        tmp_path / "perturbation_control.csv",
        "Metadata_JCP2022,Metadata_pert_type,Metadata_Name,Metadata_modality\nJCP2022_033924,negcon,DMSO,compound\n",
    )
    found = read_plate_map(tmp_path / "well.csv.gz", ["BR1"])
    table = found.values
    assert table["Metadata_SMILES"].fillna("-").tolist() == ["CS(C)=O", "CC", "-"]
    assert table["Metadata_Symbol"].fillna("-").tolist() == ["-", "-", "TP53"]
    assert table["Metadata_Batch"].tolist() == ["b1"] * 3
    assert table["perturbation"].tolist() == ["DMSO", "JCP2022_000001", "TP53"]
    assert (
        "perturbation is by Metadata_Name and Metadata_Symbol, or Metadata_JCP2022 where there is none." in found.notes
    )
    assert guess_labels(table) == ["perturbation"]
    assert guess_control(table, "perturbation") == "DMSO"
    assert len(read_plate_map(tmp_path)) == 4


def test_jump_tables_may_be_parquet(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    wells = {"Metadata_Plate": ["BR1"] * 2, "Metadata_Well": ["A01", "A02"]}
    ids = {"Metadata_JCP2022": ["JCP2022_033924", "JCP2022_000001"]}
    pd.DataFrame(wells | ids).to_parquet(tmp_path / "well.parquet")
    compounds = pd.DataFrame({**ids, "Metadata_SMILES": ["CS(C)=O", None], "synonyms": [["DMSO", "solvent"], []]})
    compounds.to_parquet(tmp_path / "compound.parquet")
    found = read_plate_map(tmp_path, ["BR1"])
    assert found.wells.tolist() == ["A01", "A02"]
    assert found.values["Metadata_SMILES"].fillna("-").tolist() == ["CS(C)=O", "-"]
    assert found.values["synonyms"].fillna("-").tolist() == ["DMSO solvent", "-"]


def test_a_gene_of_two_libraries_is_two_perturbations(tmp_path: Path) -> None:
    ids = ["JCP2022_900001", "JCP2022_800001", "JCP2022_800002", "JCP2022_800002", "JCP2022_000009"]
    rows = "".join(f"BR1,A0{number},{one}\n" for number, one in enumerate(ids, 1))
    write(tmp_path / "well.csv.gz", f"Metadata_Plate,Metadata_Well,Metadata_JCP2022\n{rows}")
    write(tmp_path / "orf.csv.gz", "Metadata_JCP2022,Metadata_Symbol\nJCP2022_900001,TP53\n")
    genes = "JCP2022_800001,TP53\nJCP2022_800002,MYC\n"
    write(tmp_path / "crispr.csv.gz", f"Metadata_JCP2022,Metadata_Gene\n{genes}")
    table = read_plate_map(tmp_path).values
    named = ["TP53 (JCP2022_900001)", "TP53 (JCP2022_800001)", "MYC", "MYC", "JCP2022_000009"]
    assert table["perturbation"].tolist() == named


def test_a_map_that_names_all_its_perturbations_keeps_its_own_column(tmp_path: Path) -> None:
    head = "well,Metadata_JCP2022,pert_iname,perturbation\n"
    write(tmp_path / "map.csv", f"{head}A01,JCP2022_1,DMSO,none\nA02,JCP2022_2,,drug\n")
    assert read_plate_map(tmp_path / "map.csv").values["perturbation"].tolist() == ["none", "drug"]
    write(tmp_path / "map.csv", "well,Metadata_JCP2022,pert_iname\nA01,JCP2022_1,DMSO\nA02,JCP2022_2,taxol\n")
    assert "perturbation" not in read_plate_map(tmp_path / "map.csv").values


def test_a_folder_that_is_no_plate_map(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"is a folder without barcode_platemap\.csv"):
        read_plate_map(tmp_path)
    write(tmp_path / "barcode_platemap.csv", "Assay_Plate_Barcode,Plate_Map_Name\nBR1,\n")
    with pytest.raises(SourceError, match="has a plate without the name of its map"):
        read_plate_map(tmp_path)
    write(tmp_path / "barcode_platemap.csv", "Assay_Plate_Barcode,Plate_Map_Name\nBR1,M\n")
    write(tmp_path / "M.csv", "a,b\n1,2\n")
    with pytest.raises(SourceError, match=r"M\.csv names no wells"):
        read_plate_map(tmp_path)


def test_every_form_has_a_name() -> None:
    assert len({form.name for form in FORMS}) == len(FORMS)
