"""Generator behind the cache of answers: exact, a tenant's own, and only where the caller asks for it.

The same question at the same time is asked once: who comes second reads the stream of the first while it comes. Only an
answer that ended well is kept. Guardrails are outside of it: what is kept is judged again whenever it is given.
"""

import asyncio
import hashlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace

import orjson
from prometheus_client import Counter

from chassis.document import read_object
from llm_service.domain.cache import AnswerCache, KeptAnswer
from llm_service.domain.calls import Answer, Caching, Call, Ending, Generator, Served, Sink
from llm_service.domain.models import Deployment
from llm_service.service.broadcast import Broadcast
from llm_service.service.router import Route
from llm_service.service.streams import Event, poured, pulled

LOOKED_UP = Counter("aisp_llm_answer_cache_total", "Calls that asked for the cache of answers", ["result"])


@dataclass(frozen=True, slots=True)
class CacheRules:
    """How long an answer is kept at most, and how large it may be."""

    max_seconds: int
    max_bytes: int


class Cached:
    """Wraps a generator. `route`: what a call's model is in the catalogue, if its tenant may use it now."""

    def __init__(
        self,
        inner: Generator,
        cache: AnswerCache,
        route: Callable[[Call], Awaitable[Route]],
        rules: CacheRules,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._inner = inner
        self._route = route
        self._cache = cache
        self._rules = rules
        self._clock = clock
        self._running: dict[tuple[str, str], Broadcast[Event]] = {}

    async def complete(self, call: Call) -> tuple[Answer, Served]:
        """As the generator."""
        if call.caching is None:
            return await self._inner.complete(call)
        await call.admitted()
        served, body, ending = None, b"", None
        async with aclosing(self._cached(call, call.caching, "whole", self._once(call))) as events:
            async for event in events:
                if isinstance(event, Served):
                    served = event
                elif isinstance(event, bytes):
                    body = event
                else:
                    ending = event
        assert served is not None
        assert ending is not None
        return Answer(body, ending), served

    async def stream(self, call: Call, sink: Sink) -> Ending:
        """As the generator; what is kept comes in one piece."""
        if call.caching is None:
            return await self._inner.stream(call, sink)
        await call.admitted()
        events = self._cached(call, call.caching, "stream", pulled(self._inner, call))
        async with aclosing(events):
            return await poured(events, sink)

    async def _once(self, call: Call) -> AsyncGenerator[Event, None]:
        answer, served = await self._inner.complete(call)
        yield served
        yield answer.body
        yield answer.ending

    async def _cached(
        self, call: Call, caching: Caching, kind: str, source: AsyncGenerator[Event, None]
    ) -> AsyncGenerator[Event, None]:
        route = await self._route(call)
        name = named(call, route.model, kind)
        kept = None if caching.refresh else await self._fresh(call.tenant_id, name, caching)
        if kept is not None:
            LOOKED_UP.labels("hit").inc()
            await source.aclose()
            kept_by = Deployment(kept.provider, kept.upstream_model)
            yield Served(kept.model, kept_by, 0, self._age(kept), route.retirement)
            yield kept.body
            yield kept.ending
            return
        async with aclosing(self._joined(call, caching, name, source)) as events:
            async for event in events:
                yield event

    async def _joined(
        self, call: Call, caching: Caching, name: str, source: AsyncGenerator[Event, None]
    ) -> AsyncGenerator[Event, None]:
        """The stream of whoever asks the same at the moment, or one of our own."""
        place = (call.tenant_id, name)
        running = self._running.get(place)
        second = running is not None and running.open and not caching.refresh
        LOOKED_UP.labels("shared" if second else "miss").inc()
        if running is None or not second:
            running = self._running[place] = Broadcast(source, self._rules.max_bytes)
        else:
            await source.aclose()
        try:
            async with aclosing(running.read()) as events:
                async for event in events:
                    yield replace(event, attempts=0, age_seconds=0) if second and isinstance(event, Served) else event
        finally:
            if not second and self._running.get(place) is running:
                del self._running[place]
        if not second and (items := running.whole) is not None:
            await self._keep(call.tenant_id, name, items, caching)

    async def _fresh(self, tenant_id: str, name: str, caching: Caching) -> KeptAnswer | None:
        kept = await self._cache.get(tenant_id, name)
        return kept if kept is not None and self._age(kept) <= caching.max_age_seconds else None

    async def _keep(self, tenant_id: str, name: str, items: list[Event], caching: Caching) -> None:
        served = next(item for item in items if isinstance(item, Served))
        ending = next(item for item in items if isinstance(item, Ending))
        body = b"".join(item for item in items if isinstance(item, bytes))
        if len(body) > self._rules.max_bytes:
            return
        upstream = served.deployment.upstream_model
        kept = KeptAnswer(body, ending, served.model, served.provider, upstream, self._clock())
        # A client that leaves now has its answer already; keeping it is finished all the same.
        await asyncio.shield(
            self._cache.put(tenant_id, name, kept, min(caching.max_age_seconds, self._rules.max_seconds))
        )

    def _age(self, kept: KeptAnswer) -> int:
        return max(0, int(self._clock() - kept.made_at))


def named(call: Call, model: str, kind: str) -> str:
    """What makes two questions the same: format, model, and the document whatever its spaces and order of keys."""
    document = orjson.dumps(read_object(call.body), option=orjson.OPT_SORT_KEYS)
    said = (kind, call.format.value, model, str(call.include_usage), call.dialect.version, *call.dialect.features)
    digest = hashlib.sha256()
    for part in (*(word.encode() for word in said), document):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()
