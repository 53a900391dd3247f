"""Images with a licence that lets anyone fetch them: what they are, where they lie, and their SHA-256."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from napari_impa.errors import FetchError
from napari_impa.fetching.files import fetch_file
from napari_impa.fetching.members import sha256_of
from napari_impa.watch import UNWATCHED, PartOf, Watch


@dataclass(frozen=True)
class RemoteImage:
    """One file: its name in the cache, where it is fetched from, its SHA-256 and size."""

    file: str
    url: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class ImageSet:
    """Some images that belong together.

    Parameters
    ----------
    name, title
        What commands take, and what a list shows.
    channels
        Names of the channels.
    files
        The files of it.
    licence, citation, source
        Terms of use, what to cite, and the page that describes it.
    """

    name: str
    title: str
    channels: tuple[str, ...]
    files: tuple[RemoteImage, ...]
    licence: str
    citation: str
    source: str

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum(one.bytes for one in self.files)

    def paths(self, folder: Path) -> list[Path]:
        """Where the files lie in a cache folder."""
        return [folder / "images" / self.name / one.file for one in self.files]

    def is_here(self, folder: Path) -> bool:
        """Whether all files lie in a cache folder."""
        return all(os.path.isfile(path) for path in self.paths(folder))

    def is_whole(self, folder: Path) -> bool:
        """Whether they are, besides, the files they ought to be, so that `fetch` needs no network."""
        pairs = zip(self.files, self.paths(folder), strict=True)
        return self.is_here(folder) and all(sha256_of(path) == one.sha256 for one, path in pairs)

    def fetch(self, folder: Path, watch: Watch = UNWATCHED) -> list[Path]:
        """Fetch what is not there yet into a cache folder.

        Raises
        ------
        FetchError
            If a file cannot be fetched.
        """
        before, paths = 0, self.paths(folder)
        for one, path in zip(self.files, paths, strict=True):
            try:
                fetch_file(one.url, path, sha256=one.sha256, watch=PartOf(watch, before, self.bytes, self.name))
            except FetchError as error:
                raise FetchError(f"{self.title}: {error}") from error
            before += one.bytes
            watch.report(before, self.bytes, self.name)
        return paths


_EXAMPLES = (
    "https://raw.githubusercontent.com/CellProfiler/examples/4972b59e670a4ae96c3d453803c92eeff378d054/"
    "ExampleVitraImages/images/"
)
_NDEV = (
    "https://raw.githubusercontent.com/TimMonko/napari-ndev/f841441271ee72a453987cbe20fddacfeba77066/"
    "docs/tutorial/cellpainting/"
)


def _bbbc014(name: str, sha256: str, size: int) -> RemoteImage:
    return RemoteImage(name, _EXAMPLES + quote(name), sha256, size)


def _bbbc022(site: str, image: tuple[str, int], masks: tuple[str, int]) -> tuple[RemoteImage, RemoteImage]:
    name = f"plate1_{site}_Ch1.tiff"
    return (
        RemoteImage(f"{site}.tiff", f"{_NDEV}ConcatenatedImages/{name}", *image),
        RemoteImage(f"{site}_masks.tiff", f"{_NDEV}WorkflowOutput/{name}", *masks),
    )


BBBC014 = ImageSet(
    "bbbc014",
    "BBBC014: NFκB in MCF-7 cells, untreated and under TNFα",
    ("NFκB", "DAPI"),
    (
        _bbbc014(
            "Channel 1-12-A-12-00.tif", "92629cc665f411b8c6c27eccbc61338f9f8108541ebecafd54a03bb8a6d08be0", 1427740
        ),
        _bbbc014(
            "Channel 2-12-A-12-00.tif", "dcbdcec035ffcd4bbc313bb0c47152d88728cbdf29e9a3450d493127505b4e03", 1428996
        ),
        _bbbc014(
            "Channel 1-01-A-01-00.tif", "0e8a20a42e86c5160188f2c1f897a370dde1b3280f67b1078552b027dac95a0e", 1426912
        ),
        _bbbc014(
            "Channel 2-01-A-01-00.tif", "b402b814586eeb5fa0f7bd211153652fba495b23f052dd87fea497a26ce6f617", 1426120
        ),
    ),
    "CC-BY-3.0",
    "BBBC014v1, provided by Ilya Ravkin, from the Broad Bioimage Benchmark Collection "
    "(Ljosa et al., Nature Methods 9:637, 2012).",
    "https://bbbc.broadinstitute.org/BBBC014",
)

BBBC022 = ImageSet(
    "bbbc022",
    "BBBC022: U2OS cells in five Cell Painting channels",
    ("DNA (Hoechst)", "ER (ConA)", "RNA (SYTO 14)", "AGP (WGA + phalloidin)", "Mito (MitoTracker)"),
    (
        *_bbbc022(
            "A14_site1",
            ("f81af8762ce4121ec439bd16dd587730837f7fe188ca082e6742b851c17a6331", 1943415),
            ("1f0f00e97809784c27424df61d882241b60b08cfbe9743bfa250db5e0f0d2bb7", 67313),
        ),
        *_bbbc022(
            "C12_site1",
            ("0d0dd845f73bb52f6dce42395d259e03f7b81ef218b65d414903049014ecbe12", 2096318),
            ("9e6af3e3a21869981ba352f1c2d1a48a436492f5f5e3ab3bc00f57a3a36f24ca", 88482),
        ),
        *_bbbc022(
            "E18_site1",
            ("072fd693212f8bf1c3ac24e9f11800675ea901f72ff5f85c2fc04cd76e4692ac", 2089106),
            ("dfb31b5a4928a42cfddb32489cabebcfd5ff3b5e60112d98232b5a3175a0708f", 93534),
        ),
    ),
    "CC0-1.0",
    "BBBC022v1 (Gustafsdottir et al., PLOS ONE 8:e80999, 2013), from the Broad Bioimage Benchmark Collection "
    "(Ljosa et al., Nature Methods 9:637, 2012); fields and masks as prepared for napari-ndev.",
    "https://bbbc.broadinstitute.org/BBBC022",
)

IMAGE_SETS = (BBBC014, BBBC022)
"""Every set that can be fetched."""
