"""A stream of OpenAI's chat completions as one of Anthropic's messages."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from llm_service.domain.calls import Ending, Tokens
from llm_service.domain.errors import ProviderBadAnswer
from llm_service.policy.said import calls_of, text_of, thought_of
from llm_service.policy.translation.answer_to_messages import id_of, stop_of
from llm_service.policy.translation.events import documents_of, named
from llm_service.policy.translation.words import id_for_messages, usage_for_messages

Document = dict[str, Any]


@dataclass(slots=True)
class _Block:
    """A block that was begun. `id`, `arguments`: of a call of a tool, so far."""

    index: int
    kind: str
    id: str = ""
    arguments: str = ""
    open: bool = True


class StreamToMessages:
    """Takes whole events of the one, gives whole events of the other. One block is open at a time, but for calls of
    tools whose arguments come mingled.
    """

    def __init__(self) -> None:
        self._begun = False
        self._blocks: list[_Block] = []
        self._calls: dict[int, _Block] = {}
        self._last: Document = {}
        self._refused = False

    def take(self, events: bytes) -> bytes:
        """What these events say. ProviderBadAnswer."""
        try:
            return named(told for chunk in documents_of(events) for told in self._chunk(chunk))
        except (KeyError, TypeError, AttributeError, IndexError) as error:
            raise ProviderBadAnswer from error

    def end(self, ending: Ending) -> bytes:
        """What ends the stream."""
        reason, sequence = stop_of(self._last, calls=bool(self._calls))
        delta = {"stop_reason": "refusal" if self._refused else reason, "stop_sequence": sequence}
        usage = usage_for_messages(ending.tokens)
        told = [*self._begin({}), *self._close_all()]
        return named([*told, {"type": "message_delta", "delta": delta, "usage": usage}, {"type": "message_stop"}])

    def _chunk(self, chunk: Document) -> Iterator[Document]:
        choices = chunk.get("choices") or ()
        if not choices and not self._begun:
            # Azure begins with what its filter says of the prompt, of no model and under no id.
            return
        yield from self._begin(chunk)
        for choice in choices:
            yield from self._delta(choice.get("delta") or {})
            if choice.get("finish_reason"):
                self._last = choice
                yield from self._close_all()

    def _begin(self, chunk: Document) -> Iterator[Document]:
        if self._begun:
            return
        self._begun = True
        message: Document = {
            "id": id_for_messages(chunk.get("id")),
            "type": "message",
            "role": "assistant",
            "model": str(chunk.get("model") or ""),
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            # Servers of the other format count at the end; message_delta tells all of it.
            "usage": usage_for_messages(Tokens()),
        }
        yield {"type": "message_start", "message": message}

    def _delta(self, delta: Document) -> Iterator[Document]:
        if thought := thought_of(delta):
            yield from self._say("thinking", {"type": "thinking_delta", "thinking": thought})
        for said in (text_of(delta), delta.get("refusal")):
            if said:
                yield from self._say("text", {"type": "text_delta", "text": said})
        self._refused = self._refused or bool(delta.get("refusal"))
        for call in calls_of(delta):
            yield from self._call(call)

    def _say(self, kind: str, delta: Document) -> Iterator[Document]:
        block = self._blocks[-1] if self._blocks else None
        if block is None or block.kind != kind or not block.open:
            empty = {"type": "text", "text": ""} if kind == "text" else {"type": kind, "thinking": "", "signature": ""}
            yield from self._close_all()
            yield from self._open(_Block(len(self._blocks), kind), empty)
        yield {"type": "content_block_delta", "index": self._blocks[-1].index, "delta": delta}

    def _call(self, call: Document) -> Iterator[Document]:
        function = call.get("function") or {}
        number = call.get("index", 0)
        known = self._calls.get(number)
        # Some servers number all calls alike, others give every part an id of its own: an id with a name is a call.
        if known is None or (call.get("id") and function.get("name") and call["id"] != known.id):
            yield from self._close_whole()
            block = self._calls[number] = _Block(len(self._blocks), "tool_use", id_of(call))
            yield from self._open(block, {"type": "tool_use", "id": block.id, "name": function["name"], "input": {}})
        block, part = self._calls[number], function.get("arguments") or ""
        if part and not block.open:
            raise ProviderBadAnswer("The provider went on with a call of a tool that was complete.")
        if part:
            block.arguments += part
            delta = {"type": "input_json_delta", "partial_json": part}
            yield {"type": "content_block_delta", "index": block.index, "delta": delta}

    def _open(self, block: _Block, empty: Document) -> Iterator[Document]:
        self._blocks.append(block)
        yield {"type": "content_block_start", "index": block.index, "content_block": empty}

    def _close_whole(self) -> Iterator[Document]:
        """Ends what cannot go on: all but calls whose arguments are no whole object yet."""
        for block in self._blocks:
            if block.open and (block.kind != "tool_use" or _is_whole(block.arguments)):
                yield from _close(block)

    def _close_all(self) -> Iterator[Document]:
        for block in self._blocks:
            if block.open:
                yield from _close(block)


def _close(block: _Block) -> Iterator[Document]:
    block.open = False
    yield {"type": "content_block_stop", "index": block.index}


def _is_whole(arguments: str) -> bool:
    try:
        return isinstance(orjson.loads(arguments), dict)
    except orjson.JSONDecodeError:
        return False
