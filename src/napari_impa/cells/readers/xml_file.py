"""XML files that microscopes write beside their images: by plain names, and nothing in them expanded."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
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
    target = _Finished()
    parser = ElementTree.XMLParser(target=target)
    try:
        with open(path, "rb") as file:
            while block := file.read(_BLOCK):
                parser.feed(block)
                if root is not None and target.outermost not in (None, root):
                    raise SourceError(
                        f"{path} is another kind of file than its name says (it holds {target.outermost}, not "
                        f"{root}); put the microscope's own in its place, or remove it ({without})."
                    )
                finished, target.finished = target.finished, []
                yield from finished
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


class _Finished(ElementTree.TreeBuilder):
    """Gathers elements as they end, without the namespaces before their names."""

    def __init__(self) -> None:
        super().__init__()
        self.outermost: str | None = None
        self.finished: list[ElementTree.Element] = []

    def start(self, tag: str, attrs: dict[str, str], /) -> ElementTree.Element:
        name = _plain(tag)
        self.outermost = self.outermost or name
        return super().start(name, {_plain(key): value for key, value in attrs.items()})

    def end(self, tag: str, /) -> ElementTree.Element:
        element = super().end(_plain(tag))
        self.finished.append(element)
        return element

    def doctype(self, name: str, public: str | None, system: str | None) -> None:
        raise _DocumentTypeError


@lru_cache(maxsize=1024)
def _plain(name: str) -> str:
    return name.rpartition("}")[2]
