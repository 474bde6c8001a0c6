"""Which models a tenant may use where another service than llm_service works: embeddings, reranking, speech, answers.

The rules are llm_service's, which is asked; what it said holds here for a moment. Owns that memory, and which model
answers where nobody names one. The rules of an API key are the caller's (`verdicts`).
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress

import structlog
from aisp.llm.v1 import catalogue_pb2 as llm_pb
from aisp.rag.v1 import rag_service_pb2 as rag_pb

from chassis.context import RequestContext
from chassis.errors import PlatformError, Unavailable
from gateway.clients import Clients
from gateway.verdicts import ModelNotAllowed

log = structlog.get_logger()

FRESH_SECONDS = 0.4
"""A change of rules is in force within a second; what is on its way to llm_service's memory takes a part of it."""
AHEAD_SECONDS = 0.2
"""So long before that is over it is asked again."""
PRICED_SECONDS = 5.0
"""Under another name a model is reserved for so long, until it is asked again; it is settled under its own."""
DEFAULT_SECONDS = 30.0
"""The model that answers is a setting: it changes with a restart."""
MOST = 10_000
Name = tuple[str, str, bool]
"""Tenant, model, and whether it is a language model."""
Known = tuple[bool, float]
"""Whether it is allowed, and until when that holds."""


class TenantModels:
    """Asks llm_service and rag_service."""

    def __init__(self, clients: Clients, clock: Callable[[], float] = time.monotonic) -> None:
        self._clients = clients
        self._clock = clock
        self._known: OrderedDict[Name, Known] = OrderedDict()
        self._priced: OrderedDict[tuple[str, str], tuple[str, float]] = OrderedDict()
        self._asking: dict[Name, asyncio.Task[None]] = {}
        self._answering = ("", 0.0)

    async def check(self, calling: RequestContext, model: str, *, language: bool = False) -> None:
        """ModelNotAllowed unless the calling tenant may use the model, or the default one where none is named. Of a
        `language` model also what llm_service says of its name, ModelNotFound.
        """
        name = calling.tenant_id, model, language
        known, now = self._known.get(name), self._clock()
        if known is None or now >= known[1]:
            known = await self._ask(calling, name, known)
        elif now >= known[1] - AHEAD_SECONDS and name not in self._asking:
            # Behind the call: who calls again and again never waits for it.
            asking = self._asking[name] = asyncio.create_task(self._ask_again(calling, name, known))
            asking.add_done_callback(lambda _: self._asking.pop(name, None))
        if not known[0]:
            told = f"not use the model {model[:200]}." if model else "use some models only: name one of them."
            raise ModelNotAllowed(f"This tenant may {told}", metadata={"param": "model"})

    def priced(self, tenant_id: str, model: str) -> str:
        """What the price book calls a language model, where that was heard to be another name; else empty."""
        found = self._priced.get((tenant_id, model))
        return found[0] if found is not None and self._clock() < found[1] else ""

    async def priced_as(self, calling: RequestContext, model: str) -> str:
        """The same, asked. ModelNotFound, ModelNotAllowed."""
        request = llm_pb.CheckModelsRequest(models=[model], language=True)
        (name,) = (await self._clients.llm.CheckModels(request, context=calling)).priced_as
        if name != model:
            self._priced[calling.tenant_id, model] = name, self._clock() + PRICED_SECONDS
            while len(self._priced) > MOST:
                self._priced.popitem(last=False)
        return str(name)

    async def answering(self, calling: RequestContext) -> str:
        """The model that answers out of documents where none is named."""
        model, until = self._answering
        if self._clock() >= until:
            found = await self._clients.rag.GetAnsweringModel(rag_pb.GetAnsweringModelRequest(), context=calling)
            model = found.model
            self._answering = model, self._clock() + DEFAULT_SECONDS
        return model

    async def _ask_again(self, calling: RequestContext, name: Name, known: Known) -> None:
        # What goes wrong is told to who has to wait for it.
        with suppress(PlatformError):
            await self._ask(calling, name, known)

    async def _ask(self, calling: RequestContext, name: Name, known: Known | None) -> Known:
        _, model, language = name
        request = llm_pb.CheckModelsRequest(models=[model], language=language)
        try:
            found = bool((await self._clients.llm.CheckModels(request, context=calling)).allowed)
        except Unavailable as error:
            if known is None:
                raise
            log.warning("whether a model is allowed was not asked again", model=model, reason=error.reason)
            return known
        except PlatformError:
            self._known.pop(name, None)
            raise
        self._known[name] = found, self._clock() + FRESH_SECONDS
        self._known.move_to_end(name)
        while len(self._known) > MOST:
            self._known.popitem(last=False)
        return self._known[name]
