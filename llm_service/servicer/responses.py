"""Stored responses on the wire."""

from typing import Any

import orjson
from aisp.llm.v1 import llm_service_pb2 as pb
from aisp.llm.v1.llm_service_pb2_grpc import LlmServiceServicer

from chassis.context import current
from llm_service.policy.responses.chain import page_of
from llm_service.service.responses import Responses

DEFAULT_ITEMS, MOST_ITEMS = 20, 100


class ResponsesServicer(LlmServiceServicer):
    """Stored responses."""

    _responses: Responses

    async def GetResponse(self, request: pb.GetResponseRequest, _: Any) -> pb.GetResponseResponse:
        found = await self._responses.get(current().tenant_id, request.response_id)
        return pb.GetResponseResponse(body=found.document)

    async def ListResponseInputItems(
        self, request: pb.ListResponseInputItemsRequest, _: Any
    ) -> pb.ListResponseInputItemsResponse:
        found = await self._responses.get(current().tenant_id, request.response_id)
        most = min(request.limit or DEFAULT_ITEMS, MOST_ITEMS)
        page = page_of(found.input, most=most, after=request.after, ascending=request.ascending)
        return pb.ListResponseInputItemsResponse(body=orjson.dumps(page))

    async def KeepResponse(self, request: pb.KeepResponseRequest, _: Any) -> pb.KeepResponseResponse:
        stored = await self._responses.keep(current().tenant_id, request.request, request.response)
        return pb.KeepResponseResponse(stored=stored)

    async def DeleteResponse(self, request: pb.DeleteResponseRequest, _: Any) -> pb.DeleteResponseResponse:
        await self._responses.remove(current().tenant_id, request.response_id)
        return pb.DeleteResponseResponse()
