"""Whether words answer a question: the parts of the rule, and the rule on both halves of the labelled set, where the
real local model is installed.
"""

import array
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from embedding_service.adapters.local_onnx import LocalOnnx
from rag_service.domain.answers import AnswerState, Grounding
from rag_service.domain.search import Passage
from rag_service.policy.answerability import ANSWERS, MAY_ANSWER, Candidate, Judge, counts, restricts
from rag_service.policy.asking import Kind, asked, holds
from rag_service.policy.chunking import Source, chunks
from rag_service.policy.defining import Saying, saying
from rag_service.policy.evidence import weighed
from rag_service.policy.extracting import extracts
from rag_service.policy.grounding import alike, claims, ground
from rag_service.policy.likeness import Cosines
from rag_service.policy.units import units
from tests.answerable_set import SET

Encode = Callable[[Sequence[str]], Mapping[str, Sequence[float]]]
MODELS = Path(os.environ.get("AI_PLATFORM_MODELS_DIR", ".data/models")) / "embedding"


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("How long is a lease?", Kind.DURATION),
        ("How often are updates posted?", Kind.FREQUENCY),
        ("How much does it cost?", Kind.MONEY),
        ("How much water does the tank hold?", Kind.NUMBER),
        ("When was it built?", Kind.TIME),
        ("What happens when the store is down?", Kind.OTHER),
        ("Who may do that?", Kind.PERSON),
        ("Where is it?", Kind.PLACE),
        ("Why is it so?", Kind.REASON),
        ("How do I add one?", Kind.WAY),
        ("Can I add one?", Kind.WHETHER),
        ("Wie lange gilt das?", Kind.OTHER),
    ],
)
def test_what_would_answer_is_told_by_the_question(question: str, kind: Kind) -> None:
    assert asked(question).kind is kind


def test_a_thing_of_the_kind_is_looked_for_beside_those_in_the_question() -> None:
    assert holds(asked("How long is it?"), "It lasts twelve hours.")
    assert not holds(asked("How long is it?"), "It lasts.")
    assert holds(asked("Who found Neptune?"), "Neptune was found by Johann Galle.")
    assert not holds(asked("Who knows Johann Galle?"), "Neptune was found by Johann Galle.")
    assert counts("as many as two thousand eggs a day", "egg")
    assert not counts("two drones and some eggs", "egg")
    assert counts("Grade: C3; Days: 32; Extra: 5", "dai")
    assert not counts("Grade: C3; Days: few; Extra: 5", "dai")
    assert holds(asked("Where does Li Wei live?"), "Name: Li Wei; City: Oslo")
    assert not holds(asked("Where does Li Wei live?"), "Name: Li Wei; Age: 40")


@pytest.mark.parametrize(
    ("question", "tells", "tells_not"),
    [
        ("How heavy is the pump?", "It weighs forty kilograms.", "The pump has a warranty of three years."),
        ("How heavy is it?", "With its stand: 12 kg.", "It costs 420 euros."),
        ("How tall is the tower?", "It is 120 m high.", "It was built in 1987."),
        ("How deep is the lake?", "It's forty metres at most.", "Don't swim: it's closed for two months."),
        ("How hot does it get?", "Up to 90 °C.", "The pump runs for 90 minutes."),
        ("How fast is it?", "It makes 3,000 revolutions per minute.", "The pump has a warranty of three years."),
        ("How fast is delivery?", "It comes within 2 days.", "It was founded in 1987."),
        ("How much is the pump?", "It costs 420 euros.", "The warranty lasts three years."),
        ("How much notice is needed?", "Two weeks are enough.", "Tell the manager."),
    ],
)  # fmt: skip
def test_a_measure_is_told_in_its_units(question: str, tells: str, tells_not: str) -> None:
    assert holds(asked(question), tells)
    assert not holds(asked(question), tells_not)


def test_what_was_asked_before_counts_less() -> None:
    question = asked("How many litres does the pump deliver?\nHow often is it serviced?", "How often is it serviced?")
    assert question.kind is Kind.FREQUENCY
    assert question.terms["servic"] > question.terms["litr"] > 0
    assert asked("Summarise the contract.").broad
    assert not asked("What does the contract say about pets?").broad


def passages(title: str, text: str) -> list[Passage]:
    return [
        Passage(title, one.id, title, one.text, 0, one.start, one.end, {}, heading=one.heading)
        for one in chunks(Source(title, title, {}), [text])
    ]


def test_a_sentence_that_says_the_question_again_is_no_answer() -> None:
    judge = Judge(asked("Why is the index kept in runs?"), passages("t", "0007, the index in runs.\nIt is kept."))
    assert judge.likelihood("0007, the index in runs.", "", 0.9) == 0
    assert judge.likelihood("The index is kept in runs, since appends are cheap.", "", 0.9) > ANSWERS


@pytest.mark.parametrize(
    ("question", "thing"),
    [
        ("What is a lease?", ("leas",)),
        ("So what are the relay nodes?", ("relai", "node")),
        ("Define photosynthesis.", ("photosynthesi",)),
        ("What's an escrow account?", ("escrow", "account")),
        ("What is the tower made of?", ()),
        ("What are the cones called?", ()),
        ("What is it like?", ()),
        ("What is the price of a ticket in winter?", ()),
        ("What happens when it rains?", ()),
        ("Is this a lease?", ()),
    ],
)
def test_questions_for_what_a_thing_is_are_told_by_their_form(question: str, thing: tuple[str, ...]) -> None:
    assert asked(question).thing == thing


@pytest.mark.parametrize(
    ("said", "heading", "how"),
    [
        ("A lease is a promise for a time.", "", Saying.DEFINES),
        ("Every admitted piece of work is a lease before it runs.", "", Saying.DEFINES),
        ("Such a promise is called a lease.", "", Saying.DEFINES),
        ("Lease: a promise that ends by itself.", "", Saying.DEFINES),
        ("term: lease; meaning: a promise that ends by itself", "", Saying.DEFINES),
        ("A lease, a promise for a time, is kept in the store.", "", Saying.DEFINES),
        ("Leases end after twelve seconds.", "", Saying.SPEAKS_OF),
        ("It ends after twelve seconds.", "Leases", Saying.SPEAKS_OF),
        ("lease; 0.444; 0.814", "", Saying.MENTIONS),
        ("The lease: 0.18 ms of the whole that is measured here.", "", Saying.MENTIONS),
        ("The gateway reserves, and gets a lease.", "", Saying.MENTIONS),
        ("The lease's owner pays.", "", Saying.MENTIONS),
        ("Leases of the gateway end after twelve seconds.", "", Saying.MENTIONS),
        ("", "", Saying.MENTIONS),
    ],
)
def test_what_defines_is_told_from_what_mentions(said: str, heading: str, how: Saying) -> None:
    assert saying(said, heading, ("leas",)) is how


def test_a_question_of_one_is_not_answered_by_words_of_several() -> None:
    question = asked("What happens when the store is down?")
    assert restricts("With both stores down nothing is admitted.", question)
    assert restricts("Two stores have to agree.", question)
    assert not restricts("With the store down nothing is admitted.", question)
    assert not restricts("Two clerks open the store.", question)
    assert not restricts("Both stores are down.", asked("What happens when both stores are down?"))


def test_code_is_read_with_what_introduces_and_explains_it() -> None:
    text = "To open the gate:\n\n```bash\nmake gate\n```\n\nThe first call turns the motor.\n\nThe gate is green."
    found = passages("gate", text)
    judge = Judge(asked("How do I open the gate?"), found)
    (code,) = (one for one in judge.candidates(Cosines({})) if one.unit.code)
    assert code.read == "To open the gate: make gate The first call turns the motor."
    assert judge.candidates(Cosines({}))[0] == code


def test_the_heading_of_a_page_begins_no_sentence() -> None:
    text = "1.1 Valves\nThe valve opens at 4.1 bar.\nIt closes at 3.8 bar."
    assert units(text, "Manual > 1.1 Valves")[0].said == "The valve opens at 4.1 bar."
    assert units(text, "Manual > 1.1 Valves")[0].about == "1.1 Valves"
    assert units(text, "Manual")[0].said.startswith("1.1 Valves The valve")


@pytest.mark.parametrize("price", ["900 kEUR", "15 kr", "349 NOK", "3 yen", "₹ 20", "12 zł", "45 kroner"])
def test_prices_are_told_in_many_currencies(price: str) -> None:
    assert holds(asked("What does the crane cost?"), f"The crane: {price}.")


def test_what_another_passage_names_is_not_answered_by_one_that_does_not() -> None:
    found = [*passages("a", "The lamp of Moss shines 4 hours."), *passages("b", "The lamp of Alta shines 5 hours.")]
    judge = Judge(asked("How many hours does the lamp of Moss shine?"), found)
    assert judge.standing(found[0]) == 0.0
    assert judge.standing(found[1]) < -2.5
    # Where nobody has the name, it may go without saying.
    judge = Judge(asked("How many hours does the lamp of Oslo shine?"), found)
    assert -1 < judge.standing(found[1]) < judge.standing(found[0]) == 0.0


def test_titles_above_count_a_little() -> None:
    (passage,) = passages("Adding a store", "One file in the folder.")
    judge = Judge(asked("How do I add a store?"), [passage])
    said = "One file in the folder."
    assert judge.likelihood(said, f"Adding a store {said}", 0.4) > judge.likelihood(said, said, 0.4)


def test_where_nothing_may_answer_nothing_is_shown() -> None:
    found = passages("pump", "The pump is blue.")
    judge = Judge(asked("Who painted the ship?"), found)
    assert weighed(judge, found, judge.candidates(Cosines({}, [1.0])), 5).passages == ()


def test_an_extract_is_whole_and_says_nothing_twice() -> None:
    text = (
        "The pump is blue. It needs 400 volts.\n\nTo start it:\n\n```bash\nmake run\n```\n\nThe pump needs 400 volts."
    )
    (passage,) = passages("pump", text)
    judge = Judge(asked("q"), [passage])
    ordered = {one.unit.said: one for one in judge.candidates(Cosines({}))}

    def extracted(*said: str) -> list[tuple[str, str]]:
        best = [Candidate(passage, ordered[name].unit, 0.9) for name in said]
        return [(one.said, passage.text[one.start : one.end]) for one in extracts(best, ANSWERS)]

    assert extracted("It needs 400 volts.", "The pump needs 400 volts.") == [
        ("The pump is blue. It needs 400 volts.", "The pump is blue. It needs 400 volts.")
    ]
    assert extracted("To start it:") == [("To start it:\n```\nmake run\n```", "To start it:\n\n```bash\nmake run\n```")]
    assert extracts([Candidate(passage, ordered["The pump is blue."].unit, 0.5)], ANSWERS) == []


@pytest.fixture(scope="module")
def encode() -> Encode:
    """The local model, as the embedding service runs it; each text once."""
    if not (MODELS / "tokenizer.json").exists():
        pytest.skip("the local model is not installed")
    model = LocalOnnx(
        MODELS, threads=1, batch_tokens=4096, max_input_tokens=512, max_call_tokens=10**6, queue_seconds=60
    )
    model._load()
    known: dict[str, list[float]] = {}

    def vectors(texts: Sequence[str]) -> dict[str, list[float]]:
        if new := [text for text in dict.fromkeys(texts) if text not in known]:
            made = model._infer(model._tokenize(new))
            known.update({text: list(array.array("f", vector)) for text, vector in zip(new, made, strict=True)})
        return known

    return vectors


def questions(half: int) -> Iterator[tuple[list[Passage], str, str]]:
    """(passages, question, the words that answer it or nothing)."""
    for title, text, answers, others in SET[half::2]:
        found = passages(title, text)
        yield from ((found, question, words) for question, words in answers)
        yield from ((found, question, "") for question in others)


def read(encode: Encode, found: list[Passage], question: str) -> tuple[Judge, Cosines]:
    judge = Judge(asked(question), found)
    vectors = encode([*judge.texts(), question])
    return judge, Cosines(vectors, vectors[question])


@pytest.mark.parametrize(("half", "answered", "false_answers"), [(0, 0.85, 0.13), (1, 0.8, 0.13)])
def test_the_rule_on_the_half_that_was_seen_and_on_the_one_that_was_not(
    half: int, answered: float, false_answers: float, encode: Encode
) -> None:
    """Of questions with an answer: the right words, above the bound. Of those without: none above it."""
    told: Counter[str] = Counter()
    for found, question, words in questions(half):
        judge, cosines = read(encode, found, question)
        best = judge.candidates(cosines)[0]
        if not words:
            told["without"] += 1
            told["wrong"] += best.score >= ANSWERS
            continue
        told["with"] += 1
        told["may"] += best.score >= MAY_ANSWER
        told["right"] += best.score >= ANSWERS and words in best.passage.text[best.unit.start : best.unit.end]
    assert told["may"] >= 0.97 * told["with"]
    assert told["right"] >= answered * told["with"]
    assert told["wrong"] <= false_answers * told["without"]


@pytest.mark.parametrize("grounding", list(Grounding))
@pytest.mark.parametrize("half", [0, 1])
def test_the_states_of_answers_of_a_model_that_rambles(half: int, grounding: Grounding, encode: Encode) -> None:
    """Whatever it is asked, it says the document's last sentence: true, and nearly always beside the point."""
    states: Counter[tuple[str, str]] = Counter()
    for found, question, words in questions(half):
        judge, cosines = read(encode, found, question)
        evidence = weighed(judge, found, judge.candidates(cosines), 5)
        said = claims(units(found[-1].text)[-1].said if evidence.passages else "Nobody knows.", evidence.passages)
        encode(alike(said))
        state, content, citations = ground(said, evidence, grounding, cosines)
        assert bool(citations) is (state in (AnswerState.ANSWERED, AnswerState.PARTIAL))
        right = bool(words) and words in "".join(citation.quote for citation in citations)
        truth = "has an answer" if words else "has none"
        states[truth, f"{state.value}, {'right' if right else 'wrong'}" if words and citations else state.value] += 1
        assert content
    none = AnswerState.ABSTAINED if grounding is Grounding.REQUIRED else AnswerState.UNGROUNDED
    able = sum(count for (truth, _), count in states.items() if truth == "has an answer")
    assert states["has an answer", "answered, right"] >= 0.8 * able
    assert states["has none", none.value] >= 0.8 * (sum(states.values()) - able)
