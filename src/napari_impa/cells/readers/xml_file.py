"""XML files that microscopes write beside their images: by plain names, and nothing in them expanded."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO
from xml.etree import ElementTree

from napari_impa.errors import SourceError

_BLOCK = 1 << 16


def read_xml(path: Path, root: str, without: str) -> ElementTree.Element:
    """Read an XML file whole; parameters and errors as `xml_elements`."""
    outermost = ElementTree.Element(root)
    for element in xml_elements(path, root, without):
        outermost = element
    return outermost


def xml_elements(path: Path, root: str | None, without: str) -> Iterator[ElementTree.Element]:
    """Read an XML file bit by bit; elements and attributes lose their namespaces (`bts:Ch` becomes `Ch`).

    Parameters
    ----------
    root
        What the outermost element has to be called, where that is known.
    without
        What is done where the file is not there, to be said where it is damaged: `images are read by their names`.

    Yields
    ------
    Each element when it ends, the outermost last; who is done with one clears it, so that no memory is needed for all.

    Raises
    ------
    SourceError
        If it is damaged, half written, another kind of file, or defines a document type.
    """
    try:
        with open(path, "rb") as file:
            outermost = _outermost(file)
            if root is not None and outermost not in (None, root):
                raise SourceError(
                    f"{path} is another kind of file than its name says (it holds {outermost}, not {root}); put the "
                    f"microscope's own in its place, or remove it ({without})."
                )
            file.seek(0)
            parser: Any = ElementTree.XMLPullParser(("end",))  # all in C: an index has a million elements
            while block := file.read(_BLOCK):
                parser.feed(block)
                for _, element in parser.read_events():
                    element.tag = _plain(element.tag)
                    for key in element.keys():  # noqa: SIM118 - an element is no dictionary
                        if key[0] == "{":
                            element.set(_plain(key), element.attrib.pop(key))
                    yield element
        parser.close()
    except _DocumentTypeError:
        raise SourceError(
            f"{path} defines a document type, which no microscope writes; put the original in its place, or remove it "
            f"({without})."
        ) from None
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise SourceError(
            f"{path} is damaged or half written ({error}); copy it once more from the microscope, or remove it "
            f"({without})."
        ) from None
    except OSError as error:
        raise SourceError(f"{path} cannot be read ({error.strerror}); check who may read it.") from None


class _DocumentTypeError(Exception):
    """A document type, by which entities could grow without end or bring in other files of the computer."""


class _Prolog:
    """What comes before the first element."""

    def __init__(self) -> None:
        self.outermost: str | None = None

    def start(self, tag: str, attrs: dict[str, str], /) -> None:
        self.outermost = self.outermost or _plain(tag)

    def doctype(self, name: str, public: str | None, system: str | None) -> None:
        raise _DocumentTypeError


def _outermost(file: BinaryIO) -> str | None:
    """The name of the first element, by as little of the file as tells it; None where there is none."""
    prolog = _Prolog()
    parser = ElementTree.XMLParser(target=prolog)
    while prolog.outermost is None and (block := file.read(_BLOCK)):
        parser.feed(block)
    return prolog.outermost


@lru_cache(maxsize=1024)
def _plain(name: str) -> str:
    return name.rpartition("}")[2]
