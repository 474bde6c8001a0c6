"""OpenAI's completions: a prompt, and texts."""

from collections.abc import Iterator
from typing import Any

import orjson

from llm_service.policy.texts.slots import InPieces, Slot, content, objects, slot, unspell


class CompletionTexts(InPieces):
    """Their texts. A prompt of token numbers is read by nobody here, and holds none."""

    def asked(self, document: dict[str, Any]) -> Iterator[Slot]:
        yield from content(document, "prompt")
        yield from slot(document, "suffix")

    def answered(self, document: dict[str, Any]) -> Iterator[Slot]:
        for choice in objects(document.get("choices")):
            yield from slot(choice, "text")

    def streamed(self, document: dict[str, Any]) -> Iterator[tuple[str, Slot]]:
        for choice in objects(document.get("choices")):
            for found in slot(choice, "text"):
                yield str(choice.get("index", 0)), found

    def bare(self, document: dict[str, Any]) -> bool:
        return not document.get("usage") and not self.closes(document)

    def strip(self, document: dict[str, Any]) -> None:
        document.pop("usage", None)
        unspell(document)
        for choice in objects(document.get("choices")):
            choice["finish_reason"] = None

    def closes(self, document: dict[str, Any]) -> bool:
        choices = [*objects(document.get("choices"))]
        return not choices or any(choice.get("finish_reason") for choice in choices)

    def refuse(self, document: dict[str, Any]) -> None:
        for choice in objects(document.get("choices")):
            choice |= {"text": "", "finish_reason": "content_filter", "logprobs": None}

    def refusal(self, last: dict[str, Any]) -> bytes:
        indexes = [choice.get("index", 0) for choice in objects(last.get("choices"))] or [0]
        choices = [{"index": index, "text": "", "finish_reason": "content_filter"} for index in indexes]
        return b"data: " + orjson.dumps({**last, "choices": choices}) + b"\n\n"
