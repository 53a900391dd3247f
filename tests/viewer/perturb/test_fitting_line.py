"""Which models of the list fit the images that are open."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from shown_texts import shown

from napari_impa.viewer.layers.sources import MADE_BY
from napari_impa.viewer.library.models import Choice
from napari_impa.viewer.perturb.form.fitting_line import FittingLine

SCREEN = Choice("Screen <1>", "screen", channels=("DNA", "actin", "tubulin"), pixel_size=0.65)
TWO = Choice("TNFα", "tnfa", channels=("NFκB", "DAPI"))
CHOICES = {one.key: one for one in (SCREEN, TWO)}


@pytest.fixture
def line(qtbot: Any) -> Iterator[FittingLine]:
    line = FittingLine(ViewerModel())
    qtbot.addWidget(line)
    yield line
    line.close_line()


def open_images(line: FittingLine, *names: str, size: float = 0.65) -> None:
    for name in names:
        line.viewer.add_image(np.zeros((9, 9)), name=name, scale=(size, size), units="um")


def test_another_model_that_fits_is_named_and_chosen_by_a_click(line: FittingLine, qtbot: Any) -> None:
    line.say(CHOICES, "tnfa")
    assert line.isHidden()  # nothing is open
    open_images(line, "tubulin", "phalloidin", "Hoechst")
    assert line.fitting(CHOICES) == {"screen": 2, "tnfa": 0}
    line.say(CHOICES, "screen")
    assert line.isHidden()
    line.say(CHOICES, "tnfa")
    assert shown(line.text()) == "3 channels are open (Hoechst, phalloidin, tubulin): Screen <1> fits."
    with qtbot.waitSignal(line.wanted) as wanted:
        line.linkActivated.emit("screen")
    assert wanted.args == ["screen"]


def test_pixels_of_another_size_fit_less(line: FittingLine) -> None:
    open_images(line, "DNA", "actin", "tubulin", size=1.3)
    assert line.fitting(CHOICES)["screen"] == 1
    line.say(CHOICES, "screen")
    assert line.isHidden()  # none fits better
    near = Choice("Far", "far", channels=SCREEN.channels, pixel_size=1.3)
    line.say(CHOICES | {"far": near}, "screen")
    assert "Far fits" in shown(line.text())


def test_where_no_name_fits_models_of_as_many_channels_are_named(line: FittingLine) -> None:
    open_images(line, "ch 2", "ch 1")
    line.say(CHOICES, "screen")
    told = "2 channels are open (ch 1, ch 2); no model of the list has channels of these names; as many: TNFα."
    assert shown(line.text()) == told
    line.say(CHOICES, "tnfa")  # has as many
    assert line.isHidden()
    assert not line.text()


def test_other_names_and_layers_are_told_but_none_made_here(line: FittingLine, qtbot: Any) -> None:
    with qtbot.waitSignal(line.changed):
        open_images(line, "a")
    with qtbot.waitSignal(line.changed):
        line.viewer.layers["a"].name = "DAPI"
    with qtbot.assertNotEmitted(line.changed):
        line.viewer.add_image(np.zeros((9, 9)), name="predicted", metadata={MADE_BY: {}})
    with qtbot.waitSignal(line.changed):
        line.viewer.layers.remove("DAPI")
