"""Servers that send without end, too slowly, inflated, or what is none: one sentence, and nothing is left."""

from __future__ import annotations

import gc
import gzip
import struct
import time
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from local_server import Server, sparse_archive

from napari_impa.errors import FetchError
from napari_impa.fetching import files, members, ranges
from napari_impa.fetching.files import fetch_file
from napari_impa.fetching.members import Member, fetch_member, list_members
from napari_impa.fetching.ranges import RangeFile, RemoteFile

NETS = "bbbc021_six/nets.ckpt"
Answer = Callable[[Any], None]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "a.impa").write_bytes(b"model")
    with Server(folder) as server:
        yield server


def answering(status: int, headers: dict[str, str], pieces: Iterable[bytes] = ()) -> Answer:
    """An answer of a status, headers and a body."""

    def answer(request: Any) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("Connection", "close")  # as the server does, so that no next request is sent there
        request.end_headers()
        for piece in pieces:
            request.wfile.write(piece)
            request.wfile.flush()

    return answer


def without_end(block: bytes, seconds: float = 0) -> Iterator[bytes]:
    while True:
        yield block
        time.sleep(seconds)


def refused(server: Server, tmp_path: Path, answer: Answer, said: str) -> None:
    server.faults.extend([answer] * 3)
    with pytest.raises(FetchError, match=said):
        fetch_file(server.url("a.impa"), tmp_path / "cache" / "a.impa", patience=())
    left = [one for one in (tmp_path / "cache").rglob("*") if one.is_file()]
    assert left == []


def test_an_answer_without_end_is_left(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LARGEST", 1_000_000)
    refused(server, tmp_path, answering(200, {}, without_end(b"x" * 65536)), "sends more than")


def test_a_length_beyond_every_file_is_left_at_once(server: Server, tmp_path: Path) -> None:
    answer = answering(200, {"Content-Length": str(10**13)}, without_end(b"x" * 65536))
    refused(server, tmp_path, answer, "sends more than the 9 GB that a file may have")


def test_a_packed_answer_counts_by_what_it_becomes(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "LARGEST", 1_000_000)
    packed = gzip.compress(bytes(30_000_000))
    headers = {"Content-Encoding": "gzip", "Content-Length": str(len(packed))}
    refused(server, tmp_path, answering(200, headers, iter([packed])), "sends more than")
    assert server.requests, "and it was asked not to pack anything"


def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "SLOW_FOR", 0.3)
    monkeypatch.setattr(ranges, "SLOWEST", 10_000.0)


def test_a_dripping_server_is_given_up(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow(monkeypatch)
    began = time.monotonic()
    answer = answering(200, {"Content-Length": "1000000"}, without_end(b"x", 0.02))
    refused(server, tmp_path, answer, "sends less than 10000 bytes a second")
    assert time.monotonic() - began < 15


def test_a_dripping_server_of_parts_is_given_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    slow(monkeypatch)
    headers = {"Content-Range": "bytes 0-0/9000000", "Content-Length": "1"}
    server.faults.append(answering(206, headers, iter([b"x"])))
    headers = {"Content-Range": "bytes 0-8999999/9000000", "Content-Length": "65536"}
    server.faults.append(answering(206, headers, without_end(b"x", 0.02)))
    with pytest.raises(FetchError, match="sends less than 10000 bytes a second"):
        RemoteFile(server.url("a.impa"), patience=())


@pytest.fixture
def left_connections() -> Iterator[None]:
    """What requests leaves to the collector of an answer that it cannot read is collected here, quietly."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield
        gc.collect()


@pytest.mark.usefixtures("left_connections")
@pytest.mark.parametrize("length", ["abc", "9" * 5000])
def test_lengths_that_are_none(server: Server, tmp_path: Path, length: str) -> None:
    server.faults.append(answering(200, {"Content-Length": length}))
    with pytest.raises(FetchError, match="cannot be fetched") as told:
        fetch_file(server.url("a.impa"), tmp_path / "a.impa", patience=())
    assert "SHA-256" not in str(told.value)
    assert len(str(told.value)) < 600
    server.faults.append(answering(206, {"Content-Range": f"bytes 0-0/{length}", "Content-Length": "1"}, iter([b"x"])))
    with pytest.raises(FetchError):
        RemoteFile(server.url("a.impa"), patience=())


@pytest.mark.usefixtures("left_connections")
@pytest.mark.parametrize("where", ["http://[::1", "http://" + "a" * 300 + "/x", "nothing://here"])
def test_a_redirect_to_a_bad_address(server: Server, tmp_path: Path, where: str) -> None:
    for fetch in (
        lambda: fetch_file(server.url("a.impa"), tmp_path / "a.impa", patience=()),
        lambda: RemoteFile(server.url("a.impa"), patience=()),
    ):
        server.faults.append(answering(302, {"Location": where, "Content-Length": "0"}))
        with pytest.raises(FetchError):
            fetch()


def test_a_name_of_300_letters(server: Server, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="cannot be written"):
        fetch_file(server.url("a.impa"), tmp_path / ("a" * 300 + ".impa"), patience=())


def test_a_member_that_is_longer_than_the_archive_says(tmp_path: Path) -> None:
    archive = sparse_archive(tmp_path / "bomb.zip", {NETS: bytes(50_000_000)}, hole=0)
    with Server(tmp_path) as server, RemoteFile(server.url(archive.name), patience=()) as remote:
        (member,) = list_members(remote)
        lying = Member(member.name, member.offset, member.packed, 1000, member.crc, member.method)
        with pytest.raises(FetchError, match="it is longer than the archive says"):
            fetch_member(remote, lying, tmp_path / "out" / "nets.ckpt")
        assert list((tmp_path / "out").iterdir()) == []
        vast = Member(member.name, member.offset, member.packed, 1 << 50, member.crc, member.method)
        with pytest.raises(FetchError, match="more than the 9 GB"):
            fetch_member(remote, vast, tmp_path / "out" / "nets.ckpt")


def test_what_is_inflated_is_inflated_bit_by_bit(tmp_path: Path) -> None:
    archive = sparse_archive(tmp_path / "bomb.zip", {NETS: bytes(40_000_000)}, hole=0)
    with zipfile.ZipFile(archive) as opened:
        about = opened.infolist()[0]
    packed = archive.read_bytes()[about.header_offset + 30 + len(NETS) :][: about.compress_size]
    (tmp_path / "packed").write_bytes(packed)
    with (tmp_path / "packed").open("rb") as source:
        assert max(map(len, members._unpacked(source, zipfile.ZIP_DEFLATED))) <= 1 << 20


def test_a_directory_that_is_cut_or_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = sparse_archive(tmp_path / "a.zip", {NETS: b"nets"}, hole=0)
    whole = archive.read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[:-30])
    end = whole.rindex(b"PK\x05\x06")
    said = whole[: end + 12] + struct.pack("<L", 0xFFFFFFF0) + whole[end + 16 :]
    (tmp_path / "long.zip").write_bytes(said)
    monkeypatch.setattr(ranges, "DIRECTORY", 10)
    with Server(tmp_path) as server:
        for name in ("cut.zip", "long.zip"):
            with RemoteFile(server.url(name), patience=()) as remote, pytest.raises(FetchError):
                list_members(remote)
        with RemoteFile(server.url("a.zip"), patience=()) as remote, pytest.raises(FetchError, match="its directory"):
            RangeFile(remote).read(11)
