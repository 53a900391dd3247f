"""Whole files from the network by pooch, checked against their SHA-256, with progress and errors in our words."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import pooch
import requests

from napari_impa.cells.beside import remove_rests, writer_tag
from napari_impa.errors import FetchError, brief
from napari_impa.fetching.members import sha256_of
from napari_impa.fetching.ranges import BUSY, LARGEST, PATIENCE, Pace, as_it_comes, wait
from napari_impa.watch import UNWATCHED, Watch

_TIMEOUT = 30.0
_CHUNK = 1 << 16


class _Bar:
    """A progress bar as pooch wants one, over a watch; it ends what is too large or too slow."""

    def __init__(self, watch: Watch, host: str) -> None:
        self.total, self._done, self._watch, self._host = 0, 0, watch, host
        self._pace = Pace(host)

    def hear(self, count: int) -> None:
        """Hear of bytes that came, as they are after unpacking; pooch by itself tells of pieces, whatever they hold."""
        self._watch.check()
        self._done += count
        if max(self.total, self._done) > LARGEST:
            raise FetchError(
                f"{self._host} sends more than the {LARGEST / 1e9:.0f} GB that a file may have; check the address."
            )
        if self._done != self.total:
            self._pace.check(self._done)

    def update(self, count: int) -> None:
        self._watch.report(min(self._done, self.total or self._done), self.total)

    def reset(self) -> None:
        """All has come."""

    def close(self) -> None:
        """Nothing is to be closed."""


def fetch_file(
    url: str,
    path: Path,
    *,
    sha256: str | None = None,
    watch: Watch = UNWATCHED,
    patience: Sequence[float] = PATIENCE[:2],
) -> Path:
    """Fetch a file to `path`, or find it there with the SHA-256 it ought to have.

    Parameters
    ----------
    url
        Its address.
    path
        Where it is put, once it is whole and right.
    sha256
        In hexadecimal; not checked where None, and the file is then fetched anew. What is there stays on any error.
    watch
        Hears the bytes so far and in all (0 where not known).
    patience
        Seconds to wait before each further attempt.

    Raises
    ------
    FetchError
        If it cannot be fetched, or has another SHA-256.
    """
    if sha256 is not None and path.is_file() and sha256_of(path) == sha256.lower():
        return path
    host = urlsplit(url).hostname or url
    for seconds in [*patience, None]:
        try:
            with _quiet():
                _retrieve(url, path, sha256, watch)
            return path
        except requests.HTTPError as error:
            status = 0 if error.response is None else error.response.status_code
            if status not in BUSY:
                raise FetchError(f"{host} does not give {url} (HTTP {status}); check the address.") from error
            failure = FetchError(f"{host} is busy or out of order (HTTP {status}); try again later.")
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            failure = FetchError(f"{host} cannot be reached or breaks the connection; check the network and try again.")
            failure.__cause__ = error
        except requests.RequestException as error:
            raise FetchError(f"{url} cannot be fetched ({error}); check the address.") from error
        except OSError as error:
            reason = error.strerror or error
            raise FetchError(f"{path} cannot be written ({reason}); mend that and fetch it again.") from error
        except ValueError as error:
            if sha256 is None or "hash" not in str(error):
                raise FetchError(f"{url} cannot be fetched ({brief(error)}); check the address.") from error
            raise FetchError(
                f"{path.name} from {host} is not the file it ought to be: its SHA-256 differs, and it was thrown "
                "away; try again, and ask whoever published it if that does not help."
            ) from error
        if seconds is None:
            raise failure
        wait(seconds, watch)
    raise AssertionError


def _retrieve(url: str, path: Path, sha256: str | None, watch: Watch) -> None:
    bar = _Bar(watch, urlsplit(url).hostname or url)
    downloader = pooch.HTTPDownloader(
        progressbar=bar, chunk_size=_CHUNK, timeout=_TIMEOUT,
        headers={"Accept-Encoding": "identity"},  # what is inflated here could be of any length
        hooks={"response": partial(as_it_comes, heard=bar.hear)},
    )  # fmt: skip
    if sha256 is not None:
        pooch.retrieve(url, f"sha256:{sha256}", path.name, path.parent, downloader=downloader)
        return
    with arriving_beside(path) as beside:  # without a hash pooch keeps what is there
        os.replace(pooch.retrieve(url, None, path.name, beside, downloader=downloader), path)


@contextmanager
def arriving_beside(path: Path) -> Iterator[Path]:
    """Give a hidden folder for what is to become `path`; those that killed processes left are removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_rests(path.parent, ".arriving*")
    with TemporaryDirectory(prefix=f".arriving.{writer_tag()}.", dir=path.parent) as beside:
        yield Path(beside)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep pooch from telling on the terminal what is told elsewhere."""
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
