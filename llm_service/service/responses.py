"""Responses: goes on with what is stored, asks a model, stores what it said before its client hears the end of it."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import structlog

from chassis.document import read_object
from chassis.errors import PlatformError
from llm_service.domain.calls import Answer, Call, Ending, Format, Generator, Served, Sink
from llm_service.domain.errors import PreviousResponseNotFound, ResponseChainTooLong, ResponseNotFound
from llm_service.domain.responses import StoredResponse
from llm_service.domain.store import Store
from llm_service.policy.responses import chain
from llm_service.policy.responses.answer import new_id
from llm_service.policy.responses.document import read_responses
from llm_service.service.streams import Event, poured, pulled

log = structlog.get_logger()

MAX_ID_CHARACTERS = 256


@dataclass(frozen=True, slots=True)
class StorageRules:
    """`store`: whether a response is stored whose client does not say. The rest are bounds."""

    store: bool
    keep: timedelta
    max_bytes: int
    max_chain_bytes: int
    max_turns: int


@dataclass(frozen=True, slots=True)
class _Turn:
    """One request, and where it stands in its conversation. `call` asks for all of it."""

    call: Call
    document: dict[str, Any]
    keep: bool
    previous: StoredResponse | None

    @property
    def previous_id(self) -> str:
        return self.previous.id if self.previous else ""


class Responses:
    """A Generator that wraps another; calls in other formats pass. Another tenant's response is not there."""

    def __init__(self, inner: Generator, store: Store, rules: StorageRules) -> None:
        self._inner = inner
        self._store = store
        self._rules = rules

    async def complete(self, call: Call) -> tuple[Answer, Served]:
        """PreviousResponseNotFound, ResponseChainTooLong, BadDocument, Unsupported, or what the models fail with."""
        if call.format is not Format.RESPONSES:
            return await self._inner.complete(call)
        turn = await self._begin(call)
        answer, served = await self._inner.complete(turn.call)
        own_id = _own_id(served)
        stored = turn.keep and await self._keep(turn, answer.body, own_id)
        body = chain.mended(answer.body, previous_id=turn.previous_id, stored=stored, own_id=own_id)
        return replace(answer, body=body), served

    async def stream(self, call: Call, sink: Sink) -> Ending:
        """Errors as above."""
        if call.format is not Format.RESPONSES:
            return await self._inner.stream(call, sink)
        turn = await self._begin(call)
        async with aclosing(self._kept(turn, pulled(self._inner, turn.call))) as events:
            return await poured(events, sink)

    async def _kept(self, turn: _Turn, source: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
        """The events of a turn, whose last is told once it is stored."""
        own_id = ""
        async with aclosing(source) as events:
            async for event in events:
                if not isinstance(event, bytes):
                    own_id = _own_id(event) if isinstance(event, Served) else own_id
                    yield event
                    continue
                whole = chain.whole_in(event) if turn.keep else None
                stored = turn.keep if whole is None else await self._keep(turn, whole, own_id)
                yield chain.mended_events(event, previous_id=turn.previous_id, stored=stored, own_id=own_id)

    async def get(self, tenant_id: str, response_id: str) -> StoredResponse:
        """ResponseNotFound."""
        async with self._store.transaction(tenant_id) as repository:
            found = await repository.response(tenant_id, response_id)
        if found is None:
            raise _not_found(response_id)
        return found

    async def keep(self, tenant_id: str, request: bytes, response: bytes) -> bool:
        """Stores what another service made of an answer, as what its client asked for; whether it is stored.
        PreviousResponseNotFound, ResponseChainTooLong, BadDocument.
        """
        document = read_object(request)
        turns = await self._conversation(tenant_id, document.get("previous_response_id"))
        turn = self._turn(Call("", request, Format.RESPONSES, tenant_id=tenant_id), document, turns)
        return turn.keep and await self._keep(turn, response, "")

    async def remove(self, tenant_id: str, response_id: str) -> None:
        """ResponseNotFound. Later turns that go on with it cannot be gone on with any more."""
        async with self._store.transaction(tenant_id) as repository:
            if not await repository.remove_response(tenant_id, response_id):
                raise _not_found(response_id)

    async def sweep(self) -> int:
        """Removes a batch of what has expired; how many."""
        async with self._store.platform() as repository:
            return await repository.remove_expired_responses(datetime.now(UTC))

    async def _begin(self, call: Call) -> _Turn:
        document = read_responses(call.body)
        turns = await self._conversation(call.tenant_id, document.get("previous_response_id"))
        earlier = [item for turn in turns for item in chain.context_of(turn)]
        turn = self._turn(call, document, turns)
        body = chain.provider_body(call.body, document, earlier, keep=turn.keep)
        return replace(turn, call=replace(call, body=body))

    def _turn(self, call: Call, document: dict[str, Any], turns: list[StoredResponse]) -> _Turn:
        keep = self._rules.store if document.get("store") is None else bool(document["store"])
        return _Turn(call, document, keep, turns[-1] if turns else None)

    async def _conversation(self, tenant_id: str, last_id: str | None) -> list[StoredResponse]:
        if last_id is None:
            return []
        async with self._store.transaction(tenant_id) as repository:
            last = await repository.response(tenant_id, last_id)
            if last is None:
                raise _no_previous(last_id)
            if last.turns >= self._rules.max_turns or last.chain_bytes > self._rules.max_chain_bytes:
                raise ResponseChainTooLong
            turns = await repository.conversation(tenant_id, last_id, last.turns)
        if len(turns) != last.turns:
            raise _no_previous(turns[0].previous_id)
        return turns

    async def _keep(self, turn: _Turn, response: bytes, own_id: str) -> bool:
        """Whether it is stored now. A response that cannot be stored is still an answer, and says that it is not."""
        try:
            told = orjson.loads(response)
        except orjson.JSONDecodeError:
            log.warning("a response is not stored that is no strict JSON")
            return False
        response_id, before = own_id or told.get("id"), turn.previous
        if told.get("status") not in chain.WHOLE or not isinstance(response_id, str):
            return False
        document = chain.mended(response, previous_id=turn.previous_id, stored=True, own_id=own_id)
        items = chain.input_items(turn.document)
        size = len(document) + len(items)
        if size > self._rules.max_bytes or len(response_id) > MAX_ID_CHARACTERS:
            log.warning("a response is too large to be stored", bytes=size)
            return False
        stored = StoredResponse(
            turn.call.tenant_id,
            response_id,
            turn.previous_id,
            items,
            document,
            (before.turns if before else 0) + 1,
            (before.chain_bytes if before else 0) + size,
            datetime.now(UTC) + self._rules.keep,
        )
        try:
            async with self._store.transaction(turn.call.tenant_id) as repository:
                return await repository.put_response(turn.call.tenant_id, stored)
        except PlatformError as error:
            log.warning("a response was not stored", reason=error.reason)
            return False


def _own_id(served: Served) -> str:
    """Of an answer out of the cache: what is stored of it is another response than the one that it was made as."""
    return new_id("resp") if served.age_seconds is not None else ""


def _not_found(response_id: str) -> ResponseNotFound:
    return ResponseNotFound(f"Response with id '{response_id[:MAX_ID_CHARACTERS]}' not found.")


def _no_previous(response_id: str) -> PreviousResponseNotFound:
    message = f"Previous response with id '{response_id[:MAX_ID_CHARACTERS]}' not found."
    return PreviousResponseNotFound(message, metadata={"param": "previous_response_id"})
