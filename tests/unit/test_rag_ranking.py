"""Stems, fusion, feedback, and the measures of a ranking."""

import array
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_service.policy.evaluation import mean, quality, ranked_documents
from rag_service.policy.ranking import fuse, nearer
from rag_service.policy.stemming import stem
from rag_service.policy.terms import terms


@pytest.mark.parametrize(
    ("words", "stems"),
    [
        # The examples of Porter's article, step by step.
        ("caresses ponies ties caress cats", "caress poni ti caress cat"),
        ("feed agreed plastered bled motoring sing", "feed agre plaster bled motor sing"),
        ("conflated troubled sized hopping tanned falling hissing fizzed failing filing",
         "conflat troubl size hop tan fall hiss fizz fail file"),
        ("happy sky", "happi sky"),
        ("relational conditional rational digitizer conformably radically differently vilely analogously",
         "relat condit ration digit conform radic differ vile analog"),
        ("vietnamization predication operator feudalism decisiveness hopefulness callousness formality sensitivity",
         "vietnam predic oper feudal decis hope callous formal sensit"),
        ("triplicate formative formalize electricity electrical hopeful goodness",
         "triplic form formal electr electr hope good"),
        ("revival allowance inference airliner gyroscopic adjustable defensible irritant replacement adjustment",
         "reviv allow infer airlin gyroscop adjust defens irrit replac adjust"),
        ("dependent adoption communism activate angularity homologous effective bowdlerize",
         "depend adopt commun activ angular homolog effect bowdler"),
        ("probate rate cease roll", "probat rate ceas roll"),
        ("is naïve 2024 b2b größe", "is naïve 2024 b2b größe"),
    ],
)  # fmt: skip
def test_stems(words: str, stems: str) -> None:
    assert [stem(word) for word in words.split()] == stems.split()


@given(st.text(max_size=200))
def test_any_text_has_terms_and_the_same_ones_again(text: str) -> None:
    assert terms(text) == terms(text.upper().lower()) or not text.isascii()
    assert all(term for term in terms(text))


def test_a_possessive_is_its_word() -> None:
    assert terms("the customer's contract") == terms("customers contracts")


def test_fusion_prefers_what_both_found() -> None:
    ranked = fuse([[("a", 9.0), ("b", 8.0)], [("b", 0.1), ("c", 0.05)]])
    assert [name for name, _ in ranked] == ["b", "a", "c"]
    assert fuse([[], []]) == []
    crossed = fuse([[("z", 9.0), ("a", 8.0)], [("a", 3.0), ("z", 2.0)]])
    assert [name for name, _ in crossed] == ["z", "a"], "equals stay as the first ranking has them, whatever their ids"


def vector(*numbers: float) -> bytes:
    length = math.hypot(*numbers) or 1.0
    return array.array("f", [number / length for number in numbers]).tobytes()


def cosine(one: bytes, other: bytes) -> float:
    return sum(a * b for a, b in zip(array.array("f", one), array.array("f", other), strict=True))


def test_the_question_moves_towards_what_was_found() -> None:
    asked, found = vector(1, 0, 0), [vector(0, 1, 0), vector(0, 1, 0.1)]
    moved = nearer(asked, found)
    assert all(cosine(moved, one) > cosine(asked, one) for one in found)
    assert cosine(moved, moved) == pytest.approx(1, abs=1e-5)
    assert nearer(asked, []) == asked


RANKING = st.lists(st.sampled_from("abcdefghijklmnopqrst"), unique=True, max_size=20)


@given(RANKING, st.sets(st.sampled_from("abcdefghijklmnopqrst"), min_size=1))
def test_measures_are_shares(ranked: list[str], relevant: set[str]) -> None:
    found = quality(ranked, relevant)
    assert all(0 <= value <= 1 + 1e-9 for value in (found.ndcg_at_10, found.recall_at_100, found.mrr))
    best = quality([*sorted(relevant), *(name for name in ranked if name not in relevant)], relevant)
    assert best.ndcg_at_10 == pytest.approx(1)
    assert best.ndcg_at_10 >= found.ndcg_at_10 - 1e-9


def test_measures_of_a_ranking_worked_out_by_hand() -> None:
    found = quality(["x", "a", "y", "b"], {"a", "b", "c"})
    assert found.ndcg_at_10 == pytest.approx((1 / math.log2(3) + 1 / math.log2(5)) / (1 + 1 / math.log2(3) + 0.5))
    assert found.recall_at_100 == pytest.approx(2 / 3)
    assert found.mrr == 0.5
    assert mean([found, quality([], {"a"})]).mrr == 0.25
    assert ranked_documents(["a", "b", "a"]) == ["a", "b"]
