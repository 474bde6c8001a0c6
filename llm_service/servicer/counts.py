"""Counts of tokens, on the wire."""

from typing import Any

from aisp.llm.v1 import llm_service_pb2 as pb
from aisp.llm.v1.llm_service_pb2_grpc import LlmServiceServicer

from llm_service.service.counting import Counting
from llm_service.servicer.completions import read_call


class CountsServicer(LlmServiceServicer):
    """What a model would read."""

    _counting: Counting

    async def CountTokens(self, request: pb.CountTokensRequest, _: Any) -> pb.CountTokensResponse:
        found = await self._counting.count(read_call(request.envelope))
        return pb.CountTokensResponse(input_tokens=found.tokens, exact=found.exact, provider=found.deployment.provider)
