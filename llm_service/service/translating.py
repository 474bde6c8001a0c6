"""A wrapper of LanguageModel: asks a model in a format that it speaks for what was asked in one that it does not."""

from collections.abc import Iterable, Mapping
from typing import Protocol

import orjson

from chassis.errors import Violation
from llm_service.domain.calls import Answer, Call, Ending, Format, Hold, LanguageModel, Out
from llm_service.domain.errors import ProviderBadAnswer, Unsupported
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
    names: Mapping[str, str]
    """Fields of the target as the source calls them: what the model refuses is told in the client's words."""

    def request(self, call: Call) -> Call:
        """The same call in the other format. BadDocument; Unsupported for what cannot be said there."""

    def answer(self, call: Call, answer: Answer) -> Answer:
        """The answer in the format of `call`, which is the one that came."""

    def stream(self, call: Call) -> TranslatedStream:
        """For the answer to it, streamed."""


class _Translated:
    """Where the events of the model go, on their way back."""

    started = False

    def __init__(self, back: TranslatedStream, out: Out) -> None:
        self._back = back
        self._out = out

    def write(self, events: bytes) -> Hold:
        self.started = True
        try:
            told = self._back.take(events)
        except orjson.JSONEncodeError as error:
            # Half of a character: only who gets the bytes themselves can join it with the other half.
            raise ProviderBadAnswer from error
        return self._out.write(told) if told else None

    def end(self, ending: Ending) -> None:
        if told := self._back.end(ending):
            self._out.write(told)


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
        asked = translation.request(call)
        try:
            answer = await self._inner.complete(deployment, asked)
        except Unsupported as error:
            raise _in_other_words(error, translation.names) from error
        try:
            return translation.answer(call, answer)
        except (ValueError, orjson.JSONEncodeError) as error:
            raise ProviderBadAnswer from error

    async def stream(self, deployment: Deployment, call: Call, out: Out) -> Ending:
        translation = self._by_source.get(call.format)
        if translation is None:
            return await self._inner.stream(deployment, call, out)
        asked, back = translation.request(call), _Translated(translation.stream(call), out)
        try:
            ending = await self._inner.stream(deployment, asked, back)
        except Unsupported as error:
            raise _in_other_words(error, translation.names) from error
        back.end(ending)
        return ending

    def health(self, deployment: Deployment) -> Health:
        return self._inner.health(deployment)


def _in_other_words(error: Unsupported, names: Mapping[str, str]) -> Unsupported:
    fields = [names.get(item.field, item.field) for item in error.violations]
    if not fields or fields == [item.field for item in error.violations]:
        return error
    return Unsupported(
        f"This model does not support: {', '.join(fields)}.",
        metadata={"param": fields[0]},
        violations=[Violation(field, "is not supported by this model") for field in fields],
    )
