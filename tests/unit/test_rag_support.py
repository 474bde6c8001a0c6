"""The judge of support, against labelled pairs: those that were seen while its rules were written, and others, of which
one half was seen when they were changed, and the other half never.
"""

from collections.abc import Callable

import pytest

from rag_service.policy.support import Support, judge, overlap
from tests.support_blind import PAIRS as MORE_PAIRS
from tests.support_pairs import PAIRS

Rule = Callable[[str, str], bool]
Pairs = tuple[tuple[str, tuple[str, ...], tuple[tuple[str, str], ...]], ...]


def shared_words(sentence: str, place: str) -> bool:
    """The rule that was: half of the words."""
    return overlap(sentence, place) >= 0.5


def judged(sentence: str, place: str) -> bool:
    return judge(sentence, place, place) is Support.CARRIES


def measured(rule: Rule, half: int, pairs: Pairs = PAIRS) -> tuple[float, float]:
    """(precision, recall) on the places with an even (0) or odd (1) index."""
    right = wrong = missed = 0
    for place, carried, others in pairs[half::2]:
        found = [rule(sentence, place) for sentence in carried]
        right, missed = right + sum(found), missed + len(found) - sum(found)
        wrong += sum(rule(sentence, place) for _, sentence in others)
    return right / (right + wrong), right / (right + missed)


@pytest.mark.parametrize("half", [0, 1])
def test_the_judge_is_nearly_always_right_where_shared_words_are_wrong_every_second_time(half: int) -> None:
    precision, recall = measured(judged, half)
    before, _ = measured(shared_words, half)
    assert before < 0.55
    assert precision >= 0.9
    assert recall >= 0.85


@pytest.mark.parametrize(("half", "right", "found"), [(0, 0.95, 0.8), (1, 0.85, 0.85)])
def test_the_judge_on_pairs_that_it_was_not_made_for(half: int, right: float, found: float) -> None:
    """The second half is blind: nobody looked at what goes wrong in it."""
    precision, recall = measured(judged, half, MORE_PAIRS)
    assert precision >= right
    assert recall >= found


@pytest.mark.parametrize("kind", ["negated", "opposite", "number", "entity", "swapped"])
def test_what_turns_a_place_round_is_not_carried(kind: str) -> None:
    turned = [(sentence, place) for place, _, others in PAIRS for told, sentence in others if told == kind]
    carried = [sentence for sentence, place in turned if judged(sentence, place)]
    assert len(carried) <= 0.15 * len(turned), carried


def test_a_contradiction_is_told_from_another_matter() -> None:
    place = "The warranty lasts two years from delivery."
    assert judge("The warranty does not last two years.", place, place) is Support.CONTRADICTS
    assert judge("The warranty lasts five years.", place, place) is Support.CONTRADICTS
    assert judge("Cats sleep most of the day.", place, place) is Support.SILENT
    assert judge("It is.", place, place) is Support.SILENT


def test_a_number_stands_in_the_place_itself_or_in_the_titles_above_it() -> None:
    place = "The Kestrel pump has a warranty of three years."
    around = f"{place} It costs 420 euros."
    added = "The Kestrel pump has a warranty of three years and weighs 420 kilograms."
    assert judge(added, place, around, 0.9) is not Support.CARRIES
    named = "The Kestrel 5 pump has a warranty of three years."
    assert judge(named, place, f"{around} Kestrel 5") is not Support.CARRIES
    assert judge(named, place, f"{around} Kestrel 5", titles="Kestrel 5") is Support.CARRIES


def test_like_vectors_let_other_words_pass_but_no_other_number() -> None:
    place = "Refunds are granted within 14 days after the purchase."
    other_words = "Refunds can be requested by customers for 14 days once something was purchased."
    assert judge(other_words, place, place, 0.2) is Support.SILENT
    assert judge(other_words, place, place, 0.9) is Support.CARRIES
    assert judge(other_words.replace("14", "40"), place, place, 0.99) is not Support.CARRIES


@pytest.mark.parametrize(
    ("sentence", "place", "told"),
    [
        ("The tower costs 2 euros.", "The tower costs 2 million euros.", Support.CONTRADICTS),
        ("The tower costs two euros.", "The tower costs two million euros.", Support.CONTRADICTS),
        ("The crane costs 900 euros.", "Item: crane; costs: 900 kEUR", Support.CONTRADICTS),
        ("The crane costs 900 kEUR.", "Item: crane; costs: 900 kEUR", Support.CARRIES),
        ("The tower costs 2,000,000 euros.", "The tower costs 2 million euros.", Support.SILENT),
        ("The bird lays 2000 eggs.", "The bird lays two thousand eggs.", Support.SILENT),
        ("The bird lays two eggs.", "The bird lays two thousand eggs.", Support.CONTRADICTS),
        ("The rope has 5 m.", "The rope has 5 m.", Support.CARRIES),
    ],
)
def test_two_million_is_not_two(sentence: str, place: str, told: Support) -> None:
    assert judge(sentence, place, place) is told
