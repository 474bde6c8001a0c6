"""A stream of chat completions as the events of a response."""

from typing import Any

import orjson

from llm_service.domain.calls import Ending
from llm_service.policy.responses.answer import (
    begun,
    call_item,
    citations_of,
    ended,
    logprobs_of,
    message_item,
    new_id,
    reasoning_item,
    refusal_part,
    text_part,
)
from llm_service.policy.said import calls_of, text_of, thought_of

TEXT, REFUSAL, REASONING = "output_text", "refusal", "reasoning_text"


class Events:
    """Feed it chunks; it gives the events of one response, in order and numbered, and its end."""

    def __init__(self, document: dict[str, Any], model: str) -> None:
        self._document = document
        self._model = model
        self._response: dict[str, Any] = {}
        self._number = 0
        self._output: list[dict[str, Any]] = []
        """Items as they are so far, in the order in which they began."""
        self._speaking: _Speech | None = None
        self._calls: dict[int, dict[str, Any]] = {}
        """Calls of functions by their place in the chunks: parts of several may come mixed."""

    def take(self, chunk: dict[str, Any]) -> bytes:
        """The events that a chunk is."""
        told = b"" if self._response else self._begin(chunk)
        choices = chunk.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
        delta = choice.get("delta")
        if not isinstance(delta, dict) or choice.get("index", 0) != 0:
            return told
        if thought := thought_of(delta):
            told += self._say(REASONING, thought)
        if said := text_of(delta):
            probabilities = choice.get("logprobs")
            told += self._say(TEXT, said, logprobs_of(probabilities) if probabilities else [])
        for citation in citations_of(delta):
            told += self._cite(citation)
        if delta.get("refusal"):
            told += self._say(REFUSAL, delta["refusal"])
        for call in calls_of(delta):
            told += self._call(call)
        return told

    def end(self, ending: Ending) -> bytes:
        """The events that close what is open, and the response."""
        told = b"" if self._response else self._begin({})
        if not self._output:
            # A model that said nothing said an empty message.
            told += self._say(TEXT, "")
        told += self._hush()
        for item in self._calls.values():
            told += self._close_call(item)
        final = ended(self._response, self._output, ending.finish_reason, ending.tokens)
        return told + self._event(f"response.{final['status']}", response=final)

    def _begin(self, chunk: dict[str, Any]) -> bytes:
        self._response = begun(self._document, str(chunk.get("model") or self._model))
        created = self._event("response.created", response=self._response)
        return created + self._event("response.in_progress", response=self._response)

    def _say(self, kind: str, text: str, logprobs: list[dict[str, Any]] | None = None) -> bytes:
        told = b""
        if self._speaking is None or self._speaking.kind != kind:
            told = self._hush()
            self._speaking = _Speech(kind, len(self._output))
            self._output.append(self._speaking.item("in_progress", whole=False))
            told += self._event("response.output_item.added", output_index=self._speaking.index, item=self._output[-1])
            told += self._event("response.content_part.added", **self._speaking.place, part=self._speaking.part(""))
        self._speaking.text += text
        self._speaking.logprobs += logprobs or []
        said: dict[str, Any] = {"delta": text} | ({"logprobs": logprobs or []} if kind == TEXT else {})
        return told + self._event(f"response.{kind}.delta", **self._speaking.place, **said) if text else told

    def _cite(self, citation: dict[str, Any]) -> bytes:
        told = self._say(TEXT, "")
        assert self._speaking is not None
        number = {"annotation_index": len(self._speaking.citations)}
        self._speaking.citations.append(citation)
        place = self._speaking.place | number
        return told + self._event("response.output_text.annotation.added", **place, annotation=citation)

    def _hush(self) -> bytes:
        """Closes what is being said."""
        speech, self._speaking = self._speaking, None
        if speech is None:
            return b""
        key = "refusal" if speech.kind == REFUSAL else "text"
        said: dict[str, Any] = {key: speech.text} | ({"logprobs": speech.logprobs} if speech.kind == TEXT else {})
        told = self._event(f"response.{speech.kind}.done", **speech.place, **said)
        told += self._event("response.content_part.done", **speech.place, part=speech.part(speech.text))
        self._output[speech.index] = item = speech.item("completed", whole=True)
        return told + self._event("response.output_item.done", output_index=speech.index, item=item)

    def _call(self, part: dict[str, Any]) -> bytes:
        told, number = b"", part.get("index") or 0
        function = part.get("function") or {}
        known = self._calls.get(number)
        # Some servers number all calls alike, others give every part an id of its own: an id with a name is a call.
        if known is None or (part.get("id") and function.get("name") and part["id"] != known["call_id"]):
            told = self._hush() + (self._close_call(known) if known else b"")
            item = call_item(new_id("fc"), part.get("id") or "", function.get("name") or "", "", "in_progress")
            self._calls[number] = item
            self._output.append(item)
            told += self._event("response.output_item.added", output_index=len(self._output) - 1, item=item)
        item = self._calls[number]
        if more := function.get("arguments"):
            item["arguments"] += more
            told += self._event("response.function_call_arguments.delta", **self._place(item), delta=more)
        return told

    def _close_call(self, item: dict[str, Any]) -> bytes:
        item["status"] = "completed"
        place, said = self._place(item), {"name": item["name"], "arguments": item["arguments"]}
        told = self._event("response.function_call_arguments.done", **place, **said)
        return told + self._event("response.output_item.done", output_index=place["output_index"], item=item)

    def _place(self, item: dict[str, Any]) -> dict[str, Any]:
        return {"item_id": item["id"], "output_index": next(i for i, other in enumerate(self._output) if other is item)}

    def _event(self, kind: str, **told: Any) -> bytes:
        document = {"type": kind, "sequence_number": self._number, **told}
        self._number += 1
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), orjson.dumps(document))


class _Speech:
    """A text, a refusal or thoughts, while they come: an item with one part."""

    def __init__(self, kind: str, index: int) -> None:
        self.kind = kind
        self.index = index
        self.id = new_id("rs" if kind == REASONING else "msg")
        self.text = ""
        self.logprobs: list[dict[str, Any]] = []
        self.citations: list[dict[str, Any]] = []

    @property
    def place(self) -> dict[str, Any]:
        return {"item_id": self.id, "output_index": self.index, "content_index": 0}

    def part(self, text: str) -> dict[str, Any]:
        if self.kind == REASONING:
            return {"type": REASONING, "text": text}
        return refusal_part(text) if self.kind == REFUSAL else text_part(text, self.logprobs, self.citations)

    def item(self, status: str, *, whole: bool) -> dict[str, Any]:
        if self.kind == REASONING:
            return reasoning_item(self.id, self.text, status)
        return message_item(self.id, [self.part(self.text)] if whole else [], status)
