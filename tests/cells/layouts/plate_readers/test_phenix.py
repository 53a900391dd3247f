from __future__ import annotations

from pathlib import Path

import pytest
from stub_plates import CHANNELS, stub_plate, write_plates

from napari_impa.cells.layouts import list_source
from napari_impa.cells.simulated.plate_writers.phenix import write_phenix
from napari_impa.cells.source import open_source
from napari_impa.errors import SourceError


def test_the_index_of_harmony_7_has_names_and_sizes_once_a_channel(tmp_path: Path) -> None:
    write_phenix(tmp_path, stub_plate(wells=["A01", "H12"], times=2), "V7")
    source = open_source(tmp_path, kind="fields")
    assert source.channels == CHANNELS
    assert source.pixel_size == 0.65
    assert source.table["well"].tolist() == ["A01", "A01", "H12", "H12"]
    assert source.table["plate"].tolist() == ["BR1"] * 4
    assert source.table["position_x_um"].tolist() == [100.0, 200.0, 100.0, 200.0]
    assert "the first of 2 times" in source.layout


def test_without_its_index_a_plate_is_read_by_names(tmp_path: Path) -> None:
    write_plates(tmp_path, "phenix", stub_plate("BR1"), stub_plate("BR2", plate=2))
    for index in tmp_path.rglob("Index.idx.xml"):
        index.unlink()
    source = open_source(tmp_path, kind="fields")
    assert source.channels == ("channel 1", "channel 2", "channel 3")
    assert source.table["plate"].tolist() == ["BR1"] * 6 + ["BR2"] * 6
    assert source.table["well"].tolist()[:3] == ["A01", "A01", "B02"]
    (images, _) = sorted(tmp_path.rglob("Images"))
    assert set(open_source(images, kind="fields").table["plate"]) == {"BR1"}


def test_two_measurements_of_a_plate_are_two_acquisitions(tmp_path: Path) -> None:
    write_plates(tmp_path / "a", "phenix", stub_plate(wells=["A01"], sites=1))
    (own,) = (tmp_path / "a").iterdir()
    write_plates(tmp_path / "b", "phenix", stub_plate(wells=["A01"], sites=1, plate=2))
    next((tmp_path / "b").iterdir()).rename(own.with_name(own.name.replace("Measurement1", "Measurement2")))
    table = list_source(tmp_path / "a").table
    assert table["acquisition"].tolist() == ["Measurement1", "Measurement2"]
    assert table["plate"].tolist() == ["BR1", "BR1"]


def test_images_that_are_gone_or_failed_are_said(tmp_path: Path) -> None:
    write_plates(tmp_path, "phenix", stub_plate(wells=["A01", "B02"], sites=1))
    (index,) = tmp_path.rglob("Index.idx.xml")
    (index.parent / "r01c01f01p01-ch1sk1fk1fl1.tiff").unlink()
    text = index.read_text(encoding="utf-8")
    other = index.parent / "r02c02f01p01-ch2sk1fk1fl1.tiff"
    (index.parent / "stray.tiff").write_bytes(other.read_bytes())
    listing = list_source(tmp_path)
    assert [entry.name for entry in listing.entries] == ["BR1_Measurement1_B02_s1"]
    assert listing.notes[0].endswith("Index.idx.xml names 1 of 6 images that are not there.")
    assert listing.notes[1] == "1 site left out for want of a channel file: BR1 A01 site 1 lacks channel DNA."
    assert listing.skipped[index.parent / "stray.tiff"] == "not in Index.idx.xml"
    index.write_text(text.replace(f"<State>Ok</State><URL>{other.name}", f"<State>Failed</State><URL>{other.name}"))
    with pytest.raises(SourceError, match=r"No site in .* has all channels"):
        list_source(tmp_path)


def test_an_index_cut_short_is_named_and_without_it_names_are_read(tmp_path: Path) -> None:
    write_plates(tmp_path, "phenix")
    (index,) = tmp_path.rglob("Index.idx.xml")
    index.write_text(index.read_text(encoding="utf-8")[:-200], encoding="utf-8")
    with pytest.raises(SourceError, match=r"Index\.idx\.xml is damaged or half written .*; copy it once more"):
        list_source(tmp_path)
    index.unlink()
    assert len(list_source(tmp_path).entries) == 6


def test_two_channels_of_one_name_are_told_apart(tmp_path: Path) -> None:
    write_phenix(tmp_path, stub_plate(channels=["Alexa 488", "Alexa 488"]))
    assert list_source(tmp_path).channels == ("Alexa 488 (1)", "Alexa 488 (2)")


def test_folders_of_conditions_with_its_names(tmp_path: Path) -> None:
    for name in ("DMSO", "taxol"):
        write_phenix(tmp_path / name, stub_plate(wells=["B02"], sites=1))
        (own,) = (tmp_path / name).rglob("Images")
        for file in own.glob("*.tiff"):
            file.rename(tmp_path / name / file.name)
        (own / "Index.idx.xml").unlink()
    listing = list_source(tmp_path)
    assert listing.table["condition"].tolist() == ["DMSO", "taxol"]
    assert [len(entry.files) for entry in listing.entries] == [3, 3]


def test_an_index_with_entities_is_refused(tmp_path: Path) -> None:
    write_plates(tmp_path, "phenix")
    (index,) = tmp_path.rglob("Index.idx.xml")
    text = index.read_text(encoding="utf-8")
    head = '<!DOCTYPE EvaluationInputData [<!ENTITY a "b">]><EvaluationInputData '
    index.write_text(text.replace("<EvaluationInputData ", head), encoding="utf-8")
    with pytest.raises(SourceError, match=r"Index\.idx\.xml defines a document type"):
        list_source(tmp_path)
