"""Weights of pretrained networks: where they are published, what they must be, and where they lie once fetched.

Nothing is fetched here (`work.fetched.feature_weights` does that, when it is asked to).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import file_digest
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from napari_impa.cache import cache_folder
from napari_impa.errors import FetchError, MissingDependencyError

if TYPE_CHECKING:
    from torch import Tensor

NETWORKS = "networks"
"""Folder of the cache for fetched weights."""


@dataclass(frozen=True)
class PublishedWeights:
    """A file of weights that someone published.

    Parameters
    ----------
    file, url
        Its name in the cache, and where it is fetched from.
    sha256, bytes
        What it must be; another file is never read.
    packages
        Python packages that the network needs, by the names that they are imported by.
    licence, citation
        Terms of use, and what to cite.
    """

    file: str
    url: str
    sha256: str
    bytes: int
    packages: tuple[str, ...]
    licence: str
    citation: str

    @property
    def path(self) -> Path:
        """Where it lies once it was fetched."""
        return cache_folder() / NETWORKS / self.file

    @property
    def is_installed(self) -> bool:
        """Whether the packages are there that the network needs."""
        return all(find_spec(package) for package in self.packages)

    @contextmanager
    def importing(self) -> Iterator[None]:
        """Say in a sentence why a package of the network cannot be imported.

        Raises
        ------
        MissingDependencyError
            If it is not there, or does not fit the others: torchvision fits only the torch that it was built for.
        """
        try:
            yield
        except (ImportError, OSError, RuntimeError) as error:
            raise MissingDependencyError(
                f"{' and '.join(self.packages)} cannot be imported ({error}); install it with "
                'pip install "napari-impa[evaluate]", and torch and torchvision from the same place, as '
                "https://pytorch.org/get-started/locally says."
            ) from error

    def missing(self, features: str) -> str:
        """What to do before a feature space can be used, in a sentence; empty where nothing is missing.

        Parameters
        ----------
        features
            Name of the feature space.
        """
        if not self.is_installed:
            return f'The features {features} need more packages: pip install "napari-impa[evaluate]".'
        if not self.path.is_file():
            return (
                f"The network of the features {features} is not fetched yet: "
                f"napari-impa evaluate … --features {features} fetches {self.bytes / 1e6:.0f} MB."
            )
        return ""

    def read(self, path: Path) -> dict[str, Tensor]:
        """Read the tensors, by name; nothing but tensors is unpickled, and only from the file that was published.

        Parameters
        ----------
        path
            Where the file lies.

        Raises
        ------
        FetchError
            If the file is not there, or is another one.
        """
        import torch

        try:
            with path.open("rb") as file:
                if file_digest(file, "sha256").hexdigest() != self.sha256:
                    raise FetchError(f"{path} is not the file that was published; delete it and fetch it again.")
                file.seek(0)
                tensors: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
        except OSError as error:
            raise FetchError(f"{path} cannot be read ({error.strerror or error}); fetch it again.") from error
        return tensors
