"""Members out of a 4 GB archive over HTTP: how many bytes move, what a break costs, and what is refused."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from local_server import HOLE, Server, sparse_archive

from napari_impa.errors import FetchError
from napari_impa.fetching import members
from napari_impa.fetching.members import PARTIAL, RECORD, fetch_member, list_members, read_record, sha256_of
from napari_impa.fetching.ranges import ChangedError, RangeFile, RemoteFile
from napari_impa.watch import CancelledError, Reported, Token

NETS = "IMPA_reproducibility/checkpoints/bbbc021_six/000200_nets.ckpt"
TABLE = "IMPA_reproducibility/datasets/bbbc021_six.csv"
NOISE = np.random.default_rng(0).bytes(3_000_000)
MEMBERS = {NETS: NOISE, TABLE: b"CPD_NAME,SMILES\n" * 5000}
QUICK = (0.0, 0.0, 0.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    sparse_archive(folder / "big.zip", MEMBERS)
    sparse_archive(folder / "small.zip", {NETS: NOISE[:200_000]}, hole=0, stored=(NETS,))
    (folder / "page.html").write_bytes(b"<html>" * 20_000)
    return folder


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    with Server(folder) as server:
        yield server


def opened(server: Server, name: str = "big.zip", **how: object) -> RemoteFile:
    return RemoteFile(server.url(name), patience=QUICK, **how)  # type: ignore[arg-type]


def by_name(remote: RemoteFile, name: str = NETS):  # type: ignore[no-untyped-def]
    return next(member for member in list_members(remote) if member.name == name)


def test_one_member_of_an_archive_beyond_4_gib(server: Server, folder: Path, tmp_path: Path) -> None:
    archive = folder / "big.zip"
    assert archive.stat().st_size > HOLE > 1 << 32
    assert archive.stat().st_blocks * 512 < 8_000_000  # on this disk it is nearly all holes
    with opened(server) as remote:
        member = by_name(remote)
        assert member.offset > 1 << 32
        told: list[tuple[int, int]] = []
        path = fetch_member(
            remote, member, tmp_path / "nets.ckpt", Reported(lambda done, of, what: told.append((done, of)))
        )
        assert path.read_bytes() == NOISE
        assert remote.moved == server.sent < len(NOISE) + 70_000
        assert told[0][0] == 0
        assert told[-1] == (member.packed, member.packed)
        assert read_record(path)["sha256"] == sha256_of(path)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["nets.ckpt", "nets.ckpt.json"]


def test_a_fetched_member_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    with opened(server) as remote:
        member = by_name(remote)
        fetch_member(remote, member, tmp_path / "nets.ckpt")
        before = remote.moved
        fetch_member(remote, member, tmp_path / "nets.ckpt")
        assert remote.moved == before


def test_goes_on_where_the_connection_broke(server: Server, tmp_path: Path) -> None:
    with opened(server) as remote:
        member = by_name(remote)
        server.sent = 0
        server.requests.clear()
        server.faults.extend([None, ("cut", 1_000_000), 503, ("cut", 700_000), ("cut", 0)])
        path = fetch_member(remote, member, tmp_path / "nets.ckpt")
        assert path.read_bytes() == NOISE
        assert server.sent < len(NOISE) + 2 * (1 << 16)  # a break costs the piece under way
        assert len(server.requests) == 6


def test_another_process_goes_on(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "nets.ckpt"
    with opened(server) as remote:
        member = by_name(remote)
        server.faults.extend([None, ("cut", 1_000_000), *[("cut", 0)] * 9])
        with pytest.raises(FetchError, match=r"what came so far is kept|again and again"):
            fetch_member(remote, member, path)
    held = (tmp_path / f"nets.ckpt{PARTIAL}").stat().st_size
    assert 900_000 < held <= 1_000_000
    server.faults.clear()
    server.sent = 0
    with opened(server) as remote:
        told: list[int] = []
        fetch_member(remote, by_name(remote), path, Reported(lambda done, of, what: told.append(done)))
        assert told[0] == held
        assert server.sent < len(NOISE) - held + 70_000
    assert path.read_bytes() == NOISE


def test_an_archive_changed_meanwhile_is_begun_anew(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "nets.ckpt"
    with opened(server) as remote:
        member = by_name(remote)
        server.faults.extend([None, ("cut", 1_000_000), 404])
        with pytest.raises(FetchError, match="HTTP 404"):
            fetch_member(remote, member, path)
        server.tag = '"two"'
        with pytest.raises(ChangedError, match="changed meanwhile"):
            fetch_member(remote, member, path)
    server.sent = 0
    with opened(server) as remote:
        fetch_member(remote, by_name(remote), path)
    assert server.sent > len(NOISE)  # nothing of the old one was kept
    assert path.read_bytes() == NOISE


@pytest.mark.parametrize("stored", [(), (NETS,)])
def test_a_wrong_crc_is_refused(tmp_path: Path, stored: tuple[str, ...]) -> None:
    archive = sparse_archive(tmp_path / "bad.zip", {NETS: NOISE[:100_000]}, hole=0, stored=stored)
    content = bytearray(archive.read_bytes())
    content[50_000] ^= 1
    archive.write_bytes(content)
    with Server(tmp_path) as server, opened(server, "bad.zip") as remote:
        member = by_name(remote)
        with pytest.raises(FetchError, match="arrived damaged"):
            fetch_member(remote, member, tmp_path / "out" / "nets.ckpt")
    assert list((tmp_path / "out").iterdir()) == []


def test_the_recorded_sha256_counts_on_later_fetches(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "nets.ckpt"
    with opened(server, "small.zip") as remote:
        member = by_name(remote)
        fetch_member(remote, member, path)
        path.write_bytes(b"damaged on this disk")
        assert fetch_member(remote, member, path).read_bytes() == NOISE[:200_000]
        record = tmp_path / f"nets.ckpt{RECORD}"
        record.write_text(record.read_text().replace(read_record(path)["sha256"], "0" * 64))
        with pytest.raises(FetchError, match="SHA-256 differs"):
            fetch_member(remote, member, path)
        assert not path.exists()


def test_a_member_of_the_same_file_name_is_another_one(tmp_path: Path) -> None:
    other, path = NETS.replace("bbbc021_six", "bbbc021_all"), tmp_path / "out" / "nets.ckpt"
    sparse_archive(tmp_path / "two.zip", {NETS: NOISE[:200_000], other: NOISE[200_000:400_000]}, hole=0)
    with Server(tmp_path) as server, opened(server, "two.zip") as remote:
        one, two = by_name(remote), by_name(remote, other)
        assert fetch_member(remote, one, path).read_bytes() == NOISE[:200_000]
        assert fetch_member(remote, two, path).read_bytes() == NOISE[200_000:400_000]
        assert read_record(path)["member"] == other
        path.unlink()  # as removing a model does: the record stays
        assert fetch_member(remote, one, path).read_bytes() == NOISE[:200_000]


def test_an_archive_with_another_file_in_the_place_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "out" / "nets.ckpt"
    sparse_archive(tmp_path / "a.zip", {NETS: NOISE[:200_000]}, hole=0)
    with Server(tmp_path) as server:
        with opened(server, "a.zip") as remote:
            fetch_member(remote, by_name(remote), path)
        sparse_archive(tmp_path / "a.zip", {NETS: NOISE[200_000:400_000]}, hole=0)
        with opened(server, "a.zip") as remote, pytest.raises(FetchError, match=r"CRC-32 differs.*delete .*ckpt\.json"):
            fetch_member(remote, by_name(remote), path)
        assert path.read_bytes() == NOISE[:200_000]
        (path.parent / f"nets.ckpt{RECORD}").unlink()
        with opened(server, "a.zip") as remote:
            assert fetch_member(remote, by_name(remote), path).read_bytes() == NOISE[200_000:400_000]


def test_a_full_disk_does_not_cost_what_has_come(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> Iterator[bytes]:
        yield NOISE[:1000]
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "nets.ckpt"
    with opened(server) as remote:
        member = by_name(remote)
        with monkeypatch.context() as disk:
            disk.setattr(members, "_unpacked", full)
            with pytest.raises(FetchError, match=r"No space left.*what has come is kept"):
                fetch_member(remote, member, path)
        assert sorted(one.name for one in tmp_path.iterdir()) == [f"nets.ckpt{PARTIAL}", f"nets.ckpt{PARTIAL}{RECORD}"]
        moved = remote.moved
        assert fetch_member(remote, member, path).read_bytes() == NOISE
        assert remote.moved == moved


def test_a_server_without_ranges_is_refused_with_advice(server: Server) -> None:
    server.ranges = False
    with pytest.raises(FetchError, match=r"only whole \(4\.5 GB\).*models import"):
        opened(server)
    assert server.sent < 8_000_000  # it hung up


@pytest.mark.parametrize("status", [404, 403])
def test_a_missing_file_is_told(server: Server, status: int) -> None:
    server.faults.append(status)
    with pytest.raises(FetchError, match=f"HTTP {status}"):
        opened(server)


def test_a_busy_server_is_asked_again(server: Server) -> None:
    server.faults.extend([500, 429, 503])
    assert len(list_members(opened(server))) == 3
    server.faults.extend([503] * 4)
    with pytest.raises(FetchError, match=r"busy or out of order \(HTTP 503\)"):
        opened(server)


def test_no_server(folder: Path) -> None:
    with Server(folder) as server:
        url = server.url("big.zip")
    with pytest.raises(FetchError, match="cannot be reached"):
        RemoteFile(url, patience=QUICK)
    with pytest.raises(FetchError, match="check the address"):
        RemoteFile("nothing://here", patience=QUICK)


def test_no_archive(server: Server) -> None:
    with pytest.raises(FetchError, match="no zip archive"):
        list_members(opened(server, "page.html"))


def test_a_watch_that_leaves_ends_it_and_what_came_is_kept(server: Server, tmp_path: Path) -> None:
    token = Token(lambda progress: progress.done > 500_000 and token.cancel())
    with opened(server, watch=token) as remote:
        member = by_name(remote)
        with pytest.raises(CancelledError):
            fetch_member(remote, member, tmp_path / "nets.ckpt", token)
    assert len(NOISE) > (tmp_path / f"nets.ckpt{PARTIAL}").stat().st_size > 500_000


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_reads_what_a_local_file_reads(data: st.DataObject, local: Callable[[], tuple[RangeFile, Path]]) -> None:
    remote, path = local()
    with path.open("rb") as file:
        size = path.stat().st_size
        for _ in range(4):
            whence = data.draw(st.sampled_from([os.SEEK_SET, os.SEEK_END]))
            offset = data.draw(st.integers(0, size + 10)) * (1 if whence == os.SEEK_SET else -1)
            if whence == os.SEEK_END:
                offset = max(offset, -size)
            count = data.draw(st.integers(0, 100_000))
            assert remote.seek(offset, whence) == file.seek(offset, whence)
            assert remote.read(count) == file.read(count)
            assert remote.tell() == file.tell()


@pytest.fixture(scope="module")
def local(folder: Path) -> Iterator[Callable[[], tuple[RangeFile, Path]]]:
    with Server(folder) as server:
        remote = RemoteFile(server.url("small.zip"), patience=QUICK)
        yield lambda: (RangeFile(remote), folder / "small.zip")
        remote.__exit__()


def test_a_local_header_elsewhere_is_told(tmp_path: Path) -> None:
    archive = sparse_archive(tmp_path / "bad.zip", {NETS: NOISE[:100_000]}, hole=0)
    content = bytearray(archive.read_bytes())
    content[:4] = struct.pack("<4s", b"none")
    archive.write_bytes(content)
    with Server(tmp_path) as server, opened(server, "bad.zip") as remote:
        member = by_name(remote)
        with pytest.raises(FetchError, match="archive is damaged"):
            fetch_member(remote, member, tmp_path / "nets.ckpt")
