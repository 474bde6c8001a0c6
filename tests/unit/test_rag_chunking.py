"""How a collection's texts are cut: as long, and with as much repeated, as it says."""

from itertools import pairwise

import pytest

from rag_service.domain.documents import Chunking
from rag_service.policy.chunking import Source, chunks, weight

TEXT = " ".join(f"Sentence number {place} says something of its own." for place in range(200))


@pytest.mark.parametrize("tokens", [50, 120, 400])
def test_no_chunk_is_longer_than_the_collection_says(tokens: int) -> None:
    found = list(chunks(Source("d", "t", {}, chunking=Chunking(tokens, 0)), [TEXT]))
    assert max(weight(one.text) for one in found) <= tokens
    assert min(weight(one.text) for one in found[:-1]) > tokens // 2
    assert [TEXT[one.start : one.end] for one in found] == [one.text for one in found]


def test_a_chunk_repeats_as_much_of_the_one_before_as_it_should() -> None:
    plain = list(chunks(Source("d", "t", {}, chunking=Chunking(120, 0)), [TEXT]))
    assert all(one.end <= two.start for one, two in pairwise(plain))
    lapped = list(chunks(Source("d", "t", {}, chunking=Chunking(120, 60)), [TEXT]))
    assert all(0 < weight(TEXT[two.start : one.end]) <= 60 for one, two in pairwise(lapped))
