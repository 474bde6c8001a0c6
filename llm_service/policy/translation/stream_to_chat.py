"""A stream of Anthropic's messages as one of OpenAI's chat completions."""

from collections.abc import Iterator
from typing import Any

from llm_service.domain.calls import Ending
from llm_service.domain.errors import ProviderBadAnswer
from llm_service.policy.translation.answer_to_chat import refusal_of, tool_call
from llm_service.policy.translation.events import documents_of, unnamed
from llm_service.policy.translation.words import FINISH_REASONS, id_for_chat, usage_for_chat

Document = dict[str, Any]


class StreamToChat:
    """Takes whole events of the one, gives whole events of the other. `include_usage`: whether the client asked."""

    def __init__(self, created: int, *, include_usage: bool) -> None:
        self._created = created
        self._include_usage = include_usage
        self._id = self._model = ""
        self._block: Document = {}
        self._calls = 0
        self._arguments = 0
        """Characters of the open call's arguments that were told."""

    def take(self, events: bytes) -> bytes:
        """What these events say. ProviderBadAnswer."""
        try:
            return unnamed(told for event in documents_of(events) for told in self._event(event))
        except (KeyError, TypeError, AttributeError) as error:
            raise ProviderBadAnswer from error

    def end(self, ending: Ending) -> bytes:
        """What ends the stream."""
        if not self._include_usage:
            return b""
        return unnamed([self._base() | {"choices": [], "usage": usage_for_chat(ending.tokens)}])

    def _event(self, event: Document) -> Iterator[Document]:
        match event["type"]:
            case "message_start":
                self._id, self._model = id_for_chat(event["message"].get("id")), str(event["message"].get("model"))
                yield self._chunk({"role": "assistant", "content": ""})
            case "content_block_start":
                self._block = dict(event["content_block"])
                yield from self._start()
            case "content_block_delta":
                yield from self._delta(event["delta"])
            case "content_block_stop":
                yield from self._stop()
            case "message_delta":
                delta = event["delta"]
                finish = FINISH_REASONS.get(delta.get("stop_reason") or "", "stop")
                refusal = refusal_of(delta) if delta.get("stop_reason") == "refusal" else None
                yield self._chunk({"refusal": refusal} if refusal else {}, finish)

    def _start(self) -> Iterator[Document]:
        match self._block["type"]:
            case "tool_use":
                call = tool_call(self._block)
                told = call["function"]["arguments"] if self._block["input"] else ""
                self._arguments = len(told)
                call = call | {"index": self._calls, "function": call["function"] | {"arguments": told}}
                yield self._chunk({"tool_calls": [call]})
            case "text":
                if self._block.get("text"):
                    yield self._chunk({"content": self._block["text"]})
            case "thinking" | "redacted_thinking":
                pass
            case _:
                raise ProviderBadAnswer("The provider answered with what this format cannot say.")

    def _delta(self, delta: Document) -> Iterator[Document]:
        match delta["type"]:
            case "text_delta":
                yield self._chunk({"content": delta["text"]})
            case "thinking_delta":
                self._block["thinking"] += delta["thinking"]
                yield self._chunk({"reasoning_content": delta["thinking"]})
            case "signature_delta":
                self._block["signature"] = delta["signature"]
            case "input_json_delta" if delta["partial_json"]:
                self._arguments += len(delta["partial_json"])
                yield self._argument(delta["partial_json"])

    def _stop(self) -> Iterator[Document]:
        if self._block["type"] == "tool_use":
            if not self._arguments:
                yield self._argument("{}")
            self._calls += 1
        elif self._block["type"] != "text":
            yield self._chunk({"thinking_blocks": [self._block]})

    def _argument(self, part: str) -> Document:
        return self._chunk({"tool_calls": [{"index": self._calls, "function": {"arguments": part}}]})

    def _chunk(self, delta: Document, finish: str | None = None) -> Document:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return self._base() | {"choices": [choice]} | ({"usage": None} if self._include_usage else {})

    def _base(self) -> Document:
        return {"id": self._id, "object": "chat.completion.chunk", "created": self._created, "model": self._model}
