"""OME-TIFF files that each describe a whole set of files: what of it is in the file that is read.

Micro-Manager writes one file a position, and other programs one a channel, with the description of all of them in each
file. Read as the description says, every such file would be the whole set.
"""

from __future__ import annotations

from xml.etree import ElementTree

_AXES = ("C", "Z", "T")


def own_part(xml: str, file_name: str) -> str | None:
    """The part of an OME-XML description that is of this file; None where all of it is, or it cannot be told.

    Images of which nothing is in the file are left out, and axes are as long as what is in it.

    Parameters
    ----------
    xml
        Description in the file.
    file_name
        Its name, without folders.
    """
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError:
        return None
    namespace = root.tag.partition("}")[0] + "}" if root.tag.startswith("{") else ""
    own_id = root.get("UUID")
    changed = False
    for image in root.findall(f"{namespace}Image"):
        pixels = image.find(f"{namespace}Pixels")
        if pixels is None:
            continue
        data = pixels.findall(f"{namespace}TiffData")
        others = [one for one in data if not _is_own(one, namespace, own_id, file_name)]
        if not others:
            continue
        changed = True
        if len(others) == len(data):
            root.remove(image)
            continue
        for one in others:
            pixels.remove(one)
        _shorten(pixels, namespace)
    if not changed or root.find(f"{namespace}Image") is None:
        return None
    if namespace:
        ElementTree.register_namespace("", namespace[1:-1])
    return ElementTree.tostring(root, encoding="unicode")


def _is_own(data: ElementTree.Element, namespace: str, own_id: str | None, file_name: str) -> bool:
    named = data.find(f"{namespace}UUID")
    if named is None:
        return True
    # a file that was renamed keeps its id
    same_id = own_id is not None and (named.text or "").strip() == own_id
    return same_id or named.get("FileName", "").lower() == file_name.lower()


def _shorten(pixels: ElementTree.Element, namespace: str) -> None:
    """Make each axis as long as the planes left, and number them anew."""
    data = pixels.findall(f"{namespace}TiffData")
    if any(int(one.get("PlaneCount", "1" if "IFD" in one.attrib else "0")) != 1 for one in data):
        return  # an element of several planes goes on along the axes by itself
    channels = pixels.findall(f"{namespace}Channel")
    for axis in _AXES:
        numbers = sorted({int(one.get(f"First{axis}", "0")) for one in data})
        pixels.set(f"Size{axis}", str(len(numbers)))
        for one in data:
            one.set(f"First{axis}", str(numbers.index(int(one.get(f"First{axis}", "0")))))
        if axis == "C" and len(channels) > len(numbers):
            for number, channel in enumerate(channels):
                if number not in numbers:
                    pixels.remove(channel)
