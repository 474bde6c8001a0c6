"""What is done with what was found: one a document, different ones, a model's order; queries written anew."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_service.domain.answers import Message
from rag_service.domain.search import Passage, Scores
from rag_service.policy.ranking import best_of_documents, diverse, expanded, fuse, reranked
from rag_service.policy.rewriting import condensing, kept_query, search_query


def passage(name: str, text: str = "", score: float = 1.0, document: str = "") -> Passage:
    return Passage(document or name, name, "", text, 0, 0, len(text), {}, 1, score, Scores(dense=score))


def test_the_first_of_each_document_stays_in_its_place() -> None:
    found = [passage("a1", document="a"), passage("b1", document="b"), passage("a2", document="a")]
    assert [one.chunk_id for one in best_of_documents(found)] == ["a1", "b1"]


def test_a_repetition_gives_way_to_something_new() -> None:
    twins = [passage("a", "the pump leaks oil", 1.0), passage("b", "the pump leaks oil", 0.99)]
    other = passage("c", "the valve is stuck", 0.8)
    assert [one.chunk_id for one in diverse([*twins, other], 2, 0.5)] == ["a", "c"]
    assert [one.chunk_id for one in diverse([*twins, other], 2, 0.01)] == ["a", "b"]


@given(st.lists(st.floats(0, 1), max_size=12), st.integers(1, 15), st.floats(0, 1))
def test_diversity_only_chooses(scores: list[float], count: int, diversity: float) -> None:
    found = [passage(str(place), f"word{place % 3} pump", score) for place, score in enumerate(scores)]
    kept = diverse(found, count, diversity)
    assert len(kept) == min(count, len(found))
    assert len({one.chunk_id for one in kept}) == len(kept)


def test_a_models_order_is_taken_and_the_stages_are_kept() -> None:
    told = reranked([passage("a", score=0.9), passage("b", score=0.8)], [0.1, 0.7])
    assert [(one.chunk_id, one.score, one.scores) for one in told] == [
        ("b", 0.7, Scores(dense=0.8, reranked=0.7)),
        ("a", 0.1, Scores(dense=0.9, reranked=0.1)),
    ]


def test_fused_scores_are_a_share_of_the_most() -> None:
    assert fuse(([("a", 9.0)], [("a", 0.5)]))[0][1] == pytest.approx(1.0)
    assert fuse(([("a", 9.0)], []))[0][1] == pytest.approx(0.5)


def test_expansion_adds_words_and_keeps_the_weight() -> None:
    weights = expanded(["wing", "flutter"], ["wing flutter at supersonic speed", "panel flutter"])
    assert sum(weights.values()) == pytest.approx(2.0)
    assert weights["flutter"] > weights["wing"] > weights["panel"] > 0
    assert expanded([], ["wing"]) == {}
    assert expanded(["wing"], []) == {"wing": 1.0}


@pytest.mark.parametrize(
    ("asked", "sought"),
    [
        (["What is the warranty?", "And how long?"], "What is the warranty?\nAnd how long?"),
        (["What is the pump made of?", "Where was it manufactured in 2024?"],
         "What is the pump made of?\nWhere was it manufactured in 2024?"),
        (["Hello there", "Which alloys are used in turbine blades?"], "Which alloys are used in turbine blades?"),
        (["How long?"], "How long?"),
    ],
)  # fmt: skip
def test_a_conversation_comes_to_a_query_by_rule(asked: list[str], sought: str) -> None:
    assert search_query([Message("user", text) for text in asked], 4000) == sought
    assert search_query([Message("user", text) for text in asked], 5) == sought[-5:]


def test_a_rewritten_query_keeps_the_words_that_were_asked() -> None:
    assert kept_query("pump leak", '"Causes of an oil leak at the pump"\nmore') == (
        "pump leak\nCauses of an oil leak at the pump"
    )
    assert kept_query("pump leak", "The pump leaks") == "pump leak"
    assert kept_query("pump leak", "\n\n") == "pump leak"


def test_a_model_that_condenses_sees_the_end_of_the_talk_only() -> None:
    talk = [Message("system", "secret"), *(Message("user", f"question {place} " + "x" * 5000) for place in range(20))]
    asked = condensing(talk)
    assert "secret" not in asked[1].content
    assert len(asked[1].content) < 4000
