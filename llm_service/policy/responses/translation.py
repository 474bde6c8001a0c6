"""Asks a model that speaks chat completions for a response."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from llm_service.domain.calls import Answer, Call, Ending, Format
from llm_service.domain.errors import ProviderBadAnswer
from llm_service.policy.answers import read_answer
from llm_service.policy.responses.answer import response_of
from llm_service.policy.responses.document import read_responses
from llm_service.policy.responses.events import Events
from llm_service.policy.responses.request import chat_request
from llm_service.policy.sse import EventSplitter, data_of


class ResponsesByChat:
    """The translation."""

    source = Format.RESPONSES
    target = Format.CHAT_COMPLETIONS
    names: Mapping[str, str] = {  # a table
        "max_completion_tokens": "max_output_tokens",
        "reasoning_effort": "reasoning.effort",
        "response_format": "text.format",
        "messages": "input",
    }

    def request(self, call: Call) -> Call:
        chat = chat_request(read_responses(call.body))
        return replace(call, body=orjson.dumps(chat), format=self.target, include_usage=False)

    def answer(self, call: Call, answer: Answer) -> Answer:
        chat = read_answer(answer.body)
        if not isinstance(chat, dict) or not chat.get("choices"):
            raise ProviderBadAnswer
        response = response_of(orjson.loads(call.body), chat, answer.ending.tokens)
        return Answer(orjson.dumps(response), answer.ending)

    def stream(self, call: Call) -> "_Stream":
        return _Stream(Events(orjson.loads(call.body), call.model))


class _Stream:
    def __init__(self, events: Events) -> None:
        self._events = events
        self._splitter = EventSplitter()

    def take(self, events: bytes) -> bytes:
        return b"".join(self._events.take(chunk) for chunk in map(_chunk, self._splitter.feed(events)) if chunk)

    def end(self, ending: Ending) -> bytes:
        return self._events.end(ending)


def _chunk(event: bytes) -> dict[str, Any]:
    found = read_answer(data_of(event) or b"{}")
    return found if isinstance(found, dict) else {}
