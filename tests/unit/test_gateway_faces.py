"""Faces of language models: what a document decides, and how a stream ends that came to a limit on its way."""

import json
from typing import Any

import pytest

from gateway.errors import BadBody
from gateway.routes import raw
from gateway.routes.faces.chat import ChatCompletionsFace
from gateway.routes.faces.completions import CompletionsFace
from gateway.routes.faces.face import Asked, Face, Used, documents_of
from gateway.routes.faces.messages import MessagesFace
from gateway.sse import event

CLOSED = ["content_block_stop", "message_delta", "message_stop"]
ASKED = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}


def test_what_decides_of_messages() -> None:
    found = MessagesFace().read(ASKED | {"stream": True})
    assert (found.model, found.stream, found.output_bound, found.choices) == ("m", True, 9, 1)
    assert MessagesFace().read(ASKED | {"max_tokens": 0}).output_bound == 0


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"model": ""}, "model"),
        ({"model": "m" * 201}, "model"),
        ({"stream": 1}, "stream"),
    ],
)
def test_what_messages_cannot_be(change: dict[str, Any], field: str) -> None:
    with pytest.raises(BadBody) as caught:
        MessagesFace().read(ASKED | change)
    assert caught.value.metadata["param"] == field


@pytest.mark.parametrize(
    ("last", "kinds"),
    [
        ({"type": "content_block_delta", "index": 1, "delta": {}}, CLOSED),
        ({"type": "content_block_start", "index": 1, "content_block": {}}, CLOSED),
        ({"type": "content_block_stop", "index": 1}, CLOSED[1:]),
        ({"type": "message_start", "message": {}}, CLOSED[1:]),
    ],
)  # fmt: skip
def test_a_stream_of_messages_at_its_limit_is_well_formed(last: dict[str, Any], kinds: list[str]) -> None:
    sent = event(last["type"], last) + event("ping", {"type": "ping"})
    ending = MessagesFace().at_its_limit(b"", sent, Asked("m", stream=True, output_bound=None), Used(7, 5)).decode()
    told = [json.loads(line[6:]) for line in ending.splitlines() if line.startswith("data: ")]
    assert [row["type"] for row in told] == kinds
    assert [line[7:] for line in ending.splitlines() if line.startswith("event: ")] == kinds
    assert (told[-2]["delta"]["stop_reason"], told[-2]["usage"]) == ("max_tokens", {"output_tokens": 5})
    if len(kinds) == 3:
        assert told[0]["index"] == 1


@pytest.mark.parametrize("face", [ChatCompletionsFace(), CompletionsFace()])
@pytest.mark.parametrize("told", [True, False])
def test_a_stream_of_chunks_at_its_limit_says_length_and_if_asked_what_was_used(face: Face, *, told: bool) -> None:
    sent = b'data: {"id": "c", "choices": [{"index": 0}]}\n\n'
    asked = Asked("m", stream=True, output_bound=None, choices=2, include_usage=told)
    chunks = documents_of(face.at_its_limit(b"", sent, asked, Used(7, 5)))
    assert [choice["finish_reason"] for choice in chunks[0]["choices"]] == ["length", "length"]
    usage = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
    assert chunks[1:] == ([{"id": "c", "choices": [], "usage": usage}] if told else [])


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], []),
        ([(b"anthropic-beta", b"a, b"), (b"anthropic-beta", b"c")], ["a", "b", "c"]),
        ([(b"other", b"a")], []),
        ([(b"anthropic-beta", b"a,b,c,d")], None),
        ([(b"anthropic-beta", b"a" * 9)], None),
        ([(b"anthropic-beta", "é".encode("latin-1"))], None),
    ],
)
def test_a_header_that_is_a_list_is_bounded(headers: list[tuple[bytes, bytes]], expected: list[str] | None) -> None:
    scope = {"headers": headers}
    if expected is None:
        with pytest.raises(BadBody):
            raw.listed_header(scope, b"anthropic-beta", 3, 8)
    else:
        assert raw.listed_header(scope, b"anthropic-beta", 3, 8) == expected
