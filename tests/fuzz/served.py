"""A server on the loopback whose answers are an input's files, and fetching from it."""

from __future__ import annotations

import re
import socket
import threading
from contextlib import suppress
from pathlib import Path

_WAIT = 5.0  # seconds that the server waits for a request


class HostileServer:
    """Answers each request with `head.http`, in which {start}, {last}, {length} and {size} are set, and a part."""

    def __init__(self, head: bytes, body: bytes) -> None:
        self.head, self.body = head, body
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.port = self._listening.getsockname()[1]

    def __enter__(self) -> HostileServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                connection.settimeout(_WAIT)
                asked = b""
                while b"\r\n\r\n" not in asked and (more := connection.recv(65536)):
                    asked += more
                connection.sendall(self._answer(asked))
                connection.shutdown(socket.SHUT_WR)

    def _answer(self, asked: bytes) -> bytes:
        wanted = re.search(rb"range: bytes=(\d+)-(\d+)", asked, re.IGNORECASE)
        start, stop = (int(wanted[1]), int(wanted[2]) + 1) if wanted else (0, len(self.body))
        part = self.body[start : min(stop, len(self.body))]
        head = self.head
        facts = {"start": start, "last": start + len(part) - 1, "length": len(part), "size": len(self.body)}
        for name, value in facts.items():
            head = head.replace(f"{{{name}}}".encode(), str(value).encode())
        return head + part


def read_from_server(path: Path) -> None:
    """Fetch a model, or the members of an archive, from a server that answers with the input's files."""
    from napari_impa.fetching import files
    from napari_impa.fetching.members import fetch_member, list_members
    from napari_impa.fetching.ranges import RemoteFile
    from napari_impa.work.fetched.fetched_models import fetch_model

    head, body = path / "head.http", path / "body.impa"
    archive = path / "body.zip"
    head_bytes = head.read_bytes() if head.is_file() else b""
    one = archive if archive.is_file() else body
    with HostileServer(head_bytes, one.read_bytes() if one.is_file() else b"") as server:
        address = f"http://127.0.0.1:{server.port}/other"
        if one is archive:
            with RemoteFile(f"{address}.zip", patience=()) as remote:
                for number, member in enumerate(list_members(remote)[:2]):
                    fetch_member(remote, member, path / f"fetched{number}")
            return
        before, files.fetch_file.__kwdefaults__["patience"] = files.fetch_file.__kwdefaults__["patience"], ()
        try:
            fetch_model(f"{address}.impa", path / "cache")
        finally:
            files.fetch_file.__kwdefaults__["patience"] = before
