"""Sums of shifts say the same as whole arrays, and what is unlikely by chance alone."""

from __future__ import annotations

import numpy as np
import pytest

from napari_impa.analysis.phenotypes.shifts import ShiftSums, direction, effect_of, likeness, moved_most


def added(changes: np.ndarray, parts: int) -> ShiftSums:
    sums = ShiftSums.zeros(1, changes.shape[1])
    for rows in np.array_split(np.arange(len(changes)), parts):
        sums.add(0, np.zeros((len(rows), changes.shape[1])), changes[rows], rows)
    return sums


def test_blocks_add_up() -> None:
    changes = np.random.default_rng(0).normal(1, 2, (80, 5))
    changes[3, 2] = np.nan
    one, many = added(changes, 1).shifts(), added(changes, 7).shifts()
    np.testing.assert_allclose(one.shift[0], np.nanmean(changes, axis=0))
    for name in ("shift", "effect", "error"):
        np.testing.assert_allclose(getattr(one, name), getattr(many, name))


def test_chance_alone_is_no_effect() -> None:
    random = np.random.default_rng(1)
    none = [float(added(random.normal(0, 3, (40, 20)), 2).shifts().effect[0]) for _ in range(40)]
    assert np.mean(none) < 0.2  # the plain root mean square is 3 / √40 = 0.47
    assert added(random.normal(2, 3, (40, 20)), 2).shifts().effect[0] == pytest.approx(2, abs=0.3)


def test_the_error_is_that_of_repeats() -> None:
    random = np.random.default_rng(2)
    found = [added(random.normal(1, 2, (64, 4)), 1).shifts() for _ in range(200)]
    spread = np.std([float(one.effect[0]) for one in found])
    assert np.mean([float(one.error[0]) for one in found]) == pytest.approx(spread, rel=0.25)


def test_sureness_falls_with_the_spread_of_the_noise() -> None:
    random = np.random.default_rng(3)
    sums = ShiftSums.zeros(2, 4)
    for number, much in enumerate((0.1, 4.0)):
        sums.add(number, np.zeros((50, 4)), np.full((50, 4), 2.0), np.arange(50))
        one, other = random.normal(0, much, (2, 400, 4))
        sums.add_second_draw(number, one, other)
    found = sums.shifts()
    np.testing.assert_allclose(found.spread, [0.1, 4.0], rtol=0.1)
    np.testing.assert_allclose(found.sureness, 2 / (2 + found.spread))


def test_likeness_is_the_share_of_the_way() -> None:
    wanted = np.array([3.0, 0, 4, np.nan])
    shift = np.array([[3, 0, 4, 9], [1.5, 0, 2, 9], [0, 0, 0, 9], [-3, 0, -4, 9], [0, 5, 0, 9]], float)
    np.testing.assert_allclose(likeness(shift, wanted), [1, 0.5, 0, -1, 1 - np.sqrt(2)])
    np.testing.assert_allclose(direction(shift, wanted), [1, 1, np.nan, -1, 0])
    np.testing.assert_allclose(effect_of(wanted), 5 / np.sqrt(3))


def test_what_moved_most_is_named() -> None:
    shift = np.array([[0.2, -2.12, np.nan, 1.0]])
    assert moved_most(shift, ("a", "b", "c", "d"), 2) == ["b −2.1, d +1.0"]
