"""Responses with the tool file_search, on the wire."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from aisp.llm.v1 import llm_service_pb2 as llm_pb
from aisp.rag.v1 import rag_service_pb2 as pb
from aisp.rag.v1.rag_service_pb2_grpc import RagServiceServicer

from chassis import idempotency
from rag_service.domain.errors import BadRequest
from rag_service.domain.responding import Asking, Ended, Started
from rag_service.domain.usage import Tally
from rag_service.service.responding import Responding
from rag_service.servicer.wire import tenant, usage


class RespondingServicer(RagServiceServicer):
    """Responses."""

    _responding: Responding

    async def Respond(self, request: pb.RespondRequest, _: Any) -> pb.RespondResponse:
        tally = Tally()
        body, ended = await self._responding.respond(tenant(), _asking(request.envelope), tally)
        return pb.RespondResponse(body=body, completion=_completion(ended, tally))

    async def StreamRespond(self, request: pb.StreamRespondRequest, _: Any) -> AsyncIterator[pb.StreamRespondResponse]:
        tally = Tally()
        async with aclosing(self._responding.stream(tenant(), _asking(request.envelope), tally)) as parts:
            async for part in parts:
                if isinstance(part, Started):
                    yield pb.StreamRespondResponse(started=llm_pb.Started.FromString(part.told))
                elif isinstance(part, Ended):
                    yield pb.StreamRespondResponse(completion=_completion(part, tally))
                else:
                    yield pb.StreamRespondResponse(data=part)


def _asking(envelope: llm_pb.Envelope) -> Asking:
    if envelope.format != llm_pb.FORMAT_RESPONSES or not envelope.model:
        raise BadRequest("The envelope needs a model and the format of responses.")
    return Asking(envelope.model, envelope.body, envelope.SerializeToString())


def _completion(ended: Ended, tally: Tally) -> llm_pb.Completion:
    idempotency.about(ended.documents)
    completion: llm_pb.Completion = llm_pb.Completion.FromString(ended.told)
    completion.usage.CopyFrom(usage(tally.lines))
    return completion
