"""BM25 over postings: both ways to add up agree, the best are the best."""

import random
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_service.domain.search import Size
from rag_service.policy import bm25

Lists = dict[str, dict[int, tuple[int, int]]]


def made(seed: int) -> Lists:
    rng = random.Random(seed)  # noqa: S311  # data of a test
    return {
        term: {
            number: (rng.randint(1, 9), rng.randint(9, 99)) for number in rng.sample(range(3000), rng.randint(1, 30))
        }
        for term in rng.sample("abcd", rng.randint(0, 4))
    }


lists = st.integers(0, 2**32).map(made)


def packed(told: Lists) -> dict[str, list[bytes]]:
    return {
        term: [b"".join(bm25.posting(number, *rest) for number, rest in sorted(rows.items()))]
        for term, rows in told.items()
    }


def scored(told: Lists, weights: Mapping[str, float], size: Size) -> tuple[bm25.Numbers, bm25.Scores]:
    return bm25.summed({term: bm25.gains(parts, size) for term, parts in packed(told).items()}, weights)


@given(lists)
def test_a_table_and_a_sorted_list_give_the_same(told: Lists) -> None:
    weights = dict.fromkeys(told, 1.0)
    size = Size(4000, 160_000)
    whole = dict(zip(*(part.tolist() for part in scored(told, weights, size)), strict=True))
    shifted = {term: {number + 50_000_000: rest for number, rest in rows.items()} for term, rows in told.items()}
    moved = dict(zip(*(part.tolist() for part in scored(shifted, weights, size)), strict=True))
    assert {number - 50_000_000: value for number, value in moved.items()} == pytest.approx(whole)
    assert set(whole) == {number for rows in told.values() for number in rows}


@given(lists, st.integers(1, 40))
def test_the_best_are_those_that_a_sort_gives(told: Lists, limit: int) -> None:
    found, scores = scored(told, dict.fromkeys(told, 1.0), Size(4000, 160_000))
    order = sorted(zip(scores.tolist(), found.tolist(), strict=True), key=lambda item: (-item[0], item[1]))
    numbers, gains = bm25.best(found, scores, limit)
    assert list(zip(gains.tolist(), numbers.tolist(), strict=True)) == order[:limit]


def test_a_weight_counts_a_term_so_often() -> None:
    told = {"a": {1: (2, 50)}, "b": {1: (2, 50)}}
    size = Size(10, 500)
    one = scored(told, {"a": 1.0, "b": 1.0}, size)[1][0]
    assert scored(told, {"a": 1.0, "b": 0.5}, size)[1][0] == pytest.approx(0.75 * one)


def test_counts_that_do_not_fit_are_cut() -> None:
    assert np.frombuffer(bm25.posting(2**32 - 1, 70_000, 80_000), ">u2").tolist()[2:] == [65535, 65535]


def test_nothing_is_found_in_nothing() -> None:
    assert [len(part) for part in scored({}, {}, Size(0, 0))] == [0, 0]
    assert [len(part) for part in scored({}, {"absent": 1.0}, Size(0, 0))] == [0, 0]


@pytest.mark.parametrize("limit", [1, 7, 200])
def test_the_best_of_very_many_are_those_that_a_sort_gives(limit: int) -> None:
    rng = np.random.default_rng(3)
    found, scores = np.arange(30_011), rng.integers(0, 500, 30_011).astype(np.float64)  # many equals
    order = np.lexsort((found, -scores))[:limit]
    numbers, kept = bm25.best(found, scores, limit)
    assert numbers.tolist() == order.tolist()
    assert kept.tolist() == scores[order].tolist()
