import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, wasserstein_distance

from napari_impa.analysis.statistics.gap_closed import GapEstimate, gap_closed
from napari_impa.errors import CellsError
from napari_impa.watch import CancelledError, Watch

QUANTILES = norm.ppf((np.arange(20_000) + 0.5) / 20_000)


class Screen:
    """Normal measurements: control cells at 0, real ones at `shift`, predicted ones at `part` of it; wells differ."""

    def __init__(self, shift, part, spread=1.0, predicted_spread=1.0, well_spread=0.0):
        self.shift, self.part = np.asarray(shift, float), np.asarray(part, float)
        self.spread, self.predicted_spread, self.well_spread = spread, predicted_spread, well_spread
        self.families = ["texture", "shape"] * (len(shift) // 2)

    def cells(self, count, seed, wells=1):
        rng = np.random.default_rng(seed)
        noise = rng.standard_normal((2, count, len(self.shift)))
        moved = rng.standard_normal((2, wells, len(self.shift))) + rng.standard_normal((2, wells, 1))
        moved = self.well_spread * (moved / np.sqrt(2))[:, np.arange(count) % wells]
        predicted = self.part * self.shift + self.predicted_spread * noise[0] + moved[0]
        return noise[0] + moved[0], predicted, self.shift + self.spread * noise[1] + moved[1]

    def truth(self):
        def quantiles(mean, spread):
            return np.asarray(mean)[..., None] + np.hypot(spread, self.well_spread) * QUANTILES

        real = quantiles(self.shift, self.spread)
        near = np.abs(quantiles(self.part * self.shift, self.predicted_spread) - real).mean(1)
        return 1 - near / np.abs(quantiles(0, 1) - real).mean(1)


def some_cells(count=200, seed=0):
    return Screen([1, -1.5, 2, 0.8], [0.5, 0.2, 0.9, 0.7]).cells(count, seed)


FAMILIES = ["intensity", "intensity", "texture", "shape"]


def test_plain_is_scipys_distance():
    control, predicted, real = some_cells()
    found = gap_closed(control, predicted, real, FAMILIES, draws=0)
    for k in range(4):
        near = wasserstein_distance(predicted[:, k], real[:, k])
        far = wasserstein_distance(control[:, k], real[:, k])
        assert found.plain[k] == pytest.approx(1 - near / far, rel=1e-9)
    assert np.isnan(found.low).all()
    assert np.isnan(found.overall.high)


def test_a_distribution_wholly_beside_the_other_needs_no_correction():
    rng = np.random.default_rng(0)
    control, real = rng.uniform(0, 1, (30, 1)), rng.uniform(10, 11, (20, 1))
    found = gap_closed(control, control + 4, real, ["shape"], paired=True)
    by_hand = 4 / (real.mean() - control.mean())
    assert found.closed[0] == pytest.approx(by_hand, rel=1e-3)
    assert found.low[0] < by_hand < found.high[0]


def test_swapped_arguments_give_another_answer():
    control, predicted, real = some_cells()
    value = gap_closed(control, predicted, real, FAMILIES, draws=0).overall.value
    assert gap_closed(predicted, control, real, FAMILIES, draws=0).overall.value < 0 < value
    assert gap_closed(real, predicted, control, FAMILIES, draws=0).overall.value != pytest.approx(value, abs=0.05)


def test_leaving_the_cells_closes_nothing_and_the_real_ones_all():
    control, _, real = some_cells()
    nothing = gap_closed(control, control, real, FAMILIES, paired=True)
    assert nothing.overall == GapEstimate(0, 0, 0, 4)
    assert (nothing.closed == 0).all()
    everything = gap_closed(control, real, real, FAMILIES)
    assert everything.overall.value == 1
    assert everything.overall.high == 1


def test_few_cells_do_not_make_a_perfect_prediction_seem_poor():
    screen = Screen([0.8] * 10, [1] * 10)
    plain, closed = [], []
    for seed in range(20):
        cells = screen.cells(100, seed)
        found = gap_closed(*cells, screen.families, draws=0)
        plain.append(np.nanmedian(found.plain))
        closed.append(found.overall.value)
    assert np.mean(plain) < 0.86  # what a split half of the real cells would score
    assert np.mean(closed) > 0.96


@pytest.mark.parametrize(
    ("wells", "most", "draws"),
    [(None, 0.95, 60), *(pytest.param(*how, marks=pytest.mark.slow) for how in ((None, 0.95, 200), (12, 0.97, 200)))],
)
def test_intervals_hold_the_truth_in_nine_of_ten_draws(wells, most, draws):
    # Of few wells, intervals of means and medians over measurements are a little wider than they need be.
    screen = Screen([0.8, 1, -1.5, 0.9, -2, 1.2], [0.5, 0.2, 0.7, 0.4, 0.8, 0.6], 1.3, 1.1, 0.3 if wells else 0)
    truth = screen.truth()
    families = {"texture": np.median(truth[::2]), "shape": np.median(truth[1::2])}
    held = {"measurement": [], "family": [], "overall": []}
    for draw in range(draws):
        cells = screen.cells(120, [1, draw], wells or 1)
        labels = None if wells is None else (np.arange(120) % wells,) * 3
        found = gap_closed(*cells, screen.families, wells=labels, paired=True, seed=draw)
        assert found.drawn == ("cells" if wells is None else "wells")
        held["measurement"].append(np.mean(((found.low <= truth) & (truth <= found.high))[found.moves]))
        estimates = found.families
        held["family"] += [estimates[name].low <= value <= estimates[name].high for name, value in families.items()]
        held["overall"].append(found.overall.low <= np.mean(list(families.values())) <= found.overall.high)
    shares = {name: round(float(np.mean(values)), 3) for name, values in held.items()}
    assert all(0.85 <= share <= most for share in shares.values()), shares


def test_intervals_of_wells_are_wider_than_those_of_cells_that_hide_them():
    screen = Screen([1, 1.5], [0.5, 0.5], well_spread=0.5)
    cells = screen.cells(200, 0, wells=8)
    wells = (np.arange(200) % 8,) * 3
    by_wells = gap_closed(*cells, screen.families, wells=wells).overall
    by_cells = gap_closed(*cells, screen.families).overall
    assert by_wells.high - by_wells.low > 1.5 * (by_cells.high - by_cells.low)


def test_fewer_than_five_wells_of_a_kind_are_not_drawn():
    cells, many, few = some_cells(40), np.arange(40) % 5, np.arange(40) % 4
    assert gap_closed(*cells, FAMILIES, wells=(many, many, few)).drawn == "cells"
    assert gap_closed(*cells, FAMILIES, wells=(many, many, many)).drawn == "wells"


def test_many_measurements_of_a_family_do_not_outvote_another():
    control, predicted, real = Screen([1, 1], [1, 0]).cells(300, 0)
    few = gap_closed(control, predicted, real, ["texture", "shape"], draws=0)
    columns = [0] * 50 + [1]
    many = gap_closed(
        *(group[:, columns] for group in (control, predicted, real)), ["texture"] * 50 + ["shape"], draws=0
    )
    assert many.families["texture"].measurements == 50
    assert many.overall.value == pytest.approx(few.overall.value)
    assert few.overall.value == pytest.approx(0.5, abs=0.05)


def test_two_families_of_five_that_are_left_are_seen_in_the_overall_value():
    control, predicted, real = Screen([1.5] * 5, [1, 1, 1, 0, 0]).cells(300, 0)
    families = ["intensity", "texture", "radial distribution", "correlation", "shape"]
    assert gap_closed(control, predicted, real, families, draws=0).overall.value == pytest.approx(0.6, abs=0.05)


def test_a_measurement_made_far_worse_counts_as_twice_as_far():
    control, predicted, real = Screen([1, 1], [1, -8]).cells(300, 0)
    found = gap_closed(control, predicted, real, ["texture", "shape"])
    assert found.closed[1] < -5
    assert found.families["shape"].value == -1
    assert found.overall.value == pytest.approx(0, abs=0.05)


def test_only_what_truly_moves_counts():
    control, predicted, real = Screen([0.1, 1, 0, -0.6], [1, 1, 1, 1]).cells(2000, 0)
    found = gap_closed(control, predicted, real, FAMILIES)
    assert found.moves.tolist() == [False, True, False, True]
    assert np.isnan(found.closed).tolist() == np.isnan(found.low).tolist() == [True, False, True, False]
    assert list(found.families) == ["intensity", "shape"]
    assert found.shift == pytest.approx([0.1, 1, 0, -0.6], abs=0.08)
    assert found.overall.measurements == 2


def test_few_cells_need_a_larger_shift():
    control, _, real = Screen([0.45, 0.45], [1, 1]).cells(2000, 0)
    assert gap_closed(control, real, real, ["a", "b"], draws=0).moves.all()
    noise = [Screen([0, 0], [1, 1]).cells(20, seed) for seed in range(100)]
    taken_as_moved = np.mean([gap_closed(*cells, ["a", "b"], draws=0).moves for cells in noise])
    assert taken_as_moved < 0.1  # |shift| > 0.3 alone would take a third


def test_side_effects_are_what_leaves_control_and_real_cells():
    rng = np.random.default_rng(0)
    control, real = rng.standard_normal((2, 2000, 4))
    real[:, 0] += 1
    predicted = control + np.array([1, 0.8, 0, 0.1])
    found = gap_closed(control, predicted, real, FAMILIES, draws=0)
    assert found.moved_unasked == pytest.approx(1 / 3)
    assert found.predicted_shift == pytest.approx([1, 0.8, 0, 0.1], abs=0.1)
    real[:, 1] += 0.25  # a shift that is a little larger than the real one is none
    predicted[:, 1] = control[:, 1] + 0.4
    assert gap_closed(control, predicted, real, FAMILIES, draws=0).moved_unasked == 0
    assert np.isnan(gap_closed(control, predicted, control + 5, FAMILIES, draws=0).moved_unasked)


def test_what_was_not_taken_is_left_out():
    control, predicted, real = some_cells()
    whole = gap_closed(control, predicted, real, FAMILIES)
    gaps = [
        np.concatenate([group, np.full((7, 4), gap)])
        for group, gap in ((control, np.nan), (predicted, np.inf), (real, np.nan))
    ]
    found = gap_closed(*gaps, FAMILIES)
    assert found.values.tolist() == [[200] * 4] * 3
    assert found.closed == pytest.approx(whole.closed)
    assert found.shift == pytest.approx(whole.shift)
    assert found.low == pytest.approx(whole.low, abs=0.1)


def test_taken_in_too_few_cells():
    control, predicted, real = some_cells()
    real[9:, 0] = np.nan
    predicted[9:, 3] = np.nan
    found = gap_closed(control, predicted, real, FAMILIES)
    assert np.isnan(found.shift[0])
    assert not found.moves[0]
    assert (found.closed[3], found.low[3], found.high[3]) == (-1, -1, -1)  # nothing in the picture to measure
    assert found.families["shape"] == GapEstimate(-1, -1, -1, 1)
    assert found.values[:, 0].tolist() == [200, 200, 9]


def test_where_nothing_moves_there_is_nothing_to_close():
    control, predicted, _ = some_cells()
    found = gap_closed(control, predicted, control, FAMILIES)
    assert found.families == {}
    assert np.isnan(found.overall.value)
    assert found.overall.measurements == 0


def test_constant_measurements():
    control, predicted, real = some_cells(30)
    control[:, 0] = real[:, 0] = 0.1 + 0.2
    control[:, 1], predicted[:, 1], real[:, 1] = 0, 0.25, 1
    found = gap_closed(control, predicted, real, FAMILIES)
    assert not found.moves[0]
    assert found.moves[1]
    assert found.closed[1] == pytest.approx(0.25)
    assert np.isfinite(found.overall).all()


def test_the_seed_decides_and_nothing_else():
    cells = some_cells()
    one, same, other = (gap_closed(*cells, FAMILIES, seed=seed) for seed in (1, 1, 2))
    assert (one.low == same.low).all()
    assert (one.low != other.low).any()
    assert (one.closed == other.closed).all()


@settings(max_examples=15, deadline=None)
@given(st.floats(-100, 100), st.floats(0.01, 100), st.booleans())
def test_units_do_not_matter(offset, scale, mirrored):
    cells = some_cells(60)
    factor = -scale if mirrored else scale
    there = gap_closed(*cells, FAMILIES, draws=20)
    other = gap_closed(*(group * factor + offset for group in cells), FAMILIES, draws=20)
    assert other.closed == pytest.approx(there.closed, abs=1e-6)
    assert other.low == pytest.approx(there.low, abs=1e-3)


@pytest.mark.parametrize(
    ("sides", "options", "message"),
    [
        ((np.zeros((5, 3)), np.zeros((5, 4)), np.zeros((5, 4))), {}, "need 4 measurements each"),
        ((np.zeros((5, 4)), np.zeros((0, 4)), np.zeros((5, 4))), {}, "no cells"),
        ((np.zeros((5, 4)), np.zeros((6, 4)), np.zeros((5, 4))), {"paired": True}, "6 predicted cells cannot be"),
        ((np.zeros((5, 4)),) * 3, {"wells": (range(5), range(5), range(4))}, "needs its well"),
    ],
)
def test_what_does_not_fit_is_refused(sides, options, message):
    with pytest.raises(CellsError, match=message):
        gap_closed(*sides, FAMILIES, **options)


def test_it_can_be_left():
    class Leave(Watch):
        def check(self):
            raise CancelledError

    with pytest.raises(CancelledError):
        gap_closed(*some_cells(), FAMILIES, watch=Leave())
