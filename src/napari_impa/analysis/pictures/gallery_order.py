"""In which order the cells of a gallery stand: those that change most first, the most typical first, and others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_impa.analysis.pictures.composite import shown_between

if TYPE_CHECKING:
    from napari_impa.analysis.changes import Changes

MOST_CHANGED, MOST_TYPICAL, AS_FOUND = "most changed", "most typical", "as found"
ORDERS = (MOST_CHANGED, MOST_TYPICAL, AS_FOUND)
"""Orders that need nothing but the pixels; the others are measurements (`measurement_names`)."""

_RINGS = (0.12, 0.22, 0.34, 0.5)
"""Where rings around the middle of a crop end, as shares of its side; what lies beyond is the last."""

_GRAIN = 4
"""Side of the squares that are averaged, so that the grain of a camera is no change."""


def change_vectors(
    control: NDArray[Any], predicted: NDArray[Any], limits: NDArray[np.float64], *, block: int = 64
) -> NDArray[np.float32]:
    """(N, 6 C) how cells (N, C, S, S) differ from what they become, in shares of the contrast (C, 2).

    Of each channel the change of its mean in rings around the middle, which sees what moves into a nucleus or out of
    it, and how much changes at all, up or down.
    """
    size = control.shape[-1]
    away = np.hypot(*(np.indices((size, size)) - (size - 1) / 2)) / size
    ring = np.digitize(away, _RINGS)
    inside = np.stack([(ring == number) / max(1, (ring == number).sum()) for number in range(len(_RINGS) + 1)])
    inside = inside.reshape(len(inside), -1).astype(np.float32)
    side = size - size % _GRAIN if size >= _GRAIN else size
    grain = min(_GRAIN, size)
    vectors = []
    for start in range(0, len(control), block):
        rows = slice(start, start + block)
        change = shown_between(predicted[rows], limits) - shown_between(control[rows], limits)
        rings = change.reshape(*change.shape[:2], -1) @ inside.T
        whole = change[..., :side, :side].reshape(*change.shape[:2], side // grain, grain, side // grain, grain)
        moved = np.abs(whole.mean((3, 5))).mean((2, 3))[..., None]
        vectors.append(np.concatenate([rings, moved], axis=2).reshape(len(change), -1))
    return np.concatenate(vectors) if vectors else np.zeros((0, 1), np.float32)


def gallery_order(by: str, vectors: NDArray[np.float32], changes: Changes | None = None) -> NDArray[np.intp]:
    """(N,) rows of cells, the first to be shown first.

    Parameters
    ----------
    by
        One of `ORDERS`, or a measurement: the cells that it rises in most come first. As found where it is not known.
    vectors
        `change_vectors` of the cells.
    changes
        What was measured of them.
    """
    if by == MOST_CHANGED:
        return np.argsort(-np.linalg.norm(vectors, axis=1), kind="stable")
    if by == MOST_TYPICAL:
        away = vectors - np.median(vectors, axis=0, keepdims=True) if len(vectors) else vectors
        return np.argsort(np.linalg.norm(away, axis=1), kind="stable")
    found = np.arange(len(vectors))
    if changes is None or len(changes.control) != len(vectors):
        return found
    names = [f"{channel} {feature}" for channel, feature in changes.columns[["channel", "feature"]].to_numpy()]
    if by not in names:
        return found
    column = names.index(by)
    rise = changes.predicted[:, column] - changes.control[:, column]
    return np.argsort(np.where(np.isfinite(rise), -rise, np.inf), kind="stable")


def measurement_names(channels: Sequence[str]) -> list[str]:
    """What cells of such channels are measured by, as `analysis.changes` names it."""
    from napari_impa.analysis.measurements import MEASURES, NUCLEUS

    return [f"{NUCLEUS} area", *(f"{channel} {measure}" for channel in channels for measure in MEASURES)]
