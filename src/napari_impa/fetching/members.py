"""Members of a zip archive on a server, fetched without the rest of it and gone on with after a break."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from napari_impa.cells.beside import replacing
from napari_impa.errors import FetchError
from napari_impa.fetching.ranges import LARGEST, RangeFile, RemoteFile
from napari_impa.watch import UNWATCHED, Watch

PARTIAL = ".partial"
"""Ending of the bytes of a member that have come so far, as they lie in the archive."""

RECORD = ".json"
"""Ending of what is known of a fetched member: where it is from, its CRC-32, its SHA-256."""

_LOCAL_HEADER = struct.Struct("<4s5H3L2H")
_BLOCK = 1 << 20
_NO_ARCHIVE = (
    zipfile.BadZipFile, struct.error, NotImplementedError, LookupError, ValueError, OverflowError, MemoryError,
)  # fmt: skip


@dataclass(frozen=True)
class Member:
    """An entry of an archive's central directory.

    Parameters
    ----------
    name
        Its path in the archive.
    offset
        Where its local header begins.
    packed, size
        Bytes in the archive, and unpacked.
    crc
        CRC-32 of the unpacked bytes.
    method
        0 stored, 8 deflated.
    """

    name: str
    offset: int
    packed: int
    size: int
    crc: int
    method: int


def list_members(remote: RemoteFile) -> list[Member]:
    """Read the central directory (zip64 too), in two requests.

    Raises
    ------
    FetchError
        If the file is no zip archive.
    """
    try:
        with zipfile.ZipFile(RangeFile(remote)) as archive:
            return [
                Member(one.filename, one.header_offset, one.compress_size, one.file_size, one.CRC, one.compress_type)
                for one in archive.infolist()
                if not one.is_dir() and not one.flag_bits & 1
            ]
    except _NO_ARCHIVE as error:
        raise FetchError(f"{remote.url} is no zip archive that can be read ({error}); check the address.") from error


def fetch_member(remote: RemoteFile, member: Member, path: Path, watch: Watch = UNWATCHED) -> Path:
    """Fetch a member to `path`, or find it there as it was fetched before.

    What came before a break lies beside `path` and is gone on with, also by another process; it is dropped where
    the archive was changed since. The CRC-32 of the archive is checked, and, where the same member was fetched
    before, the SHA-256 that was recorded then; one from another folder of the archive is replaced.

    Raises
    ------
    FetchError
        If it cannot be fetched, is damaged, or is another one than was fetched the first time.
    """
    known = read_record(path)
    if known.get("member") != member.name:
        known = {}
    elif known.get("crc32") != f"{member.crc:08x}":
        raise _another(remote, member, path, "CRC-32")
    elif is_fetched(path):
        return path
    if member.method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise FetchError(f"{member.name} is packed in a way (method {member.method}) that is not read here.")
    if max(member.packed, member.size) > LARGEST:
        raise FetchError(f"{member.name} has more than the {LARGEST / 1e9:.0f} GB that a file may have.")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + PARTIAL)
    _fetch_packed(remote, member, partial, watch)
    sha256 = _unpack(member, partial, path)
    if known.get("sha256") not in (None, sha256):
        path.unlink()
        raise _another(remote, member, path, "SHA-256")
    _write_json(
        path.with_name(path.name + RECORD),
        {"url": remote.url, "member": member.name, "size": member.size, "crc32": f"{member.crc:08x}", "sha256": sha256},
    )
    return path


def _another(remote: RemoteFile, member: Member, path: Path, what: str) -> FetchError:
    return FetchError(
        f"{member.name} at {remote.host} is not the file that was fetched the first time (its {what} differs); "
        f"delete {path.with_name(path.name + RECORD)} if the new one is to be taken."
    )


def is_fetched(path: Path) -> bool:
    """Whether a member lies at `path` with the SHA-256 that was recorded when it was fetched."""
    known = read_record(path).get("sha256")
    return known is not None and path.is_file() and sha256_of(path) == known


def read_record(path: Path) -> dict[str, Any]:
    """What was recorded of the member at `path`; empty where nothing was, or it cannot be read."""
    return _read_json(path.with_name(path.name + RECORD))


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fetch_packed(remote: RemoteFile, member: Member, partial: Path, watch: Watch) -> None:
    """Bring the packed bytes of a member into `partial`, from where they end."""
    about = {
        "url": remote.url, "size": remote.version.size, "tag": remote.version.tag, "member": member.name,
        "offset": member.offset, "packed": member.packed, "crc32": member.crc,
    }  # fmt: skip
    note = partial.with_name(partial.name + RECORD)
    if _read_json(note) != about:
        partial.unlink(missing_ok=True)
        _write_json(note, about)
    held = partial.stat().st_size if partial.is_file() else 0
    if held > member.packed:
        held = 0
    watch.report(held, member.packed, member.name)
    if held == member.packed > 0:
        return
    header = remote.read(member.offset, member.offset + _LOCAL_HEADER.size)
    fields = _LOCAL_HEADER.unpack(header) if len(header) == _LOCAL_HEADER.size else (b"",)
    if fields[0] != b"PK\x03\x04":
        raise FetchError(f"{member.name} does not lie where the archive at {remote.host} says; the archive is damaged.")
    begin = member.offset + _LOCAL_HEADER.size + fields[-2] + fields[-1]
    with partial.open("r+b" if held else "wb") as file:
        file.seek(held)
        for piece in remote.stream(begin + held, begin + member.packed):
            file.write(piece)
            held += len(piece)
            watch.report(held, member.packed, member.name)


def _unpack(member: Member, partial: Path, path: Path) -> str:
    """Unpack a whole member beside `path` and rename it; returns its SHA-256. Only what is damaged is thrown away."""
    unpacked = path.with_name(f".{path.name}.unpacked")
    crc, size, digest = 0, 0, hashlib.sha256()
    try:
        with partial.open("rb") as source, unpacked.open("wb") as target:
            for piece in _unpacked(source, member.method):
                if size + len(piece) > member.size:
                    raise zlib.error("it is longer than the archive says")
                crc, size = zlib.crc32(piece, crc), size + len(piece)
                digest.update(piece)
                target.write(piece)
        if (crc, size) != (member.crc, member.size):
            raise zlib.error("its CRC-32 differs from the archive's")
        os.replace(unpacked, path)
    except zlib.error as error:
        _drop(partial)
        raise FetchError(f"{member.name} arrived damaged ({error}) and was thrown away; fetch it again.") from error
    except OSError as error:
        raise FetchError(
            f"{member.name} cannot be unpacked into {path.parent} ({error.strerror or error}); free some space there "
            "and fetch it again: what has come is kept."
        ) from error
    finally:
        unpacked.unlink(missing_ok=True)
    _drop(partial)
    return digest.hexdigest()


def _drop(partial: Path) -> None:
    partial.unlink(missing_ok=True)
    partial.with_name(partial.name + RECORD).unlink(missing_ok=True)


def _unpacked(source: BinaryIO, method: int) -> Iterator[bytes]:
    blocks = iter(lambda: source.read(_BLOCK), b"")
    if method == zipfile.ZIP_STORED:
        yield from blocks
        return
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    for block in blocks:
        while block:  # a little can be inflated to very much
            yield inflate.decompress(block, _BLOCK)
            block = inflate.unconsumed_tail
    yield inflate.flush()


def _read_json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def _write_json(path: Path, values: dict[str, Any]) -> None:
    with replacing(path) as beside:
        beside.write_text(json.dumps(values, indent=1), encoding="utf-8")
