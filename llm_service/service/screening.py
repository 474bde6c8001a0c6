"""Generator behind a tenant's guardrails: what is asked and what is said is judged before it is read.

Closed: a format whose texts are not known here is refused where guardrails are set, and so is an answer whose judge
does not answer. What a model said and a guardrail held back was used all the same, and is metered.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import orjson
import structlog

from chassis.document import read_object
from llm_service.domain.calls import Answer, Call, Ending, Format, Generator, Served, Sink
from llm_service.domain.errors import GuardrailUnavailable, ProviderBadAnswer, Unsupported
from llm_service.domain.guardrails import Passage, Phase
from llm_service.policy.texts.slots import Texts, unspell
from llm_service.service.held import HeldStream
from llm_service.service.screens import Refused, Screen, ScreenBook, Screens, refusal
from llm_service.service.streams import Event, poured, pulled

log = structlog.get_logger()

HELD_BACK = "content_filter"


class Screened:
    """`window`: code points of a stream that are held back, so that what they begin can be seen whole."""

    def __init__(self, inner: Generator, book: ScreenBook, texts: Mapping[Format, Texts], window: int) -> None:
        self._inner = inner
        self._book = book
        self._texts = texts
        self._window = window

    async def complete(self, call: Call) -> tuple[Answer, Served]:
        """GuardrailRefused, GuardrailUnavailable, or as the generator."""
        screens = await self._book.of(call.tenant_id, call.model)
        if screens is None:
            return await self._inner.complete(call)
        texts = self._of(call)
        await call.admitted()
        answer, served = await self._inner.complete(await _asked(call, texts, screens))
        if screens.output.guards:
            answer = await _answered(call, answer, texts, screens.output)
        return answer, served

    async def stream(self, call: Call, sink: Sink) -> Ending:
        """As above; a stream that a guardrail ends, ends with the format's own word for it."""
        screens = await self._book.of(call.tenant_id, call.model)
        if screens is None:
            return await self._inner.stream(call, sink)
        texts = self._of(call)
        await call.admitted()
        call = await _asked(call, texts, screens)
        if not screens.output.guards:
            return await self._inner.stream(call, sink)
        held = HeldStream(texts, screens.output, _passage(call, Phase.OUTPUT), self._window)
        async with aclosing(_judged(call, held, pulled(self._inner, call))) as events:
            return await poured(events, sink)

    def _of(self, call: Call) -> Texts:
        found = self._texts.get(call.format)
        if found is None:
            raise Unsupported("Guardrails are set, and cannot judge this format.")
        return found


async def _judged(call: Call, held: HeldStream, source: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
    """What goes out of a stream."""
    async with aclosing(source) as events:
        async for event in events:
            if isinstance(event, Served):
                yield event
            elif isinstance(event, Ending):
                if rest := await held.finish():
                    yield rest
                yield held.ending(call, event)
            else:
                if released := await held.take(event):
                    yield released
                if held.refused:
                    break
    if held.refused:
        yield held.ending(call, None)


async def _asked(call: Call, texts: Texts, screens: Screens) -> Call:
    """The call with what the guardrails left of it. GuardrailRefused, GuardrailUnavailable."""
    if not screens.input.guards:
        return call
    document = read_object(call.body)
    try:
        changed = await screens.input.slots(texts.asked(document), _passage(call, Phase.INPUT))
    except Refused as refused:
        raise refusal(refused) from refused
    return replace(call, body=orjson.dumps(document)) if changed else call


async def _answered(call: Call, answer: Answer, texts: Texts, screen: Screen) -> Answer:
    """The answer with what the guardrails left of it."""
    try:
        document: dict[str, Any] = orjson.loads(answer.body)
    except orjson.JSONDecodeError as error:
        raise ProviderBadAnswer from error
    try:
        if not await screen.slots(texts.answered(document), _passage(call, Phase.OUTPUT)):
            return answer
    except (Refused, GuardrailUnavailable):
        texts.refuse(document)
        return Answer(orjson.dumps(document), replace(answer.ending, finish_reason=HELD_BACK))
    unspell(document)
    return Answer(orjson.dumps(document), answer.ending)


def _passage(call: Call, phase: Phase) -> Passage:
    return Passage("", phase, call.model, call.request_id)
