"""Anthropic's messages on the wire: Anthropic itself, and whatever imitates it.

Of the client's document only `model` is changed; answers and events go back as they came.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from chassis.members import with_member
from llm_service.adapters.provider_errors import error_of
from llm_service.domain.calls import Answer, Call, Ending, Tokens
from llm_service.domain.errors import ProviderBadAnswer
from llm_service.domain.models import Deployment
from llm_service.policy.answers import read_answer
from llm_service.policy.documents import read_messages
from llm_service.policy.sse import EventSplitter, data_of
from llm_service.policy.tokens import estimate_tokens, tokens_of_message

OLDEST_VERSION = "2023-06-01"
"""What is spoken where a client names none: what was right under it goes on to be."""
BYTES_OF_AN_EVENT = 120
"""Of a stream whose provider counted nothing, each event stands for a token."""


def api_key(key: str) -> Mapping[str, str]:
    """As Anthropic wants it."""
    return {"x-api-key": key}


class Messages:
    """The format."""

    path = "/v1/messages"
    counting = "/v1/messages/count_tokens"

    def headers(self, call: Call) -> Mapping[str, str]:
        said = {"anthropic-version": call.dialect.version or OLDEST_VERSION}
        if call.dialect.features:
            said["anthropic-beta"] = ",".join(call.dialect.features)
        return said

    def document(self, deployment: Deployment, call: Call, *, stream: bool) -> bytes:
        document, body = read_messages(call.body), call.body
        if document.get("model") != deployment.upstream_model:
            body = with_member(body, document, "model", orjson.dumps(deployment.upstream_model))
        if bool(document.get("stream")) != stream:
            body = with_member(body, document, "stream", b"true" if stream else b"false")
        return body

    def answer(self, call: Call, body: bytes) -> Answer:
        try:
            document = read_answer(body)
            finish, _ = document["stop_reason"] or "", document["content"]
            usage = document.get("usage")
            tokens = tokens_of_message(usage) if usage else _estimate(call, len(body))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ProviderBadAnswer from error
        return Answer(body, Ending(tokens, finish, estimated=not usage))

    def relay(self, call: Call) -> "_Relay":
        return _Relay(call)


class _Relay:
    """Looks into the events of one stream; all of them go on."""

    def __init__(self, call: Call) -> None:
        self.done = False
        self.passed: list[bytes] = []
        self._call = call
        self.splitter = EventSplitter()
        self._usage: dict[str, Any] = {}
        self._finish = ""
        self._relayed = 0

    def take(self, chunk: bytes) -> bytes:
        """What of the chunk goes to the client: whole events, joined."""
        forwarded = self.passed = []
        for event in self.splitter.feed(chunk):
            data = data_of(event)
            if data:
                self._look(data)
                forwarded.append(event)
            if self.done:
                break
        joined = b"".join(forwarded)
        self._relayed += len(joined)
        return joined

    def ending(self) -> Ending:
        """How the stream ended. ProviderBadAnswer if it broke off."""
        if not self.done:
            raise ProviderBadAnswer("The provider's stream broke off.")
        tokens = (
            tokens_of_message(self._usage)
            if self._usage
            else _estimate(self._call, self._relayed * 4 // BYTES_OF_AN_EVENT)
        )
        return Ending(tokens, self._finish, estimated=not self._usage)

    def _look(self, data: bytes) -> None:
        try:
            document = read_answer(data)
            kind = document["type"]
            if kind == "message_start":
                self._count(document["message"].get("usage"))
            elif kind == "message_delta":
                self._count(document.get("usage"))
                self._finish = document["delta"].get("stop_reason") or self._finish
            elif kind == "message_stop":
                self.done = True
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ProviderBadAnswer from error
        if kind == "error":
            raise error_of(document.get("error"))

    def _count(self, usage: dict[str, Any] | None) -> None:
        # The counts of the end are totals; what it leaves out stands as it was at the start.
        self._usage |= {name: count for name, count in (usage or {}).items() if count is not None}


def _estimate(call: Call, output_bytes: int) -> Tokens:
    return Tokens(estimate_tokens(len(call.body)), 0, estimate_tokens(output_bytes))
