"""What OpenAI's formats have in common on the wire, whoever speaks them: OpenAI, Azure, vLLM, TGI, llama.cpp, ...

Of the client's document only `model` and, for a stream, `stream_options` are changed, and no other byte; answers go
back as they came. Two exceptions: usage that only we asked for is taken out, and the local engine gets an allow-list
of fields and answers under the model's public name.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from chassis.members import with_member, without_member
from llm_service.adapters.http import NOTHING
from llm_service.adapters.provider_errors import error_of
from llm_service.domain.calls import Answer, Call, Ending, Tokens
from llm_service.domain.errors import ProviderBadAnswer
from llm_service.domain.models import Deployment
from llm_service.policy.answers import read_answer
from llm_service.policy.several import Several, several_of
from llm_service.policy.sse import EventSplitter, data_of, event_of
from llm_service.policy.texts.formats import TEXTS
from llm_service.policy.tokens import estimate_tokens, joined, tokens_of
from llm_service.policy.uncounted import uncounted

DONE = b"[DONE]"
ERROR = b"event: error"


class OpenAIWire:
    """A format whose answers have `choices` and `usage`. `local`: of the engine that this service keeps running."""

    path: str
    least_logprobs: bool | int = True
    """Asks for the probability of each token, and no other's."""
    counting = ""

    def __init__(self, *, local: bool = False) -> None:
        self._local = local

    def headers(self, call: Call) -> Mapping[str, str]:
        return NOTHING

    def document(self, deployment: Deployment, call: Call, *, stream: bool) -> bytes:
        document, body = self.read(call.body), call.body
        if self._local:
            document = self.for_local(document)
            if several_of(document) is not None:
                document["logprobs"] = document.get("logprobs") or self.least_logprobs
            body = orjson.dumps(document)
        if document.get("model") != deployment.upstream_model:
            body = with_member(body, document, "model", orjson.dumps(deployment.upstream_model))
        if bool(document.get("stream")) != stream:
            body = with_member(body, document, "stream", b"true" if stream else b"false")
        if stream and call.asks_usage:
            options = document.get("stream_options")
            if not isinstance(options, dict) or options.get("include_usage") is not True:
                wanted = (options if isinstance(options, dict) else {}) | {"include_usage": True}
                body = with_member(body, document, "stream_options", orjson.dumps(wanted))
        return body

    def answer(self, call: Call, body: bytes) -> Answer:
        document = _loaded(body)
        if document is None:
            # A provider that says nothing: so do we.
            return Answer(body, Ending(uncounted(call, ()), "", estimated=True))
        if document.get("error") and not document.get("choices"):
            raise error_of(document["error"])
        usage = document.get("usage")
        told = isinstance(usage, dict) and bool(usage)
        tokens = tokens_of(usage or {}) if told else _uncounted(call, document)
        if self._local:
            document["model"] = call.model
            if several := self.several(call):
                several.take(document)
                document["usage"] = (usage or {}) | several.usage(tokens)
                tokens = several.tokens(tokens)
            self.mend_local(document)
            body = orjson.dumps(document)
        return Answer(body, Ending(tokens, _finish_of(document), estimated=not told))

    def relay(self, call: Call) -> "OpenAIRelay":
        return OpenAIRelay(call, self)

    def public_name(self, call: Call) -> str:
        """The model's name as events must tell it; empty: as they do."""
        return call.model if self._local else ""

    def several(self, call: Call) -> Several | None:
        """Counts the answers of the local engine, where there are several."""
        return several_of(self.read(call.body)) if self._local else None

    def read(self, body: bytes) -> dict[str, Any]:
        """The client's document, checked. BadDocument."""
        raise NotImplementedError

    def for_local(self, document: dict[str, Any]) -> dict[str, Any]:
        """What of it reaches the local engine. Unsupported."""
        raise NotImplementedError

    def mend_local(self, document: dict[str, Any]) -> None:
        """Makes an answer or an event of the local engine what the format says, where its server differs."""


class OpenAIRelay:
    """Looks into the events of one stream, and decides which bytes go on."""

    def __init__(self, call: Call, wire: OpenAIWire) -> None:
        self.done = False
        self.passed: list[bytes] = []
        self._call = call
        self._wire = wire
        self._public_name = wire.public_name(call)
        self._several = wire.several(call)
        self.splitter = EventSplitter()
        self._tokens: Tokens | None = None
        self._said: list[str] | None = None if call.asks_usage else []
        """The texts, where nobody else will count them."""
        self._finish = ""
        self._relayed = 0

    def take(self, chunk: bytes) -> bytes:
        """What of the chunk goes to the client: whole events, joined."""
        forwarded = self.passed = []
        for event in self.splitter.feed(chunk):
            data = data_of(event)
            if data.startswith(DONE):
                self.done = True
                break
            if data:
                forwarded.append(self._look(event, data))
        joined_events = b"".join(forwarded)
        self._relayed += len(joined_events)
        return joined_events

    def ending(self) -> Ending:
        """How the stream ended. ProviderBadAnswer if it broke off."""
        if not self.done and not self._finish:
            self._judge_rest(self.splitter.rest.strip())
        if self._tokens:
            return Ending(self._tokens, self._finish)
        if self._said is not None:
            return Ending(uncounted(self._call, self._said), self._finish, estimated=True)
        # Each event wraps a token of some four bytes in about 150: the rule of thumb for a missing count.
        return Ending(_estimate(self._call, self._relayed // 35), self._finish, estimated=True)

    def _judge_rest(self, rest: bytes) -> None:
        """What a stream without an end left: its last word without a line's end, or no stream at all but an answer."""
        if data_of(rest).startswith(DONE) or rest == b"null":
            return
        if rest.startswith(b"{"):
            told = _loaded(rest)
            if told and told.get("error"):
                raise error_of(told["error"])
            raise ProviderBadAnswer("The provider answered whole where a stream was asked for.")
        raise ProviderBadAnswer("The provider's stream broke off.")

    def _look(self, event: bytes, data: bytes) -> bytes:
        document = _loaded(data)
        if document is None:
            # llama.cpp begins some streams so; no client of another server has to read it.
            return b"" if self._public_name else event
        if document.get("error") or event.startswith(ERROR):
            raise error_of(document.get("error") or document)
        if self._several:
            self._several.take(document)
        if self._said is not None:
            self._said += [found.text for _, found in TEXTS[self._call.format].streamed(document)]
        usage, finish = document.get("usage"), _finish_of(document)
        self._finish = finish or self._finish
        if not isinstance(usage, dict) or not usage:
            return self._renamed(event, document)
        told = tokens_of(usage)
        if self._several:
            document["usage"] = usage | self._several.usage(told)
            told = self._several.tokens(told)
        self._tokens = joined(self._tokens, told) if self._tokens else told
        if self._call.include_usage:
            return self._renamed(event, document)
        if not document.get("choices"):
            return b""
        return self._renamed(event_of(without_member(data, "usage")), document)

    def _renamed(self, event: bytes, document: dict[str, Any]) -> bytes:
        if not self._public_name:
            return event
        document["model"] = self._public_name
        if not self._call.include_usage:
            document.pop("usage", None)
        self._wire.mend_local(document)
        return b"data: " + orjson.dumps(document) + b"\n\n"


def _loaded(data: bytes) -> dict[str, Any] | None:
    try:
        document = read_answer(data)
    except ValueError as error:
        raise ProviderBadAnswer from error
    if document is not None and not isinstance(document, dict):
        raise ProviderBadAnswer
    return document


def _finish_of(document: dict[str, Any]) -> str:
    """Why the first choice that says so ended."""
    choices = document.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        finish = choice.get("finish_reason") if isinstance(choice, dict) else None
        if isinstance(finish, str) and finish:
            return finish
    return ""


def _uncounted(call: Call, document: dict[str, Any]) -> Tokens:
    return uncounted(call, [found.text for found in TEXTS[call.format].answered(document)])


def _estimate(call: Call, output_bytes: int) -> Tokens:
    return Tokens(estimate_tokens(len(call.body)), 0, estimate_tokens(output_bytes))
