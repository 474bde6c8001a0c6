"""Decisions about embeddings: names, bounds, batches, shortened vectors."""

import array
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedding_service.domain import BadDimensions, BadInput, Input, ModelNotFound
from embedding_service.policy import (
    DEFAULT_MODEL,
    batches,
    cache_key,
    check_dimensions,
    check_inputs,
    normalised,
    resolve,
)


@pytest.mark.parametrize(
    ("name", "provider", "upstream"),
    [
        ("", "local", "all-minilm-l6-v2"),
        (DEFAULT_MODEL, "local", "all-minilm-l6-v2"),
        ("text-embedding-3-small", "openai", "text-embedding-3-small"),
        ("openai/text-embedding-3-small", "openai", "text-embedding-3-small"),
        ("openai/of-tomorrow", "openai", "of-tomorrow"),
        ("hf/org/model", "hf", "org/model"),
    ],
)
def test_a_name_leads_to_a_model(name: str, provider: str, upstream: str) -> None:
    found = resolve(name)
    assert (found.provider, found.upstream) == (provider, upstream)


@pytest.mark.parametrize("name", ["nobody", "openai/", "local/nobody", "anthropic/x"])
def test_there_is_no_such_model(name: str) -> None:
    with pytest.raises(ModelNotFound):
        resolve(name)


def test_bounds_of_inputs() -> None:
    check_inputs(["a"] * 8, 8)
    check_inputs([(1, 2)], 8)
    refused: list[list[Input]] = [[], ["a"] * 9, ["a", ""], ["a", ()]]
    for inputs in refused:
        with pytest.raises(BadInput):
            check_inputs(inputs, 8)
    with pytest.raises(BadInput, match=r"input\[1\]"):
        check_inputs(["a", ""], 8)


def test_dimensions_are_given_or_refused_never_other_ones() -> None:
    shortens, whole = resolve("text-embedding-3-small"), resolve(DEFAULT_MODEL)
    check_dimensions(shortens, 256)
    check_dimensions(whole, 0)
    check_dimensions(whole, 384)
    for model, dimensions in ((shortens, 1537), (shortens, -1), (whole, 383), (whole, 385)):
        with pytest.raises(BadDimensions):
            check_dimensions(model, dimensions)


@given(st.lists(st.integers(1, 600), max_size=200), st.integers(1, 4000))
def test_batches_hold_each_input_once_within_the_budget(lengths: list[int], budget: int) -> None:
    found = batches(lengths, budget)
    assert sorted(index for group in found for index in group) == list(range(len(lengths)))
    for group in found:
        padded = len(group) * max(lengths[index] for index in group)
        assert len(group) == 1 or padded <= budget


@given(st.lists(st.integers(1, 600), max_size=60))
def test_more_room_never_makes_more_batches(lengths: list[int]) -> None:
    assert len(batches(lengths, 8192)) <= len(batches(lengths, 1024))


def test_a_vectors_name_is_its_content_and_nothing_else() -> None:
    model = resolve(DEFAULT_MODEL)
    names = {
        cache_key(model, "a"),
        cache_key(model, "b"),
        cache_key(resolve("text-embedding-3-small"), "a"),
        cache_key(model, (1, 2)),
        cache_key(model, (12,)),
        cache_key(model, "1,2"),
    }
    assert len(names) == 6
    assert cache_key(model, "a") == cache_key(resolve(""), "a")


@given(st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=50))
def test_a_vector_has_length_one(numbers: list[float]) -> None:
    length = math.hypot(*array.array("f", normalised(array.array("f", numbers).tobytes())))
    assert length == pytest.approx(1, abs=1e-4) or math.hypot(*numbers) < 1e-3
