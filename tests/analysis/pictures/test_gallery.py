"""The gallery as a picture: what stands where, what is drawn, and in which order."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_impa.analysis.changes import Changes
from napari_impa.analysis.pictures.composite import display_limits
from napari_impa.analysis.pictures.gallery import Gallery, GalleryRow
from napari_impa.analysis.pictures.gallery_layout import FOOT, HEAD, LEFT, neighbourhood
from napari_impa.analysis.pictures.gallery_order import (
    AS_FOUND,
    MOST_CHANGED,
    MOST_TYPICAL,
    change_vectors,
    gallery_order,
    measurement_names,
)
from napari_impa.analysis.pictures.lettering import lettering, shortened

CHANNELS = ("DNA", "NFκB")
LIMITS = np.array([[0.0, 100.0], [0.0, 100.0]])


def cells(count: int, channel: int = 0) -> np.ndarray:
    """(count, 2, 16, 16) cells, all bright in one channel and black in the other."""
    pixels = np.zeros((count, 2, 16, 16), np.uint16)
    pixels[:, channel] = 100
    return pixels


def gallery(count: int = 40, **changed: object) -> Gallery:
    made = Gallery(
        [GalleryRow("input", cells(count)), GalleryRow("predicted", cells(count, 1))], CHANNELS, LIMITS, title="TNFα"
    )
    made.size = (400, 500)
    for name, value in changed.items():
        setattr(made, name, value)
    return made


def test_the_input_is_above_what_is_predicted():
    made = gallery(columns=4)
    picture, layout = made.draw(), made.layout
    assert picture.shape == (400, 500, 3)
    middle = LEFT + layout.side // 2
    above, below = picture[HEAD + layout.side // 2, middle], picture[HEAD + layout.side + layout.side // 2, middle]
    assert above.argmax() == 2  # nuclei are blue
    assert tuple(below) == (255, 153, 0)


def test_a_row_is_filled_by_so_many_cells():
    for columns in (1, 3, 8):
        layout = gallery(columns=columns).layout
        assert layout.columns == columns
        assert 500 - 30 - columns < LEFT + columns * (layout.width + 10) <= 500  # the width is used


def test_the_cell_at_each_pixel_is_the_one_that_is_drawn_there():
    made = gallery(columns=4)
    made.order = np.random.default_rng(0).permutation(40)
    made.scroll(made.layout.height + 10 + 5)
    seen = set()
    for y in range(HEAD, 400 - FOOT, 7):
        for x in range(LEFT, 500, 7):
            row = made.cell_at(y, x)
            if row is not None:
                assert row in made.in_sight()
                seen.add(row)
    assert seen == set(made.in_sight().tolist())
    assert made.cell_at(HEAD, LEFT) == made.order[4]  # the first row is scrolled away
    assert made.cell_at(HEAD - 1, LEFT) is made.cell_at(395, LEFT) is made.cell_at(HEAD + 20, 3) is None


def test_it_is_scrolled_to_its_end_and_no_further():
    made = gallery(columns=4)
    assert made.scroll(1e6)
    assert made.in_sight()[-1] == 39
    assert not made.scroll(1e7)
    made.bring_up(0)
    assert made.offset == 0
    made.bring_up(39)
    assert made.offset == made.end
    assert gallery(3).end == 0


def test_only_what_is_in_sight_is_drawn(monkeypatch):
    drawn = []
    made = gallery(1000)
    tile = made._tile
    monkeypatch.setattr(made, "_tile", lambda row, layout: drawn.append(row) or tile(row, layout))
    made.draw()
    assert 0 < len(drawn) == len(made.in_sight()) < 40


def test_what_is_predicted_meanwhile_is_drawn_once_it_is_there():
    made = gallery(columns=4)
    made.rows[1].there[:] = False
    layout = made.layout
    at = HEAD + layout.side + layout.side // 2, LEFT + layout.side // 2
    assert tuple(made.draw()[at]) == (28, 28, 28)
    made.rows[1].there[:2] = True
    made.forget(slice(0, 2))
    assert tuple(made.draw()[at]) == (255, 153, 0)


def test_channels_apart_stand_in_grey_beside_the_composite():
    made = gallery(columns=2, apart=True)
    layout, picture = made.layout, made.draw()
    assert layout.parts == 3
    across = [LEFT + part * (layout.side + 1) + layout.side // 2 for part in range(3)]
    composite, dna, other = picture[HEAD + layout.side // 2, across]
    assert composite.argmax() == 2
    assert tuple(dna) == (255, 255, 255)
    assert tuple(other) == (0, 0, 0)


def test_a_row_on_its_own_contrast_shows_where_things_lie_in_dark_cells():
    made = gallery(columns=4)
    dark = made.rows[1].pixels
    dark[:], dark[..., 4:12, 4:12] = 0, 10
    below = (slice(HEAD + made.layout.side + 4, HEAD + 2 * made.layout.side), slice(LEFT, LEFT + made.layout.side))
    common = made.draw()
    made.own_contrast = True
    made.forget()
    own = made.draw()
    assert common[below].max() < 40
    assert own[below].max() > 150
    side = made.layout.side
    assert np.array_equal(common[HEAD : HEAD + side, LEFT:], own[HEAD : HEAD + side, LEFT:]), "cells as they are stay"
    assert not np.array_equal(common[:HEAD], own[:HEAD]), "and it is said"
    made.rows[1].there[-1] = False
    made.forget()
    assert made.draw()[below].max() < 40, "which is known once all are there"


@pytest.mark.parametrize("apart", [False, True])
def test_one_cell_large_with_its_neighbours(apart):
    made = gallery(apart=apart)
    field = neighbourhood(np.zeros((2, 200, 300)), (190, 20), 16, LIMITS, made.colours)
    assert field.shape == (80, 80, 3)
    frame = np.argwhere(field.max(axis=2) > 0)
    assert tuple(frame.min(axis=0)) == (62, 12)  # the crop of 16 px around (190, 20), seen from (120, 0)
    picture = made.draw_large(5, field)
    assert picture.shape == (400, 500, 3)
    blue = (picture[..., 2] == 255) & (picture[..., 0] < 60)
    assert blue.any(axis=0).sum() > (60 if apart else 120)


def test_the_title_and_names_are_written_in_full_or_shortened_in_the_middle():
    assert lettering(15).getlength("κ") != lettering(15).getlength("\uffff")
    short = shortened("4-hydroxyphenylretinamide 50 µM", 100, 12)
    assert short.startswith("4-hy")
    assert short.endswith("50 µM")
    assert lettering(12).getlength(short) <= 100
    made = gallery()
    made.title = "x" * 300
    assert made.draw()[:HEAD, -60:].any()  # how many there are is not written over


def drifting(count: int = 9) -> tuple[np.ndarray, np.ndarray]:
    """Cells of which each changes more than the one before; the middle one as the median does."""
    control = np.full((count, 2, 16, 16), 10.0)
    predicted = control.copy()
    predicted[:, 0, 6:10, 6:10] += 5 * np.arange(count)[:, None, None]
    return control, predicted


def test_most_changed_and_most_typical_first():
    vectors = change_vectors(*drifting(), LIMITS, block=4)
    assert vectors.shape == (9, 12)
    assert gallery_order(MOST_CHANGED, vectors).tolist() == list(range(8, -1, -1))
    assert gallery_order(MOST_TYPICAL, vectors)[0] == 4
    assert gallery_order(AS_FOUND, vectors).tolist() == list(range(9))


def test_what_moves_into_the_nucleus_is_a_change_though_the_sum_stays():
    control = np.full((2, 1, 16, 16), 40.0)
    predicted = control.copy()
    predicted[1, 0, 4:12, 4:12] += 30
    predicted[1] -= predicted[1].mean() - 40
    assert gallery_order(MOST_CHANGED, change_vectors(control, predicted, LIMITS[:1])).tolist() == [1, 0]


def test_any_measurement_orders_cells_and_what_is_missing_is_last():
    names = measurement_names(CHANNELS)
    assert "nucleus area" in names
    assert "NFκB nuclear to ring" in names
    columns = pd.DataFrame({"channel": ["NFκB"], "feature": ["nuclear to ring"], "unit": [""]})
    changes = Changes(columns, np.zeros((4, 1)), np.array([[1.0], [np.nan], [3.0], [2.0]]))
    vectors = np.zeros((4, 1), np.float32)
    assert gallery_order("NFκB nuclear to ring", vectors, changes).tolist() == [2, 3, 0, 1]
    assert gallery_order("NFκB nuclear to ring", vectors).tolist() == [0, 1, 2, 3]


def test_no_cells_make_no_error():
    made = gallery(0)
    assert made.draw().shape == (400, 500, 3)
    assert not len(gallery_order(MOST_CHANGED, change_vectors(cells(0), cells(0), LIMITS)))
    assert np.isfinite(display_limits(np.zeros((1, 1, 4, 4)))).all()
