"""Cells that are alike lie near each other, and conditions where controls would go."""

from __future__ import annotations

import numpy as np
import pytest

from napari_impa.analysis.phenotypes.style_map import cell_map, condition_styles, styles_of
from napari_impa.cells.simulated.screen import CONTROL, simulated_cells
from napari_impa.engine.model.model import IMPA
from napari_impa.errors import CellsError, MissingDependencyError


def test_the_axes_are_principal_components() -> None:
    random = np.random.default_rng(0)
    values = random.normal(0, (5, 2, 0.1, 0.1), (400, 4)) + 7
    found = cell_map(values, np.array([[12.0, 7, 7, 7]]))
    from sklearn.decomposition import PCA

    wanted = PCA(2).fit(values)
    np.testing.assert_allclose(np.abs(found.cells), np.abs(wanted.transform(values)), atol=2e-3)
    assert found.conditions[0, 0] == pytest.approx(5, abs=0.3)
    assert found.axes[0].startswith(f"PC 1 ({wanted.explained_variance_ratio_[0]:.0%}")


def test_what_is_not_known_counts_as_the_mean() -> None:
    values = np.random.default_rng(1).normal(0, 1, (50, 3))
    values[4, 1] = np.nan
    assert np.isfinite(cell_map(values).cells).all()
    with pytest.raises(CellsError, match="three cells"):
        cell_map(values[:2])


def test_umap_is_refused_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "umap", None)
    with pytest.raises(MissingDependencyError, match="umap-learn"):
        cell_map(np.zeros((9, 2)), by="UMAP")


def test_styles_are_the_model_s_own(model: IMPA) -> None:
    cells = simulated_cells(6, size=model.size, conditions=(CONTROL,))
    own = styles_of(model, cells)
    np.testing.assert_allclose(own, model.encode(cells.pixels).style.cpu().numpy(), rtol=1e-4, atol=1e-5)
    placed = condition_styles(model, model.conditions[:2], own)
    style = model.networks.style_of(model.embedding(model.conditions[1])[0][None], model.noise(1, variability=0), 0)
    np.testing.assert_allclose(placed[1], style[0].numpy(), rtol=1e-5)  # of a model whose styles are absolute
