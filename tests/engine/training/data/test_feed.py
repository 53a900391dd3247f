from __future__ import annotations

import itertools
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_impa.cells import reading
from napari_impa.engine.training.data import feed as feed_module
from napari_impa.engine.training.data.feed import TURNS, Feed, PoolPlan, share_out
from napari_impa.errors import CellsError
from napari_impa.watch import Token, Watch

CPU = torch.device("cpu")
sizes = st.lists(st.integers(1, 60), min_size=1, max_size=6)


def groups_of(sizes: list[int]) -> list[np.ndarray]:
    """Rows of groups that follow one another."""
    return np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])


@given(sizes, st.data())
def test_a_pool_is_shared_out_in_proportion_and_to_its_bound(sizes: list[int], data: st.DataObject) -> None:
    shares = np.array(data.draw(st.lists(st.floats(0.1, 50), min_size=len(sizes), max_size=len(sizes))))
    capacity = data.draw(st.integers(len(sizes), 400))
    widths, steps = share_out(np.array(sizes), shares, capacity)
    assert (widths >= 1).all()
    assert (widths <= sizes).all()
    assert widths.sum() <= capacity + len(sizes)
    if sum(sizes) <= capacity:
        assert widths.tolist() == sizes
    else:
        assert widths.sum() >= capacity - len(sizes)
        part = widths < sizes
        assert (np.abs(widths[part] - steps * shares[part]) <= 1).all()
        assert (widths[~part] <= steps * shares[~part] + 1).all()


@given(sizes, st.integers(1, 120), st.integers(0, 100), st.integers(0, 40))
def test_what_comes_in_turn_by_turn_is_what_a_resumed_training_fills_the_pool_with(
    sizes: list[int], capacity: int, seed: int, turn: int
) -> None:
    plan = PoolPlan(groups_of(sizes), [1.0] * len(sizes), capacity, seed=seed, piece=4)
    pool = np.full(len(plan), -1)
    places, rows = plan.contents(turn)
    assert sorted(places) == list(range(len(plan)))
    assert len(set(rows)) == len(plan)
    pool[places] = rows
    for later in (turn + 1, turn + 2):
        places, rows = plan.incoming(later)
        pool[places] = rows
        places, rows = plan.contents(later)
        assert pool[places].tolist() == rows.tolist()


@settings(max_examples=30)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=4), st.integers(1, 80), st.integers(0, 9))
def test_every_cell_is_in_the_pool_for_the_same_number_of_turns(sizes: list[int], capacity: int, seed: int) -> None:
    plan = PoolPlan(groups_of(sizes), [1.0] * len(sizes), capacity, seed=seed, piece=3)
    for group, rows in enumerate(groups_of(sizes)):
        size, width = int(plan.sizes[group]), int(plan.widths[group])
        if width == size:
            continue
        rounds = TURNS * size  # turns after which a window has gone round a whole number of times
        seen = np.zeros(sum(sizes), int)
        for turn in range(rounds):
            contents = plan.contents(turn)[1]
            seen[contents] += 1
        assert set(seen[rows]) == {TURNS * width}


def test_draws_are_even_over_a_round_and_come_from_the_pool() -> None:
    plan = PoolPlan(groups_of([1600, 800, 60]), [16.0, 8.0, 8.0], 540, seed=1, piece=8)
    assert plan.widths.tolist() == [320, 160, 60]
    steps = plan.steps_per_turn * TURNS * 5 * 4  # four rounds, of five widths each
    drawn = np.zeros((3, 2460))
    for step in range(steps):
        groups = np.repeat([0, 1, 2], [16, 8, 8])
        rows = plan.draw(step, groups, np.random.default_rng([0, step]))
        assert np.isin(rows, plan.contents(plan.turn(step))[1]).all()
        np.add.at(drawn, (groups, rows), 1)
    for group, (first, last, n) in enumerate([(0, 1600, 16), (1600, 2400, 8), (2400, 2460, 8)]):
        counts = drawn[group, first:last]
        assert counts.sum() == steps * n == drawn[group].sum()
        expected = counts.sum() / len(counts)
        statistic = ((counts - expected) ** 2 / expected).sum() / len(counts)  # chi-squared over its degrees of freedom
        assert 0.5 < statistic < 1.5, group


def test_what_is_read_is_drawn_once_on_average() -> None:
    plan = PoolPlan(groups_of([5000, 5000]), [16.0, 16.0], 1024, seed=0)
    read = sum(len(plan.incoming(turn)[0]) for turn in range(1, 9))
    assert read == 1024
    assert plan.steps_per_turn * 8 * 32 == 1024


def test_windows_hold_runs_of_neighbours_in_random_order() -> None:
    plan = PoolPlan(groups_of([1000, 1000]), [1.0, 1.0], 400, seed=3, piece=20)
    rows = np.sort(plan.contents(5)[1])
    runs = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)
    assert 10 <= len(runs) <= 24  # of 22 pieces, some of them neighbours
    assert np.ptp(rows) > 1500
    other = PoolPlan(groups_of([1000, 1000]), [1.0, 1.0], 400, seed=4, piece=20)
    assert np.sort(other.contents(5)[1]).tolist() != rows.tolist()


# ---- pixels --------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["uint8", "uint16", "float32", "float64"])
def mapped(request: pytest.FixtureRequest, tmp_path: Path) -> np.ndarray:
    """600 cells of 8 px whose pixels all hold the cell's number (mod 251) times a factor."""
    numbers = (np.arange(600) % 251).reshape(-1, 1, 1, 1)
    factor = {"uint8": 1, "uint16": 261}.get(request.param, 0.5)
    np.save(tmp_path / "p.npy", np.broadcast_to(numbers * factor, (600, 2, 8, 8)).astype(request.param))
    return np.load(tmp_path / "p.npy", mmap_mode="r")


def feed_of(pixels: np.ndarray) -> Feed:
    return Feed(pixels, groups_of([200, 300, 100]), [4.0, 2.0, 2.0], size=6, seed=0, device=CPU)


def drawn(feed: Feed, step: int) -> tuple[np.ndarray, torch.Tensor]:
    rows = feed.plan.draw(step, np.arange(24) % 3, np.random.default_rng(step))
    return rows, feed.pixels(step, rows)


@pytest.mark.parametrize("pool", [100, 10_000_000])
def test_pixels_are_those_of_the_rows_drawn(mapped: np.ndarray, pool: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "HOST_BYTES", pool * mapped[0].nbytes * 36 // 64)
    feed = feed_of(mapped)
    assert feed.plan.is_whole == (pool > 600)
    for step in [*range(0, 60, 3), 7, 500, 501]:  # on, back, and far ahead
        rows, pixels = drawn(feed, step)
        assert pixels.dtype == {"uint8": torch.uint8, "uint16": torch.uint16}.get(mapped.dtype.name, torch.float32)
        np.testing.assert_array_equal(pixels.numpy(), mapped[rows][..., 1:7, 1:7].astype(pixels.numpy().dtype))
    feed.close()


@pytest.mark.parametrize("mapped", ["uint16"], indirect=True)
def test_cells_in_memory_are_drawn_as_those_in_a_file(mapped: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "HOST_BYTES", 20_000)
    from_file, from_memory = feed_of(mapped), feed_of(np.array(mapped))
    for step in range(30):
        for a, b in zip(drawn(from_file, step), drawn(from_memory, step), strict=True):
            np.testing.assert_array_equal(a, b)
    from_file.close()
    assert from_memory._pool is None


def reading_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("reading-cells")]


def wait_for_threads_to_end() -> None:
    deadline = time.monotonic() + 5
    while reading_threads() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not reading_threads()


@pytest.mark.parametrize("mapped", ["uint8"], indirect=True)
def test_pieces_are_read_ahead_in_a_thread_that_ends(mapped: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "HOST_BYTES", 100 * 72)
    feed = feed_of(mapped)
    threads = []
    monkeypatch.setattr(
        feed_module,
        "read_pixels",
        lambda *args, **_: (
            threads.append(threading.current_thread().name) or np.zeros((len(args[1]), 2, 6, 6), np.uint8)
        ),
    )
    turns = {feed.plan.turn(step): drawn(feed, step) for step in range(40)}
    feed.close()
    assert len(threads) == len(turns)  # one piece for each turn to come
    assert all(name.startswith("reading-cells") for name in threads)
    wait_for_threads_to_end()


@pytest.mark.parametrize("mapped", ["uint8"], indirect=True)
def test_closing_ends_what_is_being_read(mapped: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "HOST_BYTES", 100 * 72)
    monkeypatch.setattr(reading, "BLOCK_BYTES", 72)  # a block a cell
    feed, blocks, begun, read = feed_of(mapped), [], threading.Event(), feed_module.read_pixels
    feed.pixels(0, feed.plan.contents(0)[1][:2])
    feed.close()
    wait_for_threads_to_end()

    class Counted(Watch):
        def __init__(self, closing: Token) -> None:
            self.closing, self.until = closing, time.monotonic() + 5

        def check(self) -> None:
            blocks.append(1)
            begun.set()
            while not self.closing.cancelled and time.monotonic() < self.until:
                time.sleep(0.001)
            self.closing.check()

    monkeypatch.setattr(feed_module, "read_pixels", lambda *args, watch: read(*args, watch=Counted(watch)))
    feed.pixels(feed.plan.steps_per_turn, feed.plan.contents(1)[1][:2])
    assert begun.wait(5)
    feed.close()
    assert len(blocks) == 1
    wait_for_threads_to_end()


@pytest.mark.parametrize("mapped", ["uint8"], indirect=True)
def test_a_fault_in_the_background_is_raised_where_the_cells_are_wanted(
    mapped: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "HOST_BYTES", 100 * 72)
    feed = feed_of(mapped)
    drawn(feed, 0)
    feed.close()
    Path(mapped.filename).unlink()  # type: ignore[attr-defined]
    with pytest.raises(CellsError, match="cannot be read any more"):
        list(map(drawn, itertools.repeat(feed), range(100)))
    wait_for_threads_to_end()


@pytest.mark.parametrize("mapped", ["uint8"], indirect=True)
def test_a_pool_that_could_not_be_filled_is_filled_at_the_next_try(mapped: np.ndarray) -> None:
    feed, path = feed_of(mapped), Path(mapped.filename)  # type: ignore[attr-defined]
    path.rename(path.with_suffix(".away"))
    with pytest.raises(CellsError, match="cannot be read any more"):
        drawn(feed, 0)
    path.with_suffix(".away").rename(path)
    rows, pixels = drawn(feed, 0)
    assert pixels[:, 0, 0, 0].tolist() == (rows % 251).tolist()


def test_memory_granted_on_the_host() -> None:
    assert feed_module.memory_for(CPU) == (feed_module.HOST_BYTES, feed_module.HOST_BYTES)
