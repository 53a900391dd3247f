"""What a package computes is what the model predicts, of any number of cells."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
import torch

from napari_impa.cells.store import Cells
from napari_impa.engine.model.model import IMPA
from napari_impa.errors import ConditionError
from napari_impa.work.bioimageio import exported_network
from napari_impa.work.bioimageio.exported_network import ExportedNetwork, write_torchscript


@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"relative_style": 1, "upsampling": "bilinear_skip"},
        {"relative_style": 2, "upsampling": "bilinear_skip", "task": "batch"},
    ],
    ids=["as published", "relative", "batches"],
)
@pytest.mark.filterwarnings("ignore:.*torch.jit.*deprecated:DeprecationWarning")
def test_it_is_what_the_model_predicts(
    shape: dict[str, Any], make_model: Callable[..., IMPA], cells: Cells, tmp_path: Path
) -> None:
    model = make_model(**shape)
    cells = model.fit(cells)
    pixels = cells.pixels.copy()
    pixels[1, 0, :3, :3] = np.nan
    pixels[2] *= 20  # beyond the limits
    cells = replace(cells, pixels=pixels, table=cells.table.drop(columns="batch"))
    for number, name in enumerate(model.conditions):
        model.networks.to(memory_format=torch.channels_last if number else torch.contiguous_format)
        wanted = model.predict(cells, name, variability=0).pixels
        made = write_torchscript(tmp_path / "weights.pt", ExportedNetwork(model, name), pixels[:1])
        assert made.dtype == np.float32
        again = torch.jit.load(tmp_path / "weights.pt")(torch.from_numpy(pixels)).numpy()
        least = 1e-5 * np.ptp(model.limits, axis=1).max()
        np.testing.assert_allclose(made, wanted[:1], rtol=0, atol=least)
        np.testing.assert_allclose(again, wanted, rtol=0, atol=least)
    assert abs(model.predict(cells, model.conditions[0], variability=0).pixels - wanted).max() > 100 * least


def test_no_discriminator_is_in_it(make_model: Callable[..., IMPA]) -> None:
    model = make_model()
    names = {name.partition(".")[0] for name in ExportedNetwork(model, "shrinkage").state_dict()}
    assert names == {"generator", "lower", "span", "way"}


def test_nothing_in_it_says_where_it_was_made(make_model: Callable[..., IMPA], cells: Cells, tmp_path: Path) -> None:
    model = make_model()
    write_torchscript(tmp_path / "weights.pt", ExportedNetwork(model, "shrinkage"), model.fit(cells).pixels)
    with ZipFile(tmp_path / "weights.pt") as file:
        for name in file.namelist():
            assert os.fsencode(Path(exported_network.__file__).parent) not in file.read(name), name


def test_a_condition_that_is_not_known_is_refused(make_model: Callable[..., IMPA]) -> None:
    with pytest.raises(ConditionError, match="does not know 'taxol'"):
        ExportedNetwork(make_model(), "taxol")
