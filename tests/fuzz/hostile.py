"""Inputs: folders of true files, changed at random. The same seed gives the same inputs."""

from __future__ import annotations

import csv
import io
import json
import os
import struct
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

Files = Mapping[str, bytes]


@dataclass(frozen=True)
class Input:
    """A folder, and what in it is read.

    Parameters
    ----------
    files
        Contents by path below the folder.
    target
        Path of what is read; empty: the folder.
    said
        What was changed.
    odd
        Paths that are no plain files: a `folder`, a `pipe`, a `link` to nowhere, a `loop`.
    """

    files: Files
    target: str = ""
    said: str = "as it is"
    odd: Mapping[str, str] | None = None

    @property
    def size(self) -> int:
        return sum(map(len, self.files.values()))

    def write(self, folder: Path) -> Path:
        """Make the folder; returns what is to be read."""
        for name, data in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        for name, kind in (self.odd or {}).items():
            path = folder / name
            path.unlink(missing_ok=True)
            path.parent.mkdir(parents=True, exist_ok=True)
            if kind == "folder":
                path.mkdir()
            elif kind == "pipe":
                os.mkfifo(path)
            else:
                path.symlink_to(path.name if kind == "loop" else "nowhere")
        return folder / self.target if self.target else folder


def of_folder(folder: Path, target: str = "") -> Input:
    """A folder that was written, as an input."""
    files = {str(one.relative_to(folder)): one.read_bytes() for one in sorted(folder.rglob("*")) if one.is_file()}
    return Input(files, target)


INTEGERS = (0, 1, -1, 2, 4, 7, 8, 127, 255, 256, 4096, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1)

TEXTS = (
    "", " ", "x", "0", "-1", "1e308", "nan", "inf", "1,5", "1E3", "0E8", "12345678901234567890", "../../x",
    "/etc/passwd", "A1", "A01", "ZZ99", "DMSO", "µM", "μM", "\ud800", "\x00", "\x1b[31mx", "\x1b]0;t\x07", "\u202e",
    "\ufeff", "\n", '"',
    "'", ",", ";", "\t", "=1+1", "<img src=x>", "CON", "a" * 300, "é" * 300, "%00", "..", ".", "~", "NFκB", "[[[[[[[[",
    "True", "None", "null", "C1CC", "C" * 500, "(", "*", "?", "[a]",
)  # fmt: skip

VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 1.5, 1e308, -1e308, float("inf"), float("nan"), 10**6, 10**9, 2**31, 2**63, 10**30,
    "", "x", "../../x", "\ud800", "\x1b[31m", "a" * 300, [], {}, [[]], [None], ["x"], ["x", "x"], {"a": 1}, {"": {}},
    [1, 2, 3], [0], [-1], [1e9], [[1, 2], [3, 4]], ["a"] * 1000, list(range(50)),
)  # fmt: skip


def mutate(given: Input, random: Random, others: Files) -> Input:
    """The input with one file changed, or rarely more.

    Parameters
    ----------
    others
        Further contents, parts of which are put in.
    """
    files, odd, said = dict(given.files), dict(given.odd or {}), []
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        if not files:
            break
        name = random.choice(sorted(files))
        way = random.random()
        if way < 0.02:
            del files[name]
            said.append(f"without {name}")
        elif way < 0.04:
            odd[name] = random.choice(("folder", "pipe", "link", "loop"))
            said.append(f"{name} is a {odd[name]}")
        elif way < 0.06:
            new = str(Path(name).with_name(_name(random, Path(name).name)))
            files[new] = files[name] if random.random() < 0.5 else files.pop(name)
            said.append(f"{name} is called {new!r}")
        else:
            files[name], what = change(name, files[name], random, others)
            said.append(f"{name}: {what}")
    return replace(given, files=files, odd=odd, said="; ".join(said)[:300])


def _name(random: Random, name: str) -> str:
    stem, dot, ending = name.partition(".")
    at = random.randrange(len(stem) + 1)
    new = random.choice(
        (
            stem[:at] + stem[at + 1 :],
            stem[:at] + random.choice("xX019_- fsptzcw") + stem[at:],
            stem.swapcase(),
            stem + " 2",
        )
    )
    return (new or "x") + dot + ending


def change(name: str, data: bytes, random: Random, others: Files) -> tuple[bytes, str]:
    """Change the contents of a file in a way that fits what it is, or as bytes."""
    ways = [way for endings, way in _WAYS if name.lower().endswith(endings)]
    if ways and random.random() < 0.75:
        try:
            return random.choice(ways)(data, random)
        except Exception:  # what was changed before is none of that kind any more
            pass
    return change_bytes(data, random, others)


def change_bytes(data: bytes, random: Random, others: Files) -> tuple[bytes, str]:
    """Flip, cut, repeat, insert or replace bytes."""
    new = bytearray(data)
    way = random.choice(
        ("flip", "flip", "byte", "number", "number", "cut", "end", "repeat", "insert", "splice", "text")
    )
    at = random.randrange(len(new)) if new else 0
    if random.random() < 0.5:  # heads say most
        at = min(at, random.randrange(256))
    length = random.choice((1, 2, 4, 8, 16, 64, 256, 4096))
    if way == "flip" and new:
        new[at] ^= 1 << random.randrange(8)
    elif way == "byte" and new:
        new[at] = random.choice((0, 1, 10, 32, 127, 128, 255))
    elif way == "number":
        form = random.choice(("<I", ">I", "<H", ">H", "<Q"))
        value = random.choice(INTEGERS) % (1 << (8 * struct.calcsize(form)))
        new[at : at + struct.calcsize(form)] = struct.pack(form, value)
    elif way == "cut":
        del new[at : at + length]
    elif way == "end":
        del new[at:]
    elif way == "repeat":
        new[at:at] = new[at : at + length] * random.choice((1, 3, 100))
    elif way == "insert":
        new[at:at] = random.randbytes(length)
    elif way == "splice" and others:
        other = others[random.choice(sorted(others))]
        begin = random.randrange(len(other) + 1)
        new[at : at + random.choice((0, length))] = other[begin : begin + length]
    else:
        new[at : at + random.choice((0, length))] = random.choice(TEXTS).encode("utf-8", "surrogatepass")
    return bytes(new), f"{way} at {at}"


# ---- by what a file is ----------------------------------------------------------------------------------------------


def change_value(value: Any, random: Random) -> tuple[Any, str]:
    """Change one value of a JSON document, or take it out."""
    path: list[Any] = []
    holder, key, node = None, None, value
    while isinstance(node, dict | list) and node and (not path or random.random() < 0.8):
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        holder, key = node, random.choice(keys)
        path.append(key)
        node = holder[key]
    where = ".".join(map(str, path))
    if holder is None:
        return random.choice(VALUES), "all of it"
    if random.random() < 0.12:
        del holder[key]
        return value, f"{where} deleted"
    if isinstance(holder, dict) and random.random() < 0.1:
        holder[random.choice(TEXTS)] = holder.pop(key)
        return value, f"{where} renamed"
    if isinstance(node, int | float) and not isinstance(node, bool) and random.random() < 0.4:
        holder[key] = random.choice((node + 1, -node, node * 2, node * 1000, 0, str(node), [node], float(node) / 3))
    else:
        holder[key] = random.choice(VALUES)
    return value, f"{where} = {str(holder[key])[:40]!r}"


def _json(data: bytes, random: Random) -> tuple[bytes, str]:
    if random.random() < 0.02:
        return random.choice((b"[" * 100_000, b'{"a":' * 50_000, b"1" * 5000, b"null", b"[]", b"\xff", b"")), "hostile"
    value, said = change_value(json.loads(data), random)
    return json.dumps(value).encode(), said


def _safetensors(data: bytes, random: Random) -> tuple[bytes, str]:
    """Change the header of the format, or the one that is in it."""
    length = int.from_bytes(data[:8], "little")
    header, rest = json.loads(data[8 : 8 + length]), data[8 + length :]
    ours = header.get("__metadata__", {}).get("napari_impa")
    if ours is not None and random.random() < 0.8:
        text, said = _json(ours.encode(), random)
        header["__metadata__"]["napari_impa"] = text.decode("utf-8", "replace")
    else:
        header, said = change_value(header, random)
    new = json.dumps(header).encode()
    return len(new).to_bytes(8, "little") + new + rest, said


_SHAPES = (
    "(2, 2, 24, 24)", "(0,)", "()", "(-1, 3)", "(10**9,)", "(1000000000, 8)", "(9223372036854775808,)", "(2.0, 3)",
    "'x'", "(1,)*40", "(True, 8)",
)  # fmt: skip
_TYPES = ("|O", "|u1", "<u2", ">u2", "<f4", "<f8", "<c16", "|S5", "<U9", "<M8[s]", "[('a', '<i4')]", "|V9", "x", "<i8")


def _npy(data: bytes, random: Random) -> tuple[bytes, str]:
    wide = 2 if data[6] == 1 else 4
    length = int.from_bytes(data[8 : 8 + wide], "little")
    text, rest = data[8 + wide : 8 + wide + length].decode("latin1"), data[8 + wide + length :]
    head = random.choice((
        f"{{'descr': '{random.choice(_TYPES)}', 'fortran_order': {random.choice(('True', 'False', '1'))}, "
        f"'shape': {random.choice(_SHAPES)}, }}", "(", "'''", "\n\t x\n y", "-" * 3000 + "1", "None",
        text.replace("'", '"'), text.replace("24", random.choice(("0", "25", "99999", "-1"))),
    ))  # fmt: skip
    body = head.encode("latin1") + b"\n"
    return data[:8] + len(body).to_bytes(wide, "little") + body + rest, f"head {head[:60]!r}"


def _csv(data: bytes, random: Random) -> tuple[bytes, str]:
    text = data.decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text)))
    way = random.choice(
        ("cell", "cell", "cell", "title", "row", "column", "more", "twice", "delimiter", "encoding", "wide", "head")
    )
    row = random.randrange(len(rows))
    column = random.randrange(len(rows[row])) if rows[row] else 0
    if way == "cell" and rows[row]:
        rows[row][column] = random.choice(TEXTS)
    elif way == "title":
        rows[0][random.randrange(len(rows[0]))] = random.choice((*TEXTS, *rows[0]))
    elif way == "row":
        del rows[row]
    elif way == "column":
        for one in rows:
            del one[column : column + 1]
    elif way == "more":
        rows[row] = rows[row] + [random.choice(TEXTS)] * random.choice((1, 5, 200))
    elif way == "twice":
        rows[row:row] = [list(rows[row])] * random.choice((1, 20))
    elif way == "wide":
        rows = [[*one, *one] for one in rows]
    elif way == "head":
        rows[:0] = [[random.choice(TEXTS)]] * random.choice((1, 3))
    separator = random.choice((";", "\t", "|", " ")) if way == "delimiter" else ","
    out = io.StringIO()
    csv.writer(out, delimiter=separator, lineterminator=random.choice(("\n", "\n", "\r\n", "\r"))).writerows(rows)
    encoding = random.choice(("utf-16", "utf-8-sig", "cp1252", "latin1", "utf-16-be")) if way == "encoding" else "utf-8"
    if way == "delimiter" and random.random() < 0.3:
        out = io.StringIO(f"sep={separator}\n{out.getvalue()}")
    return out.getvalue().encode(
        encoding, "surrogatepass" if "utf" in encoding else "replace"
    ), f"{way} {row}, {column}"


def _zip(data: bytes, random: Random) -> tuple[bytes, str]:
    """Change one member and pack it again."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = random.choice(sorted(members))
    members[name], said = change_bytes(members[name], random, members)
    if random.random() < 0.05:
        del members[name]
        said = "taken out"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for one, content in members.items():
            archive.writestr(one, content)
    return out.getvalue(), f"{name}: {said}"


def _tiff(data: bytes, random: Random) -> tuple[bytes, str]:
    """Change an entry of a directory: its tag, type, count or value; or where the next directory is."""
    order = "<" if data[:2] == b"II" else ">"
    if data[2:4] not in (b"*\0", b"\0*"):
        raise ValueError
    at, directories = struct.unpack(f"{order}I", data[4:8])[0], []
    while at and at + 2 < len(data) and len(directories) < 20:
        (count,) = struct.unpack(f"{order}H", data[at : at + 2])
        directories.append((at, count))
        (at,) = struct.unpack(f"{order}I", data[at + 2 + 12 * count : at + 6 + 12 * count])
    at, count = random.choice(directories)
    new = bytearray(data)
    if random.random() < 0.1:
        value = random.choice((0, 4, 8, 100, at, len(data), 2**32 - 1))
        struct.pack_into(f"{order}I", new, at + 2 + 12 * count, value)
        return bytes(new), f"next directory at {value}"
    entry = at + 2 + 12 * random.randrange(count)
    (tag,) = struct.unpack(f"{order}H", data[entry : entry + 2])
    part = random.choice(("tag", "type", "count", "value", "value", "value"))
    value = random.choice(INTEGERS)
    if part == "tag":
        value = random.choice(
            (256, 257, 258, 259, 262, 270, 273, 277, 278, 279, 282, 284, 322, 339, 34665, 50838, value)
        )
        struct.pack_into(f"{order}H", new, entry, value % 65536)
    elif part == "type":
        struct.pack_into(f"{order}H", new, entry + 2, random.randrange(20))
    elif part == "count":
        struct.pack_into(f"{order}I", new, entry + 4, value % 2**32)
    elif random.random() < 0.5:
        struct.pack_into(f"{order}I", new, entry + 8, value % 2**32)
    else:
        struct.pack_into(f"{order}H", new, entry + 8, random.choice((0, 1, 2, 5, 7, 8, 32773, 34712, 50000, 65535)))
    return bytes(new), f"{part} of tag {tag} = {value}"


def _xml(data: bytes, random: Random) -> tuple[bytes, str]:
    """Change a value or a name of a text of marks."""
    parts = (
        data.decode("utf-8", "surrogateescape").replace("<", "\0<").replace(">", ">\0").replace('"', '\0"').split("\0")
    )
    at = random.randrange(len(parts))
    way = random.choice(("value", "value", "out", "twice", "nested"))
    if way == "value":
        parts[at] = parts[at][:1] + random.choice((*TEXTS, *map(str, INTEGERS)))
    elif way == "out":
        del parts[at : at + random.choice((1, 1, 3, 20))]
    elif way == "twice":
        parts[at:at] = parts[at : at + random.choice((1, 5, 40))] * random.choice((1, 2, 50))
    else:
        parts[at] += "<a>" * 20_000
    return "".join(parts).encode("utf-8", "surrogatepass"), f"{way} at part {at}"


_Way = Callable[[bytes, Random], tuple[bytes, str]]

_WAYS: tuple[tuple[tuple[str, ...], _Way], ...] = (
    ((".json", ".zattrs", ".zgroup", ".zarray"), _json),
    ((".impa", ".safetensors"), _safetensors),
    ((".npy",), _npy),
    ((".csv", ".txt", ".tsv"), _csv),
    ((".xlsx", ".ckpt", ".zip"), _zip),
    ((".tif", ".tiff"), _tiff),
    ((".xml", ".mes", ".mlf", ".mrf", ".xdce", ".wpi", ".html", ".xmp"), _xml),
)
"""Ways to change a file, by the ending of its name."""
