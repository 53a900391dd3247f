import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from napari_impa.analysis.statistics.wasserstein import MeasuredSample, sampled_distance


def sample(values, wells=None):
    return MeasuredSample.of(values, np.arange(len(values)) if wells is None else wells)


def no_draws(*samples):
    return [np.empty((one.count, 0), np.float32) for one in samples]


def distance(a, b):
    one, other = sample(a), sample(b)
    return sampled_distance(one, other, *no_draws(one, other))


def test_plain_is_scipys():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal(40), 2 * rng.standard_normal(70) + 0.4
    assert distance(a, b).plain == pytest.approx(wasserstein_distance(a, b), rel=1e-12)
    tied, other = rng.integers(0, 4, 50).astype(float), rng.integers(1, 6, 60).astype(float)
    assert distance(tied, other).plain == pytest.approx(wasserstein_distance(tied, other), rel=1e-12)


@pytest.mark.parametrize(("shift", "spread"), [(0, 1), (0.1, 1.2), (0.5, 2)])
def test_the_correction_takes_off_what_sampling_adds(shift, spread):
    quantiles = np.random.default_rng(0).standard_normal(200_000)
    truth = wasserstein_distance(quantiles, shift + spread * quantiles)
    found = []
    for seed in range(300):
        rng = np.random.default_rng([1, seed])
        found.append(distance(rng.standard_normal(60), shift + spread * rng.standard_normal(60)))
    plain = np.median([one.plain for one in found]) - truth
    corrected = np.median([one.corrected for one in found]) - truth
    assert plain > 0.01
    assert abs(corrected) < 0.65 * plain


def test_a_draw_of_every_cell_once_is_the_sample_corrected():
    rng = np.random.default_rng(0)
    one, other = sample(rng.standard_normal(50)), sample(rng.standard_normal(60) + 3)
    found = sampled_distance(one, other, np.ones((50, 1), np.float32), np.ones((60, 1), np.float32))
    assert found.drawn == pytest.approx([found.corrected], rel=0.02)


def test_the_variance_of_wells_is_that_of_their_shares():
    values, wells = np.array([0.0, 1, 2, 3, 4, 5]), np.array([0, 0, 1, 1, 2, 2])
    one = sample(values, wells)
    below = np.array([1, 2, 3, 4, 5, 6]) / 6
    at_half = one.variance(below, np.arange(6))[2]  # shares at or below 2: 1, 0.5 and 0
    assert at_half == pytest.approx(np.var([1, 0.5, 0], ddof=1) / 3)
    assert sample(values).variance(below, np.arange(6))[2] == pytest.approx(0.25 / 5)


def test_influences_are_what_a_cell_more_would_change():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal(30), rng.standard_normal(40) + 0.7
    found = distance(a, b)
    for side in (0, 1):
        weights = [np.ones(30), np.ones(40)]
        weights[side][5] += 1e-4
        changed = wasserstein_distance(a, b, *weights) - found.plain
        assert found.influences[side][5] == pytest.approx(changed / 1e-4, rel=1e-3)


def test_what_is_not_finite_is_left_out():
    one = MeasuredSample.of(np.array([1, np.nan, 3, np.inf]), np.array([0, 0, 1, 2]))
    assert one.cells.tolist() == [0, 2]
    assert one.numbers.tolist() == [0, 1]
    assert one.count == 3


def test_draws_of_two_samples_of_one_distribution_lie_about_nothing():
    middles, plain = [], []
    for seed in range(20):
        rng = np.random.default_rng([2, seed])
        one, other = sample(rng.standard_normal(60)), sample(rng.standard_normal(60))
        draws = [rng.multinomial(60, np.full(60, 1 / 60), size=100).T.astype(np.float32) for _ in range(2)]
        found = sampled_distance(one, other, *draws)
        middles.append(np.median(found.drawn))
        plain.append(found.plain)
    # Drawn cells differ by the sampling error and then once more.
    assert np.mean(middles) < 0.5 * np.mean(plain)
