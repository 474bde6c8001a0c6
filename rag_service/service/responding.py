"""Responses with the tool file_search: searches, asks a model with what was found, tells the client what it cites."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import orjson
import structlog

from chassis.errors import PlatformError
from rag_service.domain.responding import Asking, Ended, Responder, Started
from rag_service.domain.search import Passage
from rag_service.domain.usage import Tally
from rag_service.policy import answers as policy
from rag_service.policy import attributes
from rag_service.policy import file_search_tool as tool
from rag_service.policy.chunking import weight
from rag_service.policy.grounding import carriers
from rag_service.policy.response_events import DONE, ENDS, ResponseEvents
from rag_service.service.file_search import DEFAULT_RESULTS, FileSearch, SeekingFiles
from rag_service.service.rewriting import Rewriting

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class RespondingRules:
    """Tokens of passages and talk: where a model's window is not known, and at most. `max_query`: characters."""

    context_tokens: int
    max_context_tokens: int
    max_query: int


@dataclass(frozen=True, slots=True)
class _Basis:
    """What the model is asked, and what its answer is told with."""

    asking: Asking
    events: ResponseEvents
    passages: Sequence[Passage]
    """Those that the model is shown."""
    documents: Sequence[str] = ()
    """Of all that were found."""


class Responding:
    """No transaction is open while a model works."""

    def __init__(
        self, file_search: FileSearch, rewriting: Rewriting, responder: Responder, rules: RespondingRules
    ) -> None:
        self._file_search = file_search
        self._rewriting = rewriting
        self._responder = responder
        self._rules = rules

    async def respond(self, tenant_id: str, asking: Asking, tally: Tally) -> tuple[bytes, Ended]:
        """The whole response. BadDocument, BadRequest, CollectionNotFound, CollectionExpired, or as models fail."""
        basis = await self._basis(tenant_id, asking, tally)
        tally.stage = "answer"
        body, ended = await self._responder.complete(basis.asking, tally)
        response = orjson.loads(body)
        for index, item in enumerate(response.get("output") or ()):
            for place, part in enumerate(item.get("content") or () if item.get("type") == "message" else ()):
                if part.get("type") == "output_text":
                    basis.events.note(index, place, await self._notes(basis, part.get("text") or ""))
        return orjson.dumps(await self._kept(asking, basis.events.whole(response))), _about(ended, basis)

    async def stream(
        self, tenant_id: str, asking: Asking, tally: Tally
    ) -> AsyncGenerator[Started | bytes | Ended, None]:
        """Errors as above."""
        basis = await self._basis(tenant_id, asking, tally)
        tally.stage = "answer"
        async with aclosing(self._responder.events(basis.asking, tally)) as parts:
            async for part in parts:
                if not isinstance(part, bytes):
                    yield _about(part, basis) if isinstance(part, Ended) else part
                    continue
                for told in _documents(part):
                    yield await self._told(asking, basis, told)

    async def _told(self, asking: Asking, basis: _Basis, told: dict[str, Any]) -> bytes:
        kind = told.get("type")
        if kind == DONE:
            return basis.events.take(told, await self._notes(basis, str(told.get("text") or "")))
        if kind in ENDS:
            kept = await self._kept(asking, basis.events.whole(told["response"]))
            told = told | {"response": told["response"] | {"store": kept["store"]}}
        return basis.events.take(told)

    async def _basis(self, tenant_id: str, asking: Asking, tally: Tally) -> _Basis:
        wanted = tool.wanted(asking.body, DEFAULT_RESULTS)
        if wanted is None:
            document = orjson.loads(asking.body)
            plain = replace(asking, body=tool.asked_of_the_model(document, None))
            return _Basis(plain, ResponseEvents(None, partial(tool.as_the_client_asked, document=document)), [])
        tally.stage = "condense"
        query = await self._rewriting.condensed(wanted.messages, self._rules.max_query, tally)
        seeking = SeekingFiles(
            collection_ids=wanted.collection_ids,
            queries=[query],
            top_k=wanted.top_k,
            filter=attributes.parse(wanted.filter_json),
            score_threshold=wanted.score_threshold,
            ranker=wanted.ranker,
        )
        found = await self._file_search.find(tenant_id, seeking, tally)
        passages = await self._fitting(asking, wanted, found.passages)
        call = tool.call_item(found.queries, found.passages, results=wanted.results)
        patched = partial(tool.as_the_client_asked, document=wanted.document)
        asked = replace(asking, body=tool.asked_of_the_model(wanted.document, passages))
        documents = list(dict.fromkeys(passage.document_id for passage in found.passages))
        return _Basis(asked, ResponseEvents(call, patched), passages, documents)

    async def _fitting(self, asking: Asking, wanted: tool.Wanted, found: Sequence[Passage]) -> Sequence[Passage]:
        """As many as the model can read beside the conversation."""
        window = await self._responder.window(asking.model)
        rules = self._rules
        given = policy.budget(window, wanted.answer_tokens, rules.context_tokens, rules.max_context_tokens)
        talk = sum(weight(message.content) for message in wanted.messages)
        return policy.fitting(found, max(0, min(given, int((given - talk) / policy.PASSAGES_SHARE))))

    async def _notes(self, basis: _Basis, text: str) -> list[dict[str, Any]]:
        cited = await asyncio.to_thread(carriers, text, basis.passages) if basis.passages else []
        return tool.annotations(cited)

    async def _kept(self, asking: Asking, response: dict[str, Any]) -> dict[str, Any]:
        """The response, which says whether it is stored. One that cannot be stored is still an answer."""
        try:
            stored = await self._responder.keep(asking.body, orjson.dumps(tool.to_be_kept(response)))
        except PlatformError as error:
            log.warning("a response was not stored", reason=error.reason)
            stored = False
        return response | {"store": stored}


def _about(ended: Ended, basis: _Basis) -> Ended:
    return replace(ended, documents=tuple(basis.documents))


def _documents(events: bytes) -> list[dict[str, Any]]:
    """Of whole events."""
    lines = [line for line in events.split(b"\n") if line.startswith(b"data: {")]
    return [orjson.loads(line.removeprefix(b"data: ")) for line in lines]
