"""Weights of feature spaces: fetched when they are asked for, never by themselves."""

from __future__ import annotations

from napari_impa.analysis.features.space import FeatureSpace
from napari_impa.errors import FetchError, MissingDependencyError
from napari_impa.fetching.files import fetch_file
from napari_impa.watch import UNWATCHED, PartOf, Watch


def fetch_feature_weights(space: FeatureSpace, *, watch: Watch = UNWATCHED) -> None:
    """Fetch what a feature space needs into the cache; where all is there, nothing is done.

    Parameters
    ----------
    space
        One of `analysis.features.FEATURE_SPACES`.
    watch
        Hears the bytes so far and in all; where it leaves, nothing is kept.

    Raises
    ------
    MissingDependencyError
        If a package has to be installed first.
    FetchError
        If the weights cannot be fetched, or are not those that were published.
    """
    weights = space.weights
    if weights is not None and not weights.path.is_file():
        if not weights.is_installed:
            raise MissingDependencyError(space.missing())
        try:
            part = PartOf(watch, 0, weights.bytes, f"the network of the features {space.name}")
            fetch_file(weights.url, weights.path, sha256=weights.sha256, watch=part)
        except FetchError as error:
            raise FetchError(f"The network of the features {space.name}: {error}") from error
    if missing := space.missing():
        raise MissingDependencyError(missing)
