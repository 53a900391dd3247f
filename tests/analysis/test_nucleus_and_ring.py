import numpy as np
import pytest
from scipy import ndimage as ndi
from skimage.filters import threshold_otsu
from skimage.segmentation import watershed

from napari_impa.analysis.nucleus_and_ring import (
    central_nucleus_and_others,
    central_nucleus_mask,
    nuclear_to_ring_ratio,
    nuclei_and_rings,
)
from napari_impa.errors import CellsError


def disks(radius: float, inside: float, outside: float, neighbour: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """One crop with a nucleus in the centre: measured channel and nuclear stain."""
    y, x = np.mgrid[:48, :48]
    nucleus = np.hypot(y - 24, x - 24) < radius
    stain = nucleus * 200.0
    if neighbour:
        stain += (np.hypot(y - 24, x - 24 - 2 * radius + 2) < radius) * 200.0
    return np.where(nucleus, inside, outside)[None], np.minimum(stain, 200)[None] + 10


@pytest.mark.parametrize(("inside", "outside"), [(170.0, 100.0), (100.0, 170.0)])
def test_ratio_is_nucleus_over_ring_above_the_background(inside, outside):
    channel, stain = disks(8, inside, outside)
    nuclei = stain > 100
    assert nuclear_to_ring_ratio(channel, nuclei) == pytest.approx([inside / outside])
    expected = (inside - 40) / (outside - 40)
    assert nuclear_to_ring_ratio(channel, nuclei, background=40) == pytest.approx([expected])


def test_the_ring_begins_past_the_gap_and_ends_after_its_width():
    point = np.zeros((1, 33, 33), bool)
    point[0, 16, 16] = True
    nuclei, rings = nuclei_and_rings(point, ring_width=3, gap=2)
    np.testing.assert_array_equal(nuclei, point)
    y, x = np.mgrid[:33, :33] - 16
    away = y**2 + x**2
    np.testing.assert_array_equal(rings[0], (away > 2**2) & (away <= 5**2))


@pytest.mark.parametrize(("shift", "found"), [(9, True), (19, True), (22, False)])
def test_a_nucleus_is_looked_for_within_a_quarter_of_the_crop(shift, found):
    y, x = np.mgrid[:48, :48]
    stain = (np.hypot(y - 24, x - 24 - shift) < 8) * 200.0
    assert central_nucleus_mask(stain[None]).any() == found


def test_other_nuclei_are_left_out_of_the_ring():
    channel, stain = disks(6, 200, 100)
    labels = (stain > 100).astype(int)
    labels[:, :, 34:40] = 2
    channel[:, :, 34:40] = 5000
    assert nuclear_to_ring_ratio(channel, labels) == pytest.approx([2.0])


def test_no_nucleus_or_no_signal_gives_nan():
    channel, stain = disks(8, 170, 100)
    assert np.isnan(nuclear_to_ring_ratio(channel, np.zeros_like(channel, bool))).all()
    assert np.isnan(nuclear_to_ring_ratio(channel, stain > 100, background=100)).all()
    with pytest.raises(CellsError, match="same shape"):
        nuclear_to_ring_ratio(channel, stain[:, :40])


def test_central_nucleus_is_parted_from_a_touching_one():
    _, stain = disks(8, 0, 0, neighbour=True)
    found = central_nucleus_mask(ndi.gaussian_filter(stain, (0, 1, 1)))
    _, alone = disks(8, 0, 0)
    truth = alone > 100
    overlap = (found & truth).sum() / (found | truth).sum()
    assert overlap > 0.8
    assert not central_nucleus_mask(np.zeros((1, 48, 48))).any()


def test_tnf_moves_nfkb_into_the_nucleus(shared):
    from napari_impa.cells.folder import crop_source

    cells = crop_source(shared / "data" / "bbbc014_tnfa", size=48)
    dapi = cells.channels.index("DAPI")
    ratio = nuclear_to_ring_ratio(cells.pixels[:, 1 - dapi], central_nucleus_mask(cells.pixels[:, dapi]))
    control = cells.table["control"].to_numpy() == 1
    assert np.nanmedian(ratio[~control]) == pytest.approx(1.7, abs=0.15)
    assert np.nanmedian(ratio[control]) == pytest.approx(1.1, abs=0.15)


def parted_one_by_one(crop: np.ndarray) -> np.ndarray:
    """The central nucleus as its docstring tells it, by scikit-image's threshold and a watershed of all of it."""
    smooth = ndi.gaussian_filter(np.asarray(crop, np.float32), 1)
    bright = ndi.binary_fill_holes(smooth > threshold_otsu(smooth))
    depth = ndi.gaussian_filter(ndi.distance_transform_edt(bright), 1)
    seeds = ndi.label((depth == ndi.maximum_filter(depth, size=7)) & bright, np.ones((3, 3)))[0]
    parts = watershed(-depth, seeds, mask=bright)
    centre = len(crop) // 2
    away, (rows, columns) = ndi.distance_transform_edt(parts == 0, return_indices=True)
    found = away[centre, centre] <= len(crop) / 4
    return (parts == parts[rows[centre, centre], columns[centre, centre]]) & found


def test_nuclei_of_a_stack_are_those_of_each_crop() -> None:
    rng = np.random.default_rng(0)
    crops = np.zeros((40, 48, 48), np.float32)
    rows, columns = np.indices((48, 48))
    for crop in crops:
        for row, column, radius in rng.uniform((4, 4, 4), (44, 44, 9), (rng.integers(1, 6), 3)):
            crop += rng.uniform(0.3, 1) * (np.hypot(rows - row, columns - column) < radius)
    crops += rng.normal(0, 0.05, crops.shape)
    found = central_nucleus_mask(crops)
    assert 20 < found.any((1, 2)).sum() < 40
    np.testing.assert_array_equal(found, [parted_one_by_one(crop) for crop in crops])
    own, others = central_nucleus_and_others(crops)
    np.testing.assert_array_equal(own, found)
    assert others.any((1, 2)).sum() >= 20
    assert not (own & others).any()


def test_a_constant_crop_and_no_crop_hold_no_nucleus() -> None:
    assert not central_nucleus_mask(np.full((2, 16, 16), 7)).any()
    assert central_nucleus_mask(np.zeros((0, 16, 16))).shape == (0, 16, 16)
