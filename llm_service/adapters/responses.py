"""OpenAI's responses on the wire, where the provider speaks them.

Of the client's document only `model` and `stream` are changed; answers and events go back as they came.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from chassis.members import with_member
from llm_service.adapters.http import NOTHING
from llm_service.adapters.provider_errors import error_of
from llm_service.domain.calls import Answer, Call, Ending, Tokens
from llm_service.domain.errors import ProviderBadAnswer
from llm_service.domain.models import Deployment
from llm_service.policy.answers import read_answer
from llm_service.policy.responses.document import read_responses
from llm_service.policy.sse import EventSplitter, data_of
from llm_service.policy.tokens import estimate_tokens, tokens_of_response

LAST = ("response.completed", "response.incomplete", "response.failed")
BYTES_OF_AN_EVENT = 180
"""Of a stream whose provider counted nothing, each event stands for a token."""


class Responses:
    """The format."""

    path = "/responses"
    counting = ""

    def headers(self, call: Call) -> Mapping[str, str]:
        del call
        return NOTHING

    def document(self, deployment: Deployment, call: Call, *, stream: bool) -> bytes:
        document, body = read_responses(call.body), call.body
        if document.get("model") != deployment.upstream_model:
            body = with_member(body, document, "model", orjson.dumps(deployment.upstream_model))
        if bool(document.get("stream")) != stream:
            body = with_member(body, document, "stream", b"true" if stream else b"false")
        return body

    def answer(self, call: Call, body: bytes) -> Answer:
        document = _loaded(body)
        if document.get("error") and "output" not in document:
            raise error_of(document["error"])
        return Answer(body, _ending(call, document, len(body)))

    def relay(self, call: Call) -> "_Relay":
        return _Relay(call)


class _Relay:
    """Looks into the events of one stream; all of them go on."""

    def __init__(self, call: Call) -> None:
        self.done = False
        self.passed: list[bytes] = []
        self._call = call
        self.splitter = EventSplitter()
        self._ending: Ending | None = None
        self._relayed = 0

    def take(self, chunk: bytes) -> bytes:
        """What of the chunk goes to the client: whole events, joined."""
        forwarded = self.passed = []
        for event in self.splitter.feed(chunk):
            data = data_of(event)
            if data == b"[DONE]":
                self.done = True
                break
            if data:
                self._look(data)
                forwarded.append(event)
        joined = b"".join(forwarded)
        self._relayed += len(joined)
        return joined

    def ending(self) -> Ending:
        """How the stream ended. ProviderBadAnswer if it broke off."""
        if self._ending is None:
            raise ProviderBadAnswer("The provider's stream broke off.")
        return self._ending

    def _look(self, data: bytes) -> None:
        document = _loaded(data)
        kind = document.get("type")
        if kind == "error" or (kind is None and document.get("error")):
            raise error_of(document.get("error") or document)
        response = document.get("response")
        if kind in LAST and isinstance(response, dict):
            output_bytes = self._relayed * 4 // BYTES_OF_AN_EVENT
            self._ending = _ending(self._call, response, output_bytes)
            self.done = True


def _ending(call: Call, response: dict[str, Any], output_bytes: int) -> Ending:
    usage = response.get("usage")
    if isinstance(usage, dict) and usage:
        return Ending(tokens_of_response(usage, response.get("output")), _finish_of(response))
    tokens = Tokens(estimate_tokens(len(call.body)), 0, estimate_tokens(output_bytes))
    return Ending(tokens, _finish_of(response), estimated=True)


def _finish_of(response: dict[str, Any]) -> str:
    details = response.get("incomplete_details")
    reason = details.get("reason") if isinstance(details, dict) else None
    return str(reason or response.get("status") or "")[:64]


def _loaded(data: bytes) -> dict[str, Any]:
    try:
        document = read_answer(data)
    except ValueError as error:
        raise ProviderBadAnswer from error
    if not isinstance(document, dict):
        raise ProviderBadAnswer
    return document
