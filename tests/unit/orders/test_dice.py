"""Draws are the same wherever they are made, and stay inside their limits."""

from __future__ import annotations

from eventlab.orders.dice import Dice, heavy_tail


def test_the_same_name_gives_the_same_draws_on_every_python():
    dice = Dice("7 book 0")
    assert [dice.between(1, 6) for _ in range(12)] == [2, 3, 4, 6, 1, 4, 4, 3, 2, 1, 6, 2]


def test_names_are_streams_of_their_own():
    assert [Dice(name).below(10**9) for name in ("7", "8")] == [712437633, 229913076]


def test_between_reaches_both_ends_and_nothing_else():
    dice = Dice("ends")
    assert sorted({dice.between(2, 4) for _ in range(200)}) == [2, 3, 4]


def test_the_first_rank_of_a_heavy_tail_comes_most_often():
    tail = heavy_tail(4, softness=1)
    assert tail == (1_000_000, 1_500_000, 1_833_333, 2_083_333)
    dice = Dice("tail")
    ranks = [dice.rank(tail) for _ in range(2_000)]
    counts = [ranks.count(rank) for rank in range(4)]
    assert sum(counts) == 2_000
    assert counts == sorted(counts, reverse=True)
