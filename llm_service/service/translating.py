"""A wrapper of LanguageModel: asks a model in a format that it speaks for what was asked in one that it does not."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import Protocol

from llm_service.domain.calls import Answer, Call, Ending, Format, LanguageModel
from llm_service.domain.models import Deployment, Health


class TranslatedStream(Protocol):
    """One stream on its way back."""

    def take(self, events: bytes) -> bytes:
        """Whole events in, whole events out; none yet, perhaps."""

    def end(self, ending: Ending) -> bytes:
        """The events that come last."""


class Translation(Protocol):
    """From one format to another, and back. Pure."""

    source: Format
    target: Format

    def request(self, call: Call) -> Call:
        """The same call in the other format. BadDocument; Unsupported for what cannot be said there."""

    def answer(self, call: Call, answer: Answer) -> Answer:
        """The answer in the format of `call`, which is the one that came."""

    def stream(self, call: Call) -> TranslatedStream:
        """For the answer to it, streamed."""


class Translating:
    """What the model speaks passes; the rest goes through the first translation into something that it speaks."""

    def __init__(self, inner: LanguageModel, translations: Iterable[Translation]) -> None:
        self._inner = inner
        self._by_source: dict[Format, Translation] = {}
        for translation in translations:
            if inner.speaks(translation.target) and not inner.speaks(translation.source):
                self._by_source.setdefault(translation.source, translation)

    def speaks(self, form: Format) -> bool:
        return form in self._by_source or self._inner.speaks(form)

    async def complete(self, deployment: Deployment, call: Call) -> Answer:
        translation = self._by_source.get(call.format)
        if translation is None:
            return await self._inner.complete(deployment, call)
        return translation.answer(call, await self._inner.complete(deployment, translation.request(call)))

    async def stream(self, deployment: Deployment, call: Call) -> AsyncGenerator[bytes | Ending, None]:
        translation = self._by_source.get(call.format)
        asked = translation.request(call) if translation else call
        back = translation.stream(call) if translation else None
        async with aclosing(self._inner.stream(deployment, asked)) as events:
            async for event in events:
                if back is None:
                    yield event
                elif isinstance(event, bytes):
                    if told := back.take(event):
                        yield told
                else:
                    yield back.end(event)
                    yield event

    def health(self, deployment: Deployment) -> Health:
        return self._inner.health(deployment)
