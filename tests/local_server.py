"""A server on the loopback with every fault that a test asks for; and an archive of 4 GB, nearly all holes."""

from __future__ import annotations

import threading
import zipfile
from collections import deque
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

HOLE = (4 << 30) + (200 << 20)
"""Bytes of nothing before the members: they lie beyond 4 GiB, which zip64 alone can say."""


class Server(ThreadingHTTPServer):
    """Serves files of a folder; `faults` are met one a request, and `sent` counts the bytes of bodies.

    A fault is a status (404, 503, …), `("cut", n)`: close after n bytes, a function of the request that answers in the
    server's place, or None: none.
    """

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.ranges, self.tag = True, '"one"'
        self.faults: deque[Any] = deque()
        self.sent, self.requests = 0, []
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})

    def handle_error(self, *_: Any) -> None:
        """A client that hangs up is no fault of a test."""

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{name}"

    def __enter__(self) -> Server:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.requests.append(wanted)
        fault = self.server.faults.popleft() if self.server.faults else None
        if callable(fault):
            self.close_connection = True
            with suppress(OSError):  # the client hangs up
                fault(self)
            return
        path = self.server.folder / self.path.lstrip("/").replace("%20", " ")
        if isinstance(fault, int) or not path.is_file():
            self.send_response(fault if isinstance(fault, int) else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        size = path.stat().st_size
        start, stop = 0, size
        if wanted and self.server.ranges:
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            start = int(first) if first else max(size - int(last), 0)
            stop = min(int(last) + 1, size) if first and last else size
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{size}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(stop - start))
        if self.server.tag:
            self.send_header("ETag", self.server.tag)
        self.end_headers()
        left = stop - start
        if isinstance(fault, tuple):
            left, self.close_connection = min(left, fault[1]), True
        with path.open("rb") as file:
            file.seek(start)
            while left > 0 and (block := file.read(min(left, 1 << 16))):
                try:
                    self.wfile.write(block)
                except OSError:
                    self.close_connection = True
                    return
                self.server.sent += len(block)
                left -= len(block)


def sparse_archive(path: Path, members: dict[str, bytes], *, hole: int = HOLE, stored: tuple[str, ...] = ()) -> Path:
    """Write a zip whose members lie behind a hole: `zipfile` itself writes them, so that its zip64 records are true.

    The hole is a member of its own, of zeros, whose bytes are never written.
    """
    with path.open("wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as archive:
        if hole:
            about = zipfile.ZipInfo("IMPA_reproducibility/datasets/rxrx1.tar")
            about.compress_size = about.file_size = hole
            about.CRC = about.header_offset = 0
            file.write(about.FileHeader(zip64=True))
            file.seek(hole, 1)
            archive.filelist.append(about)
            archive.NameToInfo[about.filename] = about
            archive.start_dir = file.tell()
            archive._didModify = True  # type: ignore[attr-defined]
        for name, content in members.items():
            how = zipfile.ZIP_STORED if name in stored else zipfile.ZIP_DEFLATED
            archive.writestr(name, content, how)
    return path
