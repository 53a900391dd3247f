"""Whole files: checked, tried again, told in one sentence; and the table of images against the bytes it was made of."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from local_server import Server

from napari_impa.cells.beside import writer_tag
from napari_impa.errors import FetchError
from napari_impa.fetching.files import fetch_file
from napari_impa.fetching.image_sets import BBBC014, BBBC022, IMAGE_SETS
from napari_impa.fetching.members import sha256_of
from napari_impa.watch import CancelledError, Reported, Token

CONTENT = bytes(range(256)) * 2000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "a.tif").write_bytes(CONTENT)
    with Server(folder) as server:
        yield server


def test_fetched_once(server: Server, tmp_path: Path) -> None:
    path, told = tmp_path / "cache" / "a.tif", []
    for _ in range(2):
        fetch_file(
            server.url("a.tif"), path, sha256=SHA256, watch=Reported(lambda done, of, what: told.append((done, of)))
        )
    assert path.read_bytes() == CONTENT
    assert len(server.requests) == 1
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert [one.name for one in path.parent.iterdir()] == ["a.tif"]


def test_what_a_killed_process_was_fetching_is_removed_by_the_next(server: Server, tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    computer, _, ours = writer_tag().partition("-")
    left = [tmp_path / "cache" / f".arriving.{computer}-{process}.x" for process in (ended.pid, ours)]
    for folder in left:
        folder.mkdir(parents=True)
        (folder / "half").write_bytes(b"half")
    fetch_file(server.url("a.tif"), tmp_path / "cache" / "a.tif")
    assert sorted(one.name for one in (tmp_path / "cache").iterdir()) == [left[1].name, "a.tif"]


@pytest.mark.parametrize("fault", [503, ("cut", 1000)])
def test_tried_again(server: Server, tmp_path: Path, fault: object) -> None:
    server.faults.extend([fault, fault])
    path = fetch_file(server.url("a.tif"), tmp_path / "a.tif", sha256=SHA256, patience=(0, 0))
    assert sha256_of(path) == SHA256


@pytest.mark.parametrize(
    ("faults", "said"),
    [([404], r"HTTP 404.*check the address"), ([503] * 3, "busy"), ([("cut", 9)] * 3, "cannot be reached or breaks")],
)
def test_what_does_not_work_is_told(server: Server, tmp_path: Path, faults: list[object], said: str) -> None:
    server.faults.extend(faults)
    with pytest.raises(FetchError, match=said):
        fetch_file(server.url("a.tif"), tmp_path / "a.tif", sha256=SHA256, patience=(0, 0))
    assert not (tmp_path / "a.tif").exists()


def test_another_file_is_refused(server: Server, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="SHA-256 differs"):
        fetch_file(server.url("a.tif"), tmp_path / "a.tif", sha256="0" * 64)
    assert not (tmp_path / "a.tif").exists()


def test_a_damaged_file_is_fetched_anew_and_stays_while_it_cannot(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(b"damaged")
    server.faults.append(404)
    with pytest.raises(FetchError, match="HTTP 404"):
        fetch_file(server.url("a.tif"), path, sha256=SHA256)
    with pytest.raises(FetchError, match="SHA-256 differs"):
        fetch_file(server.url("a.tif"), path, sha256="0" * 64)
    assert path.read_bytes() == b"damaged"
    assert fetch_file(server.url("a.tif"), path, sha256=SHA256.upper()).read_bytes() == CONTENT
    fetch_file(server.url("a.tif"), path, sha256=SHA256.upper())
    assert len(server.requests) == 3
    assert list(tmp_path.glob("*.tif")) == [path]


@pytest.mark.parametrize("waiting", [False, True])
def test_a_watch_that_leaves_ends_it(server: Server, tmp_path: Path, waiting: bool) -> None:
    token = Token(lambda progress: token.cancel())
    if waiting:
        token.cancel()
        server.faults.extend([503, 503])
    began = time.monotonic()
    with pytest.raises(CancelledError):
        fetch_file(server.url("a.tif"), tmp_path / "a.tif", sha256=SHA256, watch=token, patience=(30, 30))
    assert time.monotonic() - began < 20
    assert not (tmp_path / "a.tif").exists()


def test_without_a_sha256_it_is_fetched_anew(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "cache" / "a.tif"
    fetch_file(server.url("a.tif"), path)
    (server.folder / "a.tif").write_bytes(b"a newer one")
    assert fetch_file(server.url("a.tif"), path).read_bytes() == b"a newer one"
    server.faults.append(404)
    with pytest.raises(FetchError, match="HTTP 404"):
        fetch_file(server.url("a.tif"), path)
    assert path.read_bytes() == b"a newer one"
    assert list(path.parent.iterdir()) == [path]


def test_a_set_of_images_is_told_by_its_name(server: Server, tmp_path: Path) -> None:
    one = replace(BBBC014.files[0], file="a.tif", url=server.url("a.tif"), sha256=SHA256, bytes=len(CONTENT))
    images = replace(BBBC014, files=(one, replace(one, file="b.tif")))
    told: list[tuple[int, int]] = []
    assert not images.is_here(tmp_path)
    paths = images.fetch(tmp_path, Reported(lambda done, of, what: told.append((done, of))))
    assert paths == images.paths(tmp_path)
    assert images.is_here(tmp_path)
    assert told == sorted(told)
    assert told[-1] == (2 * len(CONTENT),) * 2
    missing = replace(images, files=(replace(one, file="c.tif", url=server.url("none")),))
    with pytest.raises(FetchError, match=r"^BBBC014.*HTTP 404"):
        missing.fetch(tmp_path)


def test_every_file_has_its_own_name_address_and_hash() -> None:
    for images in IMAGE_SETS:
        for values in zip(*((one.file, one.url, one.sha256) for one in images.files), strict=True):
            assert len(set(values)) == len(images.files)
        assert all(one.url.startswith("https://") and " " not in one.url for one in images.files)
        assert images.citation
        assert images.licence


def test_the_table_is_of_the_true_bytes(shared: Path) -> None:
    for images, folder in ((BBBC014, "bbbc014_tnfa"), (BBBC022, "bbbc022_u2os")):
        known = {sha256_of(path): path.stat().st_size for path in (shared / "data" / folder).glob("*/*.tif*")}
        assert all(known[one.sha256] == one.bytes for one in images.files)
