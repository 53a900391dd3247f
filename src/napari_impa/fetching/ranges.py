"""Parts of a file on a server by HTTP range requests, asked for again where the connection breaks."""

from __future__ import annotations

import io
import os
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests

from napari_impa.errors import FetchError, brief
from napari_impa.watch import UNWATCHED, Watch

TAIL = 1 << 16
"""Bytes of the end that are read first: a zip archive's end record lies there."""

PATIENCE = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds to wait before each further attempt; as many in a row without a byte give up."""

_CHUNK = 1 << 16
_TIMEOUT = (10.0, 30.0)
LARGEST = 8 << 30
"""Bytes of the largest file that is fetched, and of the largest one that is unpacked."""

SLOWEST = 1000.0
"""Bytes a second below which a server is given up after `SLOW_FOR`."""

SLOW_FOR = 60.0
"""Seconds."""

DIRECTORY = 256 << 20
"""Bytes of the largest directory of an archive."""

BUSY = (408, 425, 429, 500, 502, 503, 504)
"""HTTP statuses that may pass."""


class ChangedError(FetchError):
    """The file on the server is another one than before."""


@dataclass(frozen=True)
class Version:
    """What tells one version of a file on a server from another: its size, and its ETag or date."""

    size: int
    tag: str


class Pace:
    """How fast a server sends; one that lets bytes drip is given up."""

    def __init__(self, host: str) -> None:
        self._host, self._began = host, time.monotonic()

    def check(self, came: int) -> None:
        """Hear how many bytes came since.

        Raises
        ------
        FetchError
            If they are too few.
        """
        took = time.monotonic() - self._began
        if took > SLOW_FOR and came < SLOWEST * took:
            raise FetchError(f"{self._host} sends less than {SLOWEST:.0f} bytes a second; try again later.")


def as_it_comes(response: requests.Response, *, heard: Callable[[int], None] = lambda count: None, **_: object) -> None:
    """Let what a response iterates over be what comes, however little; by itself it waits for whole pieces.

    Parameters
    ----------
    heard
        Called with the length of each piece.
    """
    held = weakref.ref(response.raw)  # in a circle it would be freed late, with its connection open

    def stream(most: int, decode_content: bool | None = None) -> Iterator[bytes]:
        raw = held()
        assert raw is not None, "whoever iterates over it holds it"
        try:
            while piece := raw.read1(most, decode_content=decode_content):
                heard(len(piece))
                yield piece
        finally:
            raw.close()  # `read1` by itself forgets the connection

    if hasattr(response.raw, "read1"):
        response.raw.stream = stream


class RemoteFile:
    """A file on a server that sends parts of files.

    Parameters
    ----------
    url
        Its address.
    watch
        Is asked for every piece that comes and while waiting whether to leave.
    patience
        Seconds to wait before each further attempt.

    Raises
    ------
    FetchError
        If the server cannot be reached, has no such file, or sends whole files only.
    """

    def __init__(self, url: str, *, watch: Watch = UNWATCHED, patience: Sequence[float] = PATIENCE) -> None:
        self.url, self.host = url, urlsplit(url).hostname or url
        self.moved = 0
        self._watch, self._patience = watch, patience
        self._session = requests.Session()
        self._version: Version | None = None
        self._tail = b""
        try:
            for _ in self.stream(0, 1):  # tells the size; not every server counts from the end
                pass
            self._tail = b"".join(self.stream(max(self.version.size - TAIL, 0), self.version.size))
        except BaseException:
            self._session.close()
            raise

    def __enter__(self) -> RemoteFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    @property
    def version(self) -> Version:
        """Size in bytes, and what tells this version from others."""
        assert self._version is not None
        return self._version

    def read(self, start: int, stop: int) -> bytes:
        """Read the bytes from `start` up to `stop`."""
        first = self.version.size - len(self._tail)
        if start >= first:
            return self._tail[start - first : stop - first]
        return b"".join(self.stream(start, stop))

    def stream(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the bytes from `start` up to `stop` as they come.

        Raises
        ------
        ChangedError
            If the file is not the one it was when it was opened.
        FetchError
            If the connection breaks more often in a row than there is patience for.
        """
        failures = 0
        while start < stop:
            try:
                for piece in self._ask(f"bytes={start}-{stop - 1}"):
                    self._watch.check()
                    failures, self.moved, start = 0, self.moved + len(piece), start + len(piece)
                    yield piece
            except _Again as again:
                if failures >= len(self._patience):
                    raise FetchError(str(again)) from again.__cause__
                wait(max(self._patience[failures], again.seconds), self._watch)
                failures += 1

    def _ask(self, wanted: str) -> Iterator[bytes]:
        try:
            with self._session.get(
                self.url,
                headers={"Range": wanted, "Accept-Encoding": "identity"},
                stream=True,
                timeout=_TIMEOUT,
            ) as response:
                self._check(response)
                expected, came = _whole(response.headers.get("Content-Length", "")), 0
                as_it_comes(response)
                pace = Pace(self.host)
                for piece in response.iter_content(_CHUNK):
                    came += len(piece)
                    if came != expected:
                        pace.check(came)
                    yield piece
                if came == 0 or came < expected:
                    raise _Again(f"{self.host} ends the connection again and again; try again later.")
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            raise _Again(
                f"{self.host} cannot be reached or breaks the connection; check the network and try again: "
                "what came so far is kept."
            ) from error
        except (requests.RequestException, ValueError) as error:  # urllib3's of bad addresses are ValueErrors
            raise FetchError(f"{self.url} cannot be fetched ({brief(error)}); check the address.") from error

    def _check(self, response: requests.Response) -> None:
        status = response.status_code
        if status in BUSY:
            wait = response.headers.get("Retry-After", "")
            raise _Again(
                f"{self.host} is busy or out of order (HTTP {status}); try again later: what came so far is kept.",
                min(float(wait), 60.0) if wait.isdecimal() else 0.0,
            )
        if status == 416:
            raise ChangedError(f"The file at {self.host} is another one than before; fetch it again.")
        if status not in (200, 206):
            raise FetchError(f"{self.host} does not give {self.url} (HTTP {status}); check the address.")
        total = response.headers.get("Content-Range", "").rpartition("/")[2]
        if status == 200 or _whole(total) < 0:
            raise FetchError(
                f"{self.host} sends this file only whole ({_gigabytes(response)}), without range requests; download "
                "it in a browser, unpack the checkpoint's folder and convert it with 'napari-impa models import "
                "FOLDER --out FILE', or try another network: a proxy may be in the way."
            )
        tag = response.headers.get("ETag") or response.headers.get("Last-Modified") or ""
        found = Version(int(total), tag.removeprefix("W/"))
        if self._version is None:
            self._version = found
        elif self._version != found:
            raise ChangedError(f"The file at {self.host} was changed meanwhile; fetch it again.")


def _whole(text: str) -> int:
    """A number of bytes as servers write it; -1 where it is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else -1


def wait(seconds: float, watch: Watch) -> None:
    """Wait, and leave at once where the work is to stop."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        watch.check()
        time.sleep(min(left, 0.1))


class _Again(Exception):
    """An attempt failed in a way that may pass; `seconds` to wait at least."""

    def __init__(self, message: str, seconds: float = 0.0) -> None:
        super().__init__(message)
        self.seconds = seconds


def _gigabytes(response: Any) -> str:
    length = response.headers.get("Content-Length", "")
    return f"{int(length) / 1e9:.1f} GB" if length.isdecimal() else "of unknown size"


class RangeFile(io.RawIOBase):
    """A remote file as one that can be read and sought in, for `zipfile` to read an archive's directory."""

    def __init__(self, remote: RemoteFile) -> None:
        self._remote, self._at = remote, 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """Where the next byte is read."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a byte."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._remote.version.size}[whence]
        self._at = max(base + offset, 0)
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer, in one request.

        Raises
        ------
        FetchError
            If more is asked for than the directory of an archive can be long.
        """
        if len(buffer) > DIRECTORY:
            raise FetchError(f"The archive at {self._remote.host} says that its directory has {len(buffer):,} bytes.")
        stop = min(self._at + len(buffer), self._remote.version.size)
        data = self._remote.read(self._at, stop) if stop > self._at else b""
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
