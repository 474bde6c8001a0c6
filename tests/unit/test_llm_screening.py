"""Guardrails around a generator: whole answers and streams, each format, whatever a stream's pieces are."""

import asyncio
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.errors import PlatformError
from llm_service.domain.calls import Answer, Call, Ending, Format, Served, Sink, Tokens
from llm_service.domain.errors import GuardrailUnavailable, Unsupported
from llm_service.domain.guardrails import Action, Guardrail, Judgement, Passage, Phase
from llm_service.domain.models import Deployment
from llm_service.policy.sse import EventSplitter, data_of
from llm_service.policy.texts.formats import TEXTS
from llm_service.service.screening import Screened
from llm_service.service.streams import pulled
from tests.standins.guardrails import Rows, book, row

SERVED = Served("m", Deployment("p", "m"), 1)
WINDOW = 24


class Twin:
    """A generator that says what it is told to, and remembers what it was asked."""

    def __init__(self, answer: Any = None, events: Sequence[bytes] = (), finish: str = "stop") -> None:
        self.asked: list[Any] = []
        self.closed = False
        self._answer = answer
        self._events = events
        self._ending = Ending(Tokens(5, 0, 7), finish)

    async def complete(self, call: Call) -> tuple[Answer, Served]:
        self.asked.append(orjson.loads(call.body))
        return Answer(orjson.dumps(self._answer), self._ending), SERVED

    async def stream(self, call: Call, sink: Sink) -> Ending:
        self.asked.append(orjson.loads(call.body))
        try:
            sink.begin(SERVED)
            for event in self._events:
                sink.write(event)
                await asyncio.sleep(0)
            return self._ending
        finally:
            self.closed = True


def screened(twin: Twin, *rows: Guardrail, window: int = WINDOW) -> Screened:
    return Screened(twin, book(Rows(*rows)), TEXTS, window)


def call(document: Any, form: Format = Format.CHAT_COMPLETIONS) -> Call:
    return Call("m", orjson.dumps(document), form, tenant_id="t", request_id="r")


def chat(text: str) -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]}


def ask(text: str) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": text}]}


ASKED = [
    (Format.CHAT_COMPLETIONS, ask("{}")),
    (
        Format.CHAT_COMPLETIONS,
        {"model": "m", "messages": [{"role": "user", "content": [{"type": "text", "text": "{}"}]}]},
    ),
    (
        Format.CHAT_COMPLETIONS,
        {"model": "m", "messages": [{"role": "assistant", "tool_calls": [{"function": {"arguments": "{}"}}]}]},
    ),
    (Format.MESSAGES, {"model": "m", "messages": [{"role": "user", "content": "hi"}], "system": "{}"}),
    (
        Format.MESSAGES,
        {
            "model": "m",
            "messages": [
                {"role": "user", "content": [{"type": "tool_result", "content": [{"type": "text", "text": "{}"}]}]}
            ],
        },
    ),
    (
        Format.MESSAGES,
        {
            "model": "m",
            "messages": [{"role": "assistant", "content": [{"type": "tool_use", "input": {"a": [{"b": "{}"}]}}]}],
        },
    ),
    (Format.COMPLETIONS, {"model": "m", "prompt": ["fine", "{}"]}),
    (Format.RESPONSES, {"model": "m", "input": "{}"}),
    (Format.RESPONSES, {"model": "m", "input": [{"role": "user", "content": [{"type": "input_text", "text": "{}"}]}]}),
    (
        Format.RESPONSES,
        {"model": "m", "input": [{"type": "function_call_output", "output": "{}"}], "instructions": "hi"},
    ),
]


def filled(document: Any, text: str) -> Any:
    return orjson.loads(orjson.dumps(document).replace(b'"{}"', orjson.dumps(text)))


@pytest.mark.parametrize(("form", "document"), ASKED)
async def test_what_a_model_reads_is_judged_wherever_it_stands(form: Format, document: Any) -> None:
    twin = Twin(chat("fine"))
    await screened(twin, row(phases=frozenset((Phase.INPUT,)))).complete(call(filled(document, "a secret-1!"), form))
    assert twin.asked == [filled(document, "a [x]!")]
    with pytest.raises(PlatformError) as caught:
        await screened(twin, row(Action.REFUSE)).complete(call(filled(document, "a secret-1!"), form))
    assert (caught.value.reason, len(twin.asked)) == ("GUARDRAIL_REFUSED", 1)
    assert "secret-1" not in str(caught.value.message)


ANSWERED = [
    (Format.CHAT_COMPLETIONS, chat("{}"), "choices.0.finish_reason", "content_filter"),
    (Format.COMPLETIONS, {"choices": [{"index": 0, "text": "{}", "finish_reason": "stop"}]}, "choices.0.text", ""),
    (
        Format.MESSAGES,
        {"content": [{"type": "text", "text": "{}"}], "stop_reason": "end_turn"},
        "stop_reason",
        "refusal",
    ),
    (
        Format.RESPONSES,
        {"output": [{"type": "message", "content": [{"type": "output_text", "text": "{}"}]}], "status": "completed"},
        "status",
        "incomplete",
    ),
]


@pytest.mark.parametrize(("form", "document", "path", "held_back"), ANSWERED)
async def test_what_a_model_says_is_judged_and_metered_though_held_back(
    form: Format, document: Any, path: str, held_back: str
) -> None:
    twin = Twin(filled(document, "a secret-1!"))
    asking = call(ask("hi"), form)
    answer, _ = await screened(twin, row()).complete(asking)
    assert orjson.loads(answer.body) == filled(document, "a [x]!")
    answer, _ = await screened(twin, row(Action.REFUSE)).complete(asking)
    found: Any = orjson.loads(answer.body)
    for key in path.split("."):
        found = found[int(key)] if isinstance(found, list) else found[key]
    assert found == held_back
    assert b"secret" not in answer.body
    assert answer.ending == Ending(Tokens(5, 0, 7), "content_filter")
    answer, _ = await screened(twin, row(Action.ALLOW)).complete(asking)
    assert orjson.loads(answer.body) == filled(document, "a secret-1!")


def chunk(delta: Any, finish: str | None = None) -> bytes:
    document = {"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    return b"data: " + orjson.dumps(document) + b"\n\n"


def chat_stream(pieces: Sequence[str]) -> list[bytes]:
    first = chunk({"role": "assistant", "content": ""})
    usage = b'data: {"id":"c","choices":[],"usage":{"total_tokens":12}}\n\n'
    return [first, *(chunk({"content": piece}) for piece in pieces), chunk({}, "stop"), usage]


def message_stream(pieces: Sequence[str]) -> list[bytes]:
    def event(kind: str, **fields: Any) -> bytes:
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), orjson.dumps({"type": kind, **fields}))

    start = event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    deltas = [event("content_block_delta", index=0, delta={"type": "text_delta", "text": piece}) for piece in pieces]
    stop = event("content_block_stop", index=0)
    return [
        event("message_start", message={}),
        start,
        *deltas,
        stop,
        event("message_delta", delta={}),
        event("message_stop"),
    ]


def response_stream(pieces: Sequence[str]) -> list[bytes]:
    def event(kind: str, **fields: Any) -> bytes:
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), orjson.dumps({"type": kind, **fields}))

    where = {"output_index": 0, "content_index": 0}
    deltas = [event("response.output_text.delta", delta=piece, **where) for piece in pieces]
    text = "".join(pieces)
    item = {"type": "message", "content": [{"type": "output_text", "text": text}]}
    done = event("response.output_text.done", text=text, **where)
    return [
        event("response.created", response={"output": []}),
        *deltas,
        done,
        event("response.completed", response={"output": [item]}),
    ]


STREAMS = {
    Format.CHAT_COMPLETIONS: chat_stream,
    Format.MESSAGES: message_stream,
    Format.RESPONSES: response_stream,
}


async def streamed(generator: Screened, form: Format) -> tuple[list[Any], Any]:
    """The documents of a stream's events, and how it ended."""
    splitter, found, ending = EventSplitter(), [], None
    async for event in pulled(generator, call(ask("hi"), form)):
        if isinstance(event, bytes):
            found += [orjson.loads(data_of(whole)) for whole in splitter.feed(event)]
        elif isinstance(event, Ending):
            ending = event
    assert splitter.rest == b""
    return found, ending


def said(form: Format, documents: Sequence[Any]) -> str:
    """The words of a stream's pieces."""
    words = []
    for document in documents:
        if form is Format.CHAT_COMPLETIONS:
            words += [choice["delta"].get("content") or "" for choice in document["choices"]]
        elif form is Format.MESSAGES and document["type"] == "content_block_delta":
            words.append(document["delta"]["text"])
        elif form is Format.RESPONSES and document["type"].endswith(".delta"):
            words.append(document["delta"])
    return "".join(words)


def pieces_of(text: str, cuts: Sequence[int]) -> list[str]:
    places = sorted({cut % (len(text) + 1) for cut in cuts} | {0, len(text)})
    return [text[a:b] for a, b in pairwise(places)]


WORDS = st.lists(
    st.sampled_from(["secret-12", "secret-", "a", "word", "secret-7.", "ünï", "xsecret-1", "\n"]), max_size=30
)


@pytest.mark.parametrize("form", STREAMS)
@given(words=WORDS, cuts=st.lists(st.integers(0, 500), max_size=30), whole=st.booleans())
@settings(max_examples=60, deadline=None)
async def test_a_stream_says_what_the_whole_answer_would(
    form: Format, words: list[str], cuts: list[int], whole: bool
) -> None:
    text = " ".join(words)
    events = STREAMS[form](pieces_of(text, cuts))
    twin = Twin(events=[b"".join(events)] if whole else events)
    documents, ending = await streamed(screened(twin, row()), form)
    answer, _ = await screened(Twin(chat(text)), row()).complete(call(ask("hi")))
    assert said(form, documents) == orjson.loads(answer.body)["choices"][0]["message"]["content"]
    assert ending == Ending(Tokens(5, 0, 7), "stop")
    assert b"secret-12" not in orjson.dumps(documents)


@pytest.mark.parametrize("form", STREAMS)
async def test_nothing_but_words_waits_and_the_rest_keeps_its_order(form: Format) -> None:
    events = STREAMS[form](["Hello ", "there"])
    documents, _ = await streamed(screened(Twin(events=events), row()), form)
    plain = [orjson.loads(data_of(event)) for event in events]
    kinds = [document.get("type") for document in documents]
    assert documents[0] == plain[0]
    assert documents[-1] == plain[-1]
    assert [kind for kind in kinds if kind and "delta" not in kind] == [
        document["type"] for document in plain if document.get("type") and "delta" not in document["type"]
    ]
    if form is Format.CHAT_COMPLETIONS:
        assert documents[-2]["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    ("form", "last"),
    [
        (Format.CHAT_COMPLETIONS, "content_filter"),
        (Format.MESSAGES, "message_stop"),
        (Format.RESPONSES, "response.incomplete"),
    ],
)
@pytest.mark.parametrize(
    "words",
    [["All is well. " * 10, "Now secret-1 and ", "more " * 50, "end"], ["Now secret-1."]],
    ids=["long", "judged where it closes"],
)
async def test_a_refused_stream_ends_in_its_own_words_and_leaves_the_provider(
    form: Format, last: str, words: list[str]
) -> None:
    twin = Twin(events=STREAMS[form](words))
    documents, ending = await streamed(screened(twin, row(Action.REFUSE)), form)
    assert "secret" not in said(form, documents)
    assert said(form, documents).startswith("All is well." if len(words) > 1 else "")
    end = documents[-1]
    assert last == (end["choices"][0]["finish_reason"] if form is Format.CHAT_COMPLETIONS else end["type"])
    assert ending.finish_reason == "content_filter"
    assert ending.tokens.output > 0
    assert twin.closed
    if form is Format.MESSAGES:
        kinds = [document["type"] for document in documents]
        assert kinds.count("content_block_start") == kinds.count("content_block_stop")


async def test_probabilities_do_not_spell_out_what_was_replaced() -> None:
    logprobs = {"content": [{"token": "secret-1"}]}
    document = {
        "choices": [{"index": 0, "delta": {"content": "secret-1 "}, "logprobs": logprobs, "finish_reason": None}]
    }
    twin = Twin(events=[b"data: " + orjson.dumps(document) + b"\n\n", chunk({}, "stop")])
    documents, _ = await streamed(screened(twin, row()), Format.CHAT_COMPLETIONS)
    assert b"secret" not in orjson.dumps(documents)


async def test_rules_are_asked_in_order_and_for_their_models_only() -> None:
    first = row(id="1", rules={"patterns": ["a"], "replacement": "b"})
    second = row(id="2", rules={"patterns": ["b"], "replacement": "c"})
    other = row(id="3", rules={"patterns": ["c"], "replacement": "d"}, models=frozenset(("other",)))
    off = row(id="4", rules={"patterns": ["c"], "replacement": "e"}, enabled=False)
    twin = Twin(chat("fine"))
    await screened(twin, first, second, other, off).complete(call(ask("abc")))
    assert twin.asked == [ask("ccc")]


async def test_a_rule_for_a_model_is_for_its_other_names_too() -> None:
    names = {"fast": {"fast", "m", "openai/m"}, "m": {"m", "openai/m"}, "openai/m": {"openai/m"}}

    async def meant(_tenant_id: str, name: str) -> frozenset[str]:
        return frozenset(names.get(name, {name}))

    rules = book(Rows(row(models=frozenset(("m",)))), meant=meant)
    for name, judged in (("m", True), ("fast", True), ("openai/m", True), ("other", False)):
        assert bool(await rules.of("t", name)) == judged, name


async def test_without_guardrails_a_document_is_not_even_read() -> None:
    twin = Twin(chat("fine"))
    generator = screened(twin, row(tenant_id="somebody else"))
    body = b'{"model":"m","messages":[{"role":"user","content":"secret-1"}],"x":1.0}'
    answer, _ = await generator.complete(Call("m", body, tenant_id="t"))
    assert answer.body == orjson.dumps(chat("fine"))
    assert twin.asked == [orjson.loads(body)]


async def test_a_format_that_cannot_be_judged_is_refused() -> None:
    generator = Screened(Twin(chat("x")), book(Rows(row())), {}, WINDOW)
    with pytest.raises(Unsupported):
        await generator.complete(call(ask("hi")))


async def test_an_answer_whose_judge_is_away_is_held_back_and_metered(monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(_self: Any, passage: Passage) -> Judgement:
        if passage.phase is Phase.INPUT:
            return Judgement()
        raise GuardrailUnavailable

    monkeypatch.setattr("llm_service.adapters.guards.patterns.PatternGuard.judge", away)
    answer, _ = await screened(Twin(chat("fine")), row()).complete(call(ask("hi")))
    assert answer.ending == Ending(Tokens(5, 0, 7), "content_filter")
    documents, ending = await streamed(screened(Twin(events=chat_stream(["fine"])), row()), Format.CHAT_COMPLETIONS)
    assert said(Format.CHAT_COMPLETIONS, documents) == ""
    assert ending.finish_reason == "content_filter"
