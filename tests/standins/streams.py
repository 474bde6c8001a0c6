"""Streams of a model's port, read event by event as a test wants it."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from llm_service.domain.calls import Answer, Call, Ending, Hold, LanguageModel, Served, Sink
from llm_service.domain.models import Deployment
from llm_service.service.streams import pulled


async def read(model: LanguageModel, deployment: Deployment, call: Call) -> AsyncGenerator[bytes | Ending, None]:
    """Events as they come, then the ending. Closing it cancels the call."""
    async with aclosing(pulled(_At(model, deployment), call)) as events:
        async for event in events:
            assert not isinstance(event, Served)
            yield event


class _At:
    """A model at one deployment, as a generator that does not tell who answers."""

    def __init__(self, model: LanguageModel, deployment: Deployment) -> None:
        self._model = model
        self._deployment = deployment

    async def complete(self, call: Call) -> tuple[Answer, Served]:
        raise NotImplementedError

    async def stream(self, call: Call, sink: Sink) -> Ending:
        return await self._model.stream(self._deployment, call, _Out(sink))


class _Out:
    started = False

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def write(self, events: bytes) -> Hold:
        self.started = True
        return self._sink.write(events)
