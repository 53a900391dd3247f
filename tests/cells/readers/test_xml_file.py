"""XML beside images: plain names; what is damaged, foreign or explosive is one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_impa.cells.readers.xml_file import read_xml, xml_elements
from napari_impa.errors import SourceError

WITHOUT = "images are read by their names"


def written(tmp_path: Path, text: str, encoding: str = "utf-8") -> Path:
    path = tmp_path / "Index.xml"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_names_lose_their_namespaces(tmp_path: Path, encoding: str) -> None:
    text = '<b:Data xmlns:b="http://x/1.0"><b:Record b:Ch="1" Z="2">a µ.tif</b:Record></b:Data>'
    (record,) = read_xml(written(tmp_path, text, encoding), "Data", WITHOUT).iter("Record")
    assert (record.attrib, record.text) == ({"Ch": "1", "Z": "2"}, "a µ.tif")


@pytest.mark.parametrize("text", ["", "<Data><Record", "\0\1\2", '<?xml version="1.0" encoding="nonsense"?><Data/>'])
def test_a_half_written_file_is_one_sentence(tmp_path: Path, text: str) -> None:
    with pytest.raises(SourceError, match=r"Index\.xml is damaged or half written \(.*\); .*read by their names\)\.$"):
        read_xml(written(tmp_path, text), "Data", WITHOUT)


def test_another_kind_of_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"Index\.xml is another kind of file .*\(it holds html, not Data\)"):
        read_xml(written(tmp_path, "<html/>"), "Data", WITHOUT)


@pytest.mark.parametrize(
    "inside",
    [
        '<!DOCTYPE Data [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><Data>&b;</Data>',
        '<!DOCTYPE Data [<!ENTITY f SYSTEM "file:///etc/hostname">]><Data>&f;</Data>',
        '<!DOCTYPE Data SYSTEM "http://example.org/data.dtd"><Data/>',
    ],
)
def test_entities_are_never_expanded(tmp_path: Path, inside: str) -> None:
    with pytest.raises(SourceError, match="defines a document type, which no microscope writes"):
        read_xml(written(tmp_path, inside), "Data", WITHOUT)


def test_elements_come_as_they_end_the_outermost_last(tmp_path: Path) -> None:
    text = "<Data>" + "".join(f"<Record Ch='{number}'/>" for number in range(20_000)) + "</Data>"
    path = written(tmp_path, text)
    numbers = []
    for element in xml_elements(path, "Data", WITHOUT):
        numbers.append(element.get("Ch"))
        element.clear()
    assert numbers == [*map(str, range(20_000)), None]
