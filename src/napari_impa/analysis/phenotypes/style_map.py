"""A map of cells and conditions: alike ones near each other, in two dimensions, of styles or of measurements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_impa.analysis.ratio import ratio_or_nan
from napari_impa.cells.store import Cells
from napari_impa.engine.describing.new_condition import Target
from napari_impa.engine.model.intensity import normalize, to_levels
from napari_impa.engine.model.model import IMPA
from napari_impa.errors import CellsError, MissingDependencyError
from napari_impa.watch import UNWATCHED, Watch

BLOCK = 128

SVD_OF = 20_000
"""Cells that the axes of a map are learned of at most, evenly spread; all are put on it."""

PROJECTIONS = ("PCA", "UMAP")
"""Ways to lay out a map; UMAP needs umap-learn."""


@dataclass(frozen=True, eq=False)
class CellMap:
    """Where cells and conditions lie.

    Parameters
    ----------
    cells
        (N, 2).
    conditions
        (K, 2); empty where none were asked for.
    axes
        What the two axes are.
    """

    cells: NDArray[np.float64]
    conditions: NDArray[np.float64]
    axes: tuple[str, str]


def projections() -> tuple[str, ...]:
    """Those of `PROJECTIONS` that are installed."""
    return PROJECTIONS if find_spec("umap") is not None else PROJECTIONS[:1]


@torch.inference_mode()
def styles_of(
    model: IMPA, cells: Cells, rows: NDArray[np.integer] | None = None, *, watch: Watch = UNWATCHED
) -> NDArray[np.float32]:
    """(n, d) own styles of cells, read block by block.

    Raises
    ------
    ModelError
        If the cells do not fit the model.
    """
    rows = np.arange(len(cells)) if rows is None else np.asarray(rows)
    out = np.empty((len(rows), model.shape.style_dim), np.float32)
    for start in range(0, len(rows), BLOCK):
        watch.check()
        part = rows[start : start + BLOCK]
        images = normalize(to_levels(model.fit(cells.take(part)).pixels, model.limits)).to(model.device)
        out[start : start + len(part)] = model.networks.style_encoder(images).float().cpu().numpy()
        watch.report(start + len(part), len(rows), "reading styles")
    return out


@torch.inference_mode()
def condition_styles(model: IMPA, targets: Sequence[Target], control: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """(K, d) styles that control cells would have under each condition, without noise.

    Where a model's styles are relative, a condition is a way from the mean style of controls: here from that of the
    control cells given.

    Parameters
    ----------
    control
        (n, d) own styles of control cells.
    """
    out = np.empty((len(targets), model.shape.style_dim), np.float32)
    middle = torch.from_numpy(np.asarray(control, np.float32).mean(0, keepdims=True)).to(model.device)
    for row, target in enumerate(targets):
        embedding, modality = model.embedding(target)
        noise = torch.zeros((1, model.shape.noise_dim), device=model.device)
        style = model.networks.style_of(embedding[None].float(), noise, modality)
        if model.shape.relative_style:
            style = middle + style - model.networks.start(middle, None if model.task == "batch" else modality)
        out[row] = style[0].float().cpu().numpy()
    return out


def cell_map(
    values: NDArray[np.floating[Any]], conditions: NDArray[np.floating[Any]] | None = None, *, by: str = "PCA",
    seed: int = 0,
) -> CellMap:  # fmt: skip
    """Lay out cells (N, d), and conditions (K, d) among them.

    Parameters
    ----------
    values
        Styles, or measurements on one scale; what is not known counts as the mean.
    by
        One of `PROJECTIONS`. PCA puts the first two principal components on the axes; UMAP (McInnes et al.,
        arXiv:1802.03426) shows neighbourhoods, and its distances say little.

    Raises
    ------
    CellsError
        If there are fewer than three cells.
    MissingDependencyError
        If UMAP is asked for and not installed.
    """
    if len(values) < 3:
        raise CellsError(f"A map needs three cells or more, not {len(values)}.")
    known = np.asarray(values, np.float32)
    others = np.zeros((0, known.shape[1]), np.float32) if conditions is None else np.asarray(conditions, np.float32)
    bad = ~np.isfinite(known)
    if bad.any():
        filled = np.where(bad, 0, known)
        means = np.nan_to_num(ratio_or_nan(filled.sum(0), (~bad).sum(0)))
        known = np.where(bad, means.astype(np.float32), known)
    if by == "UMAP":
        return _umap(known, others, seed)
    middle = known.mean(0)
    some = known[:: max(1, len(known) // SVD_OF)] - middle
    variances, vectors = np.linalg.eigh((some.T @ some).astype(np.float64) / len(some))
    axes = vectors[:, ::-1][:, :2]
    axes = axes * np.where(axes[np.abs(axes).argmax(0), [0, 1]] < 0, -1, 1)  # the same way round each time
    share = variances[::-1][:2] / max(float(variances.sum()), 1e-30)
    names = tuple(f"PC {number} ({part:.0%})" for number, part in enumerate(share, 1))
    return CellMap((known - middle) @ axes, (others - middle) @ axes, (names[0], names[1]))


def _umap(known: NDArray[np.float32], others: NDArray[np.float32], seed: int) -> CellMap:
    try:
        from umap import UMAP
    except ImportError:
        raise MissingDependencyError("UMAP needs umap-learn: pip install umap-learn") from None
    found = UMAP(n_neighbors=min(15, len(known) - 1), random_state=seed, n_jobs=1).fit(known)
    placed = found.transform(others) if len(others) else np.zeros((0, 2))
    return CellMap(np.asarray(found.embedding_, float), np.asarray(placed, float), ("UMAP 1", "UMAP 2"))
