"""Embedder, Answerer, Meter and Herald over the embedding, llm and usage services, under the calling context."""

import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import orjson
from aisp.common.v1 import usage_pb2
from aisp.embedding.v1 import embedding_service_pb2 as embedding_pb
from aisp.llm.v1 import llm_service_pb2 as llm_pb
from aisp.usage.v1 import usage_service_pb2 as usage_service_pb
from aisp.usage.v1.webhooks_pb2 import PublishEventRequest

from chassis.errors import InvalidArgument, PlatformError
from rag_service.domain.answers import Message
from rag_service.domain.responding import Asking, Ended, Started
from rag_service.domain.usage import Tally, UsedLine

SHORTEST_TEXT = 64
FORGET_TEXTS = 1000
WINDOWS_SECONDS = 60.0
"""How long it is believed how much models can read."""


class EmbeddingUpstream:
    """Asks the embedding service."""

    def __init__(self, stub: Any) -> None:
        self._stub = stub

    async def embed_documents(self, model: str, texts: Sequence[str], tally: Tally) -> list[bytes]:
        shortened = list(texts)
        while True:
            try:
                return await self._embed(model, shortened, embedding_pb.INPUT_TYPE_DOCUMENT, tally)
            except InvalidArgument as error:
                # A text of rare characters has more tokens than estimated: its vector then stands for its beginning.
                if error.reason != "BAD_INPUT" or not error.violations:
                    raise
                index = int(error.violations[0].field.removeprefix("input[").removesuffix("]") or 0)
                if len(shortened[index]) <= SHORTEST_TEXT:
                    raise
                shortened[index] = shortened[index][: len(shortened[index]) // 2]

    async def embed_query(self, model: str, text: str, tally: Tally) -> bytes:
        try:
            return (await self._embed(model, [text], embedding_pb.INPUT_TYPE_QUERY, tally))[0]
        except InvalidArgument as error:
            if error.reason != "BAD_INPUT" or len(text) <= SHORTEST_TEXT:
                raise
            # The end of a long question asks most.
            return await self.embed_query(model, text[-len(text) // 2 :], tally)

    async def rerank(self, model: str, query: str, texts: Sequence[str], tally: Tally) -> list[float]:
        request = embedding_pb.RerankTextsRequest(model=model, query=query, texts=texts)
        answer = await self._stub.RerankTexts(request)
        tally.add(used(answer.usage))
        return list(answer.scores)

    async def forget(self, model: str, texts: Sequence[str]) -> int:
        forgotten = 0
        for start in range(0, len(texts), FORGET_TEXTS):
            request = embedding_pb.ForgetTextsRequest(model=model, texts=texts[start : start + FORGET_TEXTS])
            forgotten += (await self._stub.ForgetTexts(request)).forgotten
        return forgotten

    async def _embed(self, model: str, texts: Sequence[str], input_type: Any, tally: Tally) -> list[bytes]:
        request = embedding_pb.EmbedTextsRequest(
            model=model, inputs=[embedding_pb.Input(text=text) for text in texts], input_type=input_type
        )
        answer = await self._stub.EmbedTexts(request)
        tally.add(used(answer.usage))
        return list(answer.vectors)


class LlmUpstream:
    """Asks the language-model service, always as a stream."""

    def __init__(self, stub: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self._stub = stub
        self._clock = clock
        self._windows: dict[str, int] = {}
        self._known_at = -WINDOWS_SECONDS

    async def window(self, model: str) -> int:
        if self._clock() - self._known_at >= WINDOWS_SECONDS:
            found = await self._stub.ListModels(llm_pb.ListModelsRequest())
            self._windows = {row.name: row.context_length for row in found.models}
            self._known_at = self._clock()
        return self._windows.get(model, 0)

    async def stream(
        self, model: str, messages: Sequence[Message], max_tokens: int, tally: Tally
    ) -> AsyncGenerator[str, None]:
        document = {
            "model": model,
            "messages": [{"role": message.role, "content": message.content} for message in messages],
            "max_tokens": max_tokens,
            "temperature": 0,
            "frequency_penalty": 0.3,
        }
        envelope = llm_pb.Envelope(model=model, format=llm_pb.FORMAT_CHAT_COMPLETIONS, body=orjson.dumps(document))
        async with aclosing(self._stub.StreamComplete(llm_pb.StreamCompleteRequest(envelope=envelope))) as parts:
            async for part in parts:
                if part.WhichOneof("event") == "data":
                    for word in _words(part.data):
                        yield word
                elif part.WhichOneof("event") == "completion":
                    tally.add(used(part.completion.usage))


class ResponsesUpstream(LlmUpstream):
    """Asks it for responses, in the envelope that the client's request came in."""

    async def complete(self, asking: Asking, tally: Tally) -> tuple[bytes, Ended]:
        answer = await self._stub.Complete(llm_pb.CompleteRequest(envelope=_envelope(asking)))
        tally.add(used(answer.completion.usage))
        return answer.body, Ended(answer.completion.SerializeToString())

    async def events(self, asking: Asking, tally: Tally) -> AsyncGenerator[Started | bytes | Ended, None]:
        request = llm_pb.StreamCompleteRequest(envelope=_envelope(asking))
        async with aclosing(self._stub.StreamComplete(request)) as parts:
            async for part in parts:
                match part.WhichOneof("event"):
                    case "started":
                        yield Started(part.started.SerializeToString())
                    case "data":
                        yield part.data
                    case "completion":
                        tally.add(used(part.completion.usage))
                        yield Ended(part.completion.SerializeToString())

    async def keep(self, request: bytes, response: bytes) -> bool:
        kept = await self._stub.KeepResponse(llm_pb.KeepResponseRequest(request=request, response=response))
        return bool(kept.stored)


def _envelope(asking: Asking) -> llm_pb.Envelope:
    envelope: llm_pb.Envelope = llm_pb.Envelope.FromString(asking.envelope)
    envelope.body = asking.body
    return envelope


class UsageUpstream:
    """Reserves and settles a job's steps."""

    def __init__(self, stub: Any) -> None:
        self._stub = stub

    async def reserve(self, tokens: int = 0, stored_bytes: int = 0) -> str:
        request = usage_service_pb.ReserveRequest(tokens=tokens, storage_bytes=stored_bytes, service="rag")
        return str((await self._stub.Reserve(request)).lease_id)

    async def settle_stored(self, lease_id: str, stored_bytes: int) -> None:
        line = UsedLine("rag", "", "", usage_pb2.UNIT_STORED_BYTES, stored_bytes, 1)
        await self.settle(lease_id, Tally([line]))

    async def settle(self, lease_id: str, tally: Tally) -> None:
        request = usage_service_pb.SettleRequest(lease_id=lease_id, usage=usage_of(tally.lines))
        try:
            await self._stub.Settle(request)
        except PlatformError as error:
            # Swept meanwhile: then it is settled at its reserve already.
            if error.reason != "LEASE_CLOSED":
                raise


class WebhookHerald:
    """Has the usage service tell the tenant's webhooks."""

    def __init__(self, stub: Any) -> None:
        self._stub = stub

    async def tell(self, event_type: str, data: Mapping[str, Any], once: str) -> None:
        await self._stub.PublishEvent(
            PublishEventRequest(event_type=event_type, data_json=orjson.dumps(dict(data)).decode(), once=once)
        )


def used(usage: usage_pb2.Usage) -> list[UsedLine]:
    """The lines of another service's answer."""
    return [
        UsedLine(
            line.service, line.model, line.provider, line.unit, line.amount, line.attempt, estimated=line.estimated
        )
        for line in usage.lines
    ]


def usage_of(lines: Sequence[UsedLine]) -> usage_pb2.Usage:
    """Lines on the wire."""
    rows = [
        usage_pb2.UsageLine(
            service=line.service,
            model=line.model,
            provider=line.provider,
            unit=line.unit,  # type: ignore[arg-type]  # the number of an enum that came over the wire
            amount=line.amount,
            attempt=line.attempt,
            estimated=line.estimated,
        )
        for line in lines
    ]
    return usage_pb2.Usage(lines=rows)


def _words(events: bytes) -> list[str]:
    found = []
    for event in events.split(b"\n\n"):
        if event.startswith(b"data:"):
            choices = orjson.loads(event[5:]).get("choices") or []
            content = choices[0].get("delta", {}).get("content") if choices else None
            if content:
                found.append(content)
    return found
