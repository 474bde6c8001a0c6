"""OpenAI's chat completions on the wire: OpenAI, Azure, vLLM, TGI, Hugging Face, llama.cpp and all that imitate it.

Of the client's document only `model` and, for a stream, `stream_options` are changed; answers go back as they came.
"""

from typing import Any

import orjson

from llm_service.adapters.provider_errors import error_of
from llm_service.adapters.sse import EventSplitter, data_of
from llm_service.domain.calls import Answer, Call, Ending, Tokens
from llm_service.domain.errors import ProviderBadAnswer
from llm_service.domain.models import Deployment
from llm_service.policy.documents import read_document
from llm_service.policy.local import for_local
from llm_service.policy.tokens import estimate_tokens, tokens_of


class ChatCompletions:
    """The format. `local`: of the engine that this service keeps running."""

    path = "/chat/completions"

    def __init__(self, *, local: bool = False) -> None:
        self._local = local

    def document(self, deployment: Deployment, call: Call, *, stream: bool) -> bytes:
        document = read_document(call.body)
        if self._local:
            document = for_local(document)
        document["model"] = deployment.upstream_model
        if stream:
            options = document.get("stream_options")
            document["stream"] = True
            document["stream_options"] = (options if isinstance(options, dict) else {}) | {"include_usage": True}
        else:
            document.pop("stream", None)
            document.pop("stream_options", None)
        return orjson.dumps(document)

    def answer(self, call: Call, body: bytes) -> Answer:
        try:
            document = orjson.loads(body)
            finish = document["choices"][0].get("finish_reason") or ""
        except (orjson.JSONDecodeError, KeyError, IndexError, TypeError, AttributeError) as error:
            raise ProviderBadAnswer from error
        usage = document.get("usage")
        tokens = tokens_of(usage) if usage else _estimate(call, len(body))
        if self._local:
            document["model"] = call.model
            body = orjson.dumps(document)
        return Answer(body, Ending(tokens, finish))

    def relay(self, call: Call) -> "_Relay":
        return _Relay(call, public_name=call.model if self._local else "")


class _Relay:
    """Looks into the events of one stream, and decides which bytes go on."""

    def __init__(self, call: Call, public_name: str) -> None:
        self.done = False
        self._call = call
        self._public_name = public_name
        self._splitter = EventSplitter()
        self._usage: dict[str, Any] | None = None
        self._finish = ""
        self._relayed = 0

    def take(self, chunk: bytes) -> bytes:
        """What of the chunk goes to the client: whole events, joined."""
        forwarded = []
        for event in self._splitter.feed(chunk):
            data = data_of(event)
            if data == b"[DONE]":
                self.done = True
                break
            if data:
                forwarded.append(self._look(event, data))
        joined = b"".join(forwarded)
        self._relayed += len(joined)
        return joined

    def ending(self) -> Ending:
        """How the stream ended. ProviderBadAnswer if it broke off."""
        if not self.done and not self._finish:
            raise ProviderBadAnswer("The provider's stream broke off.")
        # Each event wraps a token of some four bytes in about 150: the rule of thumb for a missing count.
        tokens = tokens_of(self._usage) if self._usage else _estimate(self._call, self._relayed // 35)
        return Ending(tokens, self._finish)

    def _look(self, event: bytes, data: bytes) -> bytes:
        try:
            document = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise ProviderBadAnswer from error
        if not isinstance(document, dict):
            raise ProviderBadAnswer
        if "error" in document:
            raise error_of(document["error"])
        usage, choices = document.get("usage"), document.get("choices")
        if usage:
            self._usage = usage
        if choices:
            self._finish = choices[0].get("finish_reason") or self._finish
        elif usage and not self._call.include_usage:
            return b""
        return self._rewrite(event, document)

    def _rewrite(self, event: bytes, document: dict[str, Any]) -> bytes:
        strip = "usage" in document and not self._call.include_usage
        if not strip and not self._public_name:
            return event
        if strip:
            del document["usage"]
        if self._public_name:
            document["model"] = self._public_name
        return b"data: " + orjson.dumps(document) + b"\n\n"


def _estimate(call: Call, output_bytes: int) -> Tokens:
    return Tokens(estimate_tokens(len(call.body)), 0, estimate_tokens(output_bytes))
