"""Leases of jobs, and limits that are to be in force."""

from typing import Any

from aisp.usage.v1 import usage_service_pb2 as pb
from aisp.usage.v1.usage_service_pb2_grpc import UsageServiceServicer

from chassis.errors import InvalidArgument
from usage_service.domain.limits import Subject, Work
from usage_service.service.leases import Leases
from usage_service.service.limits import Limits
from usage_service.servicer import wire

DEFAULT_LEASE_SECONDS = 60
MAX_LEASE_SECONDS = 3600


class LeasesServicer(UsageServiceServicer):
    """Translates."""

    _limits: Limits
    _leases: Leases

    async def EnsureLimits(self, request: pb.EnsureLimitsRequest, _: Any) -> pb.EnsureLimitsResponse:
        calling, key = wire.caller(), None
        if request.key_id:
            key = Subject("key", request.key_id, request.key_version, dict(request.key_limits))
        await self._limits.ensure(calling.tenant_id, request.plan, request.tenant_version, key, calling.user_id)
        return pb.EnsureLimitsResponse()

    async def Reserve(self, request: pb.ReserveRequest, _: Any) -> pb.ReserveResponse:
        calling = wire.caller()
        seconds = request.lease_seconds or DEFAULT_LEASE_SECONDS
        amounts = (request.tokens, request.storage_bytes, request.characters, request.audio_milliseconds)
        if not 1 <= seconds <= MAX_LEASE_SECONDS or min(amounts) < 0:
            raise InvalidArgument("no amount may be negative, lease_seconds must be 1 to 3600.")
        work = Work(
            tenant_id=calling.tenant_id,
            request_id=calling.request_id,
            user_id=calling.user_id,
            key_id=calling.key_id,
            service=request.service,
            tokens=request.tokens,
            storage_bytes=request.storage_bytes,
            lease_seconds=seconds,
            counts_request=request.counts_request,
            model=request.model,
            characters=request.characters,
            audio_milliseconds=request.audio_milliseconds,
        )
        return pb.ReserveResponse(lease_id=await self._leases.reserve(work))

    async def Checkpoint(self, request: pb.CheckpointRequest, _: Any) -> pb.CheckpointResponse:
        await self._leases.checkpoint(wire.caller().tenant_id, request.lease_id, wire.lines(request.usage))
        return pb.CheckpointResponse()

    async def Settle(self, request: pb.SettleRequest, _: Any) -> pb.SettleResponse:
        lines = wire.lines(request.usage)
        calling = wire.caller()
        work = Work(
            tenant_id=calling.tenant_id,
            request_id=calling.request_id,
            user_id=calling.user_id,
            key_id=calling.key_id,
            service=next((line.service for line in lines), ""),
            tokens=0,
            storage_bytes=0,
            lease_seconds=DEFAULT_LEASE_SECONDS,
            counts_request=False,
        )
        await self._leases.settle(work, request.lease_id, lines, partial=request.partial)
        return pb.SettleResponse()
